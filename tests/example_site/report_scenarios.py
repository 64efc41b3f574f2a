"""Prints for each scenario of the loaded demo what is known of its steps: run by test_demo.py."""

from __future__ import annotations

import json

import django

django.setup()

from wagtail_ma.scenarios import queries  # noqa: E402
from wagtail_ma.scenarios.kinds import Role, step_kinds  # noqa: E402
from wagtail_ma.scenarios.models import Scenario  # noqa: E402
from wagtail_ma.scenarios.publish import walk  # noqa: E402

found = []
for scenario in Scenario.objects.filter(live=True, is_paused=False).order_by("pk"):
    waiting, outcomes = queries.waiting(scenario), queries.outcomes(scenario)
    version = queries.latest_version(scenario)
    for step in walk(version.definition if version else []):
        kind = step_kinds.get(step["kind"])
        assert kind is not None
        # At the others nobody stays.
        holds = kind.role is Role.WAIT or bool(kind.duration(step["params"]))
        found.append(
            {
                "scenario": scenario.name,
                "step": kind.describe(step["params"]),
                "holds": holds,
                "here": waiting.get(step["id"], 0),
                "passed": outcomes.get(step["id"], {}),
                "ways": list(kind.exits),
            }
        )
print(json.dumps(found))
