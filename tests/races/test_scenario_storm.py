"""Workers are killed in the middle of everything: each step is executed exactly once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from tests.scenarios.stories import a_draft, an_enrolment, wait
from tests.scoring.history import a_visitor
from wagtail_ma.people.models import News
from wagtail_ma.scenarios.models import Enrolment, ScenarioVersion, StepRun

PEOPLE, STEPS = 30, 6


@pytest.mark.parametrize("seed", [1, 2])
def test_storm__workers_killed_all_the_time__each_step_once_nobody_lost(transactional_db, now, seed):
    scenario = a_draft([wait()], live=True, active_since=now)
    steps = [{"id": f"s{number}", "kind": "mark", "params": {}} for number in range(STEPS)]
    ScenarioVersion.objects.create(scenario=scenario, number=1, definition=steps, published_at=now)
    for _number in range(PEOPLE):
        an_enrolment(scenario, a_visitor(now), now)

    kills, died, failures = workers(now, seed, count=8 if connection.vendor == "postgresql" else 2)

    assert Enrolment.objects.filter(status="finished").count() == PEOPLE
    assert StepRun.objects.count() == PEOPLE * STEPS
    # What a step has done stands exactly when the step does.
    assert News.objects.count() == PEOPLE * STEPS
    # The storm was one.
    assert died >= 10
    assert kills >= 3
    assert failures == 0


def workers(now, seed, *, count):
    """Run the nursery to its end: how many were killed, died in a step, and failed by themselves."""
    script = Path(__file__).with_name("scenario_workers.py")
    database = str(connection.settings_dict["NAME"])
    arguments = [sys.executable, str(script), database, now.isoformat(), str(seed), "--workers", str(count)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return map(int, done.stdout.split())
