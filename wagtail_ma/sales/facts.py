"""Conditions about heat, customers and exclusions; and the patterns, which register themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from wagtail_ma.core.conditions import Condition, Rows, Scope, Test, Where, register
from wagtail_ma.core.parameters import Choice
from wagtail_ma.sales import acting_patterns, company_patterns, customer_patterns, reading_patterns
from wagtail_ma.sales.models import HotDefinition, HotEntry

__all__ = ["acting_patterns", "company_patterns", "customer_patterns", "reading_patterns"]

SALES = gettext_lazy("Sales")
ANY = "any"


@register
class IsHot(Condition):
    key = "hot"
    is_scored = True
    label = gettext_lazy("Hot lead")
    group = SALES
    changes_alone = True
    icon = "wagtail-ma-hot"
    parameters = (
        Choice(
            name="list",
            label=gettext_lazy("On which list"),
            choices=((ANY, gettext_lazy("any")), *HotDefinition.List.choices),
            default=ANY,
        ),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        rows = HotEntry.objects.filter(closed_at__isnull=True)
        if values["list"] != ANY:
            rows = rows.filter(definition__list=values["list"])
        return Rows(rows)

    def sentence(self, values: Mapping[str, Any]) -> str:
        if values["list"] == ANY:
            return _("is a hot lead")
        return _("is on the list “%(list)s”") % {"list": HotDefinition.List(values["list"]).label}


@register
class IsCustomer(Condition):
    key = "customer"
    label = gettext_lazy("Customer")
    group = SALES
    icon = "user"

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        return Where(Q(is_customer=True))

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("is a customer")


@register
class IsExcluded(Condition):
    key = "excluded"
    label = gettext_lazy("Excluded")
    group = SALES
    icon = "no-view"

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        return Where(~Q(excluded_reason=""))

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("is excluded from rankings and marketing mail")
