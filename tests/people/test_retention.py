"""Leads who have given no sign of life for long."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.core.management import call_command
from wagtail.models import ModelLogEntry

from tests import factories
from wagtail_ma import flow
from wagtail_ma.core.durations import months_before
from wagtail_ma.people import retention
from wagtail_ma.people.models import Identity, Lead
from wagtail_ma.sales.models_of_tasks import Task
from wagtail_ma.tracking.models import PageView, Visit

pytestmark = pytest.mark.django_db


@pytest.fixture
def months(settings):
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "LEAD_RETENTION_MONTHS": 12}


@pytest.fixture
def old(site, now, months):
    return factories.make_lead("old@example.com", now=now - timedelta(days=800), family_name="Oldman")


def email_of(lead):
    return Identity.objects.get(key=lead.email)


def test_inactive__no_sign_of_life__is_due(old, now):
    fresh = factories.make_lead("new@example.com", now=now - timedelta(days=300))
    assert list(retention.inactive(now=now)) == [old]
    assert retention.erase_due(now=now) == 1
    assert list(Lead.objects.all()) == [fresh]
    assert not Identity.objects.filter(key="old@example.com").exists()
    entry = ModelLogEntry.objects.get(action="wagtail_ma.erase")
    assert entry.data == {"by": "retention"}
    assert "old" not in entry.label.lower()


def visit(lead, at):
    same = {"identity": email_of(lead), "visitor_id": lead.visitor_id}
    Visit.objects.create(**same, started_at=at, last_at=at, medium="direct")


def act(lead, at):
    factories.activity(email_of(lead), at)


def word(lead, at):
    factories.make_consent(lead, now=at)


def task(lead, at):
    Task.objects.create(visitor_id=lead.visitor_id, text="Call", due_at=at, created_at=at, source_key="1")


def submission(lead, at):
    from wagtail_ma.forms.submit import submit

    submit(factories.lead_form("email"), {"email": lead.email}, browser_identity=None, now=at, nonce="1")


@pytest.mark.parametrize("sign", [visit, act, word, task, submission])
def test_inactive__one_sign_of_life__stays(old, now, sign):
    sign(old, now - timedelta(days=200))
    assert not retention.inactive(now=now).exists()


def test_inactive__sign_of_life_long_ago__is_due(old, now):
    visit(old, now - timedelta(days=500))
    assert retention.inactive(now=now).exists()


def test_inactive__visits_deleted_by_age__remembered_by_what_stays(old, now, settings):
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "LEAD_RETENTION_MONTHS": 12, "RETENTION_MONTHS": 4}
    browser = factories.make_browser(now=now - timedelta(days=200))
    Identity.objects.filter(pk=browser.pk).update(visitor=old.visitor_id)
    hit = factories.page_hit(browser_key=browser.key)
    flow.record_hit(hit, now=now - timedelta(days=200))
    flow.react(now=now - timedelta(days=199))
    call_command("ma_purge")
    assert not PageView.objects.exists()
    assert not retention.inactive(now=now).exists()


def test_inactive__customer_or_merged_away__stays(old, now):
    other = factories.make_lead("two@example.com", now=now - timedelta(days=800))
    type(old.visitor).objects.filter(pk=old.visitor_id).update(is_customer=True)
    type(old.visitor).objects.filter(pk=other.visitor_id).update(merged_into=old.visitor_id)
    assert not retention.inactive(now=now).exists()


def test_erase_due__setting_off__nobody(old, now, settings):
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "LEAD_RETENTION_MONTHS": 0}
    assert retention.erase_due(now=now) == 0
    assert Lead.objects.exists()


def test_erase_due__one_fails__the_others_go(old, now, monkeypatch):
    second = factories.make_lead("two@example.com", now=now - timedelta(days=700))
    erase = retention.erase.erase

    def fail_for_first(person):
        if old.visitor_id in person.visitor_ids:
            raise RuntimeError("no")
        erase(person)

    monkeypatch.setattr(retention.erase, "erase", fail_for_first)
    assert retention.erase_due(now=now) == 1
    assert list(Lead.objects.all()) == [old]
    assert not Lead.objects.filter(pk=second.pk).exists()


def test_run_due__background_work__erases(old, now):
    flow.run_due(now=now + timedelta(minutes=3))
    assert Lead.objects.exists()
    flow.run_due(now=now + timedelta(minutes=15))
    assert not Lead.objects.exists()


def test_ma_purge__dry_run__tells_and_deletes_nothing(old, capsys):
    call_command("ma_purge", "--dry-run")
    told = capsys.readouterr().out
    assert f"lead {old.pk}, known since" in told
    assert "Oldman" not in told
    assert "old@example.com" not in told
    assert Lead.objects.exists()
    call_command("ma_purge")
    assert "Erased leads: 1" in capsys.readouterr().out
    assert not Lead.objects.exists()


def test_ma_purge__dry_run_without_the_setting__says_so(site, settings, capsys):
    call_command("ma_purge", "--dry-run")
    assert "kept for ever" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("months", "day"), [(1, (2026, 2, 3)), (3, (2025, 12, 3)), (15, (2024, 12, 3)), (12, (2025, 3, 3))]
)
def test_months_before__day__same_day_then(now, months, day):
    assert months_before(now.date(), months) == date(*day)
