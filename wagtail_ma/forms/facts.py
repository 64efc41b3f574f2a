"""Conditions about one form and one document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.documents import get_document_model
from wagtail.documents.blocks import DocumentChooserBlock

from wagtail_ma.core.conditions import (
    Condition,
    Dated,
    ReferenceKind,
    Referent,
    Rows,
    Scope,
    Test,
    reference_kinds,
    register,
)
from wagtail_ma.core.parameters import Choice, Number, Reference
from wagtail_ma.forms.blocks import FormChooserBlock
from wagtail_ma.forms.models import LeadForm
from wagtail_ma.rules.phrases import comparison, days, times, within
from wagtail_ma.tracking.facts import ACTIVITIES
from wagtail_ma.tracking.models import Activity


def find_forms(pks: Iterable[int]) -> dict[int, Referent]:
    """The forms that still exist."""
    rows = LeadForm.objects.filter(pk__in=list(pks)).values_list("pk", "name")
    return {pk: Referent(pk, name) for pk, name in rows}


def find_documents(pks: Iterable[int]) -> dict[int, Referent]:
    """The documents that still exist."""
    rows = get_document_model().objects.filter(pk__in=list(pks)).values_list("pk", "title")
    return {pk: Referent(pk, title) for pk, title in rows}


reference_kinds.register("form", ReferenceKind(find=find_forms, make_block=FormChooserBlock))
reference_kinds.register("document", ReferenceKind(find=find_documents, make_block=DocumentChooserBlock))

ABANDONED = "abandoned"
ACTS = (
    ("form_view", gettext_lazy("saw it")),
    ("form_start", gettext_lazy("began to fill it in")),
    ("form_submit", gettext_lazy("sent it")),
    ("form_confirm", gettext_lazy("confirmed the address by mail")),
    (ABANDONED, gettext_lazy("began and has not sent it since")),
)


@register
class FormUsed(Condition):
    key = "form"
    label = gettext_lazy("A certain form")
    group = ACTIVITIES
    icon = "form"
    parameters = (
        Reference(name="form", kind="form", label=gettext_lazy("Form")),
        Choice(name="act", label=gettext_lazy("What the person did"), choices=ACTS, default="form_submit"),
        days,
    )

    def dated(self, values: Mapping[str, Any]) -> Dated | None:
        if values["act"] == ABANDONED:
            # By time alone: nothing is done when somebody leaves.
            return None
        return Dated(self._done(values).filter(kind=values["act"]), values["days"])

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        dated = self.dated(values)
        if dated is not None:
            return dated.test(scope)
        begun = self._done(values).filter(kind="form_start")
        if values["days"] is not None:
            begun = begun.filter(at__gte=scope.ago(days=values["days"]))
        sent = self._done(values).filter(
            kind="form_submit", visitor=OuterRef("visitor"), at__gte=OuterRef("at")
        )
        return Rows(begun.filter(~Exists(sent)))

    def _done(self, values: Mapping[str, Any]) -> QuerySet[Activity]:
        return Activity.objects.filter(object_kind="form", object_key=str(values["form"].pk))

    def sentence(self, values: Mapping[str, Any]) -> str:
        patterns = {
            "form_view": _("saw the form “%(form)s”%(within)s"),
            "form_start": _("began to fill in the form “%(form)s”%(within)s"),
            "form_submit": _("sent the form “%(form)s”%(within)s"),
            "form_confirm": _("confirmed the address after the form “%(form)s”%(within)s"),
            ABANDONED: _("began to fill in the form “%(form)s” and has not sent it since%(within)s"),
        }
        words = {"form": values["form"].label, "within": within(values["days"])}
        return patterns[values["act"]] % words


@register
class Downloaded(Condition):
    key = "download"
    label = gettext_lazy("A certain document downloaded")
    group = ACTIVITIES
    icon = "doc-full-inverse"
    parameters = (
        Reference(name="document", kind="document", label=gettext_lazy("Document")),
        comparison,
        Number(name="number", label=gettext_lazy("Times"), default=1, maximum=10_000),
        days,
    )

    def dated(self, values: Mapping[str, Any]) -> Dated:
        key = str(values["document"].pk)
        rows = Activity.objects.filter(kind="download", object_kind="document", object_key=key)
        return Dated(rows, values["days"], values["comparison"], values["number"])

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("downloaded “%(document)s” %(times)s%(within)s") % {
            "document": values["document"].label,
            "times": times(values["comparison"], values["number"]),
            "within": within(values["days"]),
        }
