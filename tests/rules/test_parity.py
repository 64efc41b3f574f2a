"""The database agrees with the obvious evaluator, in both shapes, for every registered condition."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.rules import reference, world
from wagtail_ma.core.conditions import facts
from wagtail_ma.people.models import Visitor
from wagtail_ma.rules import compile as compiler
from wagtail_ma.rules.sentences import sentence
from wagtail_ma.rules.tree import Group, parse
from wagtail_ma.segments.queries import population

BUILT_IN = sorted(reference.CONDITIONS)
ours = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def company(home: Any) -> world.Site:
    return world.build_site(home)


def check(node: Any, persons: list[reference.Person], company: world.Site) -> None:
    with transaction.atomic():
        ids = [world.save(person, company) for person in persons]
        expected = {
            pk for pk, person in zip(ids, persons, strict=True) if reference.fulfils(node, person, world.NOW)
        }
        match, raw = world.stored_rule(node, company)
        tree = parse(match, raw)
        assert isinstance(tree, Group), tree
        as_set = compiler.everyone(tree, population(), now=world.NOW)
        assert set(Visitor.objects.filter(pk__in=as_set).values_list("pk", flat=True)) == expected
        rows = compiler.these([tree], population()).rows(now=world.NOW, ids=ids)
        assert {pk for pk, verdict in rows if verdict} == expected
        assert {pk for pk, _verdict in rows} == set(ids)
        assert sentence(tree)
        transaction.set_rollback(True)


def test_reference__every_registered_condition__takes_part() -> None:
    assert set(facts.keys()) == set(reference.CONDITIONS)


@pytest.mark.django_db
@pytest.mark.parametrize("key", BUILT_IN)
@settings(ours, max_examples=25)
@given(data=st.data())
def test_condition__random_values_and_people__same_in_both_shapes(
    key: str, company: world.Site, data: Any
) -> None:
    leaf = data.draw(world.leaves([key]))
    persons = data.draw(st.lists(world.people(), min_size=1, max_size=4))
    check((data.draw(st.sampled_from(["all", "none"])), [leaf]), persons, company)


@pytest.mark.django_db
@ours
@given(data=st.data())
def test_tree__random_rules_and_people__same_in_both_shapes(company: world.Site, data: Any) -> None:
    node = data.draw(world.trees(world.leaves(BUILT_IN)))
    check(node, data.draw(st.lists(world.people(), min_size=1, max_size=5)), company)


@pytest.mark.django_db
@ours
@given(data=st.data())
def test_stranger__random_rules__like_somebody_without_any_row(company: world.Site, data: Any) -> None:
    # Conditions about the visitor's own row have their own verdict for strangers.
    keys = [key for key in BUILT_IN if key != "random_share"]
    node = data.draw(world.trees(world.leaves(keys)))
    match, raw = world.stored_rule(node, company)
    tree = parse(match, raw)
    assert isinstance(tree, Group)
    nobody = reference.Person(first_seen_at=world.NOW, bucket=0)
    assert compiler.stranger(tree) == reference.fulfils(node, nobody, world.NOW)
