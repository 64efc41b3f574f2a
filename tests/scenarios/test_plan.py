"""The planner: pure, so walked without a database."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_ma.scenarios.kinds import NOT_YET, step_kinds
from wagtail_ma.scenarios.plan import BrokenStep, Finish, Go, Perform, Wait, flow_of, next_move

START = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)


def test_next_move__wait__lasts_from_entering_the_step():
    flow = flow_of([{"id": "a", "kind": "wait", "params": {"amount": 2, "unit": "hours"}}])
    assert next_move(flow, "a", entered_at=START, now=START) == Wait(START + timedelta(hours=2))
    late = START + timedelta(hours=2)
    assert next_move(flow, "a", entered_at=START, now=late) == Finish("waited")


def test_next_move__branch__goes_on_below_after_its_steps():
    flow = flow_of(
        [
            {
                "id": "ask",
                "kind": "branch",
                "params": {},
                "branches": {"yes": [{"id": "mail", "kind": "send_mail", "params": {}}], "no": []},
            },
            {"id": "over", "kind": "end", "params": {}},
        ]
    )
    ask = next_move(flow, "ask", entered_at=START, now=START)
    assert isinstance(ask, Perform)
    assert next_move(flow, "ask", entered_at=START, now=START, answer="yes") == Go("mail", "yes")
    assert next_move(flow, "ask", entered_at=START, now=START, answer="no") == Go("over", "no")
    assert next_move(flow, "mail", entered_at=START, now=START, answer="queued") == Go("over", "queued")
    assert next_move(flow, "over", entered_at=START, now=START) == Finish("ended")


def test_next_move__no_answer_yet__listens_until_the_deadline_then_takes_the_late_way():
    flow = flow_of(
        [
            {
                "id": "clicked",
                "kind": "clicked",
                "params": {"amount": 1, "unit": "days"},
                "branches": {"yes": [], "no": [{"id": "end", "kind": "end", "params": {}}]},
            }
        ]
    )
    deadline = START + timedelta(days=1)
    assert next_move(flow, "clicked", entered_at=START, now=START, answer=NOT_YET) == Wait(
        deadline, is_listening=True
    )
    assert next_move(flow, "clicked", entered_at=START, now=deadline, answer=NOT_YET) == Go("end", "no")
    assert next_move(flow, "clicked", entered_at=START, now=START, answer="yes") == Finish("yes")


@pytest.mark.parametrize("tree", [[], [{"id": "a", "kind": "gone-plug-in", "params": {}}]])
def test_next_move__unknown_step_or_kind__is_broken(tree):
    with pytest.raises(BrokenStep):
        next_move(flow_of(tree), "a", entered_at=START, now=START)


def trees(depth: int = 3):
    counter = itertools.count()
    plain = st.sampled_from(["wait", "send_mail", "end"]).map(lambda kind: {"kind": kind})
    step = plain
    for _level in range(depth):
        step = st.one_of(
            plain,
            st.fixed_dictionaries(
                {
                    "kind": st.sampled_from(["branch", "clicked"]),
                    "branches": st.fixed_dictionaries(
                        {"yes": st.lists(step, max_size=2), "no": st.lists(step, max_size=2)}
                    ),
                }
            ),
        )
    return st.lists(step, min_size=1, max_size=4).map(lambda tree: _named(tree, counter))


def _named(tree, counter):
    return [
        {
            **step,
            "id": f"s{next(counter)}",
            "params": {"amount": 1, "unit": "days"},
            "branches": {name: _named(branch, counter) for name, branch in step.get("branches", {}).items()},
        }
        for step in tree
    ]


@given(
    tree=trees(),
    answers=st.lists(st.sampled_from(["yes", "no", NOT_YET, "queued"]), min_size=60, max_size=60),
)
def test_walk__any_well_formed_scenario__ends_and_passes_no_step_twice(tree, answers):
    flow = flow_of(tree)
    here, entered_at, now = flow.start, START, START
    passed: list[str] = []
    chosen = iter(answers)
    for _round in range(60):
        move = next_move(flow, here, entered_at=entered_at, now=now)
        if isinstance(move, Perform):
            move = next_move(flow, here, entered_at=entered_at, now=now, answer=next(chosen))
        if isinstance(move, Wait):
            assert move.until > now
            now = move.until
            continue
        passed.append(here)
        if isinstance(move, Finish):
            break
        here, entered_at = move.step_id, now
    else:
        pytest.fail("never ended")
    assert len(passed) == len(set(passed))
    assert set(passed) <= set(flow.steps)


def test_step_kinds__built_in__have_words_for_their_exits():
    for kind in step_kinds:
        assert set(kind.exits) <= set(kind.outcomes)
