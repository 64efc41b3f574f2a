"""Reading stored rules: what cannot be evaluated is said to be broken, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.factories import condition, group, make_segment
from wagtail_ma.core.conditions import Condition, Rows, facts
from wagtail_ma.people.models import Lead
from wagtail_ma.rules.fields import stored
from wagtail_ma.rules.sentences import sentence
from wagtail_ma.rules.tree import Broken, Group, parse
from wagtail_ma.segments.models import Segment

VISITS = condition("visit_count", comparison="at_least", number=2, days=7)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "raw",
    [
        [],
        [condition("no_such_condition")],
        [group("any")],
        [group("sometimes", VISITS)],
        [condition("visit_count", comparison="at_least", number="many", days=None)],
        [condition("visit_count", comparison="at_least", number=True, days=None)],
        [condition("visit_count", comparison="nearly", number=1, days=None)],
        [condition("visit_count", comparison="at_least", number=-1, days=None)],
        [condition("in_segment", segment=99)],
        [condition("in_segment", segment=None)],
        [condition("page_viewed", page=99)],
        [condition("campaign", visit="any", campaign="  ")],
        [condition("campaign", visit="any", campaign="a\x00b")],
        [group("all", group("all", group("all", VISITS)))],
        [VISITS] * 101,
        [None],
        [{"type": "visit_count"}],
        "nonsense",
    ],
)
def test_parse__damaged_or_outdated_rule__broken_with_a_reason(raw: Any) -> None:
    tree = parse("all", raw)
    assert isinstance(tree, Broken)
    assert tree.reason


@pytest.mark.django_db
def test_parse__unknown_match__broken() -> None:
    assert isinstance(parse("most", [VISITS]), Broken)


@pytest.mark.django_db
def test_parse__parameter_added_since__takes_its_default() -> None:
    tree = parse("all", [condition("visit_count", number=3)])
    assert isinstance(tree, Group)
    assert next(tree.leaves()).values == {"comparison": "at_least", "number": 3, "days": None}


@pytest.mark.django_db
def test_sentence__nested_rule__reads_like_a_sentence(home: Any) -> None:
    viewed = condition("page_viewed", page=home.pk, number=3, days=14)
    raw = [viewed, group("none", VISITS, condition("identified", **{"is": "yes"}))]
    assert sentence(parse("all", raw)) == (
        "Viewed “Home” at least 3 times in the last 14 days and none of these: made at least 2 visits in "
        "the last 7 days or is known by name"
    )


class Gone(Condition):
    key = "gone"
    label = "Gone"

    def test(self, values: Any, scope: Any) -> Any:
        return Rows(Lead.objects.all())


@pytest.mark.django_db
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_rule_field__removed_condition__kept_as_stored_when_saved_again(depth: int) -> None:
    lost = {"type": "gone", "value": {"colour": "blue"}, "id": "3f6ad8ec-6a5c-4d7f-8d08-8d4e51b9c1aa"}
    item: dict[str, Any] = lost
    for _level in range(depth):
        item = group("any", VISITS, item)
    segment = make_segment("Old", VISITS, item)

    again = Segment.objects.get(pk=segment.pk)
    list(again.rule)  # the editor has looked at it
    for child in again.rule:
        if child.block_type == "group":
            list(child.value["conditions"])
    again.name = "Renamed"
    again.save()

    found = stored(Segment.objects.get(pk=segment.pk).rule)[1]
    for _level in range(depth):
        found = found["value"]["conditions"][1]
    assert (found["type"], found["value"]) == ("gone", {"colour": "blue"})
    assert isinstance(parse("all", stored(again.rule)), Broken)


@pytest.mark.django_db
def test_rule_field__condition_comes_back__rule_is_whole_again() -> None:
    segment = make_segment("Old", {"type": "gone", "value": {}})
    facts.register("gone", Gone())
    try:
        assert isinstance(parse("all", stored(Segment.objects.get(pk=segment.pk).rule)), Group)
    finally:
        facts.unregister("gone")


@pytest.mark.django_db
def test_stored__rule_with_pages__no_statement(home: Any, django_assert_num_queries: Any) -> None:
    segment = make_segment("Pages", condition("page_viewed", page=home.pk))
    segment = Segment.objects.get(pk=segment.pk)
    with django_assert_num_queries(0):
        assert stored(segment.rule)[0]["value"]["page"] == home.pk


def test_rule_field__migration__knows_no_blocks() -> None:
    _name, _path, args, kwargs = Segment._meta.get_field("rule").deconstruct()
    assert args == []
    assert "block_lookup" not in kwargs
