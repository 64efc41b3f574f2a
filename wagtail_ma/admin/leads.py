"""The named people: list, editing, adding by hand, exporting and erasing one."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, FieldRowPanel, HelpPanel, MultiFieldPanel, ObjectList, Panel
from wagtail.admin.ui.tables import Column, DateColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.log_actions import log

from wagtail_ma.admin.exports import SafeExportMixin
from wagtail_ma.admin.permissions import may
from wagtail_ma.admin.ranked import recording_filter
from wagtail_ma.core.text import normalise_email
from wagtail_ma.jobs import queue
from wagtail_ma.people import (
    browsers,
    companies,
    erase,
    export,
    lead_values,
    news,
    persons,
    phones,
    proposals,
)
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Identity, IdentityLink, Lead, LeadField, Visitor
from wagtail_ma.reports.timeline import METHOD_LABELS

EDITED = (
    *(name for name in lead_values.FIELDS if name != "company_name"),
    "company_name",
    "company",
    "job_function",
    "rank",
    "buying_role",
    "owner",
    "time_zone",
)


class LeadForm(WagtailAdminModelForm):
    """Somebody's record; the editor's own lead fields are added to it."""

    instance: Any
    email: forms.Field = forms.CharField(label=gettext_lazy("E-mail address"), max_length=254)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            # The key of the person: another address is another person, or a merge.
            self.fields["email"].disabled = True
        for field in LeadField.objects.all():
            self.fields[f"attribute_{field.key}"] = _form_field(field, self.instance)

    def clean_email(self) -> str:
        try:
            return normalise_email(self.cleaned_data["email"])
        except ValueError as error:
            raise ValidationError(_("This is not an e-mail address.")) from error

    def save(self, commit: bool = True) -> Any:
        lead, now = self.instance, timezone.now()
        changed = [name for name in self.changed_data if name in EDITED]
        for name in self.changed_data:
            if name.startswith("attribute_"):
                key = f"{lead_values.ATTRIBUTE}{name.removeprefix('attribute_')}"
                lead_values.write(lead, key, _storable(self.cleaned_data[name]))
                changed.append(key)
        user = getattr(self, "for_user", None)
        with transaction.atomic():
            if not lead.pk:
                # "By hand" is a way in like all others: a known address is the known person.
                known = identify(None, email=self.cleaned_data["email"], now=now, method="manual")
                lead = self._onto(known, changed)
            lead_values.note_by_hand(lead, changed, now=now, user_id=getattr(user, "pk", None))
            if "company_name" in changed and "company" not in changed:
                companies.affiliate(lead, now=now, source="manual")
            else:
                companies.join(lead, now=now, source="manual")
            lead.save()
            phones.note(lead, changed)
            proposals.look(lead, now=now)
            news.mark([lead.visitor_id], now=now)
        self.instance = lead
        return lead

    def _onto(self, known: Lead, changed: list[str]) -> Lead:
        for name in changed:
            lead_values.write(known, name, lead_values.read(self.instance, name))
        return known


def _form_field(field: LeadField, lead: Lead) -> forms.Field:
    options = {"label": field.label, "required": False, "initial": lead.attributes.get(field.key, "")}
    if field.kind == LeadField.Kind.NUMBER:
        return forms.FloatField(**options)
    if field.kind == LeadField.Kind.DATE:
        return forms.DateField(widget=forms.DateInput(attrs={"type": "date"}), **options)
    if field.kind == LeadField.Kind.CHOICE:
        return forms.ChoiceField(choices=[("", "—"), *((one, one) for one in field.choice_list)], **options)
    if field.kind == LeadField.Kind.SEVERAL:
        return _several(field, options)
    if isinstance(options["initial"], list):
        options["initial"] = lead_values.shown(options["initial"])
    return forms.CharField(max_length=lead_values.LINE, **options)


def _several(field: LeadField, options: dict[str, Any]) -> forms.Field:
    """Boxes to tick; what a lead has and is no choice any more can be kept."""
    has = options["initial"] or []
    has = has if isinstance(has, list) else [str(has)]
    choices = [(one, one) for one in dict.fromkeys([*field.choice_list, *has])]
    widget = forms.CheckboxSelectMultiple
    return forms.MultipleChoiceField(choices=choices, widget=widget, **{**options, "initial": has})


def _storable(value: Any) -> Any:
    if value is None:
        return ""
    return value if isinstance(value, int | float | str | list) else value.isoformat()


class AttributesPanel(Panel):
    """The fields that editors added (none: no panel)."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "wagtail_ma/admin/leads/attributes_panel.html"

        def _names(self) -> list[str]:
            return [name for name in self.form.fields if name.startswith("attribute_")]

        def is_shown(self) -> bool:
            return bool(self._names())

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context: dict[str, Any] = super().get_context_data(parent_context)
            return context | {"fields": [self.form[name] for name in self._names()]}


class LeadPanels(ObjectList):
    """The whole form. Wagtail adds the fields that no panel names, which ours are not: sent twice, the
    value that was typed would be lost."""

    class BoundPanel(ObjectList.BoundPanel):
        def render_missing_fields(self) -> str:
            return ""


def owners() -> QuerySet[Any]:
    """Who of us looks after somebody."""
    return get_user_model().objects.filter(pk__in=Lead.objects.exclude(owner=None).values("owner"))


# The first step that named them. "Online" are those who named themselves on the site.
ONLINE = ("form", "login", "mail_link", "confirmation")
SOURCES = {
    "online": gettext_lazy("On the site: form, log-in, link in a mail"),
    "offline": gettext_lazy("Elsewhere: import, by hand"),
    **{name: METHOD_LABELS[name] for name in ("form", "login", "mail_link", "import", "manual")},
}


class LeadFilterSet(WagtailFilterSet):
    """By company, person in charge, how they became known, linked to a browser or not."""

    company = django_filters.CharFilter(label=gettext_lazy("Company"), method="filter_company")
    owner = django_filters.ModelChoiceFilter(
        label=gettext_lazy("Person in charge"),
        queryset=lambda request: owners(),
        null_label=gettext_lazy("Nobody"),
    )
    source = django_filters.ChoiceFilter(
        label=gettext_lazy("Known by"), choices=list(SOURCES.items()), method="filter_source"
    )
    linked = django_filters.ChoiceFilter(
        label=gettext_lazy("Linked to a browser"),
        choices=[("yes", gettext_lazy("Linked")), ("no", gettext_lazy("Not linked"))],
        method="filter_linked",
    )

    recording = recording_filter()

    class Meta:
        model = Lead
        fields = ["job_function", "rank", "buying_role"]

    def filter_company(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(Q(company_name__icontains=value) | Q(company__name__icontains=value))

    def filter_source(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        if value == "online":
            return queryset.filter(source__in=ONLINE)
        return queryset.exclude(source__in=ONLINE) if value == "offline" else queryset.filter(source=value)

    def filter_linked(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        return queryset.filter(is_linked=value == "yes")


def living_leads() -> QuerySet[Any]:
    """Leads who were not merged into another, with ``is_linked``: whether a browser is theirs, and
    ``source``: the method by which the person got a name."""
    theirs = Identity.objects.filter(visitor=OuterRef("visitor"))
    linked = theirs.filter(kind__in=browsers.KINDS)
    # By the index on to_visitor; an address is first pointed at whom it names.
    named = IdentityLink.objects.filter(to_visitor=OuterRef("visitor"), identity__kind=Identity.Kind.EMAIL)
    return Lead.objects.filter(visitor__merged_into__isnull=True).annotate(
        is_linked=Exists(linked),
        source=Coalesce(Subquery(named.order_by("pk").values("method")[:1]), Value("")),
    )


class SourceColumn(Column):
    """How somebody became known, in words."""

    def get_value(self, instance: Any) -> str:
        return str(METHOD_LABELS.get(instance.source, instance.source)) or "–"


class LinkedColumn(Column):
    """Whether what somebody does on the site can be seen."""

    def get_value(self, instance: Any) -> str:
        if instance.visitor.is_unrecorded:
            return _("Not recorded")
        return _("Linked") if instance.is_linked else _("Not linked")


class LeadIndexView(SafeExportMixin, generic.IndexView):
    """Everybody known by name, the newest first."""

    results_template_name = "wagtail_ma/admin/leads/index_results.html"
    default_ordering = "-created_at"
    filterset_class = LeadFilterSet
    search_fields = ["family_name", "given_name", "company_name", "email"]
    export_permission = "wagtail_ma.export_lead"
    list_export = ["email", *EDITED[:-1], "created_at"]
    export_filename = "leads"

    @cached_property
    def columns(self) -> list[Column]:
        return [
            TitleColumn("__str__", label=_("Name"), get_url=self.get_visitor_url),
            Column("company_name", label=_("Company"), sort_key="company_name"),
            Column("email", label=_("E-mail address"), sort_key="email"),
            Column("owner", label=_("Person in charge")),
            SourceColumn("source", label=_("Known by")),
            LinkedColumn("is_linked", label=_("Browser")),
            DateColumn("created_at", label=_("Identified"), sort_key="created_at"),
        ]

    def get_visitor_url(self, instance: Lead) -> str:
        return reverse("wagtail_ma_visitors:visitor", args=[instance.visitor_id])

    def get_base_queryset(self) -> QuerySet[Lead]:
        return living_leads().select_related("owner", "company", "visitor")

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        everybody = living_leads()
        count, linked = everybody.count(), everybody.filter(is_linked=True).count()
        return context | {
            "lead_count": count,
            "unlinked_count": count - linked,
            "linked_percent": round(100 * linked / count) if count else 0,
        }


class LeadEditView(generic.EditView):
    """Look at and change somebody's record; looking is noted in the log."""

    def get_object(self, queryset: Any = None) -> Any:
        lead = super().get_object(queryset)
        if self.request.method == "GET":
            log(lead, "wagtail_ma.view_lead", user=self.request.user)
        return lead

    def get_success_url(self) -> str:
        return reverse("wagtail_ma_visitors:visitor", args=[self.object.visitor_id])

    @cached_property
    def can_delete(self) -> bool:
        return may(self.request, Lead, "erase")


class LeadAddView(generic.CreateView):
    """Somebody whom we met elsewhere."""

    def get_success_url(self) -> str:
        return reverse("wagtail_ma_visitors:visitor", args=[self.object.visitor_id])


class LeadEraseView(generic.DeleteView):
    """Ask, then erase a person and all that is known of them."""

    permission_required = "erase"
    page_title = gettext_lazy("Erase")
    template_name = "wagtail_ma/admin/leads/erase.html"

    def form_valid(self, form: Any) -> HttpResponse:
        _erase(self.object.visitor_id, self.request)
        messages.success(self.request, _("The person and all that was known of them are erased."))
        return redirect(self.get_success_url())


def _erase(visitor_id: int, request: HttpRequest) -> None:
    person = persons.gather(visitor_id, now=timezone.now())
    visitor = Visitor.objects.get(pk=visitor_id)
    with transaction.atomic():
        erase.erase(person)
        log(visitor, "wagtail_ma.erase", user=request.user)
    queue.wake()


class LeadDataView(View):
    """One person's data as a file: ``json`` or ``csv``."""

    def get(self, request: HttpRequest, pk: int, kind: str) -> HttpResponse:
        if not may(request, Lead, "export"):
            raise PermissionDenied
        lead = Lead.objects.filter(pk=pk).first()
        if lead is None:
            raise Http404
        person = persons.gather(lead.visitor_id, now=timezone.now())
        log(lead, "wagtail_ma.export", user=request.user, data={"path": request.path})
        return data_file(person, kind, name=f"lead-{lead.pk}")


def data_file(person: Any, kind: str, *, name: str, for_themselves: bool = False) -> HttpResponse:
    """A person's data to be kept as a file, out of all caches."""
    text = {"json": export.as_json, "csv": export.as_csv}[kind](person, for_themselves=for_themselves)
    types = {"json": "application/json", "csv": "text/csv; charset=utf-8"}
    response = HttpResponse(text, content_type=types[kind])
    response["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    response["Cache-Control"] = "private, no-store"
    return response


def _row(*names: str) -> FieldRowPanel:
    return FieldRowPanel([FieldPanel(name) for name in names])


class LeadViewSet(ModelViewSet):
    """Leads in the Marketing menu."""

    model = Lead
    name = "wagtail_ma_leads"
    url_prefix = "marketing/leads"
    icon = "user"
    menu_label = gettext_lazy("Leads")
    menu_name = "wagtail-ma-leads"
    index_view_class = LeadIndexView
    add_view_class = LeadAddView
    edit_view_class = LeadEditView
    delete_view_class = LeadEraseView
    copy_view_enabled = False
    inspect_view_enabled = False
    edit_handler = LeadPanels(
        [
            HelpPanel(
                content=gettext_lazy(
                    "What a person told us, or you know of them. Forms add to it; they never empty a field."
                )
            ),
            FieldPanel("email"),
            MultiFieldPanel(
                [_row("family_name", "given_name"), _row("family_name_kana", "given_name_kana")],
                heading=gettext_lazy("Name"),
            ),
            MultiFieldPanel(
                [
                    _row("company_name", "company"),
                    _row("department", "job_function"),
                    _row("title", "rank"),
                    FieldPanel("buying_role"),
                ],
                heading=gettext_lazy("Company and position"),
            ),
            MultiFieldPanel(
                [
                    _row("phone", "mobile_phone", "other_phone"),
                    _row("postal_code", "address"),
                    _row("language", "time_zone"),
                ],
                heading=gettext_lazy("Reached by"),
            ),
            FieldPanel("owner"),
            AttributesPanel(heading=gettext_lazy("Fields of your own")),
        ],
        base_form_class=LeadForm,
    )

    def get_urlpatterns(self) -> list[Any]:
        return [
            *super().get_urlpatterns(),
            path("<int:pk>/data.json", LeadDataView.as_view(), {"kind": "json"}, name="json"),
            path("<int:pk>/data.csv", LeadDataView.as_view(), {"kind": "csv"}, name="csv"),
        ]


class LeadFieldViewSet(ModelViewSet):
    """The fields that editors add to leads."""

    model = LeadField
    name = "wagtail_ma_lead_fields"
    url_prefix = "marketing/lead-fields"
    icon = "list-ul"
    menu_label = gettext_lazy("Lead fields")
    menu_name = "wagtail-ma-lead-fields"
    list_display = ["label", "key", "kind"]
    form_fields = ["label", "key", "kind", "choices", "sort_order"]
    copy_view_enabled = False
