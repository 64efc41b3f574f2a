"""The screens of lead forms."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import swapper
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Count, Max, Q, QuerySet
from django.urls import path, reverse
from django.utils import translation
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import (
    FieldPanel,
    FieldRowPanel,
    HelpPanel,
    InlinePanel,
    MultiFieldPanel,
    ObjectList,
    TabbedInterface,
)
from wagtail.admin.ui.tables import Column, DateColumn, NumberColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.admin.widgets import AdminPageChooser
from wagtail.admin.widgets.button import Button, ListingButton
from wagtail.coreutils import get_content_languages
from wagtail.documents import get_document_model
from wagtail.documents.widgets import AdminDocumentChooser
from wagtail.permissions import policy_registry

from wagtail_ma.admin.consents import ConsentIndexView
from wagtail_ma.admin.form_results import FormResultsView, results_url
from wagtail_ma.admin.form_submissions import ReviewView, SubmissionIndexView, submissions_url
from wagtail_ma.admin.form_translation import TranslationView, languages_of, translation_url
from wagtail_ma.admin.permissions import may
from wagtail_ma.core.text import normalise_email, split_lines
from wagtail_ma.forms import downloads, starters, translations
from wagtail_ma.forms.answers import FIXED
from wagtail_ma.forms.lead_fields import own_fields
from wagtail_ma.forms.models import LeadForm, LeadFormField, Submission
from wagtail_ma.forms.public_form import CONSENT, OWN_NAMES
from wagtail_ma.people.models import Lead

MapsTo = LeadFormField.MapsTo
Kind = LeadFormField.Kind
_KEY = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
RESERVED = {*MapsTo.values, *OWN_NAMES, CONSENT, "at", "state", "confirmed_at", "revision"}


class LeadFormForm(WagtailAdminModelForm):
    """A form whose questions are asked once each and refer to each other rightly."""

    thanks_page: forms.ModelChoiceField[Any] = forms.ModelChoiceField(
        label=gettext_lazy("Thank-you page"),
        queryset=None,
        required=False,
        widget=AdminPageChooser(),
        help_text=gettext_lazy(
            "Shown after the form was sent, in the visitor's language; after a download, a link to it."
        ),
    )
    document: forms.ModelChoiceField[Any] = forms.ModelChoiceField(
        label=gettext_lazy("Document"),
        queryset=None,
        required=False,
        widget=AdminDocumentChooser(),
        help_text=gettext_lazy("Handed out after the form, and sent as a link by mail."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if len(get_content_languages()) < 2:
            del self.fields["language"]
        elif not self.instance.language:
            self.initial["language"] = translations.own_language(self.instance)
        if not own_fields():
            questions = self.formsets["fields"]
            questions.form = without_attributes(questions.form)
        pages = swapper.load_model("wagtailcore", "Page").objects
        self.fields["thanks_page"].queryset = pages.all()
        self.fields["document"].queryset = get_document_model().objects.all()
        if self.instance.thanks_page_key:
            same = pages.filter(translation_key=self.instance.thanks_page_key)
            self.fields["thanks_page"].initial = same.order_by("pk").first()
        if self.instance.document_id:
            self.fields["document"].initial = downloads.find_document(self.instance.document_id)

    def clean_notify(self) -> str:
        addresses = []
        for line in split_lines(self.cleaned_data["notify"]):
            try:
                addresses.append(normalise_email(line))
            except ValueError as error:
                message = _("“%(text)s” is not an e-mail address.") % {"text": line}
                raise ValidationError(message) from error
        return "\n".join(addresses)

    def is_valid(self) -> bool:
        # The questions are a formset of their own: they are known only after its validation.
        if not super().is_valid():
            return False
        kept = [form for form in self.formsets["fields"].ordered_forms if form.cleaned_data]
        rows = [form.instance for form in kept]
        name_questions(rows)
        problems = [problem for index in range(len(rows)) for problem in problems_of(rows, index)]
        for problem in dict.fromkeys(problems):
            self.add_error(None, ValidationError(problem))
        return not problems

    def save(self, commit: bool = True) -> LeadForm:
        page, document = self.cleaned_data.get("thanks_page"), self.cleaned_data.get("document")
        self.instance.thanks_page_key = page.translation_key if page else None
        self.instance.document_id = document.pk if document else None
        return super().save(commit=commit)


def without_attributes(form_class: type[forms.ModelForm[Any]]) -> type[forms.ModelForm[Any]]:
    """The editor of a question where there are no lead fields of one's own to ask for."""

    class QuestionForm(form_class):  # type: ignore[misc, valid-type]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            field = self.fields["maps_to"]
            field.choices = [choice for choice in field.choices if choice[0] != MapsTo.ATTRIBUTE]

    return QuestionForm


def name_questions(rows: list[LeadFormField]) -> None:
    """Give every question of the editor's own that has none a short name (``q1``, ``q2`` …)."""
    taken = {row.key for row in rows}
    number = 1
    for row in rows:
        row.key = row.key.strip()
        if row.maps_to in (MapsTo.QUESTION, MapsTo.ATTRIBUTE):
            if row.maps_to == MapsTo.QUESTION and not row.key:
                while f"q{number}" in taken:
                    number += 1
                row.key = f"q{number}"
                taken.add(row.key)
        else:
            row.key = ""


def problems_of(rows: list[LeadFormField], index: int) -> list[str]:
    """What is wrong with one question among the others, in sentences."""
    row = rows[index]
    problems = []
    words = {"question": str(row), "name": row.key}
    if [other.name for other in rows].count(row.name) > 1:
        problems.append(_("“%(question)s” is asked twice.") % words)
    if row.maps_to in (MapsTo.QUESTION, MapsTo.ATTRIBUTE) and not _KEY.match(row.key):
        problems.append(
            _("“%(question)s”: a short name has small letters, digits and _, and begins with a letter.")
            % words
        )
    if row.maps_to == MapsTo.QUESTION and (row.key in RESERVED or row.key.startswith("attribute_")):
        problems.append(_("“%(question)s”: the short name “%(name)s” is taken; choose another.") % words)
    if row.maps_to in (MapsTo.QUESTION, MapsTo.ATTRIBUTE) and not row.label:
        problems.append(_("“%(name)s”: a question of your own needs a label.") % words)
    if row.kind in LeadFormField.CHOICE_KINDS and row.maps_to not in FIXED and not row.choice_list:
        problems.append(_("“%(question)s”: write down the choices.") % words)
    if row.maps_to == MapsTo.ATTRIBUTE and row.key not in own_fields():
        problems.append(_("“%(question)s”: there is no lead field with the short name “%(name)s”.") % words)
    return problems + _condition_problems(rows[:index], row)


def _condition_problems(earlier: list[LeadFormField], row: LeadFormField) -> list[str]:
    row.show_if = row.show_if.strip()
    words = {"question": str(row), "name": row.show_if}
    if not row.show_if:
        return []
    if row.maps_to == MapsTo.EMAIL:
        return [_("The e-mail address is always asked for.")]
    other = next((other for other in earlier if other.name == row.show_if), None)
    if other is None:
        known = ", ".join(other.name for other in earlier)
        words["known"] = known
        return [_("“%(question)s”: “%(name)s” is none of the earlier questions (%(known)s).") % words]
    if not row.wanted_values:
        return [_("“%(question)s”: say for which answers it is asked.") % words]
    unknown = [value for value in row.wanted_values if value not in other.choice_list]
    if other.kind in LeadFormField.CHOICE_KINDS and unknown:
        words["value"] = unknown[0]
        return [_("“%(question)s”: “%(value)s” is no answer to choose in “%(name)s”.") % words]
    return []


class EmbedPanel(HelpPanel):
    """How a form comes onto the site."""

    class BoundPanel(HelpPanel.BoundPanel):
        def get_context_data(self, parent_context: dict[str, Any] | None = None) -> dict[str, Any]:
            context: dict[str, Any] = super().get_context_data(parent_context)
            form = self.instance
            context["form_url"] = reverse("wagtail_ma:form", args=[form.pk]) if form and form.pk else ""
            if form and form.pk:
                others = translations.other_languages(form)
                context["others"] = [(name, translation_url(form, code)) for code, name in others.items()]
            return context


class QuestionsColumn(Column):
    """What the form asks for, in its order."""

    def get_value(self, instance: LeadForm) -> str:
        return ", ".join(str(question) for question in instance.fields.all())


class LanguagesColumn(Column):
    """The languages in which the form has texts."""

    def get_value(self, instance: LeadForm) -> str:
        return ", ".join(languages_of(instance))


class LeadFormIndexView(generic.IndexView):
    """All forms."""

    results_template_name = "wagtail_ma/admin/forms/index_results.html"
    default_ordering = "name"
    list_filter = ["purpose"]

    @cached_property
    def columns(self) -> list[Column]:
        has_several = len(get_content_languages()) > 1
        languages = [LanguagesColumn("languages", label=_("Languages"))] if has_several else []
        return [
            self._get_title_column("name"),
            Column("purpose", label=_("Purpose"), accessor="get_purpose_display", sort_key="purpose"),
            QuestionsColumn("questions", label=_("Asks for")),
            *languages,
            NumberColumn("submission_count", label=_("Sent"), sort_key="submission_count"),
            NumberColumn("waiting_count", label=_("To review"), sort_key="waiting_count"),
            DateColumn("last_sent_at", label=_("Last sent"), sort_key="last_sent_at"),
        ]

    def get_base_queryset(self) -> QuerySet[LeadForm]:
        queryset: QuerySet[LeadForm] = super().get_base_queryset()
        waiting = Q(submissions__state__in=[Submission.State.SUSPECT, Submission.State.HELD])
        return queryset.annotate(
            submission_count=Count("submissions"),
            waiting_count=Count("submissions", filter=waiting),
            last_sent_at=Max("submissions__at"),
        ).prefetch_related("fields")

    def get_add_url(self) -> str | None:
        return reverse("wagtail_ma_forms:starters") if super().get_add_url() else None

    @cached_property
    def header_more_buttons(self) -> list[Any]:
        buttons = list(super().header_more_buttons)
        if may(self.request, Lead, "view"):
            url = reverse("wagtail_ma_forms:consents")
            buttons.append(Button(_("Consents"), url=url, icon_name="check", priority=50))
        return buttons

    def get_list_more_buttons(self, instance: LeadForm) -> list[Any]:
        buttons = list(super().get_list_more_buttons(instance))
        url = results_url(instance)
        buttons.append(ListingButton(_("Results"), url=url, icon_name="wagtail-ma", priority=35))
        if may(self.request, Lead, "view"):
            url = submissions_url(instance)
            buttons.append(ListingButton(_("What was sent"), url=url, icon_name="list-ul", priority=40))
        return buttons


class StartersView(PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """What a new form may begin with."""

    template_name = "wagtail_ma/admin/forms/starters.html"
    page_title = gettext_lazy("New form")
    header_icon = "form"
    permission_required = "add"

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(LeadForm)

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse("wagtail_ma_forms:index"), "label": _("Forms")},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        add_url = reverse("wagtail_ma_forms:add")
        mine = translation.get_language()
        # The editor's own language first.
        languages = sorted(get_content_languages().items(), key=lambda item: item[0] != mine)
        cards = []
        for starter in starters.STARTERS:
            queries = [
                (label, urlencode({"from": starter.purpose, "language": code})) for code, label in languages
            ]
            cards.append(
                {
                    "name": starter.name,
                    "description": starter.description,
                    "choices": [{"label": label, "url": f"{add_url}?{query}"} for label, query in queries],
                }
            )
        return super().get_context_data(**kwargs) | {"starters": cards, "empty_url": add_url}


class LeadFormAddView(generic.CreateView):
    """A new form begins with a starter, or with the questions that nearly every form asks."""

    def get_initial_form_instance(self) -> LeadForm:
        starter = starters.find(self.request.GET.get("from"))
        language = self.request.GET.get("language", "")
        if starter is not None:
            known = language if language in get_content_languages() else translation.get_language()
            return starters.new_form(starter, language=known or "en")
        form = LeadForm()
        for maps_to in (MapsTo.FAMILY_NAME, MapsTo.COMPANY, MapsTo.EMAIL):
            form.fields.add(LeadFormField(maps_to=maps_to))
        return form


class LeadFormEditView(generic.EditView):
    """A form, with the ways to its results and to what was sent with it."""

    @cached_property
    def header_more_buttons(self) -> list[Any]:
        buttons = list(super().header_more_buttons)
        for number, (code, name) in enumerate(translations.other_languages(self.object).items()):
            label = _("Texts in %(language)s") % {"language": name}
            url = translation_url(self.object, code)
            buttons.append(Button(label, url=url, icon_name="globe", priority=20 + number))
        buttons.append(
            Button(_("Results"), url=results_url(self.object), icon_name="wagtail-ma", priority=35)
        )
        if may(self.request, Lead, "view"):
            buttons.append(
                Button(_("What was sent"), url=submissions_url(self.object), icon_name="list-ul", priority=40)
            )
        return buttons


class DetailsPanel(MultiFieldPanel):
    """What most questions do without: folded away, open where something is filled in or wrong.
    (Wagtail folds only what stands on its own, not what is within a repeated part.)"""

    class BoundPanel(MultiFieldPanel.BoundPanel):
        template_name = "wagtail_ma/admin/forms/details_panel.html"

        @property
        def is_open(self) -> bool:
            names = ("choices", "help_text", "key", "default", "show_if", "show_if_values")
            return any(self.form[name].value() or self.form[name].errors for name in names)


QUESTION_PANELS = [
    FieldRowPanel([FieldPanel("maps_to"), FieldPanel("kind")]),
    FieldRowPanel([FieldPanel("label"), FieldPanel("is_required")]),
    DetailsPanel(
        [
            FieldRowPanel([FieldPanel("choices"), FieldPanel("help_text")]),
            FieldRowPanel([FieldPanel("key"), FieldPanel("default")]),
            FieldRowPanel([FieldPanel("show_if"), FieldPanel("show_if_values")]),
        ],
    ),
]

FORM_PANELS = TabbedInterface(
    [
        ObjectList(
            [
                HelpPanel(
                    content=gettext_lazy(
                        "Whoever sends this form becomes a lead, with everything that their browser did "
                        "before. An e-mail address is always asked for."
                    )
                ),
                FieldRowPanel(
                    [
                        FieldPanel("name", help_text=gettext_lazy("For you; visitors see the heading.")),
                        FieldPanel("purpose"),
                    ]
                ),
                FieldPanel("language"),
                FieldPanel("heading"),
                FieldPanel("intro"),
                InlinePanel(
                    "fields",
                    panels=QUESTION_PANELS,
                    heading=gettext_lazy("Questions"),
                    label=gettext_lazy("Question"),
                ),
                FieldPanel("consent_text"),
                FieldPanel("submit_label"),
            ],
            heading=gettext_lazy("Form"),
        ),
        ObjectList(
            [
                MultiFieldPanel(
                    [FieldPanel("thanks"), FieldPanel("thanks_page"), FieldPanel("document")],
                    heading=gettext_lazy("For the sender"),
                ),
                FieldPanel("asks_confirmation"),
                FieldPanel("notify"),
            ],
            heading=gettext_lazy("After sending"),
        ),
        ObjectList(
            [
                FieldPanel("free_mail"),
                MultiFieldPanel(
                    [FieldPanel("asks_only_unknown"), FieldPanel("max_questions")],
                    heading=gettext_lazy("Ask little at a time"),
                ),
            ],
            heading=gettext_lazy("What is asked"),
        ),
        ObjectList(
            [
                EmbedPanel(
                    template="wagtail_ma/admin/forms/embed.html",
                    heading=gettext_lazy("Put it on the site"),
                ),
            ],
            heading=gettext_lazy("On the site"),
        ),
    ],
    base_form_class=LeadFormForm,
)


class LeadFormViewSet(ModelViewSet):
    """Lead forms in the Marketing menu."""

    model = LeadForm
    name = "wagtail_ma_forms"
    url_prefix = "marketing/forms"
    icon = "form"
    menu_label = gettext_lazy("Forms")
    menu_name = "wagtail-ma-forms"
    index_view_class = LeadFormIndexView
    add_view_class = LeadFormAddView
    edit_view_class = LeadFormEditView
    copy_view_enabled = False
    search_fields = ["name", "heading"]
    search_backend_name = None
    edit_handler = FORM_PANELS

    def get_urlpatterns(self) -> list[Any]:
        results = SubmissionIndexView.as_view(results_only=True)
        return [
            *super().get_urlpatterns(),
            path("starters/", StartersView.as_view(), name="starters"),
            path("<int:form_id>/submissions/", SubmissionIndexView.as_view(), name="submissions"),
            path("<int:form_id>/submissions/results/", results, name="submissions_results"),
            path("<int:pk>/in/<str:language>/", TranslationView.as_view(), name="translate"),
            path("<int:form_id>/funnel/", FormResultsView.as_view(), name="results"),
            path("review/<int:pk>/", ReviewView.as_view(), name="review"),
            path("consents/", ConsentIndexView.as_view(), name="consents"),
            path("consents/results/", ConsentIndexView.as_view(results_only=True), name="consents_results"),
        ]
