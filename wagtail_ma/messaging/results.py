"""What became of a mail: plain numbers, and the people behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import CharField, Count, Exists, OuterRef, QuerySet, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext as _

from wagtail_ma.messaging import clicks, reasons
from wagtail_ma.messaging.models import Consent, Delivery, Mail
from wagtail_ma.tracking.models import Activity


@dataclass(frozen=True)
class StateCount:
    """How many deliveries are in a state; ``state`` filters the list of people."""

    state: str
    label: str
    count: int


@dataclass(frozen=True)
class LinkCount:
    """How many people, and how many scanners' looks, a link has had."""

    url: str
    label: str
    people: int
    machine: int


@dataclass(frozen=True)
class Results:
    """The result page of a mail."""

    total: int
    states: list[StateCount]
    why_not: list[tuple[str, int]]
    people_clicked: int
    unsubscribed: int
    links: list[LinkCount]


def results(mail: Mail) -> Results:
    """Count everything about one mail (a handful of grouped statements)."""
    counts = dict(_deliveries(mail).values_list("state").annotate(count=Count("pk")))
    labels = dict(Delivery.State.choices)
    states = [
        StateCount(state, str(labels[state]), counts[state])
        for state in Delivery.State.values
        if counts.get(state)
    ]
    human = _clicks(mail).filter(kind=clicks.HUMAN)
    return Results(
        total=sum(counts.values()),
        states=states,
        why_not=_why_not(mail),
        people_clicked=human.aggregate(count=Count("visitor", distinct=True))["count"],
        unsubscribed=_unsubscribed(mail).count(),
        links=_links(mail),
    )


def people(mail: Mail) -> QuerySet[Delivery]:
    """The deliveries of a mail with ``has_clicked``, newest first."""
    clicked = _clicks(mail).filter(kind=clicks.HUMAN, visitor=OuterRef("visitor"))
    return _deliveries(mail).select_related("lead").annotate(has_clicked=Exists(clicked)).order_by("-pk")


def _why_not(mail: Mail) -> list[tuple[str, int]]:
    """Reasons of what did not go out, in words, most frequent first (what a server said is summed
    up by its first words)."""
    rows = (
        _deliveries(mail)
        .exclude(reason="")
        .exclude(state=Delivery.State.SENT)
        .values_list("reason")
        .annotate(count=Count("pk"))
        .order_by("-count", "reason")[:50]
    )
    return [(reasons.label(reason), count) for reason, count in rows]


def _links(mail: Mail) -> list[LinkCount]:
    labels: dict[str, str] = {}
    for links in mail.versions.order_by("-pk").values_list("links", flat=True)[:20]:
        for link in links:
            labels.setdefault(link["url"], link["label"])
    rows: dict[str, dict[str, int]] = {url: {} for url in labels}
    grouped = (
        _clicks(mail)
        .annotate(url=KeyTextTransform("url", "data"))
        .values("url", "kind")
        .annotate(people=Count("visitor", distinct=True), count=Count("pk"))
    )
    for row in grouped:
        number = row["people"] if row["kind"] == clicks.HUMAN else row["count"]
        rows.setdefault(row["url"] or "", {})[row["kind"]] = number
    found = [
        LinkCount(
            url, labels.get(url) or _("(no text)"), row.get(clicks.HUMAN, 0), row.get(clicks.MACHINE, 0)
        )
        for url, row in rows.items()
    ]
    return sorted(found, key=lambda link: -link.people)


def _deliveries(mail: Mail) -> QuerySet[Delivery]:
    return Delivery.objects.filter(mail=mail)


def _clicks(mail: Mail) -> QuerySet[Activity]:
    return Activity.objects.filter(
        kind__in=[clicks.HUMAN, clicks.MACHINE], object_kind="mail", object_key=str(mail.pk)
    )


def _unsubscribed(mail: Mail) -> QuerySet[Any]:
    keys = _deliveries(mail).values_list(
        Concat(Value("delivery:"), Cast("pk", CharField()), output_field=CharField()), flat=True
    )
    return Consent.objects.filter(source_kind="mail", is_granted=False, source_key__in=keys)
