"""Conditions about visits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from wagtail_ma.core.conditions import Condition, Dated, Rows, Scope, Test, register
from wagtail_ma.core.folding import AsciiLower, ascii_lower
from wagtail_ma.core.parameters import Choice, Number, Text
from wagtail_ma.core.usual_parameters import days_back, either, some_days
from wagtail_ma.rules.phrases import comparison, days, visits, within
from wagtail_ma.tracking.channels import MEDIUMS
from wagtail_ma.tracking.models import Visit

VISITS = gettext_lazy("Visits")


def human_visits() -> QuerySet[Visit]:
    """Visits that count: those of programs do not."""
    return Visit.objects.filter(is_bot=False)


@register
class VisitCount(Condition):
    key = "visit_count"
    label = gettext_lazy("Number of visits")
    group = VISITS
    icon = "calendar"
    parameters = (
        comparison,
        Number(name="number", label=gettext_lazy("Times"), default=2, maximum=10_000),
        days,
    )

    def dated(self, values: Mapping[str, Any]) -> Dated:
        counting = (values["days"], values["comparison"], values["number"])
        return Dated(human_visits(), *counting, moment="started_at")

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("made %(visits)s%(within)s") % {
            "visits": visits(values["comparison"], values["number"]),
            "within": within(values["days"]),
        }


@register
class Surge(Condition):
    key = "surge"
    label = gettext_lazy("Back after a silence")
    group = VISITS
    icon = "resubmit"
    parameters = (
        Number(name="number", label=gettext_lazy("Visits at least"), default=2, minimum=1, maximum=1_000),
        days_back(7),
        Number(
            name="silence",
            label=gettext_lazy("After … days without a visit"),
            help_text=gettext_lazy("Only people who had been here before that."),
            default=60,
            minimum=1,
            maximum=3650,
        ),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        began, silent = scope.ago(days=values["days"]), scope.ago(days=values["days"] + values["silence"])
        counts = {
            "recent": Count("pk", filter=Q(started_at__gte=began)),
            "between": Count("pk", filter=Q(started_at__gte=silent, started_at__lt=began)),
            "before": Count("pk", filter=Q(started_at__lt=silent)),
        }
        having = Q(recent__gte=values["number"], between=0, before__gte=1)
        return Rows(human_visits(), aggregates=counts, having=having)

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("made %(visits)s%(within)s after %(silence)d days without any") % {
            "visits": visits("at_least", values["number"]),
            "within": within(values["days"]),
            "silence": values["silence"],
        }


@register
class LastVisit(Condition):
    key = "last_visit"
    label = gettext_lazy("Days since the last visit")
    group = VISITS
    icon = "history"
    parameters = (
        either(
            ("at_least", gettext_lazy("has not come for at least")),
            ("within", gettext_lazy("was here within")),
            name="comparison",
        ),
        some_days(30),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        moment = scope.ago(days=values["days"])
        if values["comparison"] == "within":
            return Rows(human_visits().filter(last_at__gt=moment))
        return Rows(human_visits(), aggregates={"last": Max("last_at")}, having=Q(last__lte=moment))

    def sentence(self, values: Mapping[str, Any]) -> str:
        if values["comparison"] == "within":
            text = ngettext(
                "was here within the last %(days)d day",
                "was here within the last %(days)d days",
                values["days"],
            )
        else:
            text = ngettext(
                "has not come for at least %(days)d day",
                "has not come for at least %(days)d days",
                values["days"],
            )
        return text % {"days": values["days"]}


WHICH_VISIT = (
    ("any", gettext_lazy("any visit")),
    ("first", gettext_lazy("the first visit")),
    ("last", gettext_lazy("the last visit")),
)
which_visit = Choice(name="visit", label=gettext_lazy("Which visit"), choices=WHICH_VISIT, default="any")


def chosen_visits(which: str) -> QuerySet[Visit]:
    """Any, the first or the last visit of each visitor (equal times: by id)."""
    rows = human_visits()
    if which == "any":
        return rows
    others = human_visits().filter(visitor=OuterRef("visitor"))
    if which == "first":
        earlier = Q(started_at__lt=OuterRef("started_at")) | Q(
            started_at=OuterRef("started_at"), pk__lt=OuterRef("pk")
        )
        return rows.filter(~Exists(others.filter(earlier)))
    later = Q(started_at__gt=OuterRef("started_at")) | Q(
        started_at=OuterRef("started_at"), pk__gt=OuterRef("pk")
    )
    return rows.filter(~Exists(others.filter(later)))


def of_visit(which: str) -> str:
    """ "in any visit", for sentences."""
    return {
        "any": _("in any visit"),
        "first": _("in the first visit"),
        "last": _("in the last visit"),
    }[which]


MEDIUM_LABELS = {
    "organic": gettext_lazy("a search engine"),
    "paid": gettext_lazy("an advertisement"),
    "social": gettext_lazy("a social network"),
    "email": gettext_lazy("an e-mail"),
    "rss": gettext_lazy("a feed"),
    "referral": gettext_lazy("another site"),
    "direct": gettext_lazy("nowhere known (direct)"),
    "ai": gettext_lazy("an AI assistant"),
    "internal": gettext_lazy("our own site"),
    "offline": gettext_lazy("something printed or an event"),
}


class OfVisit(Condition):
    """How one visit was, or any."""

    group = VISITS

    def visits(self, values: Mapping[str, Any]) -> QuerySet[Visit]:
        """The visits that were so."""
        raise NotImplementedError

    def dated(self, values: Mapping[str, Any]) -> Dated | None:
        # Which visit is the first or the last one depends on the others.
        return Dated(self.visits(values), moment="started_at") if values["visit"] == "any" else None

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        return Rows(self.visits(values))


@register
class CameFrom(OfVisit):
    key = "channel"
    label = gettext_lazy("Came from")
    icon = "link-external"
    parameters = (
        which_visit,
        Choice(
            name="medium",
            label=gettext_lazy("Channel"),
            choices=[(medium, MEDIUM_LABELS.get(medium, medium)) for medium in MEDIUMS],
            default="organic",
        ),
    )

    def visits(self, values: Mapping[str, Any]) -> QuerySet[Visit]:
        return chosen_visits(values["visit"]).filter(medium=values["medium"])

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("came from %(channel)s %(visit)s") % {
            "channel": MEDIUM_LABELS.get(values["medium"], values["medium"]),
            "visit": of_visit(values["visit"]),
        }


@register
class CameByCampaign(OfVisit):
    key = "campaign"
    label = gettext_lazy("Came by a campaign")
    icon = "thumbtack"
    parameters = (
        which_visit,
        Text(
            name="campaign",
            label=gettext_lazy("Campaign"),
            help_text=gettext_lazy("As in utm_campaign. Upper and lower case are the same."),
            max_length=100,
        ),
    )

    def visits(self, values: Mapping[str, Any]) -> QuerySet[Visit]:
        rows = chosen_visits(values["visit"]).alias(folded=AsciiLower("campaign"))
        return rows.filter(folded=ascii_lower(values["campaign"]))

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("came by the campaign “%(campaign)s” %(visit)s") % {
            "campaign": values["campaign"],
            "visit": of_visit(values["visit"]),
        }


@register
class CameFromSite(OfVisit):
    key = "referrer"
    label = gettext_lazy("Came from a site")
    icon = "link-external"
    parameters = (
        which_visit,
        Text(
            name="site",
            label=gettext_lazy("Site"),
            help_text=gettext_lazy("A site such as example.com includes www.example.com."),
            max_length=200,
        ),
    )

    def visits(self, values: Mapping[str, Any]) -> QuerySet[Visit]:
        host = ascii_lower(values["site"]).strip(".")
        rows = chosen_visits(values["visit"]).alias(folded=AsciiLower("referrer_host"))
        return rows.filter(Q(folded=host) | Q(folded__endswith=f".{host}"))

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("came from the site “%(site)s” %(visit)s") % {
            "site": values["site"],
            "visit": of_visit(values["visit"]),
        }


@register
class CameFromSource(OfVisit):
    key = "source"
    label = gettext_lazy("Came from a source")
    icon = "link-external"
    parameters = (
        which_visit,
        Text(
            name="source",
            label=gettext_lazy("Source"),
            help_text=gettext_lazy("As in utm_source, or the name of a search engine or network."),
            max_length=100,
        ),
    )

    def visits(self, values: Mapping[str, Any]) -> QuerySet[Visit]:
        rows = chosen_visits(values["visit"]).alias(folded=AsciiLower("source"))
        return rows.filter(folded=ascii_lower(values["source"]))

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("came from the source “%(source)s” %(visit)s") % {
            "source": values["source"],
            "visit": of_visit(values["visit"]),
        }


DEVICES = (
    ("desktop", gettext_lazy("desktop computer")),
    ("mobile", gettext_lazy("mobile phone")),
    ("tablet", gettext_lazy("tablet")),
    ("tv", gettext_lazy("television or console")),
    ("other", gettext_lazy("something else")),
)


@register
class UsesDevice(OfVisit):
    key = "device"
    label = gettext_lazy("Device")
    icon = "mobile-alt"
    parameters = (
        which_visit,
        Choice(
            name="device",
            label=gettext_lazy("Device"),
            choices=DEVICES,
            default="mobile",
        ),
    )

    def visits(self, values: Mapping[str, Any]) -> QuerySet[Visit]:
        return chosen_visits(values["visit"]).filter(device=values["device"])

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("used a %(device)s %(visit)s") % {
            "device": dict(DEVICES)[values["device"]],
            "visit": of_visit(values["visit"]),
        }


@register
class SpeaksLanguage(OfVisit):
    key = "language"
    label = gettext_lazy("Language of the browser")
    icon = "site"
    parameters = (
        which_visit,
        Text(
            name="language",
            label=gettext_lazy("Language code"),
            help_text=gettext_lazy("For example ja, en or en-gb. “en” includes “en-gb”."),
            max_length=12,
        ),
    )

    def visits(self, values: Mapping[str, Any]) -> QuerySet[Visit]:
        code = ascii_lower(values["language"])
        rows = chosen_visits(values["visit"]).alias(folded=AsciiLower("language"))
        return rows.filter(Q(folded=code) | Q(folded__startswith=f"{code}-"))

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("reads %(language)s %(visit)s") % {
            "language": values["language"],
            "visit": of_visit(values["visit"]),
        }
