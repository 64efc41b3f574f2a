"""Rule trees as dated patterns: the moments at which conditions came to hold, found again in any order."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.rules import random_people, random_rules, reference, stored_people, world
from tests.rules.person import Person
from tests.rules.random_rules import ours
from tests.scoring.history import a_browser, a_page, a_view, a_visit, a_visitor, an_activity, move
from tests.scoring.test_carry import forget
from wagtail_ma.core.conditions import facts
from wagtail_ma.people.models import Lead
from wagtail_ma.rules.tree import Broken, Group, parse
from wagtail_ma.scoring import dating, fit
from wagtail_ma.scoring.award import award
from wagtail_ma.scoring.models import ScoreEntry, ScoringRule
from wagtail_ma.scoring.queries import breakdown, current_score, score_at, standing_of
from wagtail_ma.scoring.sentences import sentence
from wagtail_ma.tracking.models import Activity, PageView, Visit

pytestmark = pytest.mark.django_db

DATED = sorted(fact.key for fact in facts if fact.may_be_dated)
FACTS = {"view": PageView, "visit": Visit, "activity": Activity}
DAY = timedelta(days=1)


@pytest.fixture
def company(home: Any) -> world.Site:
    return world.build_site(home)


def a_pattern(*conditions: Any, match: str = "all", points: float = 7, **values: Any) -> ScoringRule:
    return ScoringRule.objects.create(
        name="Pattern", kind="pattern", points=points, match=match, rule=list(conditions), **values
    )


def viewed(**values: Any) -> dict[str, Any]:
    return {"type": "page_viewed", "value": {"comparison": "at_least", "number": 1, **values}}


def visits(**values: Any) -> dict[str, Any]:
    return {"type": "visit_count", "value": values}


def did(kind: str, **values: Any) -> dict[str, Any]:
    return {"type": "activity", "value": {"kind": kind, **values}}


# --- against the obvious evaluator ------------------------------------------------------------------------


def until(person: Person, moment: datetime, *, with_it: bool) -> Person:
    """What there was of a person by a moment: programs' visits, and what was done in them, do not count."""

    def is_past(at: datetime) -> bool:
        return at < moment or (with_it and at == moment)

    return replace(
        person,
        visits=[visit for visit in person.visits if is_past(visit.started_at)],
        views=[view for view in human_views(person) if is_past(view.at)],
        activities=[act for act in person.activities if is_past(act.at)],
        # A state, not an act: as it was at the moment.
        lead=person.lead if person.known_at <= moment else None,
    )


def human_views(person: Person) -> list[Any]:
    return [view for view in person.views if not person.visits[view.visit].is_bot]


def came_true(node: Any, person: Person) -> list[datetime]:
    """With what was done at this moment the rule is fulfilled, without it it is not."""
    moments = {visit.started_at for visit in person.visits if not visit.is_bot}
    moments |= {view.at for view in human_views(person)} | {act.at for act in person.activities}
    return [
        moment
        for moment in sorted(moments)
        if reference.fulfils(node, until(person, moment, with_it=True), moment)
        and not reference.fulfils(node, until(person, moment, with_it=False), moment)
    ]


@ours
@given(data=st.data())
def test_pattern__random_trees_and_people__dated_as_the_obvious_evaluator_says(company, data):
    node = data.draw(random_rules.trees(random_rules.leaves(DATED)))
    match, raw = random_rules.stored_rule(node, company)
    tree = parse(match, raw)
    assert isinstance(tree, Group)
    assume(not dating.reason_against(tree))
    persons = data.draw(st.lists(random_people.people(), min_size=1, max_size=3))
    with transaction.atomic():
        ids = [stored_people.save(replace(person, points=None), company) for person in persons]
        a_pattern(*raw, match=match)
        award(ids, now=world.NOW)
        for pk, person in zip(ids, persons, strict=True):
            entries = list(ScoreEntry.objects.filter(visitor_id=pk, rule__kind="pattern").order_by("at"))
            assert [entry.at for entry in entries] == came_true(node, person)
            assert all(moment_of(entry) == entry.at for entry in entries)
            assert not dating.is_once(tree) or len(entries) <= 1
        transaction.set_rollback(True)


def moment_of(entry: ScoreEntry) -> datetime:
    """Of the fact that the entry names."""
    fact = FACTS[entry.fact_kind].objects.get(pk=entry.fact_id, visitor_id=entry.visitor_id)
    return fact.started_at if entry.fact_kind == "visit" else fact.at


# --- any order of arrival, merges -------------------------------------------------------------------------

moments = st.integers(0, 20 * 24).map(lambda hours: world.NOW + timedelta(hours=hours))
acts = st.lists(
    st.tuples(st.sampled_from(["visit", "view", "views", "download", "form_submit"]), moments), max_size=9
)
TREES = (
    ("all", [viewed(number=2, days=4), did("download", days=7)]),
    ("all", [viewed(number=3, count="visits"), did("form_submit", comparison="at_most", number=0)]),
    ("any", [did("form_submit", days=2), viewed(number=4, days=3)]),
    ("all", [visits(number=2, days=5), {"type": "identified", "value": {}}]),
)
CAPS = (
    {},
    {"max_per_day": 1},
    {"cool_down_hours": 30},
    {"max_total": 1},
    {"boost_when": "named", "boost": 2},
)


def write(browser: Any, what: str, at: datetime) -> None:
    if what in ("download", "form_submit"):
        an_activity(browser, at, kind=what)
        return
    visit = a_visit(browser, at)
    for number in range({"visit": 0, "view": 1, "views": 3}[what]):
        a_view(visit, at + timedelta(minutes=number), page=a_page(at, f"url:/{number}"))


def earned(*visitors: Any) -> list[tuple[datetime, float]]:
    entries = ScoreEntry.objects.filter(visitor__in=visitors, rule__kind="pattern")
    return sorted(entries.values_list("at", "points"))


@pytest.mark.parametrize("tree", TREES)
@given(
    acts=acts,
    order=st.randoms(use_true_random=False),
    cuts=st.sets(st.integers(0, 9)),
    named=st.none() | moments,
    caps=st.sampled_from(CAPS),
)
@settings(ours, max_examples=30)
def test_pattern__any_order_of_arrival_and_any_batches__same_points(tree, acts, order, cuts, named, caps):
    with transaction.atomic():
        match, conditions = tree
        a_pattern(*conditions, match=match, **caps)
        first, second = a_visitor(world.NOW), a_visitor(world.NOW)
        for each in (first, second):
            if named:
                Lead.objects.create(visitor=each, email=f"p{each.pk}@example.com", created_at=named)
        browser = a_browser(first, world.NOW)
        for what, at in sorted(acts, key=lambda act: act[1]):
            write(browser, what, at)
        award([first.pk], now=world.NOW)
        shuffled = list(acts)
        order.shuffle(shuffled)
        browser = a_browser(second, world.NOW)
        for place, (what, at) in enumerate(shuffled):
            write(browser, what, at)
            if place in cuts:
                award([second.pk], now=world.NOW)
        award([second.pk], now=world.NOW)
        assert earned(first) == earned(second)
        now = world.NOW + 30 * DAY
        sums = [standing_of(each.pk).engagement_sum for each in (first, second)]
        assert sums[0] == pytest.approx(sums[1], rel=1e-9)
        shown = current_score(standing_of(second.pk), now=now)
        assert breakdown(second.pk, now=now).score == pytest.approx(shown, rel=1e-9, abs=1e-9)
        past = world.NOW + 9 * DAY
        known = [act for act in acts if act[1] <= past]
        assert score_at([second.pk], past)[second.pk] == pytest.approx(
            _as_if_only(known, past, named), rel=1e-9
        )
        transaction.set_rollback(True)


def _as_if_only(acts: Any, past: datetime, named: datetime | None) -> float:
    """The score of somebody who had done nothing else by then."""
    visitor = a_visitor(world.NOW)
    if named:
        Lead.objects.create(visitor=visitor, email=f"p{visitor.pk}@example.com", created_at=named)
    browser = a_browser(visitor, world.NOW)
    for what, at in acts:
        write(browser, what, at)
    # What of the last visit lies after the moment had not happened.
    PageView.objects.filter(visitor=visitor, at__gt=past).delete()
    award([visitor.pk], now=past)
    return current_score(standing_of(visitor.pk), now=past)


@given(acts=acts, halves=st.lists(st.booleans(), min_size=9, max_size=9), tree=st.sampled_from(TREES[:3]))
@settings(ours, max_examples=40)
def test_pattern__two_people_become_one_and_two_again__each_time_as_if_always_so(acts, halves, tree):
    with transaction.atomic():
        match, conditions = tree
        a_pattern(*conditions, match=match)
        people = [a_visitor(world.NOW) for _ in range(3)]
        browsers = [a_browser(visitor, world.NOW) for visitor in people]
        for half, (what, at) in zip(halves, acts, strict=False):
            write(browsers[half], what, at)
            write(browsers[2], what, at)
        ids = [visitor.pk for visitor in people]
        award(ids, now=world.NOW)
        apart = [earned(each) for each in people[:2]]
        move(browsers[1], people[0])
        award(ids, now=world.NOW)
        assert earned(people[0]) == earned(people[2])
        assert not earned(people[1])
        move(browsers[1], people[1])
        for pk in reversed(ids):
            award([pk], now=world.NOW)
        award(ids, now=world.NOW)
        assert [earned(each) for each in people[:2]] == apart
        transaction.set_rollback(True)


# --- stories ----------------------------------------------------------------------------------------------


def test_pattern__holds_again_after_it_did_not__pays_again(now):
    a_pattern(viewed(number=2, days=3))
    visitor = a_visitor(now)
    visit = a_visit(a_browser(visitor, now), now)
    for days in (0, 1, 2, 10, 11, 12):
        a_view(visit, now + days * DAY)
    award([visitor.pk], now=now)
    assert [at for at, _points in earned(visitor)] == [now + DAY, now + 11 * DAY]


def test_pattern__time_alone_makes_it_true__pays_nothing(now):
    """A form was sent, the prices were read; a week later it is long ago: nothing was done that day."""
    a_pattern(viewed(), did("form_submit", comparison="at_most", number=0, days=7))
    visitor = a_visitor(now)
    browser = a_browser(visitor, now)
    an_activity(browser, now, kind="form_submit")
    visit = a_visit(browser, now + DAY)
    a_view(visit, now + DAY)
    award([visitor.pk], now=now + 30 * DAY)
    assert earned(visitor) == []


def test_pattern__late_fact_from_the_past__moves_the_date_back(now):
    a_pattern(viewed(), did("download"))
    visitor = a_visitor(now)
    browser = a_browser(visitor, now)
    a_view(a_visit(browser, now), now)
    an_activity(browser, now + 5 * DAY, kind="download")
    award([visitor.pk], now=now + 5 * DAY)
    assert earned(visitor) == [(now + 5 * DAY, 7)]
    an_activity(browser, now + 2 * DAY, kind="download")
    award([visitor.pk], now=now + 6 * DAY)
    assert earned(visitor) == [(now + 2 * DAY, 7)]


def test_pattern__its_facts_were_deleted_by_retention__is_not_paid_a_second_time(now):
    a_pattern(viewed(number=2))
    visitor = a_visitor(now)
    browser = a_browser(visitor, now)
    visit = a_visit(browser, now)
    a_view(visit, now)
    a_view(visit, now)
    award([visitor.pk], now=now)
    before = standing_of(visitor.pk)
    forget(now + DAY, now=now + DAY)
    again = a_visit(browser, now + 2 * DAY)
    a_view(again, now + 2 * DAY)
    a_view(again, now + 2 * DAY)
    award([visitor.pk], now=now + 2 * DAY)
    after = standing_of(visitor.pk)
    assert after.lifetime == before.lifetime == 7
    assert after.engagement_sum == pytest.approx(before.engagement_sum, rel=1e-9)


@pytest.mark.parametrize(
    ("conditions", "match"),
    [
        ([visits(comparison="at_least", number=1, days=30)], "all"),
        ([visits(comparison="at_least", number=2, days=30)], "all"),
        ([visits(comparison="at_most", number=0, days=30)], "none"),
        ([visits(comparison="at_least", number=1, days=30), did("download", days=60)], "any"),
        ([viewed(number=3), visits(comparison="at_least", number=1, days=30)], "all"),
    ],
)
def test_pattern__held_without_a_break_across_deletions__is_paid_once(now, conditions, match):
    """Somebody who comes each week; then not for a long time, and again."""
    a_pattern(*conditions, match=match)
    visitor = a_visitor(now)
    browser = a_browser(visitor, now)

    def comes(week: int) -> datetime:
        at = now + week * 7 * DAY
        a_view(a_visit(browser, at), at)
        return at

    for week in range(40):
        comes(week)
    end = now + 100 * 7 * DAY
    award([visitor.pk], now=end)
    assert standing_of(visitor.pk).lifetime == 7
    # Each time more than the window, each time less, and a day after the other.
    for weeks in (4, 10, 12, 13, 20, 20.2):
        forget(now + weeks * 7 * DAY, now=end)
        award([visitor.pk], now=end)
        assert standing_of(visitor.pk).lifetime == 7, weeks
    for week in (50, 51):
        comes(week)
    award([visitor.pk], now=end)
    assert standing_of(visitor.pk).lifetime == 14
    forget(now + 52 * 7 * DAY, now=end)
    comes(53)
    award([visitor.pk], now=end)
    assert standing_of(visitor.pk).lifetime == 14


def test_pattern__what_was_deleted_had_not_been_paid__first_time_is_paid(now):
    a_pattern(visits(comparison="at_least", number=2, days=30))
    visitor = a_visitor(now)
    browser = a_browser(visitor, now)
    for days in (0, 40, 50):
        a_visit(browser, now + days * DAY)
    award([visitor.pk], now=now + 60 * DAY)
    forget(now + 30 * DAY, now=now + 60 * DAY)
    award([visitor.pk], now=now + 60 * DAY)
    assert earned(visitor) == [(now + 50 * DAY, 7)]


def test_pattern__what_it_names_was_deleted__keeps_its_points_and_says_so(now, home):
    page = a_page(now, translation_key=home.translation_key, page_id=home.pk)
    rule = a_pattern(viewed(page=home.pk))
    visitor = a_visitor(now)
    a_view(a_visit(a_browser(visitor, now), now), now, page=page)
    award([visitor.pk], now=now)
    assert earned(visitor) == [(now, 7)]
    home.delete()
    award([visitor.pk], now=now)
    assert earned(visitor) == [(now, 7)]
    rule.refresh_from_db()
    assert "does not exist any more" in rule.broken_reason
    assert "does not exist any more" in sentence(rule)


@pytest.mark.parametrize(
    ("conditions", "match", "words"),
    [
        ([{"type": "lead_attribute", "value": {"text": "x"}}], "all", "no date follows"),
        ([viewed(), {"type": "last_visit", "value": {"days": 3}}], "all", "no date follows"),
        ([{"type": "channel", "value": {"visit": "first"}}], "all", "no date follows"),
        ([viewed(comparison="at_most", number=0)], "all", "Nothing that somebody does"),
        ([viewed()], "none", "Nothing that somebody does"),
        ([{"type": "identified", "value": {}}], "all", "Nothing that somebody does"),
        ([viewed(number=0)], "all", "Nothing that somebody does"),
        ([{"type": "score", "value": {"number": 5}}], "all", "cannot ask for scores"),
        ([viewed(comparison="at_most", number=2)], "none", ""),
        ([viewed(comparison="exactly", number=2), viewed(number=9)], "any", ""),
        ([viewed(), {"type": "identified", "value": {"is": "no"}}], "all", ""),
    ],
)
def test_trees__which_can_be_dated(conditions, match, words):
    tree = fit.trees([ScoringRule(pk=1, kind="pattern", match=match, rule=conditions)])[1]
    reason = tree.reason if isinstance(tree, Broken) else ""
    assert words in reason if words else not reason


def test_sentence__pattern__says_when_it_pays():
    rule = a_pattern(viewed(number=3, days=7), did("download"))
    text = sentence(rule)
    assert text.startswith("Each time this comes to hold: ")
    assert "at least 3 times in the last 7 days and downloaded a document" in text
