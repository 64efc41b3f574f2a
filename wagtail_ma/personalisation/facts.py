"""Conditions about the request itself. They make a segment a live one: decided while a page is
rendered, and of no use to lists, mails and scenarios."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext_lazy

from wagtail_ma.conf import conf
from wagtail_ma.core.conditions import Asks, Condition, Scope, Test, register
from wagtail_ma.core.folding import ascii_lower
from wagtail_ma.core.parameters import Choice, Flag, Text, ZoneName
from wagtail_ma.core.request_facts import RequestFacts
from wagtail_ma.core.usual_parameters import CONTAINS, EQUALS, compared_text, either, operator
from wagtail_ma.tracking.devices import device
from wagtail_ma.tracking.visit_facts import DEVICES

NOW = gettext_lazy("This page view (only for pages)")


class LiveCondition(Condition):
    """A condition about the request: subclasses say whether it :meth:`holds`."""

    group = NOW
    is_live = True

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        return Asks(lambda facts: self.holds(values, facts))

    def holds(self, values: Mapping[str, Any], facts: RequestFacts) -> bool:
        """Whether the request fulfils the condition."""
        raise NotImplementedError


@register
class QueryParameter(LiveCondition):
    key = "query_parameter"
    label = gettext_lazy("Parameter in the address")
    icon = "link"
    parameters = (
        Text(
            name="name",
            label=gettext_lazy("Parameter"),
            help_text=gettext_lazy("For example utm_campaign."),
            max_length=100,
        ),
        operator(EQUALS, CONTAINS, ("present", gettext_lazy("is there, whatever it says")), default="equals"),
        compared_text(required=False),
    )

    def holds(self, values: Mapping[str, Any], facts: RequestFacts) -> bool:
        found = facts.query.get(values["name"], ())
        if values["operator"] == "present":
            return bool(found)
        # Without a text: the parameter is there and empty.
        wanted = ascii_lower(values["text"] or "")
        texts = [ascii_lower(text.strip()) for text in found]
        if values["operator"] == "equals" or not wanted:
            return wanted in texts
        return any(wanted in text for text in texts)

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {"name": values["name"], "text": values["text"] or ""}
        if values["operator"] == "present":
            return _("the address has the parameter “%(name)s”") % words
        if values["operator"] == "equals":
            return _("the parameter “%(name)s” of the address is “%(text)s”") % words
        return _("the parameter “%(name)s” of the address contains “%(text)s”") % words


@register
class ReferrerNow(LiveCondition):
    key = "referrer_now"
    label = gettext_lazy("Came to this page from")
    icon = "arrow-left"
    parameters = (
        Choice(
            name="operator",
            label=gettext_lazy("Which"),
            choices=(
                ("site", gettext_lazy("a page of the site")),
                ("contains", gettext_lazy("an address that contains")),
                ("none", gettext_lazy("nowhere known")),
            ),
            default="site",
        ),
        Text(
            name="text",
            label=gettext_lazy("Site or text"),
            help_text=gettext_lazy("A site such as example.com includes www.example.com."),
            required=False,
        ),
    )

    def holds(self, values: Mapping[str, Any], facts: RequestFacts) -> bool:
        if values["operator"] == "none":
            return not facts.referrer
        wanted = ascii_lower(values["text"] or "")
        if not wanted:
            return False
        if values["operator"] == "contains":
            return wanted in ascii_lower(facts.referrer)
        host = _host(facts.referrer)
        return host == wanted or host.endswith(f".{wanted}")

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {"text": values["text"] or ""}
        if values["operator"] == "none":
            return _("came to this page from nowhere known")
        if values["operator"] == "site":
            return _("came to this page from the site “%(text)s”") % words
        return _("came to this page from an address that contains “%(text)s”") % words


def _host(address: str) -> str:
    try:
        return ascii_lower(urlsplit(address).hostname or "")
    except ValueError:
        return ""


@register
class DeviceNow(LiveCondition):
    key = "device_now"
    label = gettext_lazy("Device at this moment")
    icon = "mobile-alt"
    parameters = (Choice(name="device", label=gettext_lazy("Device"), choices=DEVICES, default="mobile"),)

    def holds(self, values: Mapping[str, Any], facts: RequestFacts) -> bool:
        return device(facts.user_agent) == values["device"]

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("looks at this page on a %(device)s") % {"device": dict(DEVICES)[values["device"]]}


@register
class LanguageNow(LiveCondition):
    key = "language_now"
    label = gettext_lazy("Language of the browser at this moment")
    icon = "site"
    parameters = (
        Text(
            name="language",
            label=gettext_lazy("Language code"),
            help_text=gettext_lazy("For example ja, en or en-gb. “en” includes “en-gb”."),
            max_length=12,
        ),
    )

    def holds(self, values: Mapping[str, Any], facts: RequestFacts) -> bool:
        code, wanted = ascii_lower(facts.language), ascii_lower(values["language"])
        return code == wanted or code.startswith(f"{wanted}-")

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("the browser asks for %(language)s") % {"language": values["language"]}


@register
class LoggedIn(LiveCondition):
    key = "logged_in"
    label = gettext_lazy("Logged in to the site")
    icon = "key"
    parameters = (either(("yes", gettext_lazy("logged in")), ("no", gettext_lazy("not logged in"))),)

    def holds(self, values: Mapping[str, Any], facts: RequestFacts) -> bool:
        return facts.is_logged_in() == (values["is"] == "yes")

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("is logged in") if values["is"] == "yes" else _("is not logged in")


HALF_HOURS = [(f"{hour:02}:{minute}", f"{hour}:{minute}") for hour in range(24) for minute in ("00", "30")]
WEEKDAYS = (
    ("monday", gettext_lazy("Monday")),
    ("tuesday", gettext_lazy("Tuesday")),
    ("wednesday", gettext_lazy("Wednesday")),
    ("thursday", gettext_lazy("Thursday")),
    ("friday", gettext_lazy("Friday")),
    ("saturday", gettext_lazy("Saturday")),
    ("sunday", gettext_lazy("Sunday")),
)


@register
class LocalTime(LiveCondition):
    """Both ends belong to the window. One that goes over midnight belongs to the day on which it
    began; one whose ends are equal is the whole day."""

    key = "local_time"
    label = gettext_lazy("Hour and weekday")
    icon = "time"
    parameters = (
        Choice(name="start", label=pgettext_lazy("hour", "From"), choices=HALF_HOURS, default="09:00"),
        Choice(
            name="end",
            label=pgettext_lazy("hour", "To"),
            help_text=gettext_lazy("Earlier than “from”: over midnight. The same: the whole day."),
            choices=HALF_HOURS,
            default="18:00",
        ),
        *(Flag(name=name, label=label, default=True) for name, label in WEEKDAYS),
        ZoneName(
            name="zone",
            label=gettext_lazy("Time zone"),
            help_text=gettext_lazy("For example Asia/Tokyo. Empty: that of this site."),
            required=False,
        ),
    )

    def holds(self, values: Mapping[str, Any], facts: RequestFacts) -> bool:
        zone = ZoneInfo(values["zone"]) if values["zone"] else timezone.get_default_timezone()
        began = _began(
            facts.now.astimezone(zone), *(time.fromisoformat(values[name]) for name in ("start", "end"))
        )
        return began is not None and bool(values[WEEKDAYS[began.weekday()][0]])

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {
            "start": values["start"],
            "end": values["end"],
            "days": _days(values),
            "zone": values["zone"] or timezone.get_default_timezone_name(),
        }
        if values["start"] == values["end"]:
            return _("it is %(days)s (%(zone)s)") % words
        return _("it is between %(start)s and %(end)s, %(days)s (%(zone)s)") % words


def _began(local: datetime, start: time, end: time) -> datetime | None:
    """A moment of the day on which the window around ``local`` began; None outside of it."""
    clock = local.time()
    if start == end:
        return local
    if start < end:
        return local if start <= clock <= end else None
    if clock >= start:
        return local
    return local - timedelta(days=1) if clock <= end else None


def _days(values: Mapping[str, Any]) -> str:
    chosen = [str(label) for name, label in WEEKDAYS if values[name]]
    if len(chosen) == len(WEEKDAYS):
        return _("any day")
    return ", ".join(chosen) if chosen else _("no day")


class CountryNow(LiveCondition):
    key = "country_now"
    label = gettext_lazy("Country")
    icon = "globe"
    parameters = (
        Text(
            name="countries",
            label=gettext_lazy("Country codes"),
            help_text=gettext_lazy("Two letters each, for example: JP, TW"),
        ),
    )

    def holds(self, values: Mapping[str, Any], facts: RequestFacts) -> bool:
        wanted = {code.strip().upper() for code in values["countries"].split(",")}
        return bool(facts.country) and facts.country in wanted

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("is in one of these countries: %(countries)s") % {"countries": values["countries"]}


if conf.COUNTRY_HEADER or conf.GEOIP_DATABASE:
    # Offered only where somebody tells the country; else its segments are broken.
    register(CountryNow)
