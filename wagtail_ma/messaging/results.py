"""What became of a mail: plain numbers, and the people behind them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import (
    BooleanField,
    CharField,
    Count,
    Exists,
    ExpressionWrapper,
    OuterRef,
    Q,
    QuerySet,
    Value,
)
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Concat
from django.utils.translation import gettext as _

from wagtail_ma.messaging import clicks, reasons, unsubscribing
from wagtail_ma.messaging.models import Consent, Delivery, Mail
from wagtail_ma.messaging.models_of_sending import MailCount
from wagtail_ma.tracking.models import Activity


@dataclass(frozen=True)
class StateCount:
    """How many deliveries are in a state; ``state`` filters the list of people."""

    state: str
    label: str
    count: int


@dataclass(frozen=True)
class LinkCount:
    """How many people, and how many scanners' looks, a link has had.

    :param counted: clicks that were only counted, where nobody is told from the others.
    """

    url: str
    label: str
    people: int
    machine: int
    counted: int = 0


@dataclass(frozen=True)
class WhyNot:
    """How many did not get it for a reason; ``reason`` as it is stored, ``label`` in words."""

    reason: str
    label: str
    count: int


@dataclass(frozen=True)
class Results:
    """The result page of a mail."""

    total: int
    states: list[StateCount]
    why_not: list[WhyNot]
    people_clicked: int
    opened: int
    machine_opened: int
    unsubscribed: int
    why_left: list[WhyNot]
    links: list[LinkCount]
    is_aggregate: bool


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
    counted = _counted(mail)
    opened = _deliveries(mail).aggregate(people=Count("opened_at"), machine=Count("machine_opened_at"))
    return Results(
        total=sum(counts.values()),
        states=states,
        why_not=_why_not(mail),
        people_clicked=human.aggregate(count=Count("visitor", distinct=True))["count"],
        opened=opened["people"] + counted.get(("", False), 0),
        machine_opened=opened["machine"] + counted.get(("", True), 0),
        unsubscribed=_unsubscribed(mail).count(),
        why_left=_why_left(mail),
        links=_links(mail, counted),
        is_aggregate=bool(counted),
    )


def people(
    mail: Mail, *, link: str = "", scanned: str = "", reason: str = "", why_left: str = ""
) -> QuerySet[Delivery]:
    """The deliveries of a mail with ``has_opened``, ``has_clicked`` and ``has_unsubscribed``, newest first.

    :param link: only those who followed the link to this address.
    :param scanned: only those for whom a machine followed the link to this address.
    :param reason: only those with this stored reason.
    :param why_left: only those who unsubscribed by it and gave this reason (``unsubscribing.Why``).
    """
    clicked = _clicks(mail).filter(kind=clicks.HUMAN, visitor=OuterRef("visitor"))
    left = Consent.objects.filter(_is_unsubscription(), source_key=_key("pk", outer=True))
    found = _deliveries(mail).select_related("lead")
    if reason:
        found = found.filter(reason=reason)
    if link:
        found = found.filter(Exists(clicked.filter(data__url=link)))
    if scanned:
        looks = _clicks(mail).filter(kind=clicks.MACHINE, visitor=OuterRef("visitor"))
        found = found.filter(Exists(looks.filter(data__url=scanned)))
    if why_left:
        found = found.filter(Exists(left.filter(why=why_left)))
    has_opened = ExpressionWrapper(Q(opened_at__isnull=False), output_field=BooleanField())
    return found.annotate(
        has_opened=has_opened, has_clicked=Exists(clicked), has_unsubscribed=Exists(left)
    ).order_by("-pk")


def _why_not(mail: Mail) -> list[WhyNot]:
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
    return [WhyNot(reason, reasons.label(reason), count) for reason, count in rows]


def _counted(mail: Mail) -> dict[tuple[str, bool], int]:
    """What was only counted, by (address of the link, whether by a machine); "" stands for opening."""
    rows = MailCount.objects.filter(version__mail=mail).select_related("version").defer("version__compiled")
    found: dict[tuple[str, bool], int] = {}
    for row in rows:
        links = row.version.links
        if row.link == MailCount.OPENED:
            url = ""
        elif row.link < len(links):
            url = links[row.link]["url"]
        else:
            continue
        found[url, row.is_machine] = found.get((url, row.is_machine), 0) + row.count
    return found


def _links(mail: Mail, counted: dict[tuple[str, bool], int]) -> list[LinkCount]:
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
            url,
            labels.get(url) or _("(no text)"),
            row.get(clicks.HUMAN, 0),
            row.get(clicks.MACHINE, 0) + counted.get((url, True), 0),
            counted.get((url, False), 0),
        )
        for url, row in rows.items()
    ]
    return sorted(found, key=lambda link: -(link.people + link.counted))


def _deliveries(mail: Mail) -> QuerySet[Delivery]:
    return Delivery.objects.filter(mail=mail)


def _clicks(mail: Mail) -> QuerySet[Activity]:
    return Activity.objects.filter(
        kind__in=[clicks.HUMAN, clicks.MACHINE], object_kind="mail", object_key=str(mail.pk)
    )


def _unsubscribed(mail: Mail) -> QuerySet[Consent]:
    keys = _deliveries(mail).values_list(_key("pk"), flat=True)
    return Consent.objects.filter(_is_unsubscription(), source_key__in=keys)


def _is_unsubscription() -> Q:
    """By a mail, and not taken back afterwards."""
    undone = Consent.objects.filter(
        email=OuterRef("email"),
        at__gte=OuterRef("at"),
        source_key=Concat(OuterRef("source_key"), Value(unsubscribing.UNDONE)),
    )
    return Q(source_kind="mail", is_granted=False) & ~Q(Exists(undone))


def _key(name: str, *, outer: bool = False) -> Concat:
    """The source of the consents that come by a delivery, of its primary key."""
    pk = OuterRef(name) if outer else name
    return Concat(Value("delivery:"), Cast(pk, CharField()), output_field=CharField())


def _why_left(mail: Mail) -> list[WhyNot]:
    """What those who unsubscribed by it gave as their reason, most frequent first."""
    rows = _unsubscribed(mail).exclude(why="").values_list("why").annotate(count=Count("pk"))
    labels = dict(unsubscribing.Why.choices)
    return [WhyNot(why, str(labels.get(why, why)), count) for why, count in rows.order_by("-count", "why")]
