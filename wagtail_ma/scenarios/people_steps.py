"""Steps for people: a segment with fixed members, the person in charge, a task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from wagtail_ma.core import business_time
from wagtail_ma.messaging import timing
from wagtail_ma.people.models import Lead
from wagtail_ma.sales import tasks
from wagtail_ma.scenarios.kinds import Context, StepKind, step_kinds
from wagtail_ma.scenarios.steps import BranchStep, sending_rules
from wagtail_ma.segments import decisions
from wagtail_ma.segments.models import Segment, Source

if TYPE_CHECKING:
    from wagtail.blocks import Block


class SegmentStep(StepKind):
    """Put somebody into a segment, or out of it, as if by hand."""

    key = "set_segment"
    label = gettext_lazy("Put into a segment, or out of it")
    icon = "group"
    outcomes = {"done": gettext_lazy("done")}

    def fields(self) -> list[tuple[str, Block]]:
        from wagtail import blocks

        from wagtail_ma.scenarios.blocks import segment_block

        choices = [("in", gettext_lazy("into it")), ("out", gettext_lazy("out of it"))]
        return [
            ("segment", segment_block()),
            ("way", blocks.ChoiceBlock(label=gettext_lazy("Which way"), choices=choices, default="in")),
        ]

    def read(self, value: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {**BranchStep().read(value, earlier), "way": value.get("way")}

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        return BranchStep().problems(params)

    def describe(self, params: Mapping[str, Any]) -> str:
        words = {"segment": params.get("name") or "?"}
        return (_("Out of “%(segment)s”") if params.get("way") == "out" else _("Into “%(segment)s”")) % words

    def perform(self, context: Context) -> str:
        params = context.step.params
        segment = Segment.objects.get(pk=params["segment_id"])
        ids = [context.enrolment.visitor_id]
        is_member, source = params["way"] == "in", Source.SCENARIO
        decisions.decide(segment, ids, is_member=is_member, by=None, now=context.now, source=source)
        return "done"


class _UserStep(StepKind):
    """A step about one of the staff."""

    def read(self, value: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        user = value.get("user")
        return {"user_id": user.pk if user else None, "name": str(user or "")}


class OwnerStep(_UserStep):
    """Say who is in charge of somebody."""

    key = "set_owner"
    label = gettext_lazy("Put a person in charge")
    icon = "user"
    outcomes = {
        "done": gettext_lazy("done"),
        "kept": gettext_lazy("kept: somebody is in charge already"),
        "anonymous": gettext_lazy("skipped: not known by name"),
    }

    def fields(self) -> list[tuple[str, Block]]:
        from wagtail_ma.scenarios.blocks import UserBlock

        return [("user", UserBlock(label=gettext_lazy("Person in charge")))]

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        if not get_user_model().objects.filter(pk=params.get("user_id") or 0).exists():
            return [_("Choose the person in charge.")]
        return []

    def describe(self, params: Mapping[str, Any]) -> str:
        return _("In charge: %(user)s") % {"user": params.get("name") or "?"}

    def perform(self, context: Context) -> str:
        lead = getattr(context.enrolment.visitor, "lead", None)
        if lead is None:
            return "anonymous"
        user_id = context.step.params["user_id"]
        if not Lead.objects.filter(pk=lead.pk, owner=None).update(owner=user_id):
            return "kept"
        # A task below is theirs.
        lead.owner_id = user_id
        return "done"


class TaskStep(_UserStep):
    """Something that a person is to do, due so many business days later at an hour."""

    key = "task"
    label = gettext_lazy("Task for a person")
    icon = "check"
    outcomes = {"created": gettext_lazy("created")}

    def fields(self) -> list[tuple[str, Block]]:
        from wagtail import blocks

        from wagtail_ma.scenarios.blocks import UserBlock

        days = blocks.IntegerBlock(
            label=gettext_lazy("Due after so many business days"),
            help_text=gettext_lazy("At the beginning of business. 0: today, or the next business day."),
            min_value=0,
            max_value=60,
            default=1,
        )
        return [
            ("text", blocks.CharBlock(label=gettext_lazy("What to do"), max_length=200)),
            ("days", days),
            (
                "user",
                UserBlock(
                    label=gettext_lazy("Who does it"),
                    required=False,
                    help_text=gettext_lazy("Empty: the person in charge, or whoever takes it."),
                ),
            ),
        ]

    def read(self, value: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        whole = super().read(value, earlier)
        return {**whole, "text": value.get("text") or "", "days": value.get("days") or 0}

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        return [] if params.get("text") else [_("Say what is to be done.")]

    def describe(self, params: Mapping[str, Any]) -> str:
        return _("Task: %(text)s") % {"text": params.get("text") or "?"}

    def perform(self, context: Context) -> str:
        params = context.step.params
        hours = timing.hours_of(sending_rules(context))
        zone = timezone.get_default_timezone()
        lead = getattr(context.enrolment.visitor, "lead", None)
        day = business_time.add_business_days(context.now, params["days"], hours, zone)
        opening = business_time.at_wall_time(day.astimezone(zone).date(), hours.opens, zone)
        tasks.create(
            context.enrolment.visitor_id,
            text=params["text"],
            due_at=max(opening, context.now),
            assignee_id=params["user_id"] or (lead.owner_id if lead else None),
            source_key=context.occurrence,
            now=context.now,
        )
        return "created"


for kind in (SegmentStep(), OwnerStep(), TaskStep()):
    step_kinds.register(kind.key, kind)
