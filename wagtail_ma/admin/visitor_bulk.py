"""What can be done to many people of the ranked list at once.

"Select everybody" means the list as it is filtered and searched (Wagtail's own would take every row
of the table), and no more people than can be done while one waits.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy, ngettext
from wagtail.admin.views.bulk_action import BulkAction

from wagtail_ma.admin.permissions import may
from wagtail_ma.admin.ranked import RankedListMixin
from wagtail_ma.jobs import queue
from wagtail_ma.people.models import Lead, Visitor
from wagtail_ma.reports import ranked
from wagtail_ma.sales import exclusions
from wagtail_ma.sales.models import Marking
from wagtail_ma.segments import decisions
from wagtail_ma.segments.models import Segment

AT_ONCE = 10_000
NAMES_SHOWN = 20


class VisitorBulkAction(RankedListMixin, BulkAction):
    """Something done to the selected people of the ranked list."""

    models = [Visitor]
    template_name = "wagtail_ma/admin/visitors/bulk.html"
    # What one needs besides seeing visitors.
    needs: tuple[type[Any], str] = (Lead, "change")
    help: Any = ""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Refused here and not row by row: without the right not even the question is shown."""
        model, right = self.needs
        if not (may(request, Visitor, "view") and may(request, model, right)):
            raise PermissionDenied
        response: HttpResponse = super().dispatch(request, *args, **kwargs)
        return response

    @cached_property
    def is_all(self) -> bool:
        return "all" in self.request.GET.getlist("id")

    @cached_property
    def chosen(self) -> list[Visitor]:
        """The selected people, one more than can be done at once at most."""
        if self.is_all:
            rows = self.all_rows()
        else:
            ids = ranked.read_ids(self.request.GET.getlist("id"))
            rows = self.seen_rows().filter(visitor_id__in=ids)
        return [standing.visitor for standing in rows[: AT_ONCE + 1]]

    def seen_rows(self) -> Any:
        """Everybody in the ranking whom this person may see."""
        found = ranked.listed("all", now=timezone.now())
        return found if may(self.request, Lead, "view") else found.filter(visitor__lead__isnull=True)

    def get_actionable_objects(self) -> tuple[list[Visitor], dict[str, Any]]:
        return self.chosen, {"items_with_no_access": []}

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return {
            **context,
            "title": self.display_name,
            "help": self.help,
            "count": len(self.chosen),
            "is_too_many": len(self.chosen) > AT_ONCE,
            "most": AT_ONCE,
            "names": [str(getattr(each, "lead", None) or each) for each in self.chosen[:NAMES_SHOWN]],
            "is_cut": len(self.chosen) > NAMES_SHOWN,
        }

    def prepare_action(self, objects: Any, objects_without_access: Any) -> HttpResponse | None:
        if len(self.chosen) > AT_ONCE or not self.chosen:
            # The question says why.
            return redirect(self.request.get_full_path())
        return None

    @property
    def answers(self) -> dict[str, Any]:
        """What was answered to the question."""
        return self.cleaned_form.cleaned_data  # type: ignore[no-any-return, union-attr, attr-defined]

    def get_execution_context(self) -> dict[str, Any]:
        return {"by": self.request.user, "data": self.answers}

    @classmethod
    def execute_action(cls, objects: list[Visitor], **kwargs: Any) -> tuple[int, int]:
        ids = [visitor.pk for visitor in objects]
        cls.work(ids, by=kwargs["by"], data=kwargs["data"], now=timezone.now())
        queue.wake()
        return len(ids), 0

    @classmethod
    def work(cls, ids: list[int], *, by: Any, data: dict[str, Any], now: Any) -> None:
        """Do it."""
        raise NotImplementedError

    def get_success_message(self, num_parent_objects: int, num_child_objects: int) -> str:
        text = ngettext(
            "Done for %(count)d person. Lists follow within seconds.",
            "Done for %(count)d people. Lists follow within seconds.",
            num_parent_objects,
        )
        return text % {"count": num_parent_objects}


def in_or_out() -> forms.ChoiceField:
    """Whether people are put into something, or taken out of it."""
    return forms.ChoiceField(
        label=gettext_lazy("What to do"),
        choices=[("add", gettext_lazy("Put into it")), ("remove", gettext_lazy("Take out of it"))],
        widget=forms.RadioSelect,
        initial="add",
    )


class SegmentForm(forms.Form):
    """Which segment, and in or out."""

    segment = forms.ModelChoiceField(
        label=gettext_lazy("Segment"), queryset=Segment.objects.filter(is_live=False, is_internal=False)
    )
    act = in_or_out()


class SegmentBulkAction(VisitorBulkAction):
    """Into a segment, or out of it, by hand."""

    display_name = gettext_lazy("Segment")
    action_type = "segment"
    aria_label = gettext_lazy("Put selected people into a segment")
    action_priority = 10
    form_class = SegmentForm
    needs = (Segment, "change")
    help = gettext_lazy("They stay in it, or out of it, whatever the conditions of the segment say.")

    @classmethod
    def work(cls, ids: list[int], *, by: Any, data: dict[str, Any], now: Any) -> None:
        decisions.decide(data["segment"], ids, is_member=data["act"] == "add", by=by, now=now)


class MarkForm(forms.Form):
    """Yes, no, or as the rules say."""

    act = forms.ChoiceField(label=gettext_lazy("What to do"), widget=forms.RadioSelect)
    note = forms.CharField(label=gettext_lazy("Why (for your colleagues)"), max_length=255, required=False)

    choices: list[tuple[str, Any]] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["act"] = forms.ChoiceField(
            label=gettext_lazy("What to do"),
            widget=forms.RadioSelect,
            choices=self.choices,
            initial=self.choices[0][0],
        )


class ExcludeForm(MarkForm):
    choices = [
        ("yes", gettext_lazy("Exclude them")),
        ("no", gettext_lazy("Never exclude them, whatever the rules say")),
        ("rules", gettext_lazy("Let the rules decide again")),
    ]


class CustomerForm(MarkForm):
    choices = [
        ("yes", gettext_lazy("They are customers")),
        ("no", gettext_lazy("They are not customers")),
    ]


class _MarkBulkAction(VisitorBulkAction):
    kind = ""

    @classmethod
    def work(cls, ids: list[int], *, by: Any, data: dict[str, Any], now: Any) -> None:
        if data["act"] == "rules":
            exclusions.withdraw(cls.kind, ids, now=now)
        else:
            exclusions.say(cls.kind, ids, is_so=data["act"] == "yes", by=by, now=now, note=data["note"])


class ExcludeBulkAction(_MarkBulkAction):
    """Out of rankings, alerts and marketing mail."""

    kind = Marking.Kind.EXCLUDED
    display_name = gettext_lazy("Exclude")
    action_type = "exclude"
    aria_label = gettext_lazy("Exclude selected people")
    action_priority = 30
    form_class = ExcludeForm
    help = gettext_lazy(
        "Whoever is excluded is still recorded, but stands in no ranking and gets no alerts and no marketing "
        "mail. “Excluded” in the menu lists them, and there they can be brought back."
    )


class CustomerBulkAction(_MarkBulkAction):
    """Customers leave the ranking of new business."""

    kind = Marking.Kind.CUSTOMER
    display_name = gettext_lazy("Customer")
    action_type = "customer"
    aria_label = gettext_lazy("Mark selected people as customers")
    action_priority = 20
    form_class = CustomerForm
    help = gettext_lazy(
        "Customers leave the ranking of new business only; they keep mails and alerts and have a list of "
        "their own."
    )


class ExportForm(forms.Form):
    """In which shape."""

    format = forms.ChoiceField(
        label=gettext_lazy("Format"),
        choices=[("xlsx", "Excel (XLSX)"), ("csv", "CSV")],
        widget=forms.RadioSelect,
        initial="xlsx",
    )


class ExportBulkAction(VisitorBulkAction):
    """The selected people as a file, in the order of the list."""

    display_name = gettext_lazy("Export")
    action_type = "export"
    aria_label = gettext_lazy("Export selected people")
    action_priority = 40
    form_class = ExportForm
    needs = (Visitor, "view")
    help = gettext_lazy("The download is logged. Cells that look like formulas are defused.")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.user.has_perm("wagtail_ma.export_lead"):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def prepare_action(self, objects: Any, objects_without_access: Any) -> HttpResponse | None:
        if (refusal := super().prepare_action(objects, objects_without_access)) is not None:
            return refusal
        export = {"export": self.answers["format"]}
        query = self.request.GET.copy()
        for name in ("id", "next", "p"):
            query.pop(name, None)
        if self.is_all:
            asked = f"{query.urlencode()}&{urlencode({'list': self.which, **export})}"
        else:
            ids = ",".join(str(visitor.pk) for visitor in self.chosen)
            asked = urlencode({"ids": ids, **export})
        return redirect(f"{reverse('wagtail_ma_visitors:index')}?{asked}")


ACTIONS = [SegmentBulkAction, CustomerBulkAction, ExcludeBulkAction, ExportBulkAction]
