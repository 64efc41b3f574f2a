"""Showing an offer to one person: into a segment that personalised blocks are made for, and out again when
the browser has proved that it was seen, or when its time is over."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils.translation import gettext_lazy

from wagtail_ma.conf import conf
from wagtail_ma.personalisation.offers import variants_for
from wagtail_ma.personalisation.places import places
from wagtail_ma.scenarios.models import Enrolment
from wagtail_ma.segments import decisions
from wagtail_ma.segments.models import Segment, SegmentDecision, Source
from wagtail_ma.tracking import offer_token
from wagtail_ma.tracking.models import Activity, PageView, Visit

DISPLAYED, CLICKED, OPENED, READ = "displayed", "clicked", "opened", "read"
PROOFS = [
    (DISPLAYED, gettext_lazy("it was in sight for a second")),
    (CLICKED, gettext_lazy("a link or button in it was clicked")),
    (OPENED, gettext_lazy("the page it leads to was opened")),
    (READ, gettext_lazy("the page it leads to was read for a time")),
]
# Proofs that are about another page than the one with the offer.
ELSEWHERE = (OPENED, READ)
# A click shows that it was in sight, too.
_ACTS = {DISPLAYED: [offer_token.SHOWN, offer_token.CLICKED], CLICKED: [offer_token.CLICKED]}


def shown_since(enrolment: Enrolment, segment_id: int) -> datetime | None:
    """Since when this person has the offer of the step they are at; None: not (any more)."""
    said = SegmentDecision.objects.filter(
        segment_id=segment_id, visitor_id=enrolment.visitor_id, decided_at__gte=enrolment.step_entered_at
    )
    latest = said.order_by("-decided_at").first()
    return latest.decided_at if latest and latest.is_member else None


def visit_over_at(enrolment: Enrolment, segment_id: int, *, now: datetime) -> datetime | None:
    """When the visit that goes on now will be over; None: nobody is here, or it is shown already."""
    if shown_since(enrolment, segment_id) is not None:
        return None
    visits = Visit.objects.filter(visitor_id=enrolment.visitor_id, is_bot=False)
    last_at = visits.order_by("-last_at").values_list("last_at", flat=True).first()
    over_at = last_at + timedelta(seconds=conf.VISIT_TIMEOUT_SECONDS) if last_at else now
    return over_at if over_at > now else None


def go_on(enrolment: Enrolment, params: Mapping[str, Any], *, until: datetime, now: datetime) -> bool:
    """Show the offer as soon as the present visit is over, look whether it was seen, and take it back when
    it was, or when its time is over.

    :param params: ``segment_id``, ``proof`` (of :data:`PROOFS`), ``seconds`` and ``page_key`` where the
        proof asks for them.
    :returns: whether it was seen.
    """
    segment_id = params["segment_id"]
    since = shown_since(enrolment, segment_id)
    if since is None:
        if now < until and visit_over_at(enrolment, segment_id, now=now) is None:
            _put(enrolment, segment_id, is_member=True, now=now)
        return False
    is_proved = is_seen(enrolment.visitor_id, params, since)
    if is_proved or now >= until:
        _put(enrolment, segment_id, is_member=False, now=now)
    return is_proved


def take_back(enrolment: Enrolment, segment_id: int, *, now: datetime) -> None:
    """Show it no longer."""
    if shown_since(enrolment, segment_id) is not None:
        _put(enrolment, segment_id, is_member=False, now=now)


def is_seen(visitor_id: int, params: Mapping[str, Any], since: datetime) -> bool:
    """Whether the browser has proved since then what is asked for. (What machines do, and the server's own
    count of views, proves nothing.)"""
    if params["proof"] not in ELSEWHERE:
        acts = Activity.objects.filter(
            visitor_id=visitor_id,
            kind__in=_ACTS[params["proof"]],
            at__gte=since,
            object_kind="offer",
            visit__is_bot=False,
        )
        return any(
            act.tracked_page is not None
            and act.tracked_page.page is not None
            and act.object_key in variants_for(places(act.tracked_page.page.specific), params["segment_id"])
            for act in acts.select_related("tracked_page__page")
        )
    least = params["seconds"] if params["proof"] == READ else 0
    views = PageView.objects.filter(
        visitor_id=visitor_id,
        at__gt=since,
        source=PageView.Source.SCRIPT,
        visit__is_bot=False,
        tracked_page__translation_key=params["page_key"],
        engaged_seconds__gte=least,
        is_doubtful=False,
    )
    return views.exists()


def _put(enrolment: Enrolment, segment_id: int, *, is_member: bool, now: datetime) -> None:
    segment = Segment.objects.get(pk=segment_id)
    if not segment.is_offer:
        # Pages mark the variants for it from now on.
        Segment.objects.filter(pk=segment_id).update(is_offer=True)
    ids, source = [enrolment.visitor_id], Source.SCENARIO
    decisions.decide(segment, ids, is_member=is_member, by=None, now=now, source=source)
