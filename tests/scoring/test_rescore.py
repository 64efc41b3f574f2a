"""Everything scored again, beside what lists show."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import override_settings

from tests.scoring.history import a_browser, a_view, a_visit, a_visitor
from wagtail_ma.scoring import rescore
from wagtail_ma.scoring.award import award
from wagtail_ma.scoring.current import current_model
from wagtail_ma.scoring.models import ScoreEntry, ScoringModel, ScoringRule, Standing
from wagtail_ma.scoring.queries import current_score, standing_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def visitors(now):
    ScoringRule.objects.create(name="View", kind="page_view", points=1)
    found = []
    for _number in range(5):
        visitor = a_visitor(now)
        a_view(a_visit(a_browser(visitor, now), now), now)
        found.append(visitor)
    award([visitor.pk for visitor in found], now=now)
    return found


def test_rescore__changed_rule__lists_switch_when_all_are_done(visitors, now, monkeypatch):
    monkeypatch.setattr(rescore, "CHUNK", 2)
    ScoringRule.objects.update(points=7)
    rescore.request(now=now)
    assert rescore.rescore_due(now=now, limit=2) == 2
    assert rescore.is_running()
    assert standing_of(visitors[0].pk).lifetime == 1
    assert rescore.rescore_due(now=now, limit=100) == 3
    assert not rescore.is_running()
    assert {standing_of(visitor.pk).lifetime for visitor in visitors} == {7}


def test_rescore__visitor_reacted_to_meanwhile__is_right_in_both_models(visitors, now, monkeypatch):
    monkeypatch.setattr(rescore, "CHUNK", 2)
    rescore.request(now=now)
    rescore.rescore_due(now=now, limit=2)
    first = visitors[0]
    a_view(a_visit(a_browser(first, now), now), now)
    award([first.pk], now=now)
    assert standing_of(first.pk).lifetime == 2
    rescore.rescore_due(now=now)
    assert standing_of(first.pk).lifetime == 2


def test_rescore__interrupted__goes_on_and_reports_progress(visitors, now, monkeypatch):
    monkeypatch.setattr(rescore, "CHUNK", 2)
    rescore.request(now=now)
    rescore.rescore_due(now=now, limit=2)
    seen = []
    assert rescore.rescore(now=now, progress=lambda done, total: seen.append((done, total))) == 3
    assert seen == [(4, 5), (5, 5)]
    assert ScoringModel.objects.count() == 1
    assert ScoreEntry.objects.count() == Standing.objects.count() == 5


def test_rescore__requested_again__gives_up_the_unfinished_model(visitors, now):
    given_up = rescore.request(now=now)
    wanted = rescore.request(now=now)
    rescore.rescore(now=now)
    assert not ScoringModel.objects.filter(pk=given_up.pk).exists()
    assert current_model(now) == wanted


def test_rescore_due__half_life_changed__scores_decay_by_the_new_one(visitors, now):
    with override_settings(WAGTAIL_MA={"HALF_LIFE_DAYS": 10}):
        rescore.rescore_due(now=now)
        later = now + timedelta(days=10)
        assert current_score(standing_of(visitors[0].pk), now=later) == pytest.approx(0.5)


def test_rescore_due__nothing_to_do__does_nothing(visitors, now):
    assert rescore.rescore_due(now=now) == 0
    assert ScoringModel.objects.count() == 1


def test_ma_rescore__command__shows_progress_and_a_count(visitors, capsys):
    call_command("ma_rescore")
    out = capsys.readouterr().out
    assert "100 %  5 / 5" in out
    assert "5 visitors scored." in out
