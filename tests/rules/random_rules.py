"""Random rules, in the terms of the reference and as an editor would have stored them."""

from __future__ import annotations

import uuid
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.rules.random_people import TEXTS
from tests.rules.reference_requests import OFFSETS
from tests.rules.world import OBJECTS, Site
from wagtail_ma.core.conditions import facts
from wagtail_ma.core.parameters import Choice, Flag, Number, Reference, Text, ZoneName
from wagtail_ma.people.own_field_facts import WHEN

# For tests that ask the database about each example.
ours = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def values_of(parameter: Any) -> st.SearchStrategy[Any]:
    """Values of a parameter, in the reference's terms."""
    if isinstance(parameter, Number):
        low = parameter.minimum
        strategy: Any = st.integers(low, min(parameter.maximum, low + 5 if low else 4))
        if parameter.name == "percent":
            strategy = st.sampled_from([low, 1, 33, 50, 100])
    elif isinstance(parameter, Choice):
        strategy = st.sampled_from([key for key, _label in parameter.options()])
    elif isinstance(parameter, Flag):
        return st.booleans()
    elif isinstance(parameter, ZoneName):
        strategy = st.sampled_from([name for name in OFFSETS if name])
    elif parameter.name == "countries":
        strategy = st.sampled_from(["JP", "jp, TW", "tw,de"])
    elif isinstance(parameter, Reference):
        strategy = st.sampled_from(OBJECTS[parameter.kind])
    else:
        assert isinstance(parameter, Text)
        strategy = st.sampled_from([text for text in TEXTS if 0 < len(text) <= parameter.max_length])
    return strategy if parameter.required else st.none() | strategy


def leaves(keys: list[str]) -> st.SearchStrategy[Any]:
    """Conditions of these kinds."""

    def of(key: str) -> st.SearchStrategy[Any]:
        condition = facts.get(key)
        assert condition is not None
        if key == "lead_field":
            return own_field()
        if key == "lead_date":
            return own_date()
        values = st.fixed_dictionaries({p.name: values_of(p) for p in condition.parameters})
        return values.map(lambda drawn: (key, drawn))

    return st.one_of([of(key) for key in keys])


def own_field() -> st.SearchStrategy[Any]:
    """Conditions on the editor's own fields: what goes together depends on the kind."""
    wanted = {
        "budget": (["equals", "at_least", "at_most", "filled"], ["0", "5", "-2", "7.5", "7"]),
        "renewal": (["equals", "at_least", "at_most", "filled"], ["2026-03-31", "2026-12-31"]),
        "remark": (["equals", "contains", "filled"], ["acme", "É", "7", "2026"]),
        "fields": (["equals", "contains", "filled"], ["acme", "É", "7", "a"]),
    }
    some = [
        st.fixed_dictionaries(
            {"field": st.just(name), "operator": st.sampled_from(operators), "text": st.sampled_from(texts)}
        )
        for name, (operators, texts) in wanted.items()
    ]
    return st.one_of(some).map(lambda drawn: ("lead_field", drawn))


def own_date() -> st.SearchStrategy[Any]:
    """Conditions on the editor's own dates: other kinds have none."""
    days = st.sampled_from([0, 1, 2, 10, 60, 300, 364])
    values = {
        "field": st.just("renewal"),
        "when": st.sampled_from([key for key, _label in WHEN]),
        "days": days,
    }
    return st.fixed_dictionaries(values).map(lambda drawn: ("lead_date", drawn))


def trees(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Rules: groups nested up to two deep in the top."""

    def group(children: Any) -> Any:
        return st.tuples(st.sampled_from(["all", "any", "none"]), st.lists(children, min_size=1, max_size=3))

    inner = group(leaf)
    middle = group(leaf | inner)
    return group(leaf | middle)


def stored_rule(node: Any, site: Site) -> tuple[str, list[dict[str, Any]]]:
    """(match, conditions) as the editor would have stored the rule."""

    def item(child: Any) -> dict[str, Any]:
        kind, content = child
        if kind in ("all", "any", "none"):
            conditions = [item(each) for each in content]
            return {
                "type": "group",
                "value": {"match": kind, "conditions": conditions},
                "id": str(uuid.uuid4()),
            }
        return {"type": kind, "value": {name: raw(kind, name, each) for name, each in content.items()}}

    def raw(key: str, name: str, value: Any) -> Any:
        condition = facts.get(key)
        assert condition is not None
        parameter = next(p for p in condition.parameters if p.name == name)
        if value is None or not isinstance(parameter, Reference):
            return value
        return site.ids(parameter.kind)[value]

    match, children = node
    return match, [item(child) for child in children]
