"""The demo as ``ma_demo`` loads it, with nobody but those who have a fixed plan."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What became of the steps of its scenarios."""
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "example.settings.demo",
        "WAGTAIL_MA_VAR": str(tmp_path_factory.mktemp("demo")),
        "WAGTAIL_MA_DATABASE": "",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "example_site")]),
    }
    manage = [sys.executable, str(ROOT / "example_site" / "manage.py")]
    output = ""
    for command in (
        [*manage, "migrate", "--verbosity", "0"],
        [*manage, "ma_demo", "--visitors", "0", "--days", "13"],
        [sys.executable, "-m", "tests.example_site.report_scenarios"],
    ):
        done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        output = done.stdout
    found: list[dict[str, Any]] = json.loads(output.splitlines()[-1])
    return found


def test_demo__scenarios__two_run_with_somebody_at_every_step(steps: list[dict[str, Any]]) -> None:
    assert len({step["scenario"] for step in steps}) == 2
    # Where people stay there are some now; where nobody can stay, some have gone through.
    empty = [step for step in steps if not (step["here"] if step["holds"] else step["passed"])]
    assert empty == []


def test_demo__branches__people_went_each_way(steps: list[dict[str, Any]]) -> None:
    untrodden = [(step["step"], way) for step in steps for way in step["ways"] if not step["passed"].get(way)]
    assert untrodden == []
