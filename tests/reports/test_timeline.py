"""The timeline of a visitor speaks in words, not in the codes of the tables."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace

import pytest
from django.utils.translation import override

from tests.factories import make_browser, make_lead
from wagtail_ma.messaging import reasons
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people.identify import identify
from wagtail_ma.reports.timeline import _step_row, timeline
from wagtail_ma.scenarios.models import Enrolment, StepRun
from wagtail_ma.tracking.models import Network, Visit

pytestmark = pytest.mark.django_db


def test_timeline__visit__names_channel_source_and_device(now: datetime) -> None:
    identity = make_browser(now=now)
    fields = {"medium": "organic", "source": "google", "device": "mobile", "started_at": now, "last_at": now}
    Visit.objects.create(identity=identity, visitor=identity.visitor, **fields)
    with override("en"):
        [row] = timeline(identity.visitor_id).rows
    assert row.detail == "Search · google · mobile phone"


def test_timeline__lead_by_form__says_how(now: datetime) -> None:
    lead = identify(make_browser(now=now), email="ann@example.com", now=now, method="form")
    with override("ja"):
        [row] = timeline(lead.visitor_id, kinds={"link"}).rows
    assert row.detail == "フォーム"


def test_timeline__builtin_mail_not_sent__says_what_and_why(now: datetime) -> None:
    lead = make_lead(now=now)
    Delivery.objects.create(
        lead=lead,
        visitor=lead.visitor,
        email=lead.email,
        builtin="download_link",
        extra={"title": "Guide"},
        state=Delivery.State.SKIPPED,
        reason=reasons.BAD_ADDRESS,
        send_after=now,
        created_at=now,
    )
    with override("en"):
        [row] = timeline(lead.visitor_id, kinds={"mail"}).rows
    assert row.title == "Mail: Guide"
    assert row.detail == "skipped · The address is not a mail address."


@pytest.mark.parametrize(
    ("kind", "outcome", "detail"),
    [
        ("send_mail", "no_address", "Send a mail · skipped: no address known"),
        ("send_mail", "some_new_word", "Send a mail · some_new_word"),
        ("gone", "told", "gone · told"),
    ],
)
def test_step_row__kind_and_outcome__in_words(kind: str, outcome: str, detail: str, now: datetime) -> None:
    run = StepRun(kind=kind, outcome=outcome, at=now)
    run._state.fields_cache["enrolment"] = SimpleNamespace(scenario="Follow-up")
    with override("en"):
        assert _step_row(run).detail == detail


@pytest.mark.parametrize(
    ("status", "reason", "words"),
    [
        (Enrolment.Status.FINISHED, "completed", ""),
        (Enrolment.Status.EXITED, "stopped", "the scenario was stopped by hand"),
        (Enrolment.Status.EXITED, "as the host project says", "as the host project says"),
        (Enrolment.Status.ACTIVE, "", ""),
    ],
)
def test_left_because__reason__in_words_unless_finished(status: str, reason: str, words: str) -> None:
    with override("en"):
        assert Enrolment(status=status, left_reason=reason).left_because == words


def test_visit__whose_address_told_a_place_and_a_firm__shows_both_as_a_guess(now: datetime) -> None:
    identity = make_browser(now=now)
    network = Network.objects.create(name="Specimen Foods", ranges="203.0.113.0/24")
    fields = {"medium": "direct", "country": "JP", "region": "JP-13", "network": network}
    Visit.objects.create(identity=identity, visitor=identity.visitor, started_at=now, last_at=now, **fields)
    with override("en"):
        [row] = timeline(identity.visitor_id).rows
    assert "probably from Tokyo, Specimen Foods" in row.detail
