"""Editors' rules on where visits came from."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import Column, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSet

from wagtail_ma.tracking import channel_rules
from wagtail_ma.tracking.models import ChannelRule


class ChannelRuleForm(WagtailAdminModelForm):
    """A rule; what is typed like an address is cut down to the part that counts."""

    def clean_value(self) -> str:
        value: str = self.cleaned_data["value"].strip()
        field = self.cleaned_data.get("field")
        if field == ChannelRule.Field.REFERRER_HOST:
            value = value.partition("://")[2] or value
            value = value.partition("/")[0].lower()
        if field == ChannelRule.Field.LANDING_PATH and "://" in value:
            raise forms.ValidationError(_("Give the path alone, for example /campaign/."))
        if not value:
            raise forms.ValidationError(_("Say which text to look for."))
        return value

    def clean_source_name(self) -> str:
        # As those that are recognised: one name in two spellings would be two rows in a report.
        name: str = self.cleaned_data["source_name"]
        return name.strip().lower()


class ForgetMixin:
    """A change applies at once in this process, and within a minute in all others."""

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        channel_rules.forget()
        return response


class ChannelRuleAddView(ForgetMixin, generic.CreateView):
    """A new rule; it comes last."""


class ChannelRuleCopyView(ForgetMixin, generic.CopyView):
    """A new rule made from another."""


class ChannelRuleEditView(ForgetMixin, generic.EditView):
    """An existing rule."""


class ChannelRuleDeleteView(ForgetMixin, generic.DeleteView):
    """What is known without the rule holds again."""


class ChannelRuleReorderView(generic.ReorderView):
    """One rule is moved."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: HttpResponse = super().post(request, *args, **kwargs)
        channel_rules.forget()
        return response


class SourceColumn(Column):
    """The name in reports."""

    def get_value(self, instance: ChannelRule) -> str:
        return instance.source_name or _("as recognised")


class ChannelRuleIndexView(generic.IndexView):
    """All rules in the order in which they are asked."""

    template_name = "wagtail_ma/admin/channels/index.html"
    results_template_name = "wagtail_ma/admin/channels/index_results.html"
    default_ordering = "sort_order"

    @cached_property
    def columns(self) -> list[Column]:
        return [
            TitleColumn("rule", label=_("If"), accessor=str, get_url=self.get_edit_url),
            Column("get_medium_display", label=_("Channel"), sort_key="medium"),
            SourceColumn("source", label=_("Source")),
        ]


class ChannelRuleViewSet(ModelViewSet):
    """List, add, edit, copy, delete and order channel rules."""

    model = ChannelRule
    name = "wagtail_ma_channels"
    url_prefix = "marketing/channels"
    icon = "globe"
    menu_label = gettext_lazy("Channels")
    menu_name = "wagtail-ma-channels"
    add_to_reference_index = False
    index_view_class = ChannelRuleIndexView
    add_view_class = ChannelRuleAddView
    edit_view_class = ChannelRuleEditView
    copy_view_class = ChannelRuleCopyView
    delete_view_class = ChannelRuleDeleteView
    reorder_view_class = ChannelRuleReorderView
    list_filter = ["field", "medium"]
    search_fields = ["value", "source_name"]
    search_backend_name = None
    edit_handler = ObjectList(
        [
            HelpPanel(
                content=gettext_lazy(
                    "Applies to visits that begin from now on; recorded visits stay as they are. Upper and "
                    "lower case, “www.” and a “/” at the end make no difference."
                )
            ),
            MultiFieldPanel(
                [
                    FieldRowPanel([FieldPanel("field"), FieldPanel("comparison")]),
                    FieldPanel(
                        "value",
                        help_text=gettext_lazy("For example partner.example.com, newsletter or /campaign/."),
                    ),
                ],
                heading=gettext_lazy("If this fits …"),
            ),
            MultiFieldPanel(
                [
                    FieldPanel("medium"),
                    FieldPanel(
                        "source_name",
                        help_text=gettext_lazy(
                            "As reports will name it, in lower case. Empty: as recognised."
                        ),
                    ),
                ],
                heading=gettext_lazy("… the visit came by"),
            ),
        ],
        base_form_class=ChannelRuleForm,
    )
