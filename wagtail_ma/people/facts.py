"""Conditions about who somebody is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Q, Value
from django.db.models.functions import StrIndex, Substr
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from wagtail_ma.core.conditions import Condition, Dated, Rows, Scope, Test, Where, register
from wagtail_ma.core.folding import AsciiLower, ascii_lower
from wagtail_ma.core.parameters import Choice, Number
from wagtail_ma.core.usual_parameters import (
    CONTAINS,
    EQUALS,
    WITHIN_OR_BEFORE,
    compared_text,
    either,
    operator,
    some_days,
)
from wagtail_ma.people import lead_facts as _lead_facts  # noqa: F401  (registers its conditions)
from wagtail_ma.people import own_field_facts as _own_field_facts  # noqa: F401  (registers its conditions)
from wagtail_ma.people.models import BUCKETS, Lead

PERSON = gettext_lazy("Person")


@register
class IsIdentified(Condition):
    key = "identified"
    label = gettext_lazy("Known by name")
    group = PERSON
    icon = "user"
    parameters = (either(("yes", gettext_lazy("known by name")), ("no", gettext_lazy("still anonymous"))),)

    def dated(self, values: Mapping[str, Any]) -> Dated:
        wanted = ("at_most", 0) if values["is"] == "no" else ("at_least", 1)
        return Dated(Lead.objects.all(), None, *wanted, moment="created_at")

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("is still anonymous") if values["is"] == "no" else _("is known by name")


ATTRIBUTES = (
    ("company_name", gettext_lazy("company")),
    ("department", gettext_lazy("department")),
    ("title", gettext_lazy("job title")),
    ("language", gettext_lazy("language")),
    ("postal_code", gettext_lazy("postal code")),
    ("address", gettext_lazy("address")),
    ("email_domain", gettext_lazy("domain of the e-mail address")),
)


@register
class LeadAttribute(Condition):
    key = "lead_attribute"
    label = gettext_lazy("What the person told us")
    group = PERSON
    icon = "clipboard-list"
    parameters = (
        Choice(
            name="attribute",
            label=gettext_lazy("Field"),
            choices=ATTRIBUTES,
            default="company_name",
        ),
        operator(EQUALS, CONTAINS, default="contains"),
        compared_text(max_length=120),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        text = ascii_lower(values["text"])
        if values["attribute"] == "email_domain":
            return self._domain(text, values["operator"])
        rows = Lead.objects.alias(folded=AsciiLower(values["attribute"]))
        if values["operator"] == "equals":
            return Rows(rows.filter(folded=text))
        # Not LIKE: what SQLite and PostgreSQL take for equal letters differs.
        return Rows(rows.alias(place=StrIndex("folded", Value(text))).filter(place__gt=0))

    def _domain(self, text: str, operator: str) -> Test:
        rows = Lead.objects.alias(folded=AsciiLower("email"))
        text = text.lstrip("@")
        if operator == "equals":
            return Rows(rows.filter(folded__endswith=f"@{text}"))
        # An address as stored has one @ (people.identify lets no other in): the domain begins there.
        domain = Substr("folded", StrIndex("folded", Value("@")) + 1)
        return Rows(rows.alias(place=StrIndex(domain, Value(text))).filter(place__gt=0))

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {"field": dict(ATTRIBUTES)[values["attribute"]], "text": values["text"]}
        if values["operator"] == "equals":
            return _("%(field)s is “%(text)s”") % words
        return _("%(field)s contains “%(text)s”") % words


@register
class FirstSeen(Condition):
    key = "first_seen"
    label = gettext_lazy("First seen")
    group = PERSON
    icon = "date"
    parameters = (WITHIN_OR_BEFORE, some_days(7))

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        moment = scope.ago(days=values["days"])
        if values["comparison"] == "within":
            # Whoever has no row yet is being seen for the first time now.
            return Where(Q(first_seen_at__gte=moment), stranger=True)
        return Where(Q(first_seen_at__lt=moment))

    def sentence(self, values: Mapping[str, Any]) -> str:
        if values["comparison"] == "within":
            text = ngettext(
                "was first seen within the last %(days)d day",
                "was first seen within the last %(days)d days",
                values["days"],
            )
        else:
            text = ngettext(
                "was first seen more than %(days)d day ago",
                "was first seen more than %(days)d days ago",
                values["days"],
            )
        return text % {"days": values["days"]}


@register
class KnownSince(Condition):
    key = "known_since"
    label = gettext_lazy("Became known by name")
    group = PERSON
    icon = "date"
    parameters = (WITHIN_OR_BEFORE, some_days(7))

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        moment = scope.ago(days=values["days"])
        look_up = "gte" if values["comparison"] == "within" else "lt"
        return Rows(Lead.objects.filter(**{f"created_at__{look_up}": moment}))

    def sentence(self, values: Mapping[str, Any]) -> str:
        if values["comparison"] == "within":
            text = ngettext(
                "became known by name within the last %(days)d day",
                "became known by name within the last %(days)d days",
                values["days"],
            )
        else:
            text = ngettext(
                "became known by name more than %(days)d day ago",
                "became known by name more than %(days)d days ago",
                values["days"],
            )
        return text % {"days": values["days"]}


@register
class RandomShare(Condition):
    key = "random_share"
    label = gettext_lazy("Random share")
    group = PERSON
    icon = "rotate"
    parameters = (
        Number(
            name="percent",
            label=gettext_lazy("Per cent of all visitors"),
            help_text=gettext_lazy("The same people each time: drawn once, at the first visit."),
            default=50,
            minimum=0,
            maximum=100,
        ),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        limit = values["percent"] * BUCKETS // 100
        return Where(Q(bucket__lt=limit), stranger=values["percent"] == 100)

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("belongs to a random %(percent)d %% of all visitors") % {"percent": values["percent"]}
