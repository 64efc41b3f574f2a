from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_ma.tracking.devices import DEVICES, device

LINES = (Path(__file__).parent / "data" / "browser_user_agents.txt").read_text(encoding="utf-8").splitlines()
CASES = [tuple(line.rsplit(" | ", 1)) for line in LINES if line and not line.startswith("#")]


@pytest.mark.parametrize(("user_agent", "expected"), CASES)
def test_device__real_browser__its_kind(user_agent, expected):
    assert device(user_agent) == expected


@pytest.mark.parametrize("user_agent", ["", "-", "curl/8.5.0", "SomethingNew/1.0"])
def test_device__nothing_known__other(user_agent):
    assert device(user_agent) == "other"


@given(st.text(max_size=300))
def test_device__any_text__one_of_the_five(text):
    assert device(text) in DEVICES
