"""The screens of mails and senders."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import FormView, TemplateView
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import Column, LiveStatusTagColumn, NumberColumn
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.admin.widgets.button import Button
from wagtail.log_actions import log
from wagtail.permissions import policy_registry
from wagtail.snippets.views.snippets import EditView, IndexView, SnippetViewSet

from wagtail_ma.admin.mail_panels import MergeFieldsPanel, ReadyPanel
from wagtail_ma.admin.mail_results import MailResultsView, SendAgainView
from wagtail_ma.admin.mail_sending import DispatchView, MailSendView
from wagtail_ma.admin.permissions import may
from wagtail_ma.messaging import preview, ready
from wagtail_ma.messaging.compile import CannotCompile
from wagtail_ma.messaging.models import Delivery, Mail, SenderProfile
from wagtail_ma.people.models import Lead
from wagtail_ma.segments.blocks import StoredSegmentChooser

NAMESPACE = "wagtail_ma_mails"


class SentColumn(NumberColumn):
    """How many were sent, leading to the results."""

    cell_template_name = "wagtail_ma/admin/mails/sent_cell.html"

    def get_cell_context_data(self, instance: Mail, parent_context: Any) -> dict[str, Any]:
        context = super().get_cell_context_data(instance, parent_context)
        context["url"] = reverse(f"{NAMESPACE}:results", args=[instance.pk])
        context["may_see"] = may(parent_context["request"], Delivery, "view")
        return context


class MailIndexView(IndexView):
    """All mails."""

    default_ordering = "name"

    def get_base_queryset(self) -> QuerySet[Mail]:
        is_sent = Q(deliveries__state=Delivery.State.SENT)
        return super().get_base_queryset().annotate(sent_count=Count("deliveries", filter=is_sent))

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(*args, **kwargs)
        context["has_sender"] = bool(context["object_list"]) or SenderProfile.objects.exists()
        return context


class MailEditView(EditView):
    """The editor, with a test mail and the results one click away."""

    @cached_property
    def header_more_buttons(self) -> list[Button]:
        buttons = [
            *super().header_more_buttons,
            Button(
                _("Send me a test"),
                url=reverse(f"{NAMESPACE}:test", args=[self.object.pk]),
                icon_name="mail",
                priority=1,
            ),
        ]
        if self.object.is_bulk and may(self.request, Mail, "publish"):
            buttons.append(
                Button(
                    _("Send to an audience"),
                    url=reverse(f"{NAMESPACE}:send", args=[self.object.pk]),
                    icon_name="mail",
                    priority=0,
                )
            )
        if may(self.request, Lead, "view"):
            buttons.append(
                Button(
                    _("See it as a lead"),
                    url=reverse(f"{NAMESPACE}:for_lead", args=[self.object.pk]),
                    icon_name="view",
                    priority=1,
                )
            )
        if may(self.request, Delivery, "view"):
            buttons.append(
                Button(
                    _("Results"),
                    url=reverse(f"{NAMESPACE}:results", args=[self.object.pk]),
                    icon_name="history",
                    priority=2,
                )
            )
        return buttons


class MailTestForm(forms.Form):
    """Whom the merge fields shall stand for."""

    lead_email = forms.EmailField(
        label=gettext_lazy("Filled in for"),
        required=False,
        help_text=gettext_lazy(
            "The e-mail address of a lead whose name, company and so on are filled in. Empty: a made-up "
            "person. The test goes to you alone."
        ),
    )

    def clean_lead_email(self) -> str:
        email: str = self.cleaned_data["lead_email"]
        if email and not Lead.objects.filter(email__iexact=email).exists():
            raise forms.ValidationError(_("There is no lead with this address."))
        return email


class MailForLeadForm(MailTestForm):
    """Whose eyes to look with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["lead_email"].required = True
        self.fields["lead_email"].help_text = _("The e-mail address of a lead. Nothing is sent.")


class MailTestView(PermissionCheckedMixin, WagtailAdminTemplateMixin, FormView):  # type: ignore[type-arg]
    """Send the mail as it stands in the newest draft to oneself. GET asks, POST sends."""

    template_name = "wagtail_ma/admin/mails/test.html"
    header_icon = "mail"
    page_title = gettext_lazy("Send me a test")
    form_class = MailTestForm
    permission_required = "change"

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Mail)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        stored = get_object_or_404(Mail, pk=kwargs["pk"])
        self.mail: Mail = stored.get_latest_revision_as_object()
        self.edit_url = reverse(f"{NAMESPACE}:edit", args=[stored.pk])
        return super().dispatch(request, *args, **kwargs)

    def get_form(self, form_class: Any = None) -> forms.Form:
        form: forms.Form = super().get_form(form_class)
        if not may(self.request, Lead, "view"):
            del form.fields["lead_email"]
        return form

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse(f"{NAMESPACE}:list"), "label": _("Mails")},
            {"url": self.edit_url, "label": str(self.mail)},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            mail=self.mail, edit_url=self.edit_url, problems=ready.problems(self.mail), **kwargs
        )

    def form_valid(self, form: forms.Form) -> HttpResponse:
        to = str(getattr(self.request.user, "email", ""))
        if not to:
            messages.error(self.request, _("Your account has no e-mail address."))
            return self.render_to_response(self.get_context_data(form=form))
        email = form.cleaned_data.get("lead_email")
        lead = Lead.objects.filter(email__iexact=email).order_by("pk").first() if email else None
        try:
            words = preview.send_test(self.mail, to, lead)
        except (CannotCompile, ValueError) as error:
            words = str(error)
        if words:
            messages.error(self.request, _("The test was not sent: %(error)s") % {"error": words})
            return self.render_to_response(self.get_context_data(form=form))
        preview.note_test(self.mail, self.request.user)
        messages.success(self.request, _("A test is on its way to %(address)s.") % {"address": to})
        return redirect(self.edit_url)


class MailForLeadView(PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """The mail as one lead would get it: HTML, on a phone, plain."""

    template_name = "wagtail_ma/admin/mails/for_lead.html"
    header_icon = "mail"
    page_title = gettext_lazy("See it as a lead")
    permission_required = "view"

    @property
    def permission_policy(self) -> Any:
        # Of leads: their names are shown.
        return policy_registry.get_by_type(Lead)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not may(request, Mail, "change"):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse(f"{NAMESPACE}:list"), "label": _("Mails")},
            {"url": reverse(f"{NAMESPACE}:edit", args=[self.kwargs["pk"]]), "label": str(self.mail)},
            {"url": "", "label": self.get_page_title()},
        ]

    @cached_property
    def mail(self) -> Mail:
        found: Mail = get_object_or_404(Mail, pk=self.kwargs["pk"]).get_latest_revision_as_object()
        return found

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        given = self.request.GET or None
        form = MailForLeadForm(given)
        context = super().get_context_data(**kwargs) | {"form": form}
        context["edit_url"] = reverse(f"{NAMESPACE}:edit", args=[self.mail.pk])
        if form.is_valid():
            lead = Lead.objects.filter(email__iexact=form.cleaned_data["lead_email"]).order_by("pk").first()
            log(lead, "wagtail_ma.view_lead", user=self.request.user)
            try:
                context["filled"] = filled = preview.filled_for(self.mail, lead)
                context["plain"] = f"{preview.head(filled)}\n\n{filled.text}"
            except CannotCompile as error:
                context["error"] = str(error)
        return context


class MailViewSet(SnippetViewSet):
    """Mails: drafts, revisions, preview, test, results."""

    model = Mail
    admin_url_namespace = NAMESPACE
    base_url_path = "marketing/mails"
    icon = "mail"
    menu_label = gettext_lazy("Mails")
    menu_name = "wagtail-ma-mails"
    menu_order = 500
    menu_hook = "register_wagtail_ma_menu_item"
    add_to_admin_menu = True
    index_view_class = MailIndexView
    index_template_name = "wagtail_ma/admin/mails/index.html"
    index_results_template_name = "wagtail_ma/admin/mails/index_results.html"
    edit_view_class = MailEditView
    copy_view_enabled = True
    list_display = [
        "name",
        Column("subject", label=gettext_lazy("Subject"), sort_key="subject"),
        Column("get_kind_display", label=gettext_lazy("Kind")),
        LiveStatusTagColumn(),
        SentColumn("sent_count", label=gettext_lazy("Sent"), sort_key="sent_count"),
    ]
    list_filter = ["kind", "live", "sender"]
    list_per_page = 50
    search_fields = ["name", "subject"]
    search_backend_name = None
    edit_handler = ObjectList(
        [
            HelpPanel(
                content=gettext_lazy(
                    "A mail is written here, and sent to an audience, by a scenario or by its own rule. It "
                    "goes to people who have agreed to get mail; the sender's address and the unsubscribe "
                    "link are added at its foot."
                )
            ),
            ReadyPanel(heading=gettext_lazy("Ready to be sent?"), icon="check"),
            FieldPanel("name"),
            FieldRowPanel([FieldPanel("kind"), FieldPanel("language")]),
            FieldPanel("sender"),
            MultiFieldPanel(
                [FieldPanel("subject"), FieldPanel("preheader")], heading=gettext_lazy("In the inbox")
            ),
            MergeFieldsPanel(heading=gettext_lazy("Merge fields"), icon="user"),
            FieldPanel("body"),
            MultiFieldPanel(
                [
                    FieldRowPanel([FieldPanel("topic"), FieldPanel("tracking")]),
                    FieldPanel("is_tagging"),
                    FieldRowPanel([FieldPanel("timing"), FieldPanel("latest_hours")]),
                    FieldPanel("is_from_owner"),
                    FieldPanel("unless_segment", widget=StoredSegmentChooser),
                ],
                heading=gettext_lazy("Sending"),
                classname="collapsed",
            ),
            MultiFieldPanel(
                [
                    FieldPanel("trigger_segment", widget=StoredSegmentChooser),
                    FieldRowPanel([FieldPanel("trigger_delay_minutes"), FieldPanel("trigger_again_days")]),
                ],
                heading=gettext_lazy("Triggered by a rule"),
                help_text=gettext_lazy("For mails of the kind “Triggered by a rule” only."),
                classname="collapsed",
            ),
        ]
    )

    def get_urlpatterns(self) -> list[Any]:
        return [
            *super().get_urlpatterns(),
            path("test/<int:pk>/", MailTestView.as_view(), name="test"),
            path("send/<int:pk>/", MailSendView.as_view(), name="send"),
            path("sending/<int:pk>/", DispatchView.as_view(), name="dispatch"),
            path("sending/<int:pk>/now/", DispatchView.as_view(results_only=True), name="dispatch_results"),
            path("for-lead/<int:pk>/", MailForLeadView.as_view(), name="for_lead"),
            path("results/<int:pk>/", MailResultsView.as_view(), name="results"),
            path("results/<int:pk>/list/", MailResultsView.as_view(results_only=True), name="results_list"),
            path("again/<int:pk>/", SendAgainView.as_view(), name="send_again"),
        ]


class SenderProfileViewSet(ModelViewSet):
    """Who mails are from."""

    model = SenderProfile
    name = "wagtail_ma_senders"
    url_prefix = "marketing/senders"
    icon = "user"
    menu_label = gettext_lazy("Senders")
    menu_name = "wagtail-ma-senders"
    menu_order = 510
    add_to_reference_index = False
    list_display = [
        "name",
        Column("email", label=gettext_lazy("E-mail address"), sort_key="email"),
        Column("legal_name", label=gettext_lazy("Legal name")),
    ]
    list_filter: list[str] = []
    search_fields = ["name", "email", "legal_name"]
    search_backend_name = None
    index_results_template_name = "wagtail_ma/admin/mails/senders_results.html"
    edit_handler = ObjectList(
        [
            HelpPanel(
                content=gettext_lazy(
                    "Laws on mail advertising want every mail to show who sends it, with an address and a "
                    "contact. These lines are put at the foot of every mail from this sender."
                )
            ),
            FieldRowPanel([FieldPanel("name"), FieldPanel("email")]),
            FieldPanel("legal_name"),
            FieldPanel("postal_address"),
            FieldPanel("contact"),
        ]
    )
