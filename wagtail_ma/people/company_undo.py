"""A merge of two companies is taken back.

The company that went comes back under its old id, with what it had; what the kept one got of it reverts,
unless it was changed since. People who came meanwhile belong to whichever of the two they would belong to,
had there been no merge: by their address, else by the name they typed. (Whoever named several
companies in turn while the two were one: by the last.)
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime

from wagtail_ma.core.errors import MarketingError
from wagtail_ma.people import companies, news
from wagtail_ma.people.company_merge import TABLES, gain, name_also
from wagtail_ma.people.models import Lead
from wagtail_ma.people.models_of_companies import Affiliation, Company, CompanyAlias, CompanyMerge


class CannotUndo(MarketingError):
    """It was undone already, or the company that was kept is not there any more."""


@dataclass(frozen=True)
class _Apart:
    """The merge, and the two companies after it."""

    step: CompanyMerge
    kept: Company
    other: Company

    @property
    def ids(self) -> tuple[int, int]:
        return self.kept.pk, self.other.pk


def merges_of(company: Company) -> QuerySet[CompanyMerge]:
    """What was merged into a company and can be taken back, the latest first."""
    return CompanyMerge.objects.filter(kept_key=company.pk, undone_at=None).select_related("decided_by")


def undo(step: CompanyMerge, *, now: datetime) -> Company:
    """Make two companies of one again.

    :returns: the one that came back.
    :raises CannotUndo: see there.
    """
    with transaction.atomic():
        # The company first: all steps of one company wait there, and never for each other.
        kept = Company.objects.select_for_update().filter(pk=step.kept_key).first()
        step = CompanyMerge.objects.select_for_update(of=("self",)).get(pk=step.pk)
        if kept is None or step.undone_at is not None:
            raise CannotUndo(step.pk)
        other = Company(**_values(step.other))
        other.save(force_insert=True)
        step.undone_at = now
        step.save(update_fields=["undone_at"])
        for name, table in TABLES.items():
            rows = table._default_manager.filter(pk__in=step.moved[name], company=kept)
            rows.update(company=other)
        CompanyAlias.objects.filter(pk=step.moved["named"], company=kept).delete()
        _revert(kept, step)
        changed = _sort_people(_Apart(step, kept, other))
        news.mark([*changed, *other.leads.values_list("visitor_id", flat=True)], now=now)
    return other


def _values(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "created_at": _time(row["created_at"])}


def _time(value: Any) -> Any:
    return parse_datetime(value) if isinstance(value, str) else value


def _revert(kept: Company, step: CompanyMerge) -> None:
    """Take back what the kept one got, unless it was changed since; what a later merge would have given
    instead, it gives now."""
    for name, (before, after) in step.gained.items():
        is_time = name == "created_at"
        if getattr(kept, name) == (_time(after) if is_time else after):
            setattr(kept, name, _time(before) if is_time else before)
    for later in merges_of(kept).filter(pk__gt=step.pk).order_by("pk"):
        later.gained = {**later.gained, **gain(kept, _values(later.other))}
        if later.moved["named"] is None:
            later.moved["named"] = name_also(kept, later.other["name"])
        later.save(update_fields=["gained", "moved"])
    kept.save()


def _sort_people(apart: _Apart) -> list[int]:
    """Put those about whom something was learnt meanwhile where they belong.

    :returns: visitor ids of those who changed the company.
    """
    step, moved = apart.step, set(apart.step.moved["leads"])
    since = Q(affiliations__company=apart.kept, affiliations__since__gte=step.at)
    found = Lead.objects.filter(Q(company__in=apart.ids) | Q(pk__in=moved) | since)
    return [lead.visitor_id for lead in found.distinct().order_by("pk") if _sort(lead, apart, moved)]


def _sort(lead: Lead, apart: _Apart, moved: set[int]) -> bool:
    before = apart.other if lead.pk in moved else apart.kept
    wanted, turn = _wanted(lead, apart, before)
    if lead.created_at >= apart.step.at:
        before = wanted
    had = lead.company_id
    if had in apart.ids and had != wanted.pk:
        lead.company = wanted
        lead.save(update_fields=["company"])
    meanwhile = Q(until=None) | Q(until__gt=apart.step.at)
    for row in Affiliation.objects.filter(meanwhile, lead=lead, company__in=apart.ids):
        _split(row, before if row.since < turn else wanted, wanted, turn)
    return lead.company_id != had


def _wanted(lead: Lead, apart: _Apart, before: Company) -> tuple[Company, datetime]:
    """Where somebody would belong now, and since when that is so."""
    start = apart.step.at
    told = {name: _time(source["at"]) for name, source in lead.sources.items()}
    if told.get("company", start) > start and lead.company_id in apart.ids:
        # Chosen by hand while there was only this one.
        return apart.kept, told["company"]
    # What is changed by hand says nothing about the company, but its name.
    learnt = [
        at
        for name, at in [("", lead.created_at), *told.items()]
        if at >= start and (name in ("", "company_name") or lead.sources[name].get("by") != "manual")
    ]
    if not learnt:
        return before, start
    found = companies.find_or_make(lead.email, lead.company_name, now=max(learnt))
    name_at = told.get("company_name", lead.created_at)
    return found if found in (apart.kept, apart.other) else before, max(name_at, start)


def _split(row: Affiliation, begins: Company, ends: Company, turn: datetime) -> None:
    """One time at the merged company is a time at the one, or at the one and then at the other."""
    row.company = begins
    if begins != ends and (row.until is None or row.until > turn):
        Affiliation.objects.filter(pk=row.pk).update(company=begins, until=turn)
        row.pk, row.company, row.since = None, ends, turn
        row.source = row.lead.sources.get("company_name", {}).get("by", row.source)
    row.save()
