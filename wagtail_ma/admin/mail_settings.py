"""How this installation sends mail, and what readers can subscribe to."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import BooleanColumn, Column
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSet

from wagtail_ma.admin.permissions import may
from wagtail_ma.messaging import instance, rates
from wagtail_ma.messaging.models import MailTopic
from wagtail_ma.messaging.models_of_sending import SendingRules

NOT_KEPT = ("index", "index_results", "add", "delete")


class SendingRulesEditView(generic.EditView):
    """There is one set of rules: after saving one stays here."""

    def get_success_url(self) -> str:
        return reverse("wagtail_ma_sending_rules:index")

    def get_delete_url(self) -> None:
        return None

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            is_copy=instance.is_copy(self.object),
            adopt_url=reverse("wagtail_ma_sending_rules:adopt"),
            **kwargs,
        )


@require_POST
def adopt(request: HttpRequest) -> HttpResponse:
    """Somebody says that mail is sent from this database (it is a copy of another)."""
    if not may(request, SendingRules, "change"):
        raise PermissionDenied
    rules = rates.rules_now()
    instance.adopt(rules)
    messages.success(request, _("Mail is sent from here now."))
    return redirect("wagtail_ma_sending_rules:edit", rules.pk)


class SendingRulesViewSet(ModelViewSet):
    """How fast, when and how often mail leaves."""

    model = SendingRules
    name = "wagtail_ma_sending_rules"
    url_prefix = "marketing/sending-rules"
    icon = "cog"
    menu_label = gettext_lazy("Rules of sending")
    menu_name = "wagtail-ma-sending-rules"
    menu_order = 530
    add_to_reference_index = False
    copy_view_enabled = False
    edit_view_class = SendingRulesEditView
    edit_template_name = "wagtail_ma/admin/mails/rules.html"
    edit_handler = ObjectList(
        [
            HelpPanel(
                content=gettext_lazy(
                    "How fast, when and how often this site sends mail. What waits because of these rules "
                    "goes out as soon as they allow it; what somebody has just asked for (a download link) "
                    "waits for no quiet hours."
                )
            ),
            FieldPanel("is_stopped"),
            MultiFieldPanel(
                [
                    FieldRowPanel([FieldPanel("per_second"), FieldPanel("per_minute")]),
                    FieldRowPanel([FieldPanel("per_hour"), FieldPanel("per_day")]),
                    FieldPanel("per_domain_minute"),
                ],
                heading=gettext_lazy("How fast"),
                help_text=gettext_lazy("Empty: no limit."),
            ),
            MultiFieldPanel(
                [
                    FieldPanel("warm_up_from"),
                    FieldRowPanel([FieldPanel("warm_up_first"), FieldPanel("warm_up_growth")]),
                ],
                heading=gettext_lazy("Warm-up of a new sending address"),
            ),
            MultiFieldPanel(
                [FieldRowPanel([FieldPanel("most_per_lead"), FieldPanel("most_per_lead_days")])],
                heading=gettext_lazy("How often to one person"),
            ),
            MultiFieldPanel(
                [FieldRowPanel([FieldPanel("scenario_per_day"), FieldPanel("scenario_per_week")])],
                heading=gettext_lazy("When scenarios write to one person"),
                help_text=gettext_lazy(
                    "All marketing mail counts, but only mails of scenarios are held back: they are skipped, "
                    "and the log of the scenario says so."
                ),
            ),
            MultiFieldPanel(
                [
                    FieldRowPanel([FieldPanel("quiet_from"), FieldPanel("quiet_until")]),
                    FieldRowPanel([FieldPanel("opens"), FieldPanel("closes")]),
                    FieldPanel("holidays"),
                ],
                heading=gettext_lazy("When"),
            ),
        ]
    )

    def index_redirect(self, request: HttpRequest) -> HttpResponse:
        """To the one set of rules (made with its defaults when there is none)."""
        return redirect(self.get_url_name("edit"), rates.rules_now().pk)

    def get_urlpatterns(self) -> list[Any]:
        # There is one: none is listed, added or deleted.
        kept = [each for each in super().get_urlpatterns() if each.name not in NOT_KEPT]
        return [
            path("", self.index_redirect, name="index"),
            path("results/", self.index_redirect, name="index_results"),
            path("adopt/", adopt, name="adopt"),
            *kept,
        ]


class MailTopicViewSet(ModelViewSet):
    """What readers choose on their preference page."""

    model = MailTopic
    name = "wagtail_ma_mail_topics"
    url_prefix = "marketing/subscriptions"
    icon = "tag"
    menu_label = gettext_lazy("Subscriptions")
    menu_name = "wagtail-ma-subscriptions"
    menu_order = 520
    add_to_reference_index = False
    list_display = [
        "name",
        Column("description", label=gettext_lazy("Description")),
        BooleanColumn("is_default", label=gettext_lazy("For everybody who agreed")),
    ]
    list_filter: list[str] = []
    search_fields = ["name", "description"]
    search_backend_name = None
    index_results_template_name = "wagtail_ma/admin/mails/topics_results.html"
    edit_handler = ObjectList(
        [
            HelpPanel(
                content=gettext_lazy(
                    "What a mail is about, for readers who want some mails and not others: they choose on "
                    "the page that every mail links to at its foot."
                )
            ),
            FieldPanel("name"),
            FieldPanel("description"),
            FieldPanel("is_default"),
        ]
    )
