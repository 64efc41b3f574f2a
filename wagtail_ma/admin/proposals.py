"""Two persons who may be one: the list, and the page on which somebody decides."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin import messages
from wagtail.admin.menu import MenuItem
from wagtail.admin.ui.tables import Column, DateColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.viewsets.base import ViewSet
from wagtail.log_actions import log
from wagtail.permissions import policy_registry

from wagtail_ma.admin.permissions import permission_menu_item
from wagtail_ma.core.text import normalise_email
from wagtail_ma.jobs import queue
from wagtail_ma.people import lead_values, merge, outward, proposals
from wagtail_ma.people.models import Identity, Lead, MergeProposal

REASONS = {
    proposals.SAME_NAME: gettext_lazy("Same name in the same company"),
    proposals.SAME_BROWSER: gettext_lazy("Same name at the same computer"),
    proposals.SAME_PHONE: gettext_lazy("Same telephone number"),
    proposals.BY_HAND: gettext_lazy("Proposed by hand"),
}


class ForLeads(PermissionCheckedMixin):
    """Whoever may change leads may decide who is whom."""

    any_permission_required = ["change"]

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Lead)


class ProposalIndexView(ForLeads, generic.IndexView):
    """All proposals, the undecided first."""

    model = MergeProposal
    page_title = gettext_lazy("Proposed merges")
    header_icon = "group"
    results_template_name = "wagtail_ma/admin/proposals/index_results.html"
    list_filter = ["state"]
    default_ordering = "-created_at"
    paginate_by = 50

    @cached_property
    def columns(self) -> list[Column]:
        return [
            TitleColumn("one", label=_("Person"), get_url=self.get_decide_url),
            Column("two", label=_("Perhaps the same")),
            Column("why", label=_("Why")),
            Column("get_state_display", label=_("State"), sort_key="state"),
            DateColumn("created_at", label=_("Proposed"), sort_key="created_at"),
        ]

    def get_decide_url(self, instance: MergeProposal) -> str:
        return reverse("wagtail_ma_proposals:decide", args=[instance.pk])

    def get_edit_url(self, instance: MergeProposal) -> None:
        return None

    def get_base_queryset(self) -> QuerySet[MergeProposal]:
        return MergeProposal.objects.select_related("kept__lead", "other__lead")

    def paginate_queryset(self, queryset: Any, page_size: int) -> Any:
        paginator, page, rows, has_other = super().paginate_queryset(queryset, page_size)
        for row in (found := list(rows)):
            row.one, row.two = (
                f"{row.kept.lead} <{row.kept.lead.email}>",
                f"{row.other.lead} <{row.other.lead.email}>",
            )
            row.why = REASONS.get(row.reason, row.reason)
        page.object_list = found
        return paginator, page, found, has_other


class DecideView(ForLeads, WagtailAdminTemplateMixin, TemplateView):
    """The two side by side; merge, keep apart, or undo."""

    template_name = "wagtail_ma/admin/proposals/decide.html"
    page_title = gettext_lazy("One person or two?")
    header_icon = "group"
    http_method_names = ["get", "post"]

    @cached_property
    def proposal(self) -> MergeProposal:
        rows = MergeProposal.objects.select_related("kept__lead", "other__lead", "decided_by")
        found = rows.filter(pk=self.kwargs["pk"]).first()
        if found is None:
            raise Http404
        return found

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        for visitor in (self.proposal.kept, self.proposal.other):
            log(visitor.lead, "wagtail_ma.view_lead", user=request.user)
        return super().get(request, *args, **kwargs)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("wagtail_ma_proposals:index"), "label": _("Proposed merges")},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        kept, other = self.proposal.kept.lead, self.proposal.other.lead
        rows = [
            (_label(name), getattr(kept, name), getattr(other, name))
            for name in ("email", *lead_values.FIELDS)
        ]
        together = outward.of_proposal(self.proposal)
        return context | {
            "together": together,
            "outward": together.outward(now=timezone.now()) if together else [],
            "proposal": self.proposal,
            "why": REASONS.get(self.proposal.reason, self.proposal.reason),
            "rows": [row for row in rows if row[1] or row[2]],
            "index_url": reverse("wagtail_ma_proposals:index"),
        }

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        act = {"merge": proposals.accept, "refuse": proposals.refuse, "undo": proposals.undo}.get(
            request.POST.get("do", "")
        )
        if act is None:
            raise PermissionDenied
        try:
            act(self.proposal, user_id=request.user.pk, now=timezone.now())
        except (proposals.CannotMerge, merge.CannotUndo):
            messages.error(request, _("That is not possible any more: something has changed meanwhile."))
        else:
            what = {"what": request.POST["do"], "proposal": self.proposal.pk}
            log(self.proposal.kept, "wagtail_ma.merge", user=request.user, data=what)
            queue.wake()
            messages.success(request, _("Done. Scores and segments follow within seconds."))
            if request.POST["do"] == "undo":
                # There it says what stays.
                return redirect("wagtail_ma_proposals:decide", self.proposal.pk)
        return redirect("wagtail_ma_proposals:index")


def _label(name: str) -> str:
    return str(getattr(Lead._meta.get_field(name), "verbose_name", name))


class ProposeForm(forms.Form):
    """The address of the other one."""

    email = forms.CharField(label=gettext_lazy("E-mail address of the other person"), max_length=254)

    def __init__(self, *args: Any, lead: Lead, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lead = lead

    def clean_email(self) -> Lead:
        try:
            address = normalise_email(self.cleaned_data["email"])
        except ValueError as error:
            raise forms.ValidationError(_("This is not an e-mail address.")) from error
        owner = Identity.objects.filter(kind=Identity.Kind.EMAIL, key=address).first()
        found = Lead.objects.filter(visitor_id=owner.visitor_id).first() if owner else None
        if found is None or found.pk == self.lead.pk:
            raise forms.ValidationError(_("No other person has this address."))
        return found


class ProposeView(ForLeads, WagtailAdminTemplateMixin, TemplateView):
    """Propose somebody by hand, from the page of a person."""

    template_name = "wagtail_ma/admin/proposals/propose.html"
    page_title = gettext_lazy("Merge with another person")
    header_icon = "group"

    @cached_property
    def lead(self) -> Lead:
        found = Lead.objects.filter(pk=self.kwargs["pk"], visitor__merged_into__isnull=True).first()
        if found is None:
            raise Http404
        return found

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return {"form": ProposeForm(lead=self.lead), "lead": self.lead, **context}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = ProposeForm(request.POST, lead=self.lead)
        if not form.is_valid():
            return self.render_to_response(self.get_context_data(form=form))
        found = proposals.propose(
            self.lead, form.cleaned_data["email"], reason=proposals.BY_HAND, now=timezone.now()
        )
        return redirect("wagtail_ma_proposals:decide", found.pk)


class ProposalViewSet(ViewSet):
    """Proposed merges in the Marketing menu."""

    name = "wagtail_ma_proposals"
    url_prefix = "marketing/merges"
    icon = "group"
    menu_label = gettext_lazy("Proposed merges")
    menu_name = "wagtail-ma-proposals"

    @cached_property
    def menu_item_class(self) -> type[MenuItem]:
        return permission_menu_item(Lead)

    def get_urlpatterns(self) -> list[Any]:
        index = {"index_url_name": "wagtail_ma_proposals:index"}
        index["index_results_url_name"] = "wagtail_ma_proposals:index_results"
        return [
            path("", ProposalIndexView.as_view(**index), name="index"),
            path("results/", ProposalIndexView.as_view(results_only=True, **index), name="index_results"),
            path("<int:pk>/", DecideView.as_view(), name="decide"),
            path("of/<int:pk>/", ProposeView.as_view(), name="propose"),
        ]
