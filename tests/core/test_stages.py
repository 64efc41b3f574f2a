"""One failing piece keeps no other from being done."""

from __future__ import annotations

import pytest

from wagtail_ma.core.stages import Stages


def test_stages__one_fails__the_others_are_done_and_it_is_told_at_the_end() -> None:
    done: list[str] = []

    def fail() -> None:
        raise ValueError("broken")

    stages = Stages()
    assert stages.do(fail) == 0
    assert stages.do(lambda: len(done.append("next") or done)) == 1
    with pytest.raises(ExceptionGroup) as told:
        stages.finish()
    assert told.group_contains(ValueError, match="broken")


def test_stages__none_fails__says_nothing() -> None:
    stages = Stages()
    stages.do(lambda: None)
    stages.finish()
