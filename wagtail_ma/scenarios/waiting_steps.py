"""Steps that wait: until an hour of business, until somebody comes back, until they are in a segment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from wagtail_ma.core import business_time
from wagtail_ma.core.business_time import Hours
from wagtail_ma.messaging import rates, timing
from wagtail_ma.scenarios.kinds import NOT_YET, Context, Role, StepKind, step_kinds
from wagtail_ma.scenarios.steps import BranchStep, TimedStep
from wagtail_ma.segments.queries import is_member
from wagtail_ma.tracking.models import Visit

if TYPE_CHECKING:
    from wagtail.blocks import Block

ANY_BUSINESS_DAY = "business"


class WaitUntilStep(StepKind):
    """Until clocks show an hour on a business day, or on the first one after a weekday that is a
    holiday. Hours and holidays are those of the day of publication."""

    key = "wait_until"
    label = gettext_lazy("Wait until a day and hour")
    icon = "calendar"
    role = Role.WAIT
    label_format = "{day} {at}"
    outcomes = {"waited": gettext_lazy("waited")}

    def fields(self) -> list[tuple[str, Block]]:
        from wagtail import blocks

        days = [
            (ANY_BUSINESS_DAY, gettext_lazy("the next business day")),
            *((str(number), name) for number, name in WEEKDAYS.items()),
        ]
        return [
            (
                "day",
                blocks.ChoiceBlock(
                    label=gettext_lazy("Day"),
                    choices=days,
                    default=ANY_BUSINESS_DAY,
                    help_text=gettext_lazy("If it is a holiday, the next business day."),
                ),
            ),
            ("at", blocks.TimeBlock(label=gettext_lazy("Time"), default=time(9))),
        ]

    def read(self, value: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        at = value.get("at")
        return {
            "day": value.get("day"),
            "at": at.strftime("%H:%M") if at else "",
            "country": timing.hours_of(rates.rules_now()).country,
            "zone": timezone.get_default_timezone_name(),
        }

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        return [] if params.get("at") and params.get("day") else [_("Say until which day and hour to wait.")]

    def describe(self, params: Mapping[str, Any]) -> str:
        day = params.get("day") or ANY_BUSINESS_DAY
        words = {
            "at": params.get("at") or "?",
            "day": _("the next business day") if day == ANY_BUSINESS_DAY else WEEKDAYS[int(day)],
        }
        return _("Wait until %(day)s, %(at)s") % words

    def until(self, params: Mapping[str, Any], entered_at: datetime) -> datetime:
        zone = ZoneInfo(params["zone"])
        wall_time = time.fromisoformat(params["at"])
        hours = Hours(country=params["country"])
        moment = business_time.next_at(entered_at, wall_time, zone)
        day = moment.astimezone(zone).date()
        if params["day"] != ANY_BUSINESS_DAY:
            day += timedelta(days=(int(params["day"]) - day.weekday()) % 7)
        for _number in range(business_time.MOST_DAYS):
            if business_time.is_business_day(day, hours):
                return business_time.at_wall_time(day, wall_time, zone)
            day += timedelta(days=1)
        return moment.astimezone(UTC)


class WaitSegmentStep(TimedStep):
    """Until somebody is in a segment, for a time at most: two ways on."""

    key = "wait_segment"
    label = gettext_lazy("Wait until somebody is in a segment")
    question = gettext_lazy("Wait at most")
    icon = "group"
    label_format = "{segment} · {amount} {unit}"
    exits = {"yes": gettext_lazy("In time"), "no": gettext_lazy("Not in time")}
    outcomes = exits

    def fields(self) -> list[tuple[str, Block]]:
        from wagtail_ma.scenarios.blocks import segment_block

        return [("segment", segment_block()), *super().fields()]

    def read(self, value: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        timed = {"amount": value.get("amount"), "unit": value.get("unit")}
        return {**BranchStep().read(value, earlier), **timed}

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        return [*BranchStep().problems(params), *super().problems(params)]

    def describe(self, params: Mapping[str, Any]) -> str:
        words = {"segment": params.get("name") or "?", "duration": self.spoken(params)}
        return _("Wait for “%(segment)s”, at most %(duration)s") % words

    def perform(self, context: Context) -> str:
        return (
            "yes" if is_member(context.step.params["segment_id"], context.enrolment.visitor_id) else NOT_YET
        )


class WaitVisitStep(TimedStep):
    """Until somebody comes back for another visit, for a time at most: two ways on."""

    key = "wait_visit"
    label = gettext_lazy("Wait until the next visit")
    question = gettext_lazy("Wait at most")
    icon = "view"
    exits = {"yes": gettext_lazy("Came back"), "no": gettext_lazy("Not in time")}
    outcomes = exits

    def describe(self, params: Mapping[str, Any]) -> str:
        return _("Wait for the next visit, at most %(duration)s") % {"duration": self.spoken(params)}

    def perform(self, context: Context) -> str:
        enrolment = context.enrolment
        came_back = Visit.objects.filter(
            visitor_id=enrolment.visitor_id, started_at__gt=enrolment.step_entered_at, is_bot=False
        )
        return "yes" if came_back.exists() else NOT_YET


for kind in (WaitUntilStep(), WaitSegmentStep(), WaitVisitStep()):
    step_kinds.register(kind.key, kind)
