"""Everything one visitor did and was sent, newest first, page by page."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from wagtail_ma.messaging import reasons
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people.models import IdentityLink
from wagtail_ma.reports.channels import CHANNEL_LABELS
from wagtail_ma.scenarios.kinds import step_kinds
from wagtail_ma.scenarios.models import StepRun
from wagtail_ma.tracking.models import Activity, PageView, Visit
from wagtail_ma.tracking.regions import name_of as region_name
from wagtail_ma.tracking.visit_facts import DEVICES

ACTIVITY_LABELS = {
    "download": gettext_lazy("Downloaded"),
    "form_view": gettext_lazy("Saw a form"),
    "form_start": gettext_lazy("Started a form"),
    "form_submit": gettext_lazy("Sent a form"),
    "form_abandon": gettext_lazy("Left a form unfinished"),
    "mail_click": gettext_lazy("Clicked a link in a mail"),
    "unsubscribe": gettext_lazy("Unsubscribed"),
    "outbound_click": gettext_lazy("Followed a link to another site"),
    "file_click": gettext_lazy("Clicked a file"),
    "seminar_booked": gettext_lazy("Seminar booked"),
    "seminar_attended": gettext_lazy("Seminar attended"),
    "card_exchanged": gettext_lazy("Business card exchanged"),
    "phone_talk": gettext_lazy("Spoken with on the phone"),
    "offer_shown": gettext_lazy("Saw the offer of a scenario"),
    "offer_click": gettext_lazy("Clicked the offer of a scenario"),
}
# How a visitor came to be known.
METHOD_LABELS = {
    "form": gettext_lazy("Form"),
    "login": gettext_lazy("Log-in"),
    "mail_link": gettext_lazy("Link in a mail"),
    "import": gettext_lazy("Import"),
    "manual": gettext_lazy("By hand"),
    "merge": gettext_lazy("Two people merged"),
    "confirmation": gettext_lazy("Confirmed by mail"),
}
DEVICE_LABELS = dict(DEVICES)


@dataclass(frozen=True)
class Row:
    """One line of the timeline.

    :param seconds: engaged seconds, where it is a page view.
    :param anchor: names the line in the page, e.g. ``view-12``.
    """

    at: datetime
    kind: str
    pk: int
    icon: str
    title: str
    detail: str = ""
    url: str = ""
    seconds: float | None = None

    @property
    def anchor(self) -> str:
        return f"{self.kind}-{self.pk}"

    @property
    def cursor(self) -> str:
        """Where the next page begins: text for a query parameter."""
        return f"{self.at.isoformat()}~{self.kind}~{self.pk}"


@dataclass(frozen=True)
class Timeline:
    """One page of rows and the cursor of the next (None: this was the last)."""

    rows: list[Row] = field(default_factory=list)
    next_cursor: str | None = None


@dataclass(frozen=True)
class Source:
    """One table of the timeline."""

    kind: str
    rows: Callable[[int], QuerySet[Any]]
    date_field: str
    to_row: Callable[[Any], Row]


def timeline(
    visitor_id: int, *, cursor: str = "", kinds: set[str] | None = None, limit: int = 50
) -> Timeline:
    """The newest ``limit`` rows before ``cursor``; one statement per table.

    :param cursor: ``Timeline.next_cursor`` of the page before; nonsense means the first page.
    :param kinds: show only these (keys of ``KINDS``); None: all.
    """
    before = _read_cursor(cursor)
    sources = [source for source in SOURCES if kinds is None or source.kind in kinds]
    merged = heapq.merge(
        *(_newest(source, visitor_id, before, limit + 1) for source in sources),
        key=lambda row: (row.at, row.kind, row.pk),
        reverse=True,
    )
    rows = list(islice(merged, limit + 1))
    return Timeline(rows[:limit], rows[limit - 1].cursor if len(rows) > limit else None)


def _newest(
    source: Source, visitor_id: int, before: tuple[datetime, str, int] | None, limit: int
) -> Iterator[Row]:
    rows = source.rows(visitor_id)
    if before is not None:
        rows = rows.filter(_older_than(source, *before))
    return (source.to_row(row) for row in rows.order_by(f"-{source.date_field}", "-pk")[:limit])


def _older_than(source: Source, at: datetime, kind: str, pk: int) -> Q:
    """Rows of this table that come after (at, kind, pk) in the merged order: equal times fall
    on neither both pages nor none."""
    older = Q(**{f"{source.date_field}__lt": at})
    same = Q(**{source.date_field: at})
    if source.kind < kind:
        return older | same
    if source.kind == kind:
        return older | (same & Q(pk__lt=pk))
    return older


def _read_cursor(cursor: str) -> tuple[datetime, str, int] | None:
    try:
        at, kind, pk = cursor.split("~")
        moment = datetime.fromisoformat(at)
        # Also what would be out of range in the database's time zone is nonsense.
        return (moment.astimezone(UTC), kind, int(pk)) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _view_row(view: PageView) -> Row:
    return Row(
        at=view.at,
        kind="view",
        pk=view.pk,
        icon="doc-full",
        title=str(view.tracked_page),
        detail=_view_detail(view),
        url=view.tracked_page.url,
        seconds=view.engaged_seconds,
    )


def _view_detail(view: PageView) -> str:
    if view.source != PageView.Source.SCRIPT:
        return _("time estimated by the next page") if view.engaged_seconds else ""
    return _("read to %(percent)d %%") % {"percent": view.scroll_percent} if view.scroll_percent else ""


def _visit_row(visit: Visit) -> Row:
    channel = CHANNEL_LABELS.get(visit.medium, visit.medium)
    device = DEVICE_LABELS.get(visit.device, visit.device)
    parts = (channel, visit.source, visit.campaign, device, _guess(visit))
    detail = " · ".join(str(part) for part in parts if part)
    return Row(at=visit.started_at, kind="visit", pk=visit.pk, icon="globe", title=_("Visit"), detail=detail)


def _guess(visit: Visit) -> str:
    """Where a visit came from, as far as its address told: a guess, and called one."""
    place = region_name(visit.region) or visit.country
    known = [place, visit.network.name if visit.network else ""]
    return _("probably from %(places)s") % {"places": ", ".join(filter(None, known))} if any(known) else ""


def _activity_row(activity: Activity) -> Row:
    known = ACTIVITY_LABELS.get(activity.kind)
    name = activity.data.get("title") or activity.data.get("name") or activity.data.get("u") or ""
    icon = {"download": "download", "mail_click": "mail"}.get(activity.kind, "form")
    return Row(
        at=activity.at,
        kind="activity",
        pk=activity.pk,
        icon=icon,
        title=str(known or activity.kind),
        detail=str(name),
    )


def _delivery_row(delivery: Delivery) -> Row:
    title = _("Mail: %(name)s") % {"name": reasons.title_of(delivery)}
    detail = str(delivery.get_state_display())
    if delivery.reason:
        detail = f"{detail} · {reasons.label(delivery.reason)}"
    return Row(at=delivery.created_at, kind="mail", pk=delivery.pk, icon="mail", title=title, detail=detail)


def _link_row(link: IdentityLink) -> Row:
    title = _("Recognised as %(identity)s") % {"identity": link.identity.key}
    if link.identity.kind == "browser":
        title = _("Browser linked to this person")
    detail = str(METHOD_LABELS.get(link.method, link.method))
    if link.undone_at:
        detail = _("%(method)s, undone") % {"method": detail}
    return Row(at=link.at, kind="link", pk=link.pk, icon="user", title=title, detail=detail)


def _step_row(run: StepRun) -> Row:
    title = _("Scenario “%(name)s”") % {"name": run.enrolment.scenario}
    kind = step_kinds.get(run.kind)
    words = (kind.label, kind.outcomes.get(run.outcome, run.outcome)) if kind else (run.kind, run.outcome)
    detail = " · ".join(str(part) for part in words if part)
    return Row(at=run.at, kind="step", pk=run.pk, icon="wagtail-ma-scenario", title=title, detail=detail)


def _of(model: type[Model], *related: str, by: str = "visitor_id") -> Callable[[int], QuerySet[Any]]:
    return lambda visitor_id: model._default_manager.filter(**{by: visitor_id}).select_related(*related)


SOURCES = [
    Source("activity", _of(Activity), "at", _activity_row),
    Source("link", _of(IdentityLink, "identity", by="to_visitor_id"), "at", _link_row),
    Source("mail", _of(Delivery, "mail"), "created_at", _delivery_row),
    Source("step", _of(StepRun, "enrolment__scenario", by="enrolment__visitor_id"), "at", _step_row),
    Source("view", _of(PageView, "tracked_page"), "at", _view_row),
    Source("visit", _of(Visit, "network"), "started_at", _visit_row),
]

KINDS = {
    "view": gettext_lazy("Page views"),
    "visit": gettext_lazy("Visits"),
    "activity": gettext_lazy("Activities"),
    "mail": gettext_lazy("Mails"),
    "step": gettext_lazy("Scenario steps"),
    "link": gettext_lazy("Identification"),
}
