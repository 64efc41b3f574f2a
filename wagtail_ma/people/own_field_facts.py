"""Conditions about the fields that editors added to leads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.db.models.functions import Length, Substr
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from wagtail_ma.core.conditions import (
    Condition,
    ReferenceKind,
    Referent,
    Rows,
    Scope,
    Test,
    reference_kinds,
    register,
)
from wagtail_ma.core.folding import AsciiLower
from wagtail_ma.core.parameters import BadValue, Choice, Number, Reference, Text
from wagtail_ma.core.typed_text import date_of, number_of
from wagtail_ma.people.attribute_values import AttributeNumber, AttributeSays, AttributeText
from wagtail_ma.people.blocks import LeadFieldBlock
from wagtail_ma.people.lead_facts import PERSON
from wagtail_ma.people.models import Lead, LeadField

Kind = LeadField.Kind
own_field = Reference(name="field", kind="lead_field", label=gettext_lazy("Field"))


def find_lead_fields(pks: Iterable[int]) -> dict[int, Referent]:
    """The fields that still exist; ``data`` is short name and kind."""
    rows = LeadField.objects.filter(pk__in=list(pks)).values_list("pk", "label", "key", "kind")
    return {pk: Referent(pk, label, (key, kind)) for pk, label, key, kind in rows}


reference_kinds.register("lead_field", ReferenceKind(find=find_lead_fields, make_block=LeadFieldBlock))

OPERATORS = (
    ("equals", gettext_lazy("is")),
    ("contains", gettext_lazy("contains")),
    ("at_least", gettext_lazy("at least, or not before")),
    ("at_most", gettext_lazy("at most, or not after")),
    ("filled", gettext_lazy("is filled in, whatever it says")),
)


def with_date(key: str) -> QuerySet[Lead]:
    """Leads whose field holds a date, as ``day``: YYYY-MM-DD, in the order of the calendar."""
    # Compared byte by byte: of one order in every database.
    rows = Lead.objects.alias(day=AsciiLower(AttributeText(key)))
    return rows.alias(length=Length("day")).filter(length=10)


@register
class OwnField(Condition):
    key = "lead_field"
    label = gettext_lazy("A field of your own")
    group = PERSON
    icon = "clipboard-list"
    parameters = (
        own_field,
        Choice(
            name="operator",
            label=gettext_lazy("Comparison"),
            choices=OPERATORS,
            default="equals",
        ),
        Text(
            name="text",
            label=gettext_lazy("Value"),
            help_text=gettext_lazy(
                "A text, a number, or a date such as 2027-03-31. Of several choices one is enough."
            ),
            required=False,
            max_length=120,
        ),
    )

    def check(self, values: Mapping[str, Any]) -> None:
        """The value must be one of the field's kind."""
        _key, kind = values["field"].data
        operator, text = values["operator"], values["text"]
        if operator == "filled":
            return
        if text is None:
            raise BadValue(_("“%(label)s” is missing.") % {"label": _("Value")})
        if kind == Kind.NUMBER and (operator == "contains" or number_of(text) is None):
            raise BadValue(_("A field with numbers is compared with a number."))
        if kind == Kind.DATE and (operator == "contains" or date_of(text) is None):
            raise BadValue(_("A field with dates is compared with a date such as 2027-03-31."))
        if kind not in (Kind.NUMBER, Kind.DATE) and operator in ("at_least", "at_most"):
            raise BadValue(_("Texts are not more or less than others."))

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        key, kind = values["field"].data
        operator, text = values["operator"], values["text"]
        rows = Lead.objects.all()
        if operator == "filled":
            return Rows(rows.filter(attributes__has_key=key))
        look_up = {"at_least": "gte", "at_most": "lte"}.get(operator, "exact")
        if kind == Kind.NUMBER:
            rows = rows.alias(found=AttributeNumber(key))
            return Rows(rows.filter(**{f"found__{look_up}": number_of(text), "found__isnull": False}))
        if kind == Kind.DATE:
            return Rows(with_date(key).filter(**{f"day__{look_up}": str(date_of(text))}))
        return Rows(rows.filter(AttributeSays(key, text, is_whole=operator == "equals")))

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {"field": values["field"].label, "text": values["text"]}
        patterns = {
            "equals": _("%(field)s is “%(text)s”"),
            "contains": _("%(field)s contains “%(text)s”"),
            "at_least": _("%(field)s is %(text)s or more (later)"),
            "at_most": _("%(field)s is %(text)s or less (earlier)"),
            "filled": _("%(field)s is filled in"),
        }
        return patterns[values["operator"]] % words


YEARLY = "yearly"
WHEN = (
    ("ahead", gettext_lazy("within the next … days")),
    ("behind", gettext_lazy("within the last … days")),
    ("beyond", gettext_lazy("more than … days ahead")),
    ("over", gettext_lazy("more than … days ago")),
    (YEARLY, gettext_lazy("comes round within … days")),
)


def _iso(days: int) -> Any:
    return lambda today: (today + timedelta(days=days)).isoformat()


@register
class OwnDate(Condition):
    """Days are those of the time zone of the project. The 29th of February is kept on the 28th where
    there is none."""

    key = "lead_date"
    label = gettext_lazy("A date of your own, seen from today")
    group = PERSON
    icon = "date"
    parameters = (
        own_field,
        Choice(
            name="when",
            label=gettext_lazy("When"),
            help_text=gettext_lazy(
                "Today is the first or the last of them. “Comes round”: for birthdays and anniversaries."
            ),
            choices=WHEN,
            default="ahead",
        ),
        Number(name="days", label=gettext_lazy("Days"), default=30, minimum=0, maximum=3650),
    )

    def check(self, values: Mapping[str, Any]) -> None:
        """The field must hold dates."""
        if values["field"].data[1] != Kind.DATE:
            raise BadValue(_("“%(field)s” does not hold dates.") % {"field": values["field"].label})
        if values["when"] == YEARLY and values["days"] > 364:
            raise BadValue(_("Every date comes again within a year: choose fewer days."))

    def window(self, values: Mapping[str, Any]) -> timedelta:
        """It changes at midnight, whatever number of days is asked for."""
        return timedelta(days=1)

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        rows, days = with_date(values["field"].data[0]), values["days"]
        if values["when"] == YEARLY:
            return Rows(rows.alias(yearly=Substr("day", 6, 5)).filter(_comes_round(days, scope)))
        today = scope.today(_iso(0))
        q = {
            "ahead": Q(day__gte=today, day__lte=scope.today(_iso(days))),
            "behind": Q(day__lte=today, day__gte=scope.today(_iso(-days))),
            "beyond": Q(day__gt=scope.today(_iso(days))),
            "over": Q(day__lt=scope.today(_iso(-days))),
        }
        return Rows(rows.filter(q[values["when"]]))

    def sentence(self, values: Mapping[str, Any]) -> str:
        number = values["days"]
        patterns = {
            "ahead": ngettext(
                "%(field)s is today or within the next %(days)d day",
                "%(field)s is today or within the next %(days)d days",
                number,
            ),
            "behind": ngettext(
                "%(field)s is today or was within the last %(days)d day",
                "%(field)s is today or was within the last %(days)d days",
                number,
            ),
            "beyond": ngettext(
                "%(field)s is more than %(days)d day ahead",
                "%(field)s is more than %(days)d days ahead",
                number,
            ),
            "over": ngettext(
                "%(field)s was more than %(days)d day ago",
                "%(field)s was more than %(days)d days ago",
                number,
            ),
            YEARLY: ngettext(
                "the day of %(field)s comes round today or within the next %(days)d day",
                "the day of %(field)s comes round today or within the next %(days)d days",
                number,
            ),
        }
        return patterns[values["when"]] % {"field": values["field"].label, "days": number}


def _comes_round(days: int, scope: Scope) -> Q:
    """Whether ``yearly`` (MM-DD) is among the days from today on: two stretches where they go over
    New Year's Eve, else twice the same one."""

    def last(today: date) -> str:
        day = today + timedelta(days=days)
        is_leap_day_missing = (day + timedelta(days=1)).strftime("%m-%d") == "03-01" and day.day == 28
        return "02-29" if is_leap_day_missing else day.strftime("%m-%d")

    def goes_over(today: date) -> bool:
        return (today + timedelta(days=days)).year > today.year

    first = scope.today(lambda today: today.strftime("%m-%d"))
    end_of_first = scope.today(lambda today: "12-31" if goes_over(today) else last(today))
    start_of_second = scope.today(lambda today: "01-01" if goes_over(today) else today.strftime("%m-%d"))
    end = scope.today(last)
    return Q(yearly__gte=first, yearly__lte=end_of_first) | Q(yearly__gte=start_of_second, yearly__lte=end)
