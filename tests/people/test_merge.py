"""What moves when an identity is re-pointed, and what comes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.apps import apps

from tests import factories
from wagtail_ma import flow
from wagtail_ma.core.belongings import belongings
from wagtail_ma.messaging.models import Consent
from wagtail_ma.people import merge
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Identity, IdentityLink, Lead, News, Visitor
from wagtail_ma.scoring.models import ScoringModel, Standing
from wagtail_ma.segments.models import Membership, Segment
from wagtail_ma.tracking.models import Activity

pytestmark = pytest.mark.django_db


def _consent(visitor_id, now):
    return Consent.objects.create(
        visitor_id=visitor_id, born_visitor_id=visitor_id, email="x@example.com", is_granted=True, at=now
    )


def _joined(now, **fields):
    """A lead, and a browser that has just been joined to it: (lead, browser, emptied id, link)."""
    lead = identify(None, email="ann@example.com", now=now, method="import", company_name="Old Ltd")
    browser = factories.browser(now)
    emptied = browser.visitor_id
    factories.activity(browser, now)
    consent = _consent(emptied, now)
    identify(browser, email="ann@example.com", now=now, method="form", **fields)
    return lead, browser, emptied, IdentityLink.objects.get(identity=browser), consent


def test_repoint__emptied_visitor__derived_gone_and_decisions_moved_with_their_birthplace(now):
    lead = identify(None, email="ann@example.com", now=now, method="import")
    browser = factories.browser(now)
    emptied = browser.visitor_id
    segment = Segment.objects.create(name="s")
    model = ScoringModel.objects.create(epoch=now, created_at=now)
    Membership.objects.create(segment=segment, visitor_id=emptied, entered_at=now)
    Standing.objects.create(model=model, visitor_id=emptied)
    consent = _consent(emptied, now)

    identify(browser, email="ann@example.com", now=now, method="form")

    assert not Membership.objects.filter(visitor_id=emptied).exists()
    assert not Standing.objects.filter(visitor_id=emptied).exists()
    consent.refresh_from_db()
    assert (consent.visitor_id, consent.born_visitor_id) == (lead.visitor_id, emptied)


def test_undo__after_a_merge__facts_decisions_and_field_values_return(now):
    lead, browser, emptied, link, consent = _joined(now, company_name="New Ltd")
    meanwhile = factories.activity(browser, now + timedelta(hours=1))
    later = now + timedelta(hours=2)

    merge.undo(link, now=later)

    assert Identity.objects.get(pk=browser.pk).visitor_id == emptied
    assert set(Activity.objects.values_list("visitor_id", flat=True)) == {emptied}
    meanwhile.refresh_from_db()
    assert meanwhile.visitor_id == emptied
    consent.refresh_from_db()
    assert consent.visitor_id == emptied
    assert Visitor.objects.get(pk=emptied).merged_into_id is None
    assert Lead.objects.get(pk=lead.pk).company_name == "Old Ltd"
    link.refresh_from_db()
    assert link.undone_at == later
    assert {emptied, lead.visitor_id} <= set(
        News.objects.filter(at=later).values_list("visitor_id", flat=True)
    )


def test_undo__value_changed_since__keeps_the_newer_one(now):
    lead, _browser, _emptied, link, _consent_row = _joined(now, company_name="New Ltd")
    Lead.objects.filter(pk=lead.pk).update(company_name="By hand Ltd")
    merge.undo(link, now=now)
    assert Lead.objects.get(pk=lead.pk).company_name == "By hand Ltd"


def test_undo__twice__refused(now):
    *_rest, link, _consent_row = _joined(now)
    merge.undo(link, now=now)
    with pytest.raises(merge.CannotUndo):
        merge.undo(link, now=now)


def test_undo__naming_of_a_visitor__refused(now):
    identify(factories.browser(now), email="ann@example.com", now=now, method="form")
    with pytest.raises(merge.CannotUndo):
        merge.undo(IdentityLink.objects.get(), now=now)


def test_carry_facts__more_than_at_once__the_job_carries_the_rest(now, monkeypatch):
    monkeypatch.setattr(merge, "AT_ONCE", 3)
    monkeypatch.setattr(merge.carry_facts, "__kwdefaults__", {"limit": 3})
    lead = identify(None, email="ann@example.com", now=now, method="import")
    browser = factories.browser(now)
    for _number in range(8):
        factories.activity(browser, now)
    identify(browser, email="ann@example.com", now=now, method="form")
    assert Activity.objects.filter(visitor_id=lead.visitor_id).count() == 3
    assert merge.settle(now=now, limit=3) == 1
    assert Activity.objects.filter(visitor_id=lead.visitor_id).count() == 6
    assert merge.settle(now=now, limit=3) == 1
    assert Activity.objects.filter(visitor_id=lead.visitor_id).count() == 8
    assert merge.settle(now=now, limit=3) == 0
    assert not IdentityLink.objects.filter(is_settled=False).exists()


def test_bury__tombstone__loses_what_react_had_just_written(now):
    lead, _browser, emptied, _link, _consent_row = _joined(now)
    segment = Segment.objects.create(name="s")
    Membership.objects.create(segment=segment, visitor_id=emptied, entered_at=now)
    assert merge.bury([emptied, lead.visitor_id]) == [lead.visitor_id]
    assert not Membership.objects.exists()
    assert not News.objects.filter(visitor_id=emptied).exists()


def test_bury__visitor_is_gone__so_are_late_news(now):
    lead = identify(None, email="ann@example.com", now=now, method="import")
    gone = lead.visitor_id + 1
    News.objects.create(visitor_id=gone, at=now)
    flow.react(now=now + timedelta(seconds=10))
    assert not News.objects.exists()
    assert merge.bury([gone, lead.visitor_id]) == [lead.visitor_id]


def undeclared() -> list[str]:
    """Every foreign key to a person that no ``belongings.py`` answers for."""
    roots = {Visitor, Lead, Identity}
    missing = []
    for model in apps.get_app_config("wagtail_ma").get_models(include_auto_created=True):
        for field in model._meta.get_fields():
            if not (field.many_to_one or field.one_to_one) or not field.concrete:
                continue
            if field.related_model in roots:
                declared = belongings.get(f"wagtail_ma.{model.__name__}")
                if declared is None or field.name not in declared.fields:
                    missing.append(f"{model.__name__}.{field.name}")
    return missing


def test_belongings__every_foreign_key_to_a_person__is_declared():
    assert undeclared() == []


@pytest.mark.parametrize(
    ("model", "fields", "found"),
    [
        ("wagtail_ma.Task", None, ["Task.visitor", "Task.born_visitor"]),
        ("wagtail_ma.Submission", ("identity", "visitor"), ["Submission.browser"]),
        ("wagtail_ma.LeadPhone", (), ["LeadPhone.lead"]),
    ],
)
def test_belongings__foreign_key_that_is_not_declared__is_found(monkeypatch, model, fields, found):
    entry = belongings.get(model)
    less = None if fields is None else replace(entry, fields=fields)
    known = belongings.get
    monkeypatch.setattr(belongings, "get", lambda key: less if key == model else known(key))
    assert undeclared() == found


def test_belongings__facts_and_decisions__have_the_columns_that_a_merge_sets():
    wanted = {"fact": {"visitor"}, "decision": {"visitor", "born_visitor"}}
    for belonging in belongings:
        model = apps.get_model(belonging.model)
        names = {field.name for field in model._meta.get_fields()}
        assert wanted.get(belonging.role, set()) <= names
        if belonging.role == "fact":
            # Django refuses a path that leads elsewhere.
            model.objects.filter(**{f"{belonging.identity}__in": Identity.objects.all()}).exists()
