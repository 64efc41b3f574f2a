"""Companies: list, editing, and a page with their people and their visits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import django_filters
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.db.models import Count, Max, QuerySet
from django.forms import CharField, Textarea
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, HelpPanel, MultiFieldPanel, ObjectList
from wagtail.admin.ui.tables import BooleanColumn, Column, DateColumn, NumberColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.viewsets.chooser import ChooserViewSet
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.log_actions import log

from wagtail_ma.admin.company_merge import CompanyMergeView, CompanyUndoView, may_merge
from wagtail_ma.admin.permissions import may
from wagtail_ma.core.text import split_lines
from wagtail_ma.jobs import queue
from wagtail_ma.people import companies, company_merge, company_names, company_undo, mail_domains
from wagtail_ma.people.models import Lead
from wagtail_ma.people.models_of_companies import Affiliation, Company, CompanyAlias, CompanyDomain
from wagtail_ma.reports.channels import CHANNEL_LABELS
from wagtail_ma.sales import exclusions
from wagtail_ma.tracking import retention
from wagtail_ma.tracking.models import Visit

SHOWN = 50
ALIAS_LENGTH = 160


def _lines(label: Any, help_text: Any) -> CharField:
    return CharField(label=label, required=False, widget=Textarea(attrs={"rows": 3}), help_text=help_text)


class CompanyForm(WagtailAdminModelForm):
    """With the mail domains and the other names, one per line."""

    domain_lines: CharField = _lines(
        gettext_lazy("Mail domains"),
        gettext_lazy("One per line, e.g. example.com. Whoever has such an address belongs here."),
    )
    shared_lines: CharField = _lines(
        gettext_lazy("Mail domains shared with other companies"),
        gettext_lazy(
            "One per line, e.g. that of a group of companies. Whoever has such an address belongs to the "
            "company whose name they type."
        ),
    )
    alias_lines: CharField = _lines(
        gettext_lazy("Other names"),
        gettext_lazy(
            "One per line: abbreviated, in English, a former name. Whoever types one of them belongs here. "
            "The ways of writing a name (株式会社, ㈱, wide letters) are the same anyway."
        ),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            for name, is_shared in (("domain_lines", False), ("shared_lines", True)):
                kept = self.instance.domains.filter(is_shared=is_shared).values_list("domain", flat=True)
                self.fields[name].initial = "\n".join(kept)
            names = self.instance.aliases.values_list("name", flat=True)
            self.fields["alias_lines"].initial = "\n".join(names)

    def clean_domain_lines(self) -> list[str]:
        return self._domains("domain_lines")

    def clean_shared_lines(self) -> list[str]:
        domains = self._domains("shared_lines")
        for domain in set(domains) & set(self.cleaned_data.get("domain_lines") or []):
            raise ValidationError(
                _("“%(text)s” is either this company's own or shared, not both.") % {"text": domain}
            )
        return domains

    def clean_alias_lines(self) -> list[str]:
        names = list(dict.fromkeys(split_lines(self.cleaned_data["alias_lines"])))
        for name in names:
            if len(name) > ALIAS_LENGTH or not company_names.keys(name).strict:
                raise ValidationError(_("“%(text)s” is not a name.") % {"text": name[:ALIAS_LENGTH]})
        return names

    def _domains(self, field: str) -> list[str]:
        domains = [line.lower().lstrip("@") for line in split_lines(self.cleaned_data[field])]
        taken = CompanyDomain.objects.exclude(company=self.instance.pk)
        for domain in domains:
            if companies.registrable(domain) != domain:
                raise ValidationError(_("“%(text)s” is not a domain of a company.") % {"text": domain})
            if not mail_domains.is_company(domain):
                raise ValidationError(
                    _("“%(text)s” belongs to a mail provider; its users are not one company.")
                    % {"text": domain}
                )
            if owner := taken.select_related("company").filter(domain=domain).first():
                raise ValidationError(
                    _("“%(text)s” belongs to %(company)s.") % {"text": domain, "company": owner.company}
                )
        return domains

    def save(self, commit: bool = True) -> Any:
        now = timezone.now()
        with transaction.atomic():
            if not self.instance.pk:
                self.instance.created_at = now
            company = super().save(commit)
            self._save_domains(company, now=now)
            names = self.cleaned_data["alias_lines"]
            company.aliases.exclude(name__in=names).delete()
            known = set(company.aliases.values_list("name", flat=True))
            for name in names:
                if name not in known:
                    CompanyAlias.objects.create(company=company, name=name)
        return company

    def _save_domains(self, company: Company, *, now: datetime) -> None:
        wanted = dict.fromkeys(self.cleaned_data["domain_lines"], False)
        wanted |= dict.fromkeys(self.cleaned_data["shared_lines"], True)
        company.domains.exclude(domain__in=wanted).delete()
        before = dict(company.domains.values_list("domain", "is_shared"))
        for domain, is_shared in wanted.items():
            CompanyDomain.objects.update_or_create(
                company=company, domain=domain, defaults={"is_shared": is_shared}
            )
            if not is_shared and before.get(domain) is not False:
                companies.take_in(company, domain, now=now)


class CompanyFilterSet(WagtailFilterSet):
    """What they are to us, and those that may be in the list twice."""

    twice = django_filters.ChoiceFilter(
        label=gettext_lazy("Perhaps in the list twice"),
        choices=[("yes", gettext_lazy("Yes"))],
        method="filter_twice",
    )

    class Meta:
        model = Company
        fields = ["is_customer", "is_competitor", "is_own"]

    def filter_twice(self, queryset: QuerySet[Company], name: str, value: str) -> QuerySet[Company]:
        return company_merge.with_similar(queryset)


class CompanyIndexView(generic.IndexView):
    """All companies, and how many people of each are known."""

    results_template_name = "wagtail_ma/admin/companies/index_results.html"
    default_ordering = "-person_count"
    filterset_class = CompanyFilterSet
    search_fields = ["name", "aliases__name", "domains__domain"]

    @cached_property
    def columns(self) -> list[Column]:
        return [
            TitleColumn("name", label=_("Name"), get_url=self.get_company_url, sort_key="name"),
            NumberColumn("person_count", label=_("People"), sort_key="person_count"),
            BooleanColumn("is_customer", label=_("Customer"), sort_key="is_customer"),
            BooleanColumn("is_competitor", label=_("Competitor"), sort_key="is_competitor"),
            DateColumn("created_at", label=_("First seen"), sort_key="created_at"),
        ]

    def get_company_url(self, instance: Company) -> str:
        return reverse("wagtail_ma_companies:company", args=[instance.pk])

    def get_base_queryset(self) -> QuerySet[Company]:
        return Company.objects.annotate(person_count=Count("leads", distinct=True))


class CompanyView(WagtailAdminTemplateMixin, TemplateView):
    """One company: its people, who was there before, recent visits."""

    template_name = "wagtail_ma/admin/companies/company.html"
    header_icon = "group"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may(request, Company):
            raise PermissionDenied
        found = Company.objects.filter(pk=kwargs["pk"]).first()
        if found is None:
            raise Http404
        self.company = found
        # Names are another right than companies.
        self.may_see_people = may(request, Lead, "view")
        if self.may_see_people:
            log(found, "wagtail_ma.view_company", user=request.user)
        return super().get(request, *args, **kwargs)

    def get_page_title(self) -> str:
        return self.company.name

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("wagtail_ma_companies:index"), "label": _("Companies")},
            {"url": "", "label": self.company.name},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        context |= {
            "company": self.company,
            "may_see_people": self.may_see_people,
            "may_merge": may_merge(self.request),
            "similar": company_merge.similar(self.company),
            "merges": company_undo.merges_of(self.company),
        }
        if self.may_see_people:
            living = Lead.objects.filter(company=self.company, visitor__merged_into__isnull=True)
            people = living.annotate(last_seen_at=Max("visitor__visits__last_at")).order_by(
                "rank", "family_name"
            )
            visits = Visit.objects.filter(visitor__lead__company=self.company).select_related("visitor__lead")
            context |= {
                "people": people[:SHOWN],
                "person_count": living.count(),
                "visits": [
                    (visit, CHANNEL_LABELS.get(visit.medium, visit.medium))
                    for visit in visits.order_by("-started_at")[:SHOWN]
                ],
                "detail_since": retention.detail_since(),
                "former": Affiliation.objects.filter(company=self.company, until__isnull=False)
                .exclude(lead__company=self.company)
                .select_related("lead")[:SHOWN],
            }
        return context


class CompanyDeleteView(generic.DeleteView):
    """Whoever was excluded, or a customer, because of it is looked at again."""

    def form_valid(self, form: Any) -> HttpResponse:
        exclusions.before_company_deletion(self.object, now=timezone.now())
        queue.wake()
        response: HttpResponse = super().form_valid(form)
        return response


class CompanyViewSet(ModelViewSet):
    """Companies in the Marketing menu."""

    model = Company
    name = "wagtail_ma_companies"
    url_prefix = "marketing/companies"
    icon = "group"
    menu_label = gettext_lazy("Companies")
    menu_name = "wagtail-ma-companies"
    index_view_class = CompanyIndexView
    delete_view_class = CompanyDeleteView
    copy_view_enabled = False
    inspect_view_enabled = False
    edit_handler = ObjectList(
        [
            HelpPanel(
                content=gettext_lazy(
                    "People join a company by the domain of their address, else by the name they type."
                )
            ),
            FieldPanel("name"),
            FieldPanel("alias_lines"),
            FieldPanel("domain_lines"),
            FieldPanel("shared_lines"),
            FieldPanel("website"),
            FieldPanel("corporate_number"),
            MultiFieldPanel(
                [FieldPanel("is_customer"), FieldPanel("is_competitor"), FieldPanel("is_own")],
                heading=gettext_lazy("What it is to us"),
            ),
        ],
        base_form_class=CompanyForm,
    )

    def get_urlpatterns(self) -> list[Any]:
        return [
            *super().get_urlpatterns(),
            path("<int:pk>/people/", CompanyView.as_view(), name="company"),
            path("<int:pk>/merge/", CompanyMergeView.as_view(), name="merge"),
            path("<int:pk>/merge/<int:merge_id>/undo/", CompanyUndoView.as_view(), name="undo_merge"),
        ]


class CompanyChooserViewSet(ChooserViewSet):
    """The pop-up in which a lead's company is chosen."""

    model = Company
    icon = "group"
    choose_one_text = gettext_lazy("Choose a company")
    choose_another_text = gettext_lazy("Choose another company")
    edit_item_text = gettext_lazy("Edit this company")
