"""Any order of arrival, any split into batches: the ledger of the independent scorer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.scoring.history import a_browser, a_page, a_view, a_visit, a_visitor, an_activity, move
from tests.scoring.reference import PlainFact, PlainRule, ledger, score
from wagtail_ma.people.models import Lead
from wagtail_ma.scoring.award import award
from wagtail_ma.scoring.models import ScoreEntry, ScoringRule, Standing
from wagtail_ma.scoring.queries import breakdown, current_score, ranked, score_at, standing_of
from wagtail_ma.tracking.models import Visit

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
KINDS = ("download", "form_submit")
ZONE = "Asia/Tokyo"
# The names of fields here and in the reference.
SAME = {
    "seconds": "min_seconds",
    "repeats": "max_repeats",
    "name": "activity_kind",
    "per_day": "max_per_day",
    "per_visit": "max_per_visit",
    "in_all": "max_total",
    "rest_hours": "cool_down_hours",
    "times": "times",
    "within_days": "within_days",
    "same_page": "is_same_page",
    "silence_days": "after_silence_days",
    "boost_when": "boost_when",
    "boost": "boost",
}

moments = st.integers(0, 12 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))
small = st.one_of(st.none(), st.integers(1, 3))
dates = st.one_of(st.none(), st.integers(0, 12).map(lambda days: (START + timedelta(days=days)).date()))
rules = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["page_view", "engaged", "visit", "activity"]),
            "points": st.sampled_from([-9.0, -0.5, 0.1, 1.0, 7.5, 30.0]),
            "min_seconds": st.sampled_from([0, 30, 60]),
            "max_repeats": st.sampled_from([1, 1, 3]),
            "activity_kind": st.sampled_from(KINDS),
            "max_per_day": small,
            "max_per_visit": small,
            "max_total": small,
            "cool_down_hours": st.sampled_from([None, None, 1, 30]),
            "times": st.sampled_from([1, 1, 2, 3]),
            "within_days": st.sampled_from([None, 1, 4]),
            "is_same_page": st.booleans(),
            "after_silence_days": st.sampled_from([None, None, 1, 3]),
            "boost_when": st.sampled_from(["", "named", "returning", "paid"]),
            "boost": st.sampled_from([0.5, 2.0]),
            "valid_from": dates,
            "valid_to": dates,
        }
    ),
    min_size=1,
    max_size=4,
)
facts = st.lists(
    st.tuples(
        st.sampled_from(["visit", "view", "view", "views", "bot", *KINDS, "machine"]),
        moments,
        st.sampled_from([0, 30, 59.9, 60, 300]),
    ),
    max_size=12,
)
ours = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Undo(Exception):
    pass


@given(rules=rules, facts=facts, cuts=st.sets(st.integers(0, 12)), named=st.none() | moments)
@ours
def test_ledger__any_order_and_batches__equals_the_reference(db, rules, facts, cuts, named):
    with pytest.raises(Undo), transaction.atomic():
        _replay(rules, facts, cuts, named)
        raise Undo


def _replay(rules, facts, cuts, named):
    made = [ScoringRule.objects.create(name=f"Rule {place}", **rule) for place, rule in enumerate(rules)]
    visitor = a_visitor(START)
    if named is not None:
        Lead.objects.create(visitor=visitor, email="a@example.com", created_at=named)
    browser = a_browser(visitor, START)
    plain: list[PlainFact] = []
    for place, (what, at, seconds) in enumerate(facts):
        plain += _write(browser, what, at, seconds)
        if place in cuts:
            award([visitor.pk], now=START)
    award([visitor.pk], now=START)
    expected = ledger([_plain(rule) for rule in made], plain, ZONE, named)
    _compare(expected)
    moment = START + timedelta(days=19)
    standing = standing_of(visitor.pk)
    # Nothing but a bot: no standing at all.
    shown = current_score(standing, now=moment) if standing else 0.0
    assert shown == pytest.approx(score(expected, plain, 30, moment), rel=1e-9, abs=1e-9)
    assert breakdown(visitor.pk, now=moment).score == pytest.approx(shown, rel=1e-9, abs=1e-9)
    _as_of_the_past(made, plain, named, visitor)


def _as_of_the_past(made, plain, named, visitor):
    """What the score was: as if there had been no facts after that moment."""
    past = START + timedelta(days=5)
    known = [fact for fact in plain if fact.at <= past]
    was = score(ledger([_plain(rule) for rule in made], known, ZONE, named), known, 30, past)
    assert score_at([visitor.pk], past)[visitor.pk] == pytest.approx(was, rel=1e-9, abs=1e-9)


def _plain(rule: ScoringRule) -> PlainRule:
    days = {
        "first_day": rule.valid_from.isoformat() if rule.valid_from else "",
        "last_day": rule.valid_to.isoformat() if rule.valid_to else "",
    }
    values = {name: getattr(rule, field) for name, field in SAME.items()}
    return PlainRule(rule.pk, rule.kind, rule.points, **values, **days)


def _compare(expected):
    entries = ScoreEntry.objects.values_list("rule_id", "fact_kind", "fact_id", "points")
    found = {(rule, kind, fact): points for rule, kind, fact, points in entries}
    assert found.keys() == expected.keys()
    assert found == pytest.approx(expected, rel=1e-9)


def _write(browser, what, at, seconds) -> list[PlainFact]:
    if what in KINDS:
        return [PlainFact("activity", an_activity(browser, at, kind=what).pk, at, name=what)]
    if what == "machine":
        row = an_activity(browser, at, kind=KINDS[0], data={"is_machine": True})
        return [PlainFact("activity", row.pk, at, name=KINDS[0], by_machine=True)]
    is_bot = what == "bot"
    medium = "paid" if at.minute % 2 else "direct"
    visit = a_visit(browser, at, is_bot=is_bot)
    Visit.objects.filter(pk=visit.pk).update(medium=medium)
    common = {"by_machine": is_bot, "visit": visit.pk, "medium": medium}
    found = [PlainFact("visit", visit.pk, at, ended=visit.last_at, **common)]
    # Several views of two pages in one visit, or one.
    many = {"visit": 0, "views": 3}.get(what, 1)
    for number in range(many):
        page = a_page(at, f"url:/{(number + int(seconds)) % 2}")
        view = a_view(visit, at + timedelta(minutes=number), page=page, seconds=seconds)
        found.append(PlainFact("view", view.pk, view.at, page.pk, seconds=seconds, **common))
    return found


@given(rules=rules, facts=facts, halves=st.lists(st.booleans(), min_size=12, max_size=12))
@ours
def test_ledger__two_people_become_one_and_two_again__each_time_as_if_always_so(db, rules, facts, halves):
    with pytest.raises(Undo), transaction.atomic():
        _merge_and_undo(rules, facts, halves)
        raise Undo


def _merge_and_undo(rules, facts, halves):
    made = [ScoringRule.objects.create(name=f"Rule {place}", **rule) for place, rule in enumerate(rules)]
    plain_rules = [_plain(rule) for rule in made]
    visitors = [a_visitor(START), a_visitor(START)]
    browsers = [a_browser(visitor, START) for visitor in visitors]
    plain: list[list[PlainFact]] = [[], []]
    for which, (what, at, seconds) in zip(halves, facts, strict=False):
        plain[which] += _write(browsers[which], what, at, seconds)
    ids = [visitor.pk for visitor in visitors]
    apart = ledger(plain_rules, plain[0], ZONE) | ledger(plain_rules, plain[1], ZONE)
    award(ids, now=START)
    _compare(apart)
    move(browsers[1], visitors[0])
    award(ids, now=START)
    _compare(ledger(plain_rules, plain[0] + plain[1], ZONE))
    assert not ScoreEntry.objects.filter(visitor=visitors[1]).exists()
    move(browsers[1], visitors[1])
    # The other way round, as react may take them.
    for pk in reversed(ids):
        award([pk], now=START)
    award(ids, now=START)
    _compare(apart)


@given(
    days=st.lists(st.lists(st.integers(0, 700), max_size=6), min_size=2, max_size=6),
    later=st.lists(st.integers(0, 2_000), min_size=1, max_size=3),
)
@ours
def test_ranked__random_moments__order_of_scores_computed_naively(db, days, later):
    with pytest.raises(Undo), transaction.atomic():
        ScoringRule.objects.create(name="View", kind="page_view", points=3)
        moments = {}
        for mine in days:
            visitor = a_visitor(START)
            visit = a_visit(a_browser(visitor, START), START)
            moments[visitor.pk] = [a_view(visit, START - timedelta(days=each)).at for each in mine]
        award(list(moments), now=START)
        for moment in (START + timedelta(days=each) for each in later):
            naive = {
                pk: sum(3 * 0.5 ** ((moment - at) / timedelta(days=30)) for at in mine)
                for pk, mine in moments.items()
            }
            listed = [naive[standing.visitor_id] for standing in ranked()]
            assert listed == pytest.approx(sorted(naive.values(), reverse=True), rel=1e-9, abs=1e-300)
        assert Standing.objects.count() == len(days)
        raise Undo
