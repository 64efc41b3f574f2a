"""Two companies that are one: found by how their names are read, joined by a person, and taken apart again
(:mod:`wagtail_ma.people.company_undo`).

The name of the company that goes stays as another name of the one that is kept, so that it does not come
back.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models, transaction
from django.db.models import Exists, OuterRef, QuerySet

from wagtail_ma.core.errors import MarketingError
from wagtail_ma.people import company_names, news
from wagtail_ma.people.models import Lead
from wagtail_ma.people.models_of_companies import (
    Affiliation,
    Company,
    CompanyAlias,
    CompanyDomain,
    CompanyMerge,
)

SHOWN = 10
# What points to a company, by its name in ``CompanyMerge.moved``.
TABLES: dict[str, type[models.Model]] = {
    "leads": Lead,
    "affiliations": Affiliation,
    "domains": CompanyDomain,
    "aliases": CompanyAlias,
}
# What the kept one gets where it has none.
GAINED = ("is_customer", "is_competitor", "is_own", "website", "corporate_number")


class NotTheSame(MarketingError):
    """They are certainly two: the same row, or two corporate numbers."""


def similar(company: Company) -> list[Company]:
    """Companies whose name reads the same (JR東日本, ジェイアール東日本): candidates for a person to look
    at. メイワ and メーワ read the same, too, and are two."""
    if not company.reading_key:
        return []
    same = Company.objects.filter(reading_key=company.reading_key).exclude(pk=company.pk).order_by("name")
    return list(same[:SHOWN])


def with_similar(companies: QuerySet[Company]) -> QuerySet[Company]:
    """Those of these companies for which there is another whose name reads the same."""
    others = Company.objects.filter(reading_key=OuterRef("reading_key")).exclude(pk=OuterRef("pk"))
    return companies.exclude(reading_key="").filter(Exists(others))


def are_two(kept: Company, other: Company) -> bool:
    """Whether they are certainly not the same."""
    numbers = {kept.corporate_number, other.corporate_number} - {""}
    return kept.pk == other.pk or len(numbers) > 1


def merge(kept: Company, other: Company, *, now: datetime, user_id: int | None = None) -> int:
    """Everything of one company becomes the other's; it then is gone.

    :param kept: keeps its own name, web site and number; what it lacks it gets.
    :param user_id: who decided it.
    :returns: how many people changed their company.
    :raises NotTheSame: see :func:`are_two`.
    """
    with transaction.atomic():
        # In one order, whoever merges what with what.
        rows = {row.pk: row for row in _locked(kept.pk, other.pk)}
        if len(rows) < 2 or are_two(rows[kept.pk], rows[other.pk]):
            raise NotTheSame(f"{kept.pk}, {other.pk}")
        kept, other = rows[kept.pk], rows[other.pk]
        visitors = list(Lead.objects.filter(company=other).values_list("visitor_id", flat=True))
        moved: dict[str, Any] = {name: _move(table, other, kept) for name, table in TABLES.items()}
        moved["named"] = name_also(kept, other.name)
        step = CompanyMerge(kept_key=kept.pk, other=as_values(other), moved=moved, at=now)
        step.gained = gain(kept, step.other)
        step.decided_by_id = user_id
        step.save()
        kept.save()
        other.delete()
        news.mark(visitors, now=now)
    return len(visitors)


def as_values(company: Company) -> dict[str, Any]:
    """A row by the names of its columns."""
    return {field.attname: getattr(company, field.attname) for field in Company._meta.concrete_fields}


def gain(kept: Company, other: dict[str, Any]) -> dict[str, list[Any]]:
    """Give a company, which the caller saves, what it lacks and the other had.

    :param other: from :func:`as_values`, its times as times.
    :returns: ``{name: [before, after]}`` of what changed.
    """
    wanted = {name: getattr(kept, name) or other[name] for name in GAINED}
    wanted["created_at"] = min(kept.created_at, other["created_at"])
    gained = {
        name: [getattr(kept, name), value] for name, value in wanted.items() if value != getattr(kept, name)
    }
    for name, (_before, after) in gained.items():
        setattr(kept, name, after)
    return gained


def name_also(company: Company, name: str) -> int | None:
    """Make sure that a company is found by this name; the id of the alias that this took, None for none."""
    keys = company_names.keys(name)
    is_known = keys.strict[:160] == company.strict_key and company_names.is_same(
        company_names.keys(company.name), keys
    )
    if is_known or company.aliases.filter(name=name).exists():
        return None
    return CompanyAlias.objects.create(company=company, name=name).pk


def _move(table: type[models.Model], other: Company, kept: Company) -> list[int]:
    rows = table._default_manager.filter(company=other).order_by("pk")
    ids = list(rows.values_list("pk", flat=True))
    rows.update(company=kept)
    return ids


def _locked(*pks: int) -> QuerySet[Company]:
    return Company.objects.select_for_update().filter(pk__in=pks).order_by("pk")
