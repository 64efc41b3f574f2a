"""Many workers, crashes in the middle: each step is executed exactly once."""

from __future__ import annotations

import random
import threading
from datetime import timedelta

import pytest
from django.db import OperationalError, connection

from tests.scenarios.stories import a_draft, an_enrolment, wait
from tests.scoring.history import a_browser, a_visitor, an_activity
from wagtail_ma.people.models import News
from wagtail_ma.scenarios import runner
from wagtail_ma.scenarios.entry import enter
from wagtail_ma.scenarios.kinds import NOT_YET, StepKind, step_kinds
from wagtail_ma.scenarios.models import Enrolment, Scenario, ScenarioVersion, StepRun

pytestmark = pytest.mark.django_db(transaction=True)

PEOPLE = 30
STEPS = 5


class Crash(BaseException):
    """The process dies: nothing in the program catches it."""


class Mark(StepKind):
    """Leaves a row that nothing keeps unique, then dies now and then."""

    key = "mark"
    label = "Mark"

    def __init__(self):
        self.random = random.Random(7)
        self.crashes = 0

    def perform(self, context):
        News.objects.create(visitor_id=context.enrolment.visitor_id, at=context.now)
        if self.random.random() < 0.2:
            self.crashes += 1
            raise Crash
        return "marked"


@pytest.fixture
def mark():
    kind = Mark()
    step_kinds.register(kind.key, kind)
    yield kind
    step_kinds.unregister(kind.key)


def published(now, definition):
    scenario = a_draft([wait()], live=True, active_since=now)
    ScenarioVersion.objects.create(scenario=scenario, number=1, definition=definition, published_at=now)
    return scenario


def in_threads(count, work):
    """Run ``work`` in threads with a connection each; what one raises, the test raises."""
    errors = []

    def run():
        try:
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    if errors:
        raise errors[0]


def test_run_due__racing_workers_with_crashes__each_step_once(now, mark, monkeypatch):
    # Each transaction one step of a few people: as many chances to collide as possible.
    monkeypatch.setattr(runner, "BATCH", 3)
    monkeypatch.setattr(runner, "MAX_STEPS", 1)
    scenario = published(now, [{"id": f"s{n}", "kind": "mark", "params": {}} for n in range(STEPS)])
    for _number in range(PEOPLE):
        an_enrolment(scenario, a_visitor(now), now)

    def work():
        while Enrolment.objects.filter(status="active").exists():
            try:
                runner.run_due(now=now, limit=10)
            except Crash:
                continue

    in_threads(8 if connection.vendor == "postgresql" else 3, work)
    assert mark.crashes > 10
    assert Enrolment.objects.filter(status="finished").count() == PEOPLE
    assert StepRun.objects.count() == PEOPLE * STEPS
    assert News.objects.count() == PEOPLE * STEPS


class Patient(StepKind):
    """Has no answer at first: only a wake-up brings it further."""

    key = "patient"
    label = "Patient"

    def duration(self, params):
        return timedelta(days=1)

    def perform(self, context):
        return NOT_YET if context.enrolment.revision < 6 else "done"


@pytest.fixture
def patient():
    step_kinds.register(Patient.key, Patient())
    yield
    step_kinds.unregister(Patient.key)


def test_run_due__overlapping_with_wake_ups__each_step_once(now, mark, patient, monkeypatch):
    monkeypatch.setattr(runner, "BATCH", 3)
    kinds = ("patient", "mark")
    scenario = published(now, [{"id": kind, "kind": kind, "params": {}} for kind in kinds])
    ids = [an_enrolment(scenario, a_visitor(now), now).visitor_id for _number in range(PEOPLE)]

    def work():
        while Enrolment.objects.filter(status="active").exists():
            try:
                runner.wake(ids, now=now)
                runner.run_due(now=now)
            except (Crash, OperationalError):
                # Two wake-ups may lock the same rows in another order: the database ends one.
                continue

    in_threads(4 if connection.vendor == "postgresql" else 2, work)
    assert News.objects.count() == PEOPLE
    assert StepRun.objects.count() == 2 * PEOPLE


def test_enter__two_reactions_at_once__one_enrolment(now):
    published(now, [{"id": "w", "kind": "wait", "params": {"amount": 1, "unit": "days"}}])
    ids = []
    for _number in range(10):
        visitor = a_visitor(now)
        an_activity(a_browser(visitor, now), now)
        ids.append(visitor.pk)
    barrier = threading.Barrier(4)

    def work():
        barrier.wait()
        enter(ids, [], now=now)

    in_threads(4, work)
    assert Scenario.objects.count() == 1
    assert Enrolment.objects.count() == 10
