"""Hot leads: the lists, "handled", and sending what may take a worry away."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView, View
from wagtail.admin import messages
from wagtail.admin.menu import MenuItem
from wagtail.admin.utils import get_valid_next_url_from_request
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.viewsets.base import ViewSet
from wagtail.admin.widgets.button import HeaderButton
from wagtail.permissions import policy_registry

from wagtail_ma.admin.permissions import may, permission_menu_item
from wagtail_ma.jobs import queue
from wagtail_ma.messaging import consents
from wagtail_ma.messaging.models import Delivery, Mail
from wagtail_ma.people.models import Lead, Visitor
from wagtail_ma.reports import ranked
from wagtail_ma.sales import hot, queries, suggestions
from wagtail_ma.sales.models import HotDefinition, HotEntry
from wagtail_ma.sales.patterns import reasons

PAGE_SIZE = 30
LISTS = {
    **dict(HotDefinition.List.choices),
    queries.COOLING: gettext_lazy("Cooling"),
}
EXPLANATIONS = {
    "hot": gettext_lazy("Call them while it is fresh: what they did says that they may buy."),
    "hidden": gettext_lazy(
        "Their score need not be high, but something keeps them from asking. Send them what takes the worry "
        "away."
    ),
    "surging": gettext_lazy(
        "They were away for long and suddenly come often: something has changed for them."
    ),
    "at_risk": gettext_lazy(
        "Customers who come much less often than usual, or read about cancelling: ask them how they are."
    ),
    "cooling": gettext_lazy("They were hot and will not be much longer, or ceased to be in the last 7 days."),
}


class _VisitorsMixin(PermissionCheckedMixin):
    any_permission_required = ["view"]

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Visitor)


def visible_to(request: HttpRequest, entries: Any) -> Any:
    """Names are another right than numbers."""
    return entries if may(request, Lead, "view") else entries.filter(visitor__lead__isnull=True)


def cards(entries: Iterable[HotEntry], which: str, *, now: Any) -> list[dict[str, Any]]:
    """One for each person: who, where they stand, all reasons (those of the list ``which`` first), what
    helps. In the order in which the people come first among the entries."""
    by_person: dict[int, list[HotEntry]] = {}
    for entry in entries:
        by_person.setdefault(entry.visitor_id, []).append(entry)
    standings = queries.standings(by_person)
    ranked.decorate_page(list(standings.values()), now=now)
    worried = {
        entry.visitor_id: entry
        for mine in by_person.values()
        for entry in mine
        if entry.definition.list == HotDefinition.List.HIDDEN and not entry.closed_at
    }
    helps = suggestions.for_visitors(list(worried), now=now)
    because = reasons(entry for mine in by_person.values() for entry in mine)
    return [
        {
            "visitor": mine[0].visitor,
            "lead": getattr(mine[0].visitor, "lead", None),
            "standing": standings.get(pk),
            "reasons": [
                {"entry": entry, "reason": because[entry.pk]}
                for entry in sorted(mine, key=lambda entry: entry.definition.list != which)
            ],
            "open": [entry for entry in mine if not entry.closed_at],
            "help": helps.get(pk),
            "worry": worried.get(pk),
        }
        for pk, mine in by_person.items()
    ]


class HotLeadsView(_VisitorsMixin, WagtailAdminTemplateMixin, TemplateView):
    """One of the lists, those most likely to buy first."""

    template_name = "wagtail_ma/admin/hot/leads.html"
    page_title = gettext_lazy("Hot leads")
    header_icon = "wagtail-ma-hot"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.page_title}]

    @cached_property
    def header_buttons(self) -> list[Any]:
        if not may(self.request, HotDefinition):
            return []
        url = reverse("wagtail_ma_hot_definitions:index")
        return [HeaderButton(label=_("Definitions"), url=url, icon_name="cog")]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        now = timezone.now()
        which = self.request.GET.get("list", "")
        which = which if which in LISTS else HotDefinition.List.HOT
        counts = queries.counts(now=now)
        entries = visible_to(self.request, queries.on_list(which, now=now))
        # Who is hot by several definitions is named once. (Those who are hot at one time are few.)
        people = list(dict.fromkeys(entries.values_list("visitor_id", flat=True)))
        page = Paginator(people, PAGE_SIZE).get_page(self.request.GET.get("p"))
        if which != queries.COOLING:
            entries = visible_to(self.request, queries.open_entries())
        of_page = entries.filter(visitor_id__in=page.object_list)
        return {
            **context,
            "which": which,
            "tabs": [
                {"label": label, "url": f"?list={key}", "count": counts[key], "is_current": key == which}
                for key, label in LISTS.items()
            ],
            "explanation": EXPLANATIONS[which],
            "page": page,
            "cards": cards(of_page, which, now=now),
            "may_change": may(self.request, Lead, "change"),
            "anything_defined": HotDefinition.objects.filter(is_active=True).exists(),
        }


class _EntryAction(_VisitorsMixin, View):
    """Something done about one hot lead."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may(request, Lead, "change"):
            raise PermissionDenied
        entries = visible_to(request, HotEntry.objects.select_related("visitor__lead", "definition"))
        self.act(request, get_object_or_404(entries, pk=kwargs["entry_id"]))
        return redirect(get_valid_next_url_from_request(request) or reverse("wagtail_ma_hot:index"))

    def act(self, request: HttpRequest, entry: HotEntry) -> None:
        """Do it and say so."""
        raise NotImplementedError


class HandledView(_EntryAction):
    """Somebody took care of it: no longer hot; by all the reasons that were shown beside each other."""

    def act(self, request: HttpRequest, entry: HotEntry) -> None:
        shown = [int(each) for each in request.POST.getlist("entry") if each.isascii() and each.isdigit()]
        entries = HotEntry.objects.filter(visitor_id=entry.visitor_id, pk__in=[entry.pk, *shown])
        count = hot.handle(entries.values_list("pk", flat=True), by=request.user, now=timezone.now())
        if not count:
            return
        queue.wake()
        person = getattr(entry.visitor, "lead", entry.visitor)
        if count > 1:
            messages.success(request, _("%(person)s is handled.") % {"person": person})
        else:
            messages.success(
                request,
                _("“%(definition)s” is handled for %(person)s.")
                % {"definition": entry.definition, "person": person},
            )


class SendView(_EntryAction):
    """Send a suggested mail."""

    def act(self, request: HttpRequest, entry: HotEntry) -> None:
        lead: Lead | None = getattr(entry.visitor, "lead", None)
        asked = request.POST.get("mail", "")
        mail = Mail.objects.filter(pk=int(asked), live=True).first() if asked.isdigit() else None
        if lead is None or mail is None:
            raise Http404
        if mail.is_marketing and not consents.may_mail(lead.email):
            messages.error(request, _("%(person)s has not agreed to marketing mail.") % {"person": lead})
            return
        delivery = suggestions.send(entry, mail, lead, now=timezone.now())
        if delivery is None or delivery.state == Delivery.State.SKIPPED:
            messages.error(request, _("“%(mail)s” cannot be sent as it is.") % {"mail": mail})
            return
        queue.wake()
        messages.success(
            request, _("“%(mail)s” is on its way to %(person)s.") % {"mail": mail, "person": lead}
        )


class HotLeadsViewSet(ViewSet):
    """The screens of hot leads."""

    name = "wagtail_ma_hot"
    url_prefix = "marketing/hot"
    icon = "wagtail-ma-hot"
    menu_label = gettext_lazy("Hot leads")
    menu_name = "wagtail-ma-hot"

    @cached_property
    def menu_item_class(self) -> type[MenuItem]:
        return permission_menu_item(Visitor)

    def get_urlpatterns(self) -> list[Any]:
        return [
            path("", HotLeadsView.as_view(), name="index"),
            path("<int:entry_id>/handled/", HandledView.as_view(), name="handled"),
            path("<int:entry_id>/send/", SendView.as_view(), name="send"),
        ]
