"""How a scenario starts: the questions of the editor, and who would enter now."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel, Panel

from wagtail_ma.admin.permissions import may
from wagtail_ma.admin.segments import MatchesPanel
from wagtail_ma.admin.widgets import shown_if
from wagtail_ma.people.models import Lead, Visitor
from wagtail_ma.scenarios.entry_dates import on_day
from wagtail_ma.scenarios.models import Scenario
from wagtail_ma.segments.queries import population

Entry = Scenario.Entry
SEGMENTS = (Entry.SEGMENT, Entry.SEGMENT_LEFT)
SAMPLE = 5
# What each way of starting asks for; of the other ways nothing is kept.
OF_WAY: dict[str, tuple[tuple[str, ...], Any]] = {
    "activity_kind": ((Entry.ACTIVITY,), ""),
    "segment": (SEGMENTS, None),
    "entry_causes": ((*SEGMENTS, Entry.RULE), []),
    "includes_existing": ((Entry.SEGMENT, Entry.RULE), False),
    "date_field": ((Entry.DATE,), None),
}


def forget_other_ways(cleaned: dict[str, Any]) -> None:
    """Empty what another way of starting asked for: it would come back when the way changes."""
    for name, (ways, empty) in OF_WAY.items():
        if cleaned.get("entry") not in ways:
            cleaned[name] = empty


def on_date(scenario: Scenario) -> str:
    """When a date starts it, in words."""
    number = scenario.date_days
    words = {"field": scenario.date_field or "?", "n": number}
    if not number:
        return _("On the day “%(field)s”") % words
    if scenario.date_side == Scenario.Side.BEFORE:
        return ngettext("%(n)d day before “%(field)s”", "%(n)d days before “%(field)s”", number) % words
    return ngettext("%(n)d day after “%(field)s”", "%(n)d days after “%(field)s”", number) % words


class WouldEnterPanel(Panel):
    """Who is in the segment now, or has the day today, as last saved."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "wagtail_ma/admin/scenarios/would_enter.html"

        def is_shown(self) -> bool:
            return self.instance.pk is not None and self.instance.entry in (Entry.SEGMENT, Entry.DATE)

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context: dict[str, Any] = super().get_context_data(parent_context)
            scenario = self.instance
            context.update(segment=scenario.segment, count=0, sample=[], is_date=scenario.entry == Entry.DATE)
            if context["is_date"]:
                today = timezone.localdate(timezone.now(), timezone.get_default_timezone())
                leads = on_day(scenario, today)
                context["count"] = leads.count()
                if may(self.request, Lead, "view") and may(self.request, Visitor, "view"):
                    shown = leads.select_related("visitor__lead").order_by("-pk")[:SAMPLE]
                    context["sample"] = [lead.visitor for lead in shown]
            elif scenario.segment is not None:
                people = population().filter(memberships__segment=scenario.segment)
                if not may(self.request, Lead, "view"):
                    people = people.filter(lead__isnull=True)
                context["count"] = scenario.segment.member_count
                if may(self.request, Visitor, "view"):
                    context["sample"] = list(people.select_related("lead").order_by("-pk")[:SAMPLE])
            return context


START_PANEL = MultiFieldPanel(
    [
        FieldPanel("entry"),
        FieldPanel(
            "activity_kind",
            help_text=gettext_lazy("Its name, for example download."),
            attrs=shown_if("entry", Entry.ACTIVITY),
        ),
        FieldPanel("segment", attrs=shown_if("entry", *SEGMENTS)),
        MultiFieldPanel(
            [FieldPanel("match"), FieldPanel("rule"), MatchesPanel()],
            heading=gettext_lazy("Conditions"),
            attrs=shown_if("entry", Entry.RULE),
        ),
        FieldPanel("date_field", attrs=shown_if("entry", Entry.DATE)),
        FieldRowPanel(
            [FieldPanel("date_days"), FieldPanel("date_side")],
            attrs=shown_if("entry", Entry.DATE),
        ),
        WouldEnterPanel(),
        FieldPanel("includes_existing", attrs=shown_if("entry", Entry.SEGMENT, Entry.RULE)),
        FieldPanel("entry_causes", attrs=shown_if("entry", *SEGMENTS, Entry.RULE)),
        FieldPanel("again"),
        FieldPanel("again_days", attrs=shown_if("again", Scenario.Again.AFTER_DAYS)),
    ],
    heading=gettext_lazy("Start"),
)
