"""One log of all that happens by itself: who, what, why, newest first.

Nothing is written for it: it is read from the tables that each do their own work (steps taken, people who
entered or left scenarios, mails that a rule sent or that were held back, webhooks, hot leads), each by its
index and no further than one page, and put together in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from wagtail_ma.messaging import reasons as mail_reasons
from wagtail_ma.messaging.models import Delivery, Mail
from wagtail_ma.people.models import Visitor
from wagtail_ma.sales.models import HotEntry
from wagtail_ma.scenarios.band import LEFT_BAND
from wagtail_ma.scenarios.kinds import step_kinds
from wagtail_ma.scenarios.models import Enrolment, StepRun
from wagtail_ma.scenarios.models_of_webhooks import WebhookCall

# (time, place of the source, primary key)
Cursor = tuple[datetime, int, int]
ABOUT_ENTRY = {
    "activity": gettext_lazy("an activity"),
    "segment": gettext_lazy("a segment or conditions"),
    "existing": gettext_lazy("was in it when the scenario was published"),
    "date": gettext_lazy("a date of the lead"),
    "hand": gettext_lazy("put in by hand"),
    "enrolment": gettext_lazy("a step of another scenario"),
    "band": gettext_lazy("left the band of another scenario"),
}
# What was planned and did not happen.
HELD_BACK = (Delivery.State.SKIPPED, Delivery.State.EXPIRED, Delivery.State.FAILED, Delivery.State.CANCELLED)


@dataclass(frozen=True)
class Line:
    """One act. ``cursor`` is where the next page begins when this line is the last."""

    at: datetime
    visitor: Visitor | None
    what: str
    why: str
    scenario: Any
    cursor: str


@dataclass(frozen=True)
class _Source:
    """A table that acts are read from.

    :param rows: all of them, with what a line needs.
    :param moment: the column with the time; by an index.
    """

    label: Any
    rows: Callable[[], QuerySet[Any]]
    moment: str
    visitor: str
    scenario: str
    line: Callable[[Any], tuple[str, str]]


def _step(run: StepRun) -> tuple[str, str]:
    kind = step_kinds.get(run.kind)
    words = dict(kind.outcomes) if kind else {}
    outcome = (
        _("score or fit left the band") if run.outcome == LEFT_BAND else words.get(run.outcome, run.outcome)
    )
    return str(kind.label if kind else run.kind), str(outcome)


def _entered(enrolment: Enrolment) -> tuple[str, str]:
    origin = enrolment.trigger.partition(":")[0]
    return _("Entered"), str(ABOUT_ENTRY.get(origin, origin))


def _left(enrolment: Enrolment) -> tuple[str, str]:
    if enrolment.status == Enrolment.Status.FAILED:
        return _("Failed"), enrolment.error or enrolment.left_because
    return _("Left"), enrolment.left_because


def _mail(delivery: Delivery) -> tuple[str, str]:
    words = {"mail": delivery.mail or delivery.builtin, "state": delivery.get_state_display()}
    because = mail_reasons.label(delivery.reason) if delivery.reason else _("the rule of the mail")
    return _("Mail “%(mail)s”: %(state)s") % words, because


def _webhook(call: WebhookCall) -> tuple[str, str]:
    words = {"name": call.data.get("name", ""), "state": call.get_state_display()}
    return _("Webhook “%(name)s”: %(state)s") % words, call.reason


def _hot(entry: HotEntry) -> tuple[str, str]:
    return _("Became hot"), str(entry.definition)


def _cooled(entry: HotEntry) -> tuple[str, str]:
    return _("Hot no longer: %(definition)s") % {"definition": entry.definition}, entry.get_ended_display()


def _enrolments() -> QuerySet[Enrolment]:
    return Enrolment.objects.select_related("scenario", "visitor__lead")


def _deliveries() -> QuerySet[Delivery]:
    """Mails that a rule sends, whatever became of them; those of scenarios that were not sent after all
    (that they were planned is a step taken)."""
    by_rule = Q(mail__kind=Mail.Kind.TRIGGERED)
    of_steps = Q(occurrence__startswith="enrolment:", state__in=HELD_BACK)
    return Delivery.objects.filter(by_rule | of_steps).select_related("mail", "visitor__lead")


SOURCES: dict[str, _Source] = {
    "step": _Source(
        gettext_lazy("Steps taken"),
        lambda: StepRun.objects.select_related("enrolment__scenario", "enrolment__visitor__lead"),
        "at",
        "enrolment__visitor",
        "enrolment__scenario",
        _step,
    ),
    "entered": _Source(
        gettext_lazy("Entered a scenario"), _enrolments, "entered_at", "visitor", "scenario", _entered
    ),
    "left": _Source(
        gettext_lazy("Left a scenario"),
        lambda: _enrolments().filter(status__in=(Enrolment.Status.EXITED, Enrolment.Status.FAILED)),
        "left_at",
        "visitor",
        "scenario",
        _left,
    ),
    "mail": _Source(
        gettext_lazy("Mails of rules, mails held back"), _deliveries, "created_at", "visitor", "", _mail
    ),
    "webhook": _Source(
        gettext_lazy("Webhooks"),
        lambda: WebhookCall.objects.select_related("enrolment__scenario", "enrolment__visitor__lead"),
        "created_at",
        "enrolment__visitor",
        "enrolment__scenario",
        _webhook,
    ),
    "hot": _Source(
        gettext_lazy("Became hot"),
        lambda: HotEntry.objects.select_related("definition", "visitor__lead"),
        "opened_at",
        "visitor",
        "",
        _hot,
    ),
    "cooled": _Source(
        gettext_lazy("Hot no longer"),
        lambda: HotEntry.objects.filter(closed_at__isnull=False, closed_by__isnull=True).select_related(
            "definition", "visitor__lead"
        ),
        "closed_at",
        "visitor",
        "",
        _cooled,
    ),
}


def read_cursor(text: str) -> Cursor | None:
    """The place that a page begins after; None for nonsense."""
    try:
        at, place, pk = text.split("~")
        moment = datetime.fromisoformat(at)
        return (moment, int(place), int(pk)) if moment.tzinfo and abs(int(pk)) < 2**63 else None
    except ValueError:
        return None


def lines(
    *,
    what: str = "",
    scenario_id: int | None = None,
    visitor_id: int | None = None,
    with_names: bool = True,
    after: Cursor | None = None,
    size: int = 50,
) -> list[Line]:
    """Acts, the newest first (one statement for each table asked).

    :param what: one of :data:`SOURCES`; empty: all.
    :param with_names: otherwise only acts about people who are not known by name.
    :param after: only what is older than this (see :func:`read_cursor`).
    """
    found: list[tuple[Cursor, _Source, Any]] = []
    for place, (key, source) in enumerate(SOURCES.items()):
        if (what and key != what) or (scenario_id is not None and not source.scenario):
            continue
        rows = source.rows()
        if scenario_id is not None:
            rows = rows.filter(**{source.scenario: scenario_id})
        if visitor_id is not None:
            rows = rows.filter(**{source.visitor: visitor_id})
        if not with_names:
            rows = rows.filter(**{f"{source.visitor}__lead__isnull": True})
        if after is not None:
            rows = rows.filter(_older(source.moment, place, after))
        for row in rows.order_by(f"-{source.moment}", "-pk")[:size]:
            found.append(((getattr(row, source.moment), place, row.pk), source, row))
    found.sort(key=lambda each: (-each[0][0].timestamp(), each[0][1], -each[0][2]))
    return [_line(source, row, cursor) for cursor, source, row in found[:size]]


def _older(moment: str, place: int, after: Cursor) -> Q:
    at, last_place, pk = after
    older = Q(**{f"{moment}__lt": at})
    if place > last_place:
        return older | Q(**{moment: at})
    if place == last_place:
        return older | Q(**{moment: at, "pk__lt": pk})
    return older


def _line(source: _Source, row: Any, cursor: Cursor) -> Line:
    what, why = source.line(row)
    return Line(
        at=cursor[0],
        visitor=_along(row, source.visitor),
        what=what,
        why=why,
        scenario=_along(row, source.scenario),
        cursor=f"{cursor[0].isoformat()}~{cursor[1]}~{cursor[2]}",
    )


def _along(row: Any, path: str) -> Any:
    for name in path.split("__") if path else ():
        row = getattr(row, name)
    return row if path else None


def whats() -> Sequence[tuple[str, Any]]:
    """What one may look for, as (key, label)."""
    return [(key, source.label) for key, source in SOURCES.items()]
