"""The page of one visitor, and the addresses of the screens of visitors and leads."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
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
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.viewsets.base import ViewSet
from wagtail.log_actions import log
from wagtail.permissions import policy_registry

from wagtail_ma.admin.permissions import VisitorActView, may, permission_menu_item
from wagtail_ma.admin.ranked import VisitorIndexView
from wagtail_ma.people import unrecorded
from wagtail_ma.people.models import Lead, Visitor
from wagtail_ma.reports import timeline as timelines
from wagtail_ma.reports import visitor_page
from wagtail_ma.tracking import retention


class VisitorView(PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """One visitor: who, the whole history, and why the score is what it is."""

    template_name = "wagtail_ma/admin/visitors/visitor.html"
    header_icon = "wagtail-ma-people"
    any_permission_required = ["view"]

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Visitor)

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        visitor, self.standing = visitor_page.find(kwargs["visitor_id"])
        if visitor is None:
            raise Http404
        self.visitor = visitor
        if lead := getattr(self.visitor, "lead", None):
            if not may(request, Lead, "view"):
                raise PermissionDenied
            self.note(lead)
        return super().get(request, *args, **kwargs)

    def note(self, lead: Lead) -> None:
        """Remember who looked at personal data."""
        log(lead, "wagtail_ma.view_lead", user=self.request.user)

    def get_page_title(self) -> str:
        lead = getattr(self.visitor, "lead", None)
        return str(lead or self.visitor)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("wagtail_ma_visitors:index"), "label": _("Visitors and leads")},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        kinds = {kind for kind in self.request.GET.getlist("kind") if kind in timelines.KINDS}
        is_first_page = not self.request.GET.get("before")
        if is_first_page:
            context.update(visitor_page.details(self.visitor, self.standing, now=timezone.now()))
        first_seen_at = self.visitor.first_seen_at
        # (Of most visitors nothing can have been deleted yet: no statement is spent on them.)
        if timezone.now() - first_seen_at >= retention.SHORTEST:
            context["detail_since"] = retention.detail_since(period_start=first_seen_at)
        context["visitor"] = self.visitor
        context["stamp"] = visitor_page.stamp_of(self.standing, self.visitor.pk)
        context["may_change"] = may(self.request, Lead, "change")
        context["is_on_page"] = True
        context["timeline"] = timelines.timeline(
            self.visitor.pk, cursor=self.request.GET.get("before", ""), kinds=kinds or None
        )
        context["is_first_page"] = is_first_page
        context["kinds"] = [
            {"key": key, "label": label, "checked": key in kinds} for key, label in timelines.KINDS.items()
        ]
        context["chosen_kinds"] = sorted(kinds)
        return context


class VisitorNowView(VisitorView):
    """The same for a page that is open already: nothing if nothing has happened since. Not noted as
    one more look; the opened page was."""

    template_name = "wagtail_ma/admin/visitors/live.html"

    def note(self, lead: Lead) -> None:
        """Noted when the page was opened."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.GET.get("stamp") == visitor_page.stamp(kwargs["visitor_id"]):
            return HttpResponse(status=204)
        return super().get(request, *args, **kwargs)


class RecordingView(VisitorActView):
    """Somebody has asked that nothing they do is recorded; or that it may be again."""

    def act(self, request: HttpRequest, visitor: Visitor) -> HttpResponse:
        subject = getattr(visitor, "lead", visitor)
        if request.POST.get("act") == "end":
            unrecorded.end(visitor.pk, now=timezone.now())
            log(subject, "wagtail_ma.record_again", user=request.user)
            messages.success(request, _("What this person does is recorded again."))
        elif request.POST.get("act") == "start":
            unrecorded.start(visitor.pk, now=timezone.now())
            log(subject, "wagtail_ma.do_not_record", user=request.user)
            messages.success(request, _("What this person does is not recorded any more."))
        return redirect("wagtail_ma_visitors:visitor", visitor.pk)


class VisitorViewSet(ViewSet):
    """The screens of visitors and leads."""

    name = "wagtail_ma_visitors"
    url_prefix = "marketing/visitors"
    icon = "wagtail-ma-people"
    menu_label = gettext_lazy("Visitors and leads")
    menu_name = "wagtail-ma-visitors"

    @cached_property
    def menu_item_class(self) -> type[MenuItem]:
        return permission_menu_item(Visitor)

    def get_urlpatterns(self) -> list[Any]:
        index = {"index_url_name": "wagtail_ma_visitors:index"}
        index["index_results_url_name"] = "wagtail_ma_visitors:index_results"
        return [
            path("", VisitorIndexView.as_view(**index), name="index"),
            path("results/", VisitorIndexView.as_view(results_only=True, **index), name="index_results"),
            path("<int:visitor_id>/", VisitorView.as_view(), name="visitor"),
            path("<int:visitor_id>/now/", VisitorNowView.as_view(), name="now"),
            path("<int:visitor_id>/recording/", RecordingView.as_view(), name="recording"),
        ]


def lead_url(lead: Lead) -> str:
    """The admin page of a lead."""
    return reverse("wagtail_ma_visitors:visitor", args=[lead.visitor_id])
