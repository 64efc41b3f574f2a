"""Conditions about a person's position, the company, and the fields that editors added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import CharField, F, FloatField, Func, Value
from django.db.models.functions import Length, StrIndex
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

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
from wagtail_ma.core.folding import AsciiLower, ascii_lower
from wagtail_ma.core.parameters import BadValue, Choice, Reference, Text
from wagtail_ma.core.typed_text import date_of, number_of
from wagtail_ma.people.blocks import LeadFieldBlock
from wagtail_ma.people.models import JobFunction, Lead, LeadField, Rank

PERSON = gettext_lazy("Person")
Kind = LeadField.Kind


@register
class HasJobFunction(Condition):
    key = "job_function"
    label = gettext_lazy("Job function")
    group = PERSON
    icon = "clipboard-list"
    parameters = (
        Choice(
            name="function",
            label=gettext_lazy("Job function"),
            choices=JobFunction.choices,
            default=JobFunction.PURCHASING,
        ),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        return Rows(Lead.objects.filter(job_function=values["function"]))

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("has the job function “%(function)s”") % {"function": JobFunction(values["function"]).label}


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


class _Attribute(Func):
    """A value of ``Lead.attributes`` if it is of one JSON type, else ``otherwise``."""

    json_types: tuple[str, str] = ("", "")
    cast = ""
    otherwise = "NULL"

    def __init__(self, key: str, **extra: Any) -> None:
        super().__init__(F("attributes"), **extra)
        self.key = key

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        column, parameters = compiler.compile(self.get_source_expressions()[0])
        sql = (
            f"CASE WHEN jsonb_typeof({column} -> %s) = '{self.json_types[0]}' "
            f"THEN ({column} ->> %s){self.cast} ELSE {self.otherwise} END"
        )
        return sql, [*parameters, self.key, *parameters, self.key]

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        column, parameters = compiler.compile(self.get_source_expressions()[0])
        path = f'$."{self.key}"'
        sql = (
            f"CASE WHEN JSON_TYPE({column}, %s) IN ({self.json_types[1]}) "
            f"THEN JSON_EXTRACT({column}, %s) ELSE {self.otherwise} END"
        )
        return sql, [*parameters, path, *parameters, path]


class AttributeNumber(_Attribute):
    """A number that an editor's own field holds; NULL for everything else."""

    output_field = FloatField()
    json_types = ("number", "'integer', 'real'")
    cast = "::double precision"


class AttributeText(_Attribute):
    """A text that an editor's own field holds; empty for everything else."""

    output_field = CharField()
    json_types = ("string", "'text'")
    otherwise = "''"


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


@register
class OwnField(Condition):
    key = "lead_field"
    label = gettext_lazy("A field of your own")
    group = PERSON
    icon = "clipboard-list"
    parameters = (
        Reference(name="field", kind="lead_field", label=gettext_lazy("Field")),
        Choice(
            name="operator",
            label=gettext_lazy("Comparison"),
            choices=OPERATORS,
            default="equals",
        ),
        Text(
            name="text",
            label=gettext_lazy("Value"),
            help_text=gettext_lazy("A text, a number, or a date such as 2027-03-31."),
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
        if kind in (Kind.TEXT, Kind.CHOICE) and operator in ("at_least", "at_most"):
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
        # Compared byte by byte: of one order in every database.
        rows = rows.alias(folded=AsciiLower(AttributeText(key)))
        if kind == Kind.DATE:
            # As stored: YYYY-MM-DD, in the order of the calendar.
            rows = rows.alias(length=Length("folded")).filter(length=10)
            return Rows(rows.filter(**{f"folded__{look_up}": str(date_of(text))}))
        wanted = ascii_lower(text)
        if operator == "equals":
            return Rows(rows.filter(folded=wanted))
        return Rows(rows.alias(place=StrIndex("folded", Value(wanted))).filter(place__gt=0))

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
