"""All rows that stand for one person, for erasing and exporting."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.apps import apps
from django.db.models import Q, QuerySet

from wagtail_ma.core.belongings import Belonging, Person
from wagtail_ma.people.models import Identity, Lead, Visitor


def gather(visitor_id: int, *, now: datetime) -> Person:
    """The person of a visitor, whoever was merged into it included.

    :param visitor_id: not of somebody who was merged away (:func:`living`).
    """
    found: list[int] = [visitor_id]
    fresh: Iterable[int] = [visitor_id]
    while fresh := set(
        Visitor.objects.filter(merged_into__in=fresh).exclude(pk__in=found).values_list("pk", flat=True)
    ):
        found.extend(sorted(fresh))
    identities = list(Identity.objects.filter(visitor_id__in=found).values_list("pk", "kind", "key"))
    leads = list(Lead.objects.filter(visitor_id__in=found).values_list("pk", "email"))
    emails = {key for _pk, kind, key in identities if kind == Identity.Kind.EMAIL}
    emails |= {email for _pk, email in leads if email}
    return Person(
        visitor_ids=tuple(found),
        identity_ids=tuple(pk for pk, _kind, _key in identities),
        lead_ids=tuple(pk for pk, _email in leads),
        emails=tuple(sorted(emails)),
        now=now,
    )


def living(visitor_id: int) -> int | None:
    """The visitor whom somebody became (themselves, as a rule); None when there is no such visitor."""
    seen: set[int] = set()
    while visitor_id not in seen:
        seen.add(visitor_id)
        row = Visitor.objects.filter(pk=visitor_id).values_list("merged_into_id", flat=True)
        if not row:
            return None
        visitor_id = row[0] or visitor_id
    return visitor_id


def rows(belonging: Belonging, person: Person) -> QuerySet[Any]:
    """The rows of a table that are about a person, by each of its declared foreign keys, and facts by
    their identity."""
    model: Any = apps.get_model(belonging.model)
    ids = {Visitor: person.visitor_ids, Identity: person.identity_ids, Lead: person.lead_ids}
    wanted = Q(pk__in=[])
    if model in ids:
        wanted |= Q(pk__in=ids[model])
    else:
        for name in belonging.owners or belonging.fields:
            wanted |= Q(**{f"{name}__in": ids[model._meta.get_field(name).related_model]})
    found = model._default_manager.filter(wanted)
    if belonging.role != "fact" or belonging.identity in belonging.fields:
        return found
    theirs = model._default_manager.filter(**{f"{belonging.identity}__in": person.identity_ids})
    # (Each by its index; with OR, the whole table would be read.)
    return model._default_manager.filter(pk__in=found.values("pk").union(theirs.values("pk")))
