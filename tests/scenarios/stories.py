"""Scenarios, mails and people for the tests of scenarios."""

from __future__ import annotations

import json
import uuid
from datetime import datetime
from typing import Any

from tests.scoring.history import a_browser, a_visitor
from wagtail_ma.messaging import consents
from wagtail_ma.messaging.models import Mail, SenderProfile
from wagtail_ma.people.models import Lead, Visitor
from wagtail_ma.scenarios.models import Enrolment, Scenario, ScenarioVersion


def a_mail(**fields: Any) -> Mail:
    sender = SenderProfile.objects.get_or_create(
        email="sender@example.com",
        defaults={
            "name": "Example",
            "legal_name": "Example K.K.",
            "postal_address": "1-1 Marunouchi, Tokyo",
            "contact": "https://example.com/contact",
        },
    )[0]
    body = json.dumps([{"type": "text", "value": "<p>Hello</p>", "id": str(uuid.uuid4())}])
    return Mail.objects.create(
        **{"name": "Follow-up", "sender": sender, "subject": "Hello", "body": body, "live": True, **fields}
    )


def a_lead(now: datetime, *, email: str = "reader@example.com", consents_to_mail: bool = True) -> Lead:
    visitor = a_visitor(now)
    a_browser(visitor, now)
    lead = Lead.objects.create(visitor=visitor, email=email, created_at=now)
    if consents_to_mail:
        consents.record(
            visitor, email=email, is_granted=True, text="Yes", source_kind="form", source_key="1", now=now
        )
    return lead


def step(kind: str, value: dict[str, Any] | None = None, *, key: str) -> dict[str, Any]:
    """One step as the StreamField stores it; ``key`` is its readable id."""
    return {"type": kind, "id": key, "value": value or {}}


def wait(amount: int = 1, unit: str = "days", *, key: str = "wait") -> dict[str, Any]:
    return step("wait", {"amount": amount, "unit": unit}, key=key)


def send(mail: Mail, *, key: str = "send") -> dict[str, Any]:
    return step("send_mail", {"mail": mail.pk}, key=key)


def end(*, key: str = "end") -> dict[str, Any]:
    return step("end", key=key)


def a_draft(steps: list[dict[str, Any]], **fields: Any) -> Scenario:
    return Scenario.objects.create(
        **{
            "name": "After a download",
            "entry": "activity",
            "activity_kind": "download",
            "live": False,
            "steps": json.dumps(steps),
            **fields,
        }
    )


def a_scenario(now: datetime, steps: list[dict[str, Any]], **fields: Any) -> Scenario:
    """A published scenario, active since ``now``."""
    scenario = a_draft(steps, **fields)
    scenario.save_revision().publish()
    Scenario.objects.filter(pk=scenario.pk).update(active_since=now)
    scenario.refresh_from_db()
    return scenario


def an_enrolment(scenario: Scenario, visitor: Visitor, now: datetime, **fields: Any) -> Enrolment:
    from wagtail_ma.scenarios.plan import flow_of

    version = ScenarioVersion.objects.filter(scenario=scenario).latest("number")
    return Enrolment.objects.create(
        **{
            "scenario": scenario,
            "version": version,
            "visitor": visitor,
            "born_visitor": visitor,
            "trigger": f"test:{uuid.uuid4().hex}",
            "step_id": flow_of(version.definition).start,
            "due_at": now,
            "entered_at": now,
            "step_entered_at": now,
            **fields,
        }
    )
