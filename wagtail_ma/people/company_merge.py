"""Two companies that are one: found by how their names are read, joined by a person.

A joining is not taken back: what it moves are affiliations, which can be set by hand. The name of the
company that goes stays as another name of the one that is kept, so that it does not come back.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from wagtail_ma.core.errors import MarketingError
from wagtail_ma.people import company_names, news
from wagtail_ma.people.models import Lead
from wagtail_ma.people.models_of_companies import Affiliation, Company, CompanyAlias, CompanyDomain

SHOWN = 10


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


def merge(kept: Company, other: Company, *, now: datetime) -> int:
    """Everything of one company becomes the other's; it then is gone.

    :param kept: keeps its own name, web site and number; what it lacks it gets.
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
        Lead.objects.filter(company=other).update(company=kept)
        Affiliation.objects.filter(company=other).update(company=kept)
        CompanyDomain.objects.filter(company=other).update(company=kept)
        CompanyAlias.objects.filter(company=other).update(company=kept)
        _name_also(kept, other.name)
        for name in ("is_customer", "is_competitor", "is_own", "website", "corporate_number"):
            setattr(kept, name, getattr(kept, name) or getattr(other, name))
        kept.created_at = min(kept.created_at, other.created_at)
        kept.save()
        other.delete()
        news.mark(visitors, now=now)
    return len(visitors)


def _locked(*pks: int) -> QuerySet[Company]:
    return Company.objects.select_for_update().filter(pk__in=pks).order_by("pk")


def _name_also(company: Company, name: str) -> None:
    keys = company_names.keys(name)
    is_known = keys.strict[:160] == company.strict_key and company_names.is_same(
        company_names.keys(company.name), keys
    )
    if not is_known and not company.aliases.filter(Q(name=name)).exists():
        CompanyAlias.objects.create(company=company, name=name)
