"""Patterns of a company: somebody who can decide comes after those who gather information; its people
come back after a silence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from wagtail_ma.people.models import DECIDES_UP_TO
from wagtail_ma.people.models_of_companies import Affiliation, Company
from wagtail_ma.sales.acting_patterns import Visited, surge, visited
from wagtail_ma.sales.models import HotDefinition
from wagtail_ma.sales.patterns import Evidence, Ids, Pattern, in_days, number, register, since
from wagtail_ma.tracking.models import Visit

# A surge of a company is one of at least so many of its people.
PEOPLE_OF_A_SURGE = 2


@register
class SeniorAfterStaff(Pattern):
    """A manager visits within so many days after staff of the same company: what they gathered is
    being decided upon (S0-21)."""

    kind = HotDefinition.Kind.SENIOR
    fields = ("days",)

    def candidates(self, definition: HotDefinition, *, now: datetime) -> Iterable[int]:
        senior = _current().filter(lead__rank__lte=DECIDES_UP_TO).values("lead__visitor")
        return set(
            Visit.objects.filter(visitor__in=senior, started_at__gt=since(definition, now), is_bot=False)
            .order_by()
            .values_list("visitor_id", flat=True)
        )

    def find(self, definition: HotDefinition, ids: Ids, *, now: datetime) -> dict[int, Evidence]:
        if ids is None:
            ids = set(self.candidates(definition, now=now))
        seniors = list(
            _current()
            .filter(lead__visitor__in=ids, lead__rank__lte=DECIDES_UP_TO)
            .values_list("lead__visitor", "company_id", "company__name", "lead__title")
        )
        if not seniors:
            return {}
        visits = _visits([pk for pk, *_rest in seniors], after=since(definition, now), now=now)
        staff = self._staff(definition, {company for _pk, company, *_rest in seniors}, now=now)
        found: dict[int, Evidence] = {}
        for pk, company_id, company, title in seniors:
            for at in reversed(visits.get(pk, [])):
                before = at - timedelta(days=definition.days)
                colleagues = {
                    other: max(theirs)
                    for other, moments in staff.get(company_id, {}).items()
                    if other != pk and (theirs := [moment for moment in moments if before <= moment < at])
                }
                if colleagues:
                    data = {
                        "title": title,
                        "company": company,
                        "count": len(colleagues),
                        "last": max(colleagues.values()).isoformat(),
                    }
                    found[pk] = Evidence(at, data)
                    break
        return found

    def _staff(
        self, definition: HotDefinition, company_ids: set[int], *, now: datetime
    ) -> dict[int, dict[int, list[datetime]]]:
        """Company → visitor → when staff of it were here."""
        people = dict(
            _current()
            .filter(company_id__in=company_ids)
            .filter(Q(lead__rank__gt=DECIDES_UP_TO) | Q(lead__rank__isnull=True))
            .values_list("lead__visitor", "company_id")
        )
        visits = _visits(people, after=since(definition, now) - timedelta(days=definition.days), now=now)
        found: dict[int, dict[int, list[datetime]]] = defaultdict(dict)
        for pk, moments in visits.items():
            found[people[pk]][pk] = moments
        return found

    def reason(self, data: Mapping[str, Any]) -> str:
        moment = parse_datetime(data["last"])
        text = ngettext(
            "%(title)s at %(company)s came after %(count)d colleague, who was here on %(date)s.",
            "%(title)s at %(company)s came after %(count)d colleagues, last here on %(date)s.",
            data["count"],
        )
        return text % {
            "title": data["title"],
            "company": data["company"],
            "count": data["count"],
            "date": date_format(timezone.localtime(moment), "SHORT_DATE_FORMAT") if moment else "",
        }


@register
class CompanySurge(Pattern):
    """Silence of a whole company, and then suddenly many visits of its people, compared with the
    company's own habit (S1-21). Whoever of them came lately is hot."""

    kind = HotDefinition.Kind.COMPANY_SURGE
    fields = ("silent_days", "times", "days", "factor")

    def candidates(self, definition: HotDefinition, *, now: datetime) -> Iterable[int]:
        recent = Visit.objects.filter(
            started_at__gt=since(definition, now),
            is_bot=False,
            visitor__lead__affiliations__until__isnull=True,
        )
        return set(recent.order_by().values_list("visitor_id", flat=True))

    def find(self, definition: HotDefinition, ids: Ids, *, now: datetime) -> dict[int, Evidence]:
        if ids is None:
            ids = set(self.candidates(definition, now=now))
        asked = dict(_current().filter(lead__visitor__in=ids).values_list("lead__visitor", "company_id"))
        if not asked:
            return {}
        people = dict(
            _current().filter(company_id__in=set(asked.values())).values_list("lead__visitor", "company_id")
        )
        names = Company.objects.in_bulk(set(asked.values()))
        visits: dict[int, list[Visited]] = defaultdict(list)
        last: dict[int, datetime] = {}
        recent: dict[int, set[int]] = defaultdict(set)
        for pk, at, pages in visited(people, now=now):
            visits[people[pk]].append(Visited(at, pages))
            last[pk] = at
            if at > since(definition, now):
                recent[people[pk]].add(pk)
        found: dict[int, Evidence] = {}
        for company_id, theirs in visits.items():
            evidence = surge(definition, theirs, now=now)
            # One person is a surge of their own.
            if evidence is None or len(recent[company_id]) < PEOPLE_OF_A_SURGE:
                continue
            data = {**evidence.data, "company": str(names[company_id]), "people": len(recent[company_id])}
            for pk in recent[company_id] & asked.keys():
                found[pk] = Evidence(last[pk], data)
        return found

    def reason(self, data: Mapping[str, Any]) -> str:
        return _(
            "After %(silent)d days of silence %(people)d people of %(company)s came %(visits)d times "
            "%(in_days)s, %(factor)s times as much as usual."
        ) % {
            "silent": data["silent"],
            "people": data["people"],
            "company": data["company"],
            "visits": data["visits"],
            "in_days": in_days(data["days"]),
            "factor": number(data["factor"]),
        }


def _current() -> Any:
    """Who belongs where now; excluded people do not count."""
    return Affiliation.objects.filter(until__isnull=True, lead__visitor__excluded_reason="").order_by()


def _visits(visitor_ids: Iterable[int], *, after: datetime, now: datetime) -> dict[int, list[datetime]]:
    rows = Visit.objects.filter(
        visitor_id__in=list(visitor_ids), started_at__gt=after, started_at__lte=now, is_bot=False
    ).order_by("started_at", "pk")
    found: dict[int, list[datetime]] = defaultdict(list)
    for pk, at in rows.values_list("visitor_id", "started_at"):
        found[pk].append(at)
    return found
