"""The people of a segment: how many over time, whom somebody put in or out by hand, and why."""

from __future__ import annotations

import re
from typing import Any

import swapper
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext, pgettext_lazy
from django.views.generic import TemplateView, View
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_ma.admin.permissions import may
from wagtail_ma.core.text import normalise_email
from wagtail_ma.jobs import queue
from wagtail_ma.people.causes import Cause
from wagtail_ma.people.models import Identity, Lead, Visitor
from wagtail_ma.personalisation.places import places, segments_in
from wagtail_ma.personalisation.preview import PREFIX
from wagtail_ma.reports import charts
from wagtail_ma.rules.blocks import MATCH_CHOICES
from wagtail_ma.segments import decisions, queries, sizes
from wagtail_ma.segments.models import Segment, Source
from wagtail_ma.segments.why import why

CHART_DAYS = 90
BY_HAND_SHOWN = 100
PAST_SHOWN = 10
MAX_ADDRESSES = 1_000


class _SegmentMixin(WagtailAdminTemplateMixin):
    """A screen below one segment, for those who may see segments and visitors."""

    header_icon = "wagtail-ma-segment"

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not (may(request, Segment) and may(request, Visitor, "view")):
            raise PermissionDenied
        if request.method == "POST" and not self.may_change:
            raise PermissionDenied
        response: HttpResponse = super().dispatch(request, *args, **kwargs)
        return response

    @property
    def may_change(self) -> bool:
        return may(self.request, Segment, "change") and not self.segment.is_live

    @cached_property
    def segment(self) -> Segment:
        return get_object_or_404(Segment, pk=self.kwargs["segment_id"])

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("wagtail_ma_segments:index"), "label": _("Segments")},
            {"url": reverse("wagtail_ma_segments:edit", args=[self.segment.pk]), "label": str(self.segment)},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return {
            **context,
            "segment": self.segment,
            "may_change": self.may_change,
            "may_see_leads": may(self.request, Lead, "view"),
        }


class PeopleView(_SegmentMixin, TemplateView):
    """Size over time, and people put in or out by hand."""

    page_title = pgettext_lazy("members of a segment", "People")
    template_name = "wagtail_ma/admin/segments/people.html"

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add the people with these e-mail addresses, or keep those who are in it now."""
        if request.POST.get("act") == "snapshot":
            return self._snapshot(request)
        if not may(request, Lead, "view"):
            # The answer tells whose address is known.
            raise PermissionDenied
        addresses, bad = _addresses(request.POST.get("addresses", ""))
        known = Identity.objects.filter(kind=Identity.Kind.EMAIL, key__in=addresses)
        found = dict(known.values_list("key", "visitor_id"))
        added = decisions.decide(
            self.segment, set(found.values()), is_member=True, by=request.user, now=timezone.now()
        )
        queue.wake()
        if added:
            text = ngettext("%(count)d person was added.", "%(count)d people were added.", len(added))
            messages.success(request, text % {"count": len(added)})
        if unknown := [*(address for address in addresses if address not in found), *bad]:
            messages.warning(
                request, _("Nobody is known by: %(addresses)s") % {"addresses": ", ".join(unknown)}
            )
        return redirect(request.path)

    def _snapshot(self, request: HttpRequest) -> HttpResponse:
        """A new segment with fixed members."""
        if not may(request, Segment, "add"):
            raise PermissionDenied
        now = timezone.now()
        day = date_format(timezone.localtime(now), "SHORT_DATETIME_FORMAT")
        name = _("%(name)s, %(day)s") % {"name": self.segment.name[:90], "day": day}
        try:
            made = decisions.snapshot(self.segment, name, by=request.user, now=now)
        except IntegrityError:
            messages.error(request, _("There is a segment “%(name)s” already.") % {"name": name})
            return redirect(request.path)
        text = ngettext("%(count)d person was kept.", "%(count)d people were kept.", made.member_count)
        messages.success(request, text % {"count": made.member_count})
        return redirect("wagtail_ma_segments:people", made.pk)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        days = sizes.over_time(self.segment.pk, days=CHART_DAYS, now=timezone.now())
        points = [(date_format(day, "SHORT_DATE_FORMAT"), count) for day, count in days]
        name = _("Visitors in “%(segment)s”") % {"segment": self.segment}
        by_hand = decisions.in_force().filter(segment=self.segment, visitor__merged_into__isnull=True)
        if not context["may_see_leads"]:
            by_hand = by_hand.filter(visitor__lead__isnull=True)
        return {
            **context,
            "may_add": may(self.request, Segment, "add"),
            "sources": [(Source(key).label, count) for key, count in queries.by_source(self.segment.pk)],
            "chart": charts.line_chart([charts.Series(name, points)], title=name),
            "members_url": f"{reverse('wagtail_ma_visitors:index')}?segment={self.segment.pk}",
            "by_hand": by_hand.select_related("visitor__lead", "decided_by").order_by("-decided_at")[
                :BY_HAND_SHOWN
            ],
        }


def _addresses(text: str) -> tuple[list[str], list[str]]:
    """The addresses in a text, and what is none."""
    good, bad = set(), []
    for word in re.split(r"[\s,;]+", text.strip())[:MAX_ADDRESSES]:
        try:
            good.add(normalise_email(word))
        except ValueError:
            bad += [word] if word else []
    return sorted(good), bad


class PersonView(_SegmentMixin, TemplateView):
    """Why one person is in the segment, or is not; and putting them in or out."""

    page_title = gettext_lazy("Why?")
    template_name = "wagtail_ma/admin/segments/person.html"

    @cached_property
    def visitor(self) -> Visitor:
        found = get_object_or_404(Visitor.objects.select_related("lead"), pk=self.kwargs["visitor_id"])
        if hasattr(found, "lead") and not may(self.request, Lead, "view"):
            raise PermissionDenied
        return found

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add, remove, or let the rule decide again."""
        act, now = request.POST.get("act"), timezone.now()
        if act == "withdraw":
            decisions.withdraw(self.segment, [self.visitor.pk], now=now)
        elif act in ("add", "remove"):
            decisions.decide(
                self.segment, [self.visitor.pk], is_member=act == "add", by=request.user, now=now
            )
        queue.wake()
        messages.success(request, _("Saved. Lists follow within seconds."))
        return redirect(request.path)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return {
            **context,
            "visitor": self.visitor,
            "why": why(self.segment, self.visitor.pk, now=timezone.now()),
            "matches": dict(MATCH_CHOICES),
            "membership": self.segment.memberships.filter(visitor=self.visitor).first(),
            # Whoever was merged has not left; the note serves the undoing.
            "past": self.segment.past.filter(visitor=self.visitor)
            .exclude(cause=Cause.MERGE)
            .order_by("-left_at")[:PAST_SHOWN],
        }


class PageAsSegmentView(View):
    """A live page as somebody in the segment sees it, for its editors. Never in a cache."""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        page = _live_page(kwargs["page_id"])
        segment = get_object_or_404(Segment, pk=kwargs["segment_id"])
        _refuse_others(request, page)
        mode = f"{PREFIX}{segment.pk}"
        if mode not in dict(page.preview_modes):
            raise Http404
        response: HttpResponse = page.make_preview_request(request, mode)
        return response


class PageSegmentsView(WagtailAdminTemplateMixin, TemplateView):
    """The choice of the segment, for the userbar."""

    page_title = gettext_lazy("View as segment")
    header_icon = "wagtail-ma-segment"
    template_name = "wagtail_ma/admin/segments/page_as.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        page = _live_page(self.kwargs["page_id"])
        _refuse_others(self.request, page)
        used = {pk for place in places(page) for pk in segments_in(place)}
        segments = [
            (segment, segment.pk in used)
            for segment in Segment.objects.filter(is_internal=False).order_by("name")
        ]
        return {**context, "page": page, "segments": sorted(segments, key=lambda pair: not pair[1])}

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.get_page_title()}]


def _live_page(page_id: int) -> Any:
    pages = swapper.load_model("wagtailcore", "Page").objects
    return get_object_or_404(pages, pk=page_id, live=True).specific


def _refuse_others(request: HttpRequest, page: Any) -> None:
    if not page.permissions_for_user(request.user).can_edit() or not may(request, Segment):
        raise PermissionDenied
