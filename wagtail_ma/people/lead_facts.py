"""Conditions about a person's position and the company."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import Value
from django.db.models.functions import StrIndex
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from wagtail_ma.core.conditions import Condition, Rows, Scope, Test, register
from wagtail_ma.core.folding import AsciiLower, ascii_lower
from wagtail_ma.core.parameters import Choice, Text
from wagtail_ma.people.models import BuyingRole, JobFunction, Lead, Rank

PERSON = gettext_lazy("Person")


class _LeadIs(Condition):
    """A field of the lead that is one of a few words.

    :cvar column: the field; the parameter is the only one.
    """

    group = PERSON
    icon = "clipboard-list"
    column: ClassVar[str]

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        return Rows(Lead.objects.filter(**{self.column: values[self.parameters[0].name]}))


@register
class HasJobFunction(_LeadIs):
    key = column = "job_function"
    label = gettext_lazy("Job function")
    parameters = (
        Choice(
            name="function",
            label=gettext_lazy("Job function"),
            choices=JobFunction.choices,
            default=JobFunction.PURCHASING,
        ),
    )

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("has the job function “%(function)s”") % {"function": JobFunction(values["function"]).label}


@register
class HasBuyingRole(_LeadIs):
    key = column = "buying_role"
    label = gettext_lazy("Part in the purchase")
    parameters = (
        Choice(
            name="role",
            label=gettext_lazy("Part in the purchase"),
            choices=BuyingRole.choices,
            default=BuyingRole.APPROVES,
        ),
    )

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("has the part “%(role)s” in the purchase") % {"role": BuyingRole(values["role"]).label}


@register
class HasRank(Condition):
    """Heads of a company are rank 1: "or higher" means a smaller number. Advisers and students stand
    outside of the order."""

    key = "rank"
    label = gettext_lazy("Rank")
    group = PERSON
    icon = "order"
    parameters = (
        Choice(
            name="comparison",
            label=gettext_lazy("Which"),
            choices=(
                ("at_least", gettext_lazy("this rank or a higher one")),
                ("exactly", gettext_lazy("this rank")),
            ),
            default="at_least",
        ),
        Choice(
            name="rank",
            label=gettext_lazy("Rank"),
            choices=[(str(value), label) for value, label in Rank.choices],
            default=str(Rank.SECTION.value),
        ),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        rank = int(values["rank"])
        if values["comparison"] == "exactly" or rank > Rank.STAFF:
            return Rows(Lead.objects.filter(rank=rank))
        return Rows(Lead.objects.filter(rank__lte=rank))

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {"rank": Rank(int(values["rank"])).label}
        if values["comparison"] == "exactly":
            return _("has the rank “%(rank)s”") % words
        return _("has the rank “%(rank)s” or a higher one") % words


COMPANIES = (
    ("any", gettext_lazy("a company that we know")),
    ("customer", gettext_lazy("a customer")),
    ("competitor", gettext_lazy("a competitor")),
    ("own", gettext_lazy("our own company")),
)


@register
class WorksFor(Condition):
    key = "company"
    label = gettext_lazy("Company")
    group = PERSON
    icon = "home"
    parameters = (
        Choice(
            name="is",
            label=gettext_lazy("The company is"),
            choices=COMPANIES,
            default="customer",
        ),
        Text(
            name="name",
            label=gettext_lazy("Its name contains"),
            help_text=gettext_lazy("Empty: whatever its name. Upper and lower case are the same."),
            required=False,
            max_length=120,
        ),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        rows = Lead.objects.filter(company__isnull=False)
        if values["is"] != "any":
            rows = rows.filter(**{f"company__is_{values['is']}": True})
        if values["name"]:
            folded = AsciiLower("company__name")
            rows = rows.alias(place=StrIndex(folded, Value(ascii_lower(values["name"])))).filter(place__gt=0)
        return Rows(rows)

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {"company": dict(COMPANIES)[values["is"]], "name": values["name"]}
        if values["name"]:
            return _("works for %(company)s whose name contains “%(name)s”") % words
        return _("works for %(company)s") % words
