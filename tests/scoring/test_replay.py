"""Any order of arrival, any split into batches: the ledger of the independent scorer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.scoring.history import a_browser, a_page, a_view, a_visit, a_visitor, an_activity
from tests.scoring.reference import PlainFact, PlainRule, ledger, score
from wagtail_ma.scoring.award import award
from wagtail_ma.scoring.models import ScoreEntry, ScoringRule
from wagtail_ma.scoring.queries import breakdown, current_score, standing_of

pytestmark = pytest.mark.django_db

START = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
KINDS = ("download", "form_submit")

moments = st.integers(0, 4 * 24 * 60).map(lambda minutes: START + timedelta(minutes=minutes))
caps = st.one_of(st.none(), st.integers(1, 3))
rules = st.lists(
    st.fixed_dictionaries(
        {
            "kind": st.sampled_from(["page_view", "engaged", "visit", "activity"]),
            "points": st.integers(-9, 30),
            "min_seconds": st.sampled_from([0, 30, 60]),
            "activity_kind": st.sampled_from(KINDS),
            "max_per_day": caps,
            "max_total": caps,
        }
    ),
    min_size=1,
    max_size=4,
)
facts = st.lists(
    st.tuples(
        st.sampled_from(["visit", "view", "bot", *KINDS, "machine"]),
        moments,
        st.sampled_from([0, 30, 59.9, 60, 300]),
    ),
    max_size=12,
)


class Undo(Exception):
    pass


@given(rules=rules, facts=facts, cuts=st.sets(st.integers(0, 12)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_ledger__any_order_and_batches__equals_the_reference(db, rules, facts, cuts):
    with pytest.raises(Undo), transaction.atomic():
        _replay(rules, facts, cuts)
        raise Undo


def _replay(rules, facts, cuts):
    made = [ScoringRule.objects.create(name=f"Rule {place}", **rule) for place, rule in enumerate(rules)]
    visitor = a_visitor(START)
    browser = a_browser(visitor, START)
    plain: list[PlainFact] = []
    for place, (what, at, seconds) in enumerate(facts):
        plain += _write(browser, what, at, seconds)
        if place in cuts:
            award([visitor.pk], now=START)
    award([visitor.pk], now=START)
    plain_rules = [
        PlainRule(
            rule.pk,
            rule.kind,
            rule.points,
            name=rule.activity_kind,
            seconds=rule.min_seconds,
            per_day=rule.max_per_day,
            in_all=rule.max_total,
        )
        for rule in made
    ]
    expected = ledger(plain_rules, plain, "Asia/Tokyo")
    entries = ScoreEntry.objects.values_list("rule_id", "fact_kind", "fact_id", "points")
    assert {(rule, kind, fact): points for rule, kind, fact, points in entries} == expected
    moment = START + timedelta(days=9)
    standing = standing_of(visitor.pk)
    # Nothing but a bot: no standing at all.
    shown = current_score(standing, now=moment) if standing else 0.0
    assert shown == pytest.approx(score(expected, plain, 30, moment), rel=1e-9, abs=1e-9)
    assert breakdown(visitor.pk, now=moment).score == pytest.approx(shown, rel=1e-9, abs=1e-9)


def _write(browser, what, at, seconds) -> list[PlainFact]:
    if what in KINDS:
        return [PlainFact("activity", an_activity(browser, at, kind=what).pk, at, name=what)]
    if what == "machine":
        row = an_activity(browser, at, kind=KINDS[0], data={"is_machine": True})
        return [PlainFact("activity", row.pk, at, name=KINDS[0], by_machine=True)]
    visit = a_visit(browser, at, is_bot=what == "bot")
    found = [PlainFact("visit", visit.pk, at, by_machine=what == "bot")]
    if what in ("view", "bot"):
        view = a_view(visit, at, page=a_page(at), seconds=seconds)
        found.append(
            PlainFact("view", view.pk, at, view.tracked_page_id, seconds=seconds, by_machine=what == "bot")
        )
    return found
