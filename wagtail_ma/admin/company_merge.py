"""Joining two companies: which other one, what will happen, then it happens; and taking it back."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView, View
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.log_actions import log

from wagtail_ma.admin.permissions import may
from wagtail_ma.jobs import queue
from wagtail_ma.people import company_merge, company_undo
from wagtail_ma.people.models import Lead
from wagtail_ma.people.models_of_companies import Company, CompanyMerge

SHOWN = 20


def may_merge(request: HttpRequest) -> bool:
    """Whether somebody may: one company is changed, the other deleted."""
    return may(request, Company, "change") and may(request, Company, "delete")


class CompanyMergeView(WagtailAdminTemplateMixin, TemplateView):
    """GET looks for the other company (``?q=``) or shows both (``?with=``); POST joins them."""

    template_name = "wagtail_ma/admin/companies/merge.html"
    page_title = gettext_lazy("Merge with another company")
    header_icon = "group"
    http_method_names = ["get", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not may_merge(request):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    @cached_property
    def company(self) -> Company:
        return _company(str(self.kwargs["pk"]))

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("wagtail_ma_companies:index"), "label": _("Companies")},
            {"url": _url_of(self.company), "label": self.company.name},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        text = self.request.GET.get("q", "").strip()
        other = _company(self.request.GET["with"]) if "with" in self.request.GET else None
        context |= {"company": self.company, "company_url": _url_of(self.company), "q": text, "other": other}
        if other is not None:
            return context | {
                "are_two": company_merge.are_two(self.company, other),
                "people": Lead.objects.filter(company=other).count(),
            }
        found = company_merge.similar(self.company)
        if text:
            named = Company.objects.filter(name__icontains=text).exclude(pk=self.company.pk)
            found = list(named.order_by("name")[:SHOWN])
        return context | {"found": found}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        other = _company(request.POST.get("with", ""))
        try:
            count = company_merge.merge(self.company, other, now=timezone.now(), user_id=request.user.pk)
        except company_merge.NotTheSame:
            messages.error(request, _("These are certainly two companies."))
            return redirect(_url_of(self.company))
        log(self.company, "wagtail_ma.merge_companies", user=request.user, data={"with": other.name})
        queue.wake()
        messages.success(
            request,
            _("“%(other)s” is now another name of this company. People who came with it: %(count)d.")
            % {"other": other.name, "count": count},
        )
        return redirect(_url_of(self.company))


class CompanyUndoView(View):
    """POST takes a merge back; one click, as the merge can be made again."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may_merge(request):
            raise PermissionDenied
        company = _company(str(kwargs["pk"]))
        step = CompanyMerge.objects.filter(kept_key=company.pk, pk=kwargs["merge_id"]).first()
        if step is None:
            raise Http404
        try:
            other = company_undo.undo(step, now=timezone.now())
        except company_undo.CannotUndo:
            messages.error(request, _("That is not possible any more: something has changed meanwhile."))
            return redirect(_url_of(company))
        log(company, "wagtail_ma.unmerge_companies", user=request.user, data={"with": other.name})
        queue.wake()
        button = messages.button(_url_of(other), other.name)
        text = _("“%(other)s” is a company of its own again. People who came with it: %(count)d.")
        messages.success(
            request, text % {"other": other.name, "count": other.leads.count()}, buttons=[button]
        )
        return redirect(_url_of(company))


def _company(pk: str) -> Company:
    is_key = pk.isascii() and pk.isdigit() and len(pk) < 19
    found = Company.objects.filter(pk=int(pk)).first() if is_key else None
    if found is None:
        raise Http404
    return found


def _url_of(company: Company) -> str:
    return reverse("wagtail_ma_companies:company", args=[company.pk])
