"""Showing something on the site: personalised blocks show it to a segment, the step puts people into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from wagtail_ma.conf import conf
from wagtail_ma.personalisation.places import places, segments_in
from wagtail_ma.scenarios.kinds import NOT_YET, Context, step_kinds
from wagtail_ma.scenarios.steps import BranchStep, TimedStep
from wagtail_ma.segments import decisions
from wagtail_ma.segments.models import Segment, SegmentDecision, Source
from wagtail_ma.tracking.models import PageView, Visit

if TYPE_CHECKING:
    from wagtail.blocks import Block

    from wagtail_ma.scenarios.models import Enrolment

DISPLAYED, OPENED, READ = "displayed", "opened", "read"
PROOFS = [
    (DISPLAYED, gettext_lazy("a page that shows it was opened")),
    (OPENED, gettext_lazy("the page it leads to was opened")),
    (READ, gettext_lazy("the page it leads to was read for a time")),
]


class OfferStep(TimedStep):
    """From the next visit on, somebody is in a segment that personalised blocks are made for, until the
    tracker proves that it was seen, or for a time at most. Two ways on."""

    key = "offer"
    label = gettext_lazy("Offer on the site")
    question = gettext_lazy("Show it at most for")
    icon = "view"
    exits: ClassVar[dict[str, str | Promise]] = {
        "yes": gettext_lazy("Seen"),
        "no": gettext_lazy("Not in time"),
    }
    outcomes = exits

    def fields(self) -> list[tuple[str, Block]]:
        from wagtail import blocks

        from wagtail_ma.scenarios.blocks import SegmentBlock

        segment = SegmentBlock(
            label=gettext_lazy("Shown to the segment"),
            help_text=gettext_lazy(
                "Best one with fixed members, used for this offer alone. Make variants for it in "
                "personalised blocks. People are put into it when their present visit is over, "
                "and taken out afterwards."
            ),
        )
        page = blocks.PageChooserBlock(label=gettext_lazy("Page it leads to"), required=False)
        proof = blocks.ChoiceBlock(label=gettext_lazy("Seen when"), choices=PROOFS, default=DISPLAYED)
        seconds = blocks.IntegerBlock(
            label=gettext_lazy("Seconds to read"), min_value=1, max_value=600, default=15
        )
        rest = super().fields()
        return [("segment", segment), ("page", page), ("proof", proof), ("seconds", seconds), *rest]

    def read(self, value: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        page = value.get("page")
        return {
            **BranchStep().read(value, earlier),
            "page_key": str(page.translation_key) if page else "",
            "proof": value.get("proof"),
            "seconds": value.get("seconds") or 0,
            "amount": value.get("amount"),
            "unit": value.get("unit"),
        }

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        found = [*BranchStep().problems(params), *super().problems(params)]
        if params.get("proof") != DISPLAYED and not params.get("page_key"):
            found.append(_("Choose the page that the offer leads to."))
        return found

    def describe(self, params: Mapping[str, Any]) -> str:
        words = {"segment": params.get("name") or "?", "duration": self.spoken(params)}
        return _("Offer “%(segment)s”, at most %(duration)s") % words

    def perform(self, context: Context) -> str:
        enrolment, params = context.enrolment, context.step.params
        since = self._shown_since(enrolment, params["segment_id"])
        is_over = context.now >= enrolment.step_entered_at + self.duration(params)
        if since is None and not is_over and self.ask_again_at(context) is None:
            self._put(enrolment.visitor_id, params, is_member=True, now=context.now)
        elif since is not None and _is_seen(enrolment.visitor_id, params, since):
            self.abandon(enrolment, params, now=context.now)
            return "yes"
        elif since is not None and is_over:
            self.abandon(enrolment, params, now=context.now)
        return NOT_YET

    def ask_again_at(self, context: Context) -> datetime | None:
        """When the visit that goes on now will be over; None: nobody is here, or it is shown already."""
        enrolment = context.enrolment
        if self._shown_since(enrolment, context.step.params["segment_id"]) is not None:
            return None
        visits = Visit.objects.filter(visitor_id=enrolment.visitor_id, is_bot=False)
        last_at = visits.order_by("-last_at").values_list("last_at", flat=True).first()
        over_at = last_at + timedelta(seconds=conf.VISIT_TIMEOUT_SECONDS) if last_at else context.now
        return over_at if over_at > context.now else None

    def abandon(self, enrolment: Enrolment, params: Mapping[str, Any], *, now: datetime) -> None:
        if self._shown_since(enrolment, params["segment_id"]) is not None:
            self._put(enrolment.visitor_id, params, is_member=False, now=now)

    def _shown_since(self, enrolment: Enrolment, segment_id: int) -> datetime | None:
        said = SegmentDecision.objects.filter(
            segment_id=segment_id, visitor_id=enrolment.visitor_id, decided_at__gte=enrolment.step_entered_at
        )
        latest = said.order_by("-decided_at").first()
        return latest.decided_at if latest and latest.is_member else None

    def _put(self, visitor_id: int, params: Mapping[str, Any], *, is_member: bool, now: datetime) -> None:
        segment = Segment.objects.get(pk=params["segment_id"])
        source = Source.SCENARIO
        decisions.decide(segment, [visitor_id], is_member=is_member, by=None, now=now, source=source)


def _is_seen(visitor_id: int, params: Mapping[str, Any], since: datetime) -> bool:
    """Whether views that the tracker told of since then prove what the step asks for. (Views of machines
    and of the server's own count do not.)"""
    views = PageView.objects.filter(
        visitor_id=visitor_id, at__gt=since, source=PageView.Source.SCRIPT, visit__is_bot=False
    )
    if params["proof"] != DISPLAYED:
        least = params["seconds"] if params["proof"] == READ else 0
        found = views.filter(
            tracked_page__translation_key=params["page_key"], engaged_seconds__gte=least, is_doubtful=False
        )
        return found.exists()
    pages = {view.tracked_page.page for view in views.select_related("tracked_page__page")}
    return any(
        params["segment_id"] in segments_in(place)
        for page in pages
        if page is not None
        for place in places(page.specific)
    )


step_kinds.register(OfferStep.key, OfferStep())
