"""Sending a mail to an audience: who, when, how many; then watching it go, and holding it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView, TemplateView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.widgets import AdminDateTimeInput
from wagtail.log_actions import log

from wagtail_ma.admin.permissions import may
from wagtail_ma.messaging import audience, dispatches, preview, ready, reasons
from wagtail_ma.messaging.audience import Counted
from wagtail_ma.messaging.models import Delivery, Dispatch, Mail
from wagtail_ma.segments.models import Segment

NAMESPACE = "wagtail_ma_mails"
# From so many people on the number is typed by hand.
TYPED_FROM = 10_000


class AudienceForm(forms.Form):
    """Who gets it, and when."""

    include = forms.ModelMultipleChoiceField(
        label=gettext_lazy("To people in"),
        queryset=Segment.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy(
            "In at least one of these segments. None chosen: everybody who agreed to mail."
        ),
    )
    exclude = forms.ModelMultipleChoiceField(
        label=gettext_lazy("But not to people in"),
        queryset=Segment.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    scheduled_at = forms.DateTimeField(
        label=gettext_lazy("Date and time"),
        required=False,
        widget=AdminDateTimeInput,
        help_text=gettext_lazy("Empty: now. It can be taken back for a minute."),
    )
    # What was counted, and what somebody has confirmed.
    counted = forms.IntegerField(required=False, min_value=0, widget=forms.HiddenInput)
    typed = forms.IntegerField(
        label=gettext_lazy("Type the number of people to confirm"), required=False, min_value=0
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stored = Segment.objects.filter(is_live=False, is_internal=False).order_by("name")
        for name in ("include", "exclude"):
            field: Any = self.fields[name]
            field.queryset = stored

    def clean_scheduled_at(self) -> Any:
        at = self.cleaned_data["scheduled_at"]
        if at is not None and at < timezone.now():
            raise forms.ValidationError(_("This time is over. Leave it empty to send now."))
        return at


class MailSendView(WagtailAdminTemplateMixin, FormView):  # type: ignore[type-arg]
    """First the audience is counted, then somebody confirms the number, then it is planned."""

    template_name = "wagtail_ma/admin/mails/send.html"
    header_icon = "mail"
    page_title = gettext_lazy("Send to an audience")
    form_class = AudienceForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not may(request, Mail, "publish"):
            raise PermissionDenied
        self.mail = get_object_or_404(Mail, pk=kwargs["pk"])
        self.edit_url = reverse(f"{NAMESPACE}:edit", args=[self.mail.pk])
        under_way = self.mail.dispatches.filter(ended_at__isnull=True).first()
        if under_way is not None:
            return redirect(f"{NAMESPACE}:dispatch", under_way.pk)
        if not self.mail.is_bulk:
            messages.warning(
                request, _("This kind of mail goes to single people, by scenarios or by its rule.")
            )
            return redirect(self.edit_url)
        return super().dispatch(request, *args, **kwargs)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse(f"{NAMESPACE}:list"), "label": _("Mails")},
            {"url": self.edit_url, "label": str(self.mail)},
            {"url": "", "label": self.get_page_title()},
        ]

    @cached_property
    def problems(self) -> list[str]:
        found = ready.problems(self.mail)
        if not preview.is_tested(self.mail):
            found.append(
                _("No test of the published content was sent yet: send one to yourself and read it.")
            )
        return found

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        return context | {
            "mail": self.mail,
            "edit_url": self.edit_url,
            "test_url": reverse(f"{NAMESPACE}:test", args=[self.mail.pk]),
            "problems": self.problems,
            "sent_before": self.mail.deliveries.filter(state=Delivery.State.SENT).count(),
        }

    def form_valid(self, form: AudienceForm) -> HttpResponse:
        data = form.cleaned_data
        include, exclude = ([segment.pk for segment in data[name]] for name in ("include", "exclude"))
        counted = audience.count(include, exclude, self.mail)
        if not self._is_confirmed(form, counted):
            # A bound form would show the number of an earlier count.
            data = form.data.copy()  # type: ignore[attr-defined]
            data["counted"] = str(counted.agreed)
            form.data = data
            return self.render_to_response(
                self.get_context_data(form=form, audience=counted, needs_typing=counted.agreed >= TYPED_FROM)
            )
        try:
            planned = dispatches.plan(
                self.mail,
                include=include,
                exclude=exclude,
                scheduled_at=data["scheduled_at"],
                expected_count=counted.agreed,
                by=self.request.user,
                now=timezone.now(),
            )
        except dispatches.AlreadyPlanned:
            messages.info(self.request, _("This mail is on its way already."))
            under_way = self.mail.dispatches.filter(ended_at__isnull=True).first()
            return redirect(f"{NAMESPACE}:dispatch", under_way.pk) if under_way else redirect(self.edit_url)
        log(self.mail, "wagtail_ma.send", user=self.request.user, data={"people": counted.agreed})
        return redirect(f"{NAMESPACE}:dispatch", planned.pk)

    def _is_confirmed(self, form: AudienceForm, counted: Counted) -> bool:
        """Somebody pressed "Send" below the very number that is true now."""
        if "send" not in self.request.POST or self.problems or not counted.agreed:
            return False
        if form.cleaned_data["counted"] != counted.agreed:
            form.add_error(None, _("The number of people has changed meanwhile. Please look again."))
            return False
        if counted.agreed >= TYPED_FROM and form.cleaned_data["typed"] != counted.agreed:
            form.add_error("typed", _("This is not the number of people."))
            return False
        return True


class DispatchView(WagtailAdminTemplateMixin, TemplateView):
    """One sending: how far it is, with buttons to hold it, let it go on, give it up."""

    template_name = "wagtail_ma/admin/mails/dispatch.html"
    results_template_name = "wagtail_ma/admin/mails/dispatch_results.html"
    header_icon = "mail"
    page_title = gettext_lazy("Sending")
    results_only = False
    http_method_names = ["get", "post"]

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not may(request, Mail, "publish", "change"):
            raise PermissionDenied
        self.sending = get_object_or_404(Dispatch.objects.select_related("mail"), pk=kwargs["pk"])
        return super().dispatch(request, *args, **kwargs)

    def get_template_names(self) -> list[str]:
        return [self.results_template_name if self.results_only else self.template_name]

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        mail = self.sending.mail
        items = [*self.breadcrumbs_items, {"url": reverse(f"{NAMESPACE}:list"), "label": _("Mails")}]
        if mail is not None:
            items.append({"url": reverse(f"{NAMESPACE}:edit", args=[mail.pk]), "label": str(mail)})
        return [*items, {"url": "", "label": self.get_page_title()}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        sending = self.sending
        counts = dict(sending.deliveries.values_list("state").annotate(count=Count("pk")))
        waiting = sum(counts.get(state, 0) for state in (*dispatches.WAITING, Delivery.State.SENDING))
        total = sum(counts.values())
        labels = dict(Delivery.State.choices)
        return context | {
            "sending": sending,
            "mail": sending.mail,
            "is_open": sending.ended_at is None,
            "reason": reasons.label(sending.reason) if sending.reason else "",
            "problems": self._problems(),
            "total": total,
            "settled": total - waiting,
            "percent": round(100 * (total - waiting) / total) if total else 0,
            # What the page knows already it is not sent again.
            "stamp": f"{sending.state}-{total - waiting}-{total}",
            "states": [(labels[state], counts[state]) for state in labels if counts.get(state)],
            "may_act": may(self.request, Mail, "publish"),
            "can_pause": sending.state in (Dispatch.State.RUNNING, Dispatch.State.PREPARING),
            "can_resume": sending.state == Dispatch.State.PAUSED,
            "refresh_url": reverse(f"{NAMESPACE}:dispatch_results", args=[sending.pk]),
            "results_url": reverse(f"{NAMESPACE}:results", args=[sending.mail_id]) if sending.mail_id else "",
        }

    def _problems(self) -> list[str]:
        """What has to be put right before it goes on."""
        mail = self.sending.mail
        is_not_ready = self.sending.ended_at is None and self.sending.reason == reasons.NOT_READY
        return ready.problems(mail) if is_not_ready and mail is not None else []

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        context = self.get_context_data(**kwargs)
        if self.results_only and request.GET.get("stamp") == context["stamp"]:
            return HttpResponse(status=204)
        return self.render_to_response(context)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may(request, Mail, "publish"):
            raise PermissionDenied
        acts: dict[str, tuple[Any, str]] = {
            "pause": (dispatches.pause, _("The sending is paused.")),
            "resume": (dispatches.resume, _("The sending goes on.")),
            "cancel": (dispatches.cancel, _("The sending is cancelled. What had left has left.")),
        }
        act, words = acts.get(request.POST.get("act", ""), (None, ""))
        if act is not None and act(self.sending.pk, now=timezone.now()):
            messages.success(request, words)
            if self.sending.mail is not None:
                data = {"act": request.POST["act"]}
                log(self.sending.mail, "wagtail_ma.send", user=request.user, data=data)
        else:
            messages.info(request, _("Nothing was done: it had changed meanwhile."))
        return redirect(f"{NAMESPACE}:dispatch", self.sending.pk)
