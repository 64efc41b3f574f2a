"""Showing something on the site: personalised blocks show it to a segment, the step puts people into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from wagtail_ma.scenarios import offering
from wagtail_ma.scenarios.kinds import NOT_YET, Context, step_kinds
from wagtail_ma.scenarios.steps import BranchStep, TimedStep

if TYPE_CHECKING:
    from wagtail.blocks import Block

    from wagtail_ma.scenarios.models import Enrolment


class OfferStep(TimedStep):
    """From the next visit on, somebody is in a segment that personalised blocks are made for, until the
    tracker proves that it was seen, or for a time at most. Two ways on."""

    key = "offer"
    label = gettext_lazy("Offer on the site")
    question = gettext_lazy("Show it at most for")
    icon = "view"
    label_format = "{segment} · {amount} {unit}"
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
        proof = blocks.ChoiceBlock(
            label=gettext_lazy("Seen when"), choices=offering.PROOFS, default=offering.DISPLAYED
        )
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
        if params.get("proof") in offering.ELSEWHERE and not params.get("page_key"):
            found.append(_("Choose the page that the offer leads to."))
        return found

    def describe(self, params: Mapping[str, Any]) -> str:
        words = {"segment": params.get("name") or "?", "duration": self.spoken(params)}
        return _("Offer “%(segment)s”, at most %(duration)s") % words

    def perform(self, context: Context) -> str:
        enrolment, params = context.enrolment, context.step.params
        until = enrolment.step_entered_at + self.duration(params)
        return "yes" if offering.go_on(enrolment, params, until=until, now=context.now) else NOT_YET

    def ask_again_at(self, context: Context) -> datetime | None:
        return offering.visit_over_at(context.enrolment, context.step.params["segment_id"], now=context.now)

    def abandon(self, enrolment: Enrolment, params: Mapping[str, Any], *, now: datetime) -> None:
        offering.take_back(enrolment, params["segment_id"], now=now)


step_kinds.register(OfferStep.key, OfferStep())
