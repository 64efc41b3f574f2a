"""What may take a worry away: pages not yet read, and mails that lead to them (S1-17)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import swapper
from django.contrib.contenttypes.models import ContentType
from django.db.models import Sum
from wagtail.models import ReferenceIndex

from wagtail_ma.messaging import queue
from wagtail_ma.messaging.models import Delivery, Mail
from wagtail_ma.people.models import Lead
from wagtail_ma.sales.models import HotEntry
from wagtail_ma.scoring.models import Interest
from wagtail_ma.tracking.models import PageClass, PageDay, PageView, TrackedPage

# What reassures.
CLASSES = (PageClass.BuiltIn.CASE, PageClass.BuiltIn.FAQ, PageClass.BuiltIn.PRICING)
PAGES_SHOWN = 4
MAILS_SHOWN = 3
POPULAR_DAYS = 30


@dataclass(frozen=True)
class _Candidate:
    """A page that may help."""

    page: TrackedPage
    topic_ids: frozenset[int]
    views: int


@dataclass
class Suggestion:
    """What may help one person."""

    pages: list[TrackedPage] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)


def for_visitors(visitor_ids: Iterable[int], *, now: datetime) -> dict[int, Suggestion]:
    """Pages that answer what each of these people cares for and that they have not read, and mails
    that link to those pages and were not sent to them. A fixed number of statements.
    """
    ids = list(visitor_ids)
    if not ids:
        return {}
    candidates = _candidates(now=now)
    read = _read(ids, {each.page.translation_key for each in candidates})
    cares = _cares(ids)
    found = {pk: Suggestion(pages=_best(candidates, read.get(pk, set()), cares.get(pk, {}))) for pk in ids}
    _add_mails(found)
    return found


def _candidates(*, now: datetime) -> list[_Candidate]:
    pages = TrackedPage.objects.filter(page_class__key__in=CLASSES, page__live=True).prefetch_related(
        "topics"
    )
    views = dict(
        PageDay.objects.filter(
            tracked_page__page_class__key__in=CLASSES, day__gt=(now - timedelta(days=POPULAR_DAYS)).date()
        )
        .order_by()
        .values("tracked_page_id")
        .annotate(n=Sum("views"))
        .values_list("tracked_page_id", "n")
    )
    return [
        _Candidate(page, frozenset(topic.pk for topic in page.topics.all()), views.get(page.pk, 0))
        for page in pages
    ]


def _read(visitor_ids: Sequence[int], keys: set[UUID | None]) -> dict[int, set[UUID]]:
    rows = PageView.objects.filter(visitor_id__in=visitor_ids, tracked_page__translation_key__in=keys)
    found: dict[int, set[UUID]] = defaultdict(set)
    for pk, key in rows.order_by().values_list("visitor_id", "tracked_page__translation_key").distinct():
        if key is not None:
            found[pk].add(key)
    return found


def _cares(visitor_ids: Sequence[int]) -> dict[int, dict[int, float]]:
    rows = Interest.objects.filter(model__is_current=True, visitor_id__in=visitor_ids, evidence_sum__gt=0)
    found: dict[int, dict[int, float]] = defaultdict(dict)
    for pk, topic_id, evidence in rows.values_list("visitor_id", "topic_id", "evidence_sum"):
        found[pk][topic_id] = evidence
    return found


def _best(candidates: list[_Candidate], read: set[UUID], cares: dict[int, float]) -> list[TrackedPage]:
    """The closest to what they care for, then the most viewed; one language of each page."""
    fresh = [each for each in candidates if each.page.translation_key not in read]
    fresh.sort(
        key=lambda each: (-sum(cares.get(pk, 0.0) for pk in each.topic_ids), -each.views, each.page.pk)
    )
    found: dict[Any, TrackedPage] = {}
    for each in fresh:
        found.setdefault(each.page.translation_key, each.page)
    return list(found.values())[:PAGES_SHOWN]


def _add_mails(found: dict[int, Suggestion]) -> None:
    page_ids = {page.page_id for suggestion in found.values() for page in suggestion.pages}
    if not page_ids:
        return
    pages = swapper.load_model("wagtailcore", "Page")
    references = ReferenceIndex.objects.filter(
        base_content_type=ContentType.objects.get_for_model(Mail),
        to_content_type=ContentType.objects.get_for_model(pages),
        to_object_id__in=[str(pk) for pk in page_ids],
    )
    linked: dict[int, set[int]] = defaultdict(set)
    for mail_id, page_id in references.values_list("object_id", "to_object_id"):
        linked[int(mail_id)].add(int(page_id))
    mails = Mail.objects.filter(pk__in=linked, live=True).exclude(kind=Mail.Kind.TRANSACTIONAL)
    sent = set(
        Delivery.objects.filter(visitor_id__in=found, mail_id__in=linked).values_list("visitor_id", "mail_id")
    )
    for mail in mails.select_related("sender").order_by("name"):
        for pk, suggestion in found.items():
            helps = linked[mail.pk] & {page.page_id for page in suggestion.pages}
            if helps and (pk, mail.pk) not in sent and len(suggestion.mails) < MAILS_SHOWN:
                suggestion.mails.append(mail)


def send(entry: HotEntry, mail: Mail, lead: Lead, *, now: datetime) -> Delivery | None:
    """Send a mail to a hot lead, once however often the button is pressed.

    :returns: the delivery; None when the lead has no usable address.
    """
    return queue.enqueue(mail, lead, occurrence=f"hot:{entry.pk}", now=now)
