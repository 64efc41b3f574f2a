"""The database agrees with the obvious evaluator, in both shapes, for every registered condition."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import transaction
from django.utils import translation
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.rules import random_people, random_rules, reference, stored_people, world
from tests.rules.person import Person
from tests.rules.random_rules import ours
from wagtail_ma.core.conditions import facts
from wagtail_ma.core.placeholders import NoRequest
from wagtail_ma.people.models import Visitor
from wagtail_ma.rules import compile as compiler
from wagtail_ma.rules.sentences import sentence
from wagtail_ma.rules.tree import Group, is_live, parse
from wagtail_ma.segments.queries import buried, population
from wagtail_ma.tracking.models import TrackedPage

BUILT_IN = sorted(reference.CONDITIONS)
# Hiragana, katakana, kanji.
JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
LIVE = sorted(fact.key for fact in facts if fact.is_live)
STORED = sorted(set(BUILT_IN) - set(LIVE))


@pytest.fixture
def company(home: Any) -> world.Site:
    return world.build_site(home)


def check(node: Any, persons: list[Person], company: world.Site) -> None:
    with transaction.atomic():
        ids = [stored_people.save(person, company) for person in persons]
        for person in persons:
            person.crowd = [each.rank for each in persons if each.points is not None and not each.is_excluded]
        expected = {
            pk for pk, person in zip(ids, persons, strict=True) if reference.fulfils(node, person, world.NOW)
        }
        match, raw = random_rules.stored_rule(node, company)
        tree = parse(match, raw)
        assert isinstance(tree, Group), tree
        check_one(tree, dict(zip(ids, persons, strict=True)), expected)
        assert sentence(tree)
        with translation.override("ja"):
            assert JAPANESE.search(sentence(tree)), sentence(tree)
        if is_live(raw):
            check_refusals(tree, ids)
            transaction.set_rollback(True)
            return
        as_set = compiler.everyone(tree, population(), now=world.NOW)
        assert set(Visitor.objects.filter(pk__in=as_set).values_list("pk", flat=True)) == expected
        quick = compiler.everyone(tree, population(), now=world.NOW, outside=buried())
        assert set(Visitor.objects.filter(pk__in=quick).values_list("pk", flat=True)) == expected
        assert quick.count() == len(expected)
        rows = compiler.these([tree], population()).rows(now=world.NOW, ids=ids)
        assert {pk for pk, verdict in rows if verdict} == expected
        assert {pk for pk, _verdict in rows} == set(ids)
        transaction.set_rollback(True)


def check_one(tree: Group, persons: dict[int, Person], expected: set[int]) -> None:
    statement = compiler.one([tree], Visitor.objects.all())
    for pk, person in persons.items():
        facts = random_people.facts_of(person, world.NOW)
        assert statement.rows(now=world.NOW, visitor_id=pk, facts=facts) == [(int(pk in expected),)]


def check_refusals(tree: Group, ids: list[int]) -> None:
    with pytest.raises(NoRequest):
        list(compiler.everyone(tree, population(), now=world.NOW))
    with pytest.raises(NoRequest):
        compiler.these([tree], population())
    with pytest.raises(NoRequest):
        compiler.one([tree], Visitor.objects.all()).rows(now=world.NOW, visitor_id=ids[0])


def test_reference__every_registered_condition__takes_part() -> None:
    assert set(facts.keys()) == set(reference.CONDITIONS)


@pytest.mark.django_db
@pytest.mark.parametrize("key", BUILT_IN)
@settings(ours, max_examples=25)
@given(data=st.data())
def test_condition__random_values_and_people__same_in_both_shapes(
    key: str, company: world.Site, data: Any
) -> None:
    leaf = data.draw(random_rules.leaves([key]))
    persons = data.draw(st.lists(random_people.people(), min_size=1, max_size=4))
    check((data.draw(st.sampled_from(["all", "none"])), [leaf]), persons, company)


@pytest.mark.django_db
@ours
@given(data=st.data())
def test_tree__random_rules_and_people__same_in_both_shapes(company: world.Site, data: Any) -> None:
    node = data.draw(random_rules.trees(random_rules.leaves(BUILT_IN)))
    check(node, data.draw(st.lists(random_people.people(), min_size=1, max_size=5)), company)


@pytest.mark.django_db
@ours
@given(data=st.data())
def test_stranger__random_rules__like_somebody_without_any_row(company: world.Site, data: Any) -> None:
    # Conditions about the visitor's own row have their own verdict for strangers.
    keys = [key for key in STORED if key != "random_share"]
    node = data.draw(random_rules.trees(random_rules.leaves(keys)))
    match, raw = random_rules.stored_rule(node, company)
    tree = parse(match, raw)
    assert isinstance(tree, Group)
    nobody = Person(first_seen_at=world.NOW, bucket=0)
    assert compiler.stranger(tree) == reference.fulfils(node, nobody, world.NOW)


@pytest.mark.django_db
@ours
@given(data=st.data())
def test_one__random_rules_and_nobody_known__same_as_the_reference(company: world.Site, data: Any) -> None:
    # No row, no cookie or no consent: but there is a referrer and a local hour.
    keys = [key for key in BUILT_IN if key != "random_share"]
    node = data.draw(random_rules.trees(random_rules.leaves(keys)))
    match, raw = random_rules.stored_rule(node, company)
    tree = parse(match, raw)
    assert isinstance(tree, Group)
    nobody = Person(first_seen_at=world.NOW, bucket=0, request=data.draw(random_people.requests()))
    statement = compiler.one([tree], Visitor.objects.all())
    rows = statement.rows(now=world.NOW, facts=random_people.facts_of(nobody, world.NOW))
    assert rows == [(int(reference.fulfils(node, nobody, world.NOW)),)]
    # Nor does a visitor that was erased meanwhile make a difference.
    erased = statement.rows(now=world.NOW, visitor_id=10**9, facts=random_people.facts_of(nobody, world.NOW))
    assert erased == rows


@pytest.mark.django_db
@pytest.mark.parametrize("match", ["all", "none"])
@pytest.mark.parametrize("which", ["first", "second"])
def test_in_order__page_nobody_has_seen__in_all_shapes(company: world.Site, match: str, which: str) -> None:
    unseen = {"first": "product", "second": "pricing"}[which]
    TrackedPage.objects.filter(page_id=company.pages[unseen]).delete()
    if unseen == "product":
        TrackedPage.objects.filter(page_id=company.pages["product-ja"]).delete()
    values = {"first": company.pages["product"], "second": company.pages["pricing"]}
    tree = parse(match, [{"type": "viewed_in_order", "value": values}])
    assert isinstance(tree, Group)
    someone = Visitor.objects.create(first_seen_at=world.NOW)
    expected = match == "none"
    for outside in (None, buried()):
        found = compiler.everyone(tree, population(), now=world.NOW, outside=outside)
        assert Visitor.objects.filter(pk__in=found).exists() is expected
    rows = compiler.these([tree], population()).rows(now=world.NOW, ids=[someone.pk])
    assert rows == [(someone.pk, int(expected))]
    statement = compiler.one([tree], Visitor.objects.all())
    assert statement.rows(now=world.NOW, visitor_id=None, facts=None) == [(int(expected),)]
