"""How fast people move through scenarios. Started by run.py, in a process of the example site; prints a table
as JSON lines.

    python -m benchmarks.scenarios [--people N] [--rounds N]
    python -m benchmarks.run --scenarios        (both databases, nothing else)

Named people who agreed to mail, N in each round, go through a day's wait, a branch by a segment, a mail of
one kind or the other, three days' wait, a task for a person, and the end: six steps, all of them executed
by ``runner.run_due`` as the worker calls it, with a moved clock. Half of them are in the segment.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import uuid
from datetime import datetime, timedelta
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks.mails import make_leads  # noqa: E402
from wagtail_ma.messaging.models import Delivery, Mail, SenderProfile  # noqa: E402
from wagtail_ma.sales.models_of_tasks import Task  # noqa: E402
from wagtail_ma.scenarios import runner  # noqa: E402
from wagtail_ma.scenarios.entry import put_in  # noqa: E402
from wagtail_ma.scenarios.models import Scenario  # noqa: E402
from wagtail_ma.segments.models import Membership, Segment  # noqa: E402

STEPS = 6
# Executions per second and core that are asked for.
BUDGET = {"postgresql": 500, "sqlite": 200}
DAY = timedelta(days=1)


def block(kind: str, value: Any) -> dict[str, Any]:
    return {"type": kind, "id": str(uuid.uuid4()), "value": value}


def step(kind: str, **value: Any) -> dict[str, Any]:
    return block(kind, value)


def make_mail(sender: SenderProfile, name: str) -> Mail:
    body = [
        {
            "type": "text",
            "value": "<p>Dear {{ lead.full_name|default:'reader' }}</p>",
            "id": str(uuid.uuid4()),
        }
    ]
    mail = Mail(name=name, subject="Next", sender=sender, timing="any", kind="step", live=True)
    mail.body = mail._meta.get_field("body").to_python(body)
    mail.save()
    return mail


def make_scenario() -> tuple[Scenario, Segment]:
    sender = SenderProfile.objects.create(
        name="Example", email="next@example.com", legal_name="Example", postal_address="Tokyo", contact="x"
    )
    segment = Segment.objects.create(name="Half of them", is_static=True)
    first, second = (make_mail(sender, name) for name in ("First", "Second"))
    steps = [
        step("wait", amount=1, unit="days"),
        step(
            "branch",
            segment=segment.pk,
            yes=[step("send_mail", mail=first.pk, patience_days=0)],
            no=[step("send_mail", mail=second.pk, patience_days=0)],
        ),
        step("wait", amount=3, unit="days"),
        step("task", text="Call", days=1, user=None),
        step("end"),
    ]
    scenario = Scenario.objects.create(name="Bench", entry="hand", live=False, steps=json.dumps(steps))
    scenario.save_revision().publish()
    scenario.refresh_from_db()
    return scenario, segment


def one_round(scenario: Scenario, segment: Segment, count: int, now: datetime) -> tuple[float, float]:
    """Step executions per second, and per second of this process's CPU."""
    ids = [lead.visitor_id for lead in make_leads(count)]
    Membership.objects.bulk_create(
        [Membership(segment=segment, visitor_id=pk, entered_at=now) for pk in ids[::2]]
    )
    entered = put_in(scenario, ids, reason=uuid.uuid4().hex, now=now)
    assert entered == count, entered
    wall, cpu, done = time.perf_counter(), time.process_time(), 0
    for moment in (now, now + DAY, now + 4 * DAY):
        done += runner.run_due(now=moment, limit=count)
    seconds, used = time.perf_counter() - wall, time.process_time() - cpu
    # A branch is one execution, so is the mail in it.
    assert done == count * STEPS, done
    return done / seconds, done / used


def measure(count: int, rounds: int) -> list[list[str]]:
    scenario, segment = make_scenario()
    # (Other measurements of the same run have left theirs.)
    before = Delivery.objects.count(), Task.objects.count()
    now = timezone.now()
    # Warm, and not counted.
    one_round(scenario, segment, 100, now)
    found = [one_round(scenario, segment, count, now + n * 10 * DAY) for n in range(1, rounds + 1)]
    people = 100 + count * rounds
    after = Delivery.objects.count(), Task.objects.count()
    assert after == (before[0] + people, before[1] + people), (before, after, people)
    speed, per_core = (statistics.median(pair[place] for pair in found) for place in (0, 1))
    asked = BUDGET[connection.vendor]
    verdict = f"{'kept' if per_core >= asked else 'MISSED'}: asked {asked} a second and core"
    name = "steps (wait, branch, mail, wait, task, end)"
    return [[name, f"{speed:,.0f}", f"{per_core:,.0f}", verdict]]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(json.dumps(measure(options.people, options.rounds)))


if __name__ == "__main__":
    main()
