"""The texts of a form in another language, each beside the one that it stands for."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html, linebreaks
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.generic import TemplateView
from wagtail.admin import messages
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.widgets import AdminAutoHeightTextInput
from wagtail.coreutils import get_content_languages
from wagtail.documents import get_document_model
from wagtail.documents.widgets import AdminDocumentChooser
from wagtail.log_actions import log
from wagtail.permissions import policy_registry

from wagtail_ma.core.text import split_lines
from wagtail_ma.forms import downloads, translations
from wagtail_ma.forms.models import LeadForm, LeadFormField

CHOICES = "choices"
DOCUMENT = "document"


def translation_url(form: LeadForm, language: str) -> str:
    """Where the texts of a form in a language are written."""
    return reverse("wagtail_ma_forms:translate", args=[form.pk, language])


def languages_of(form: LeadForm) -> list[str]:
    """The names of the languages in which a form has texts, its own first."""
    names = get_content_languages()
    own = translations.own_language(form)
    return [str(names.get(code, code)) for code in (own, *(c for c in form.translations if c != own))]


class TranslationForm(forms.Form):
    """A field for each text that the form has; left empty, the form's own text is shown."""

    def __init__(self, *args: Any, lead_form: LeadForm, language: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lead_form, self.language = lead_form, language
        self.sources = translations.sources(lead_form)
        known = translations.read(lead_form, language)
        for key, text in self.sources.items():
            self.fields[key] = self._field(key, text, known.get(key, ""))
        document_id = lead_form.translations.get(language, {}).get(translations.DOCUMENT)
        self.fields[DOCUMENT] = forms.ModelChoiceField(
            label=_("Document"),
            queryset=get_document_model().objects.all(),
            required=False,
            widget=AdminDocumentChooser(),
            initial=downloads.find_document(document_id),
            help_text=_("In this language, instead of the form's own."),
        )

    def _field(self, key: str, text: str, initial: str) -> forms.Field:
        question, _colon, name = key.removeprefix("q:").rpartition(":")
        column = (LeadFormField if question else LeadForm)._meta.get_field(name)
        max_length = getattr(column, "max_length", None)
        help_text = mark_safe(linebreaks(text, autoescape=True))
        if name == CHOICES:
            note = _("One per line, in the same order. The answer is kept as the form itself has it.")
            help_text = format_html("{}<p>{}</p>", help_text, note)
        return forms.CharField(
            label=str(getattr(column, "verbose_name", name)).capitalize(),
            required=False,
            max_length=max_length,
            initial=initial,
            help_text=help_text,
            widget=forms.TextInput() if max_length else AdminAutoHeightTextInput(),
        )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for key, text in self.sources.items():
            given, wanted = split_lines(cleaned.get(key) or ""), split_lines(text)
            if key.endswith(f":{CHOICES}") and given and len(given) != len(wanted):
                found = {"count": len(wanted), "given": len(given)}
                message = _("The form has %(count)d choices, here are %(given)d.") % found
                self.add_error(key, ValidationError(message))
        return cleaned

    def save(self) -> None:
        """Write the texts into the lead form, and save that."""
        document = self.cleaned_data[DOCUMENT]
        texts = {key: self.cleaned_data[key] for key in self.sources}
        document_id = document.pk if document else None
        translations.write(self.lead_form, self.language, texts, document_id=document_id)
        self.lead_form.save(update_fields=["translations"])

    def parts(self) -> list[tuple[str, list[forms.BoundField]]]:
        """The fields by part: the form as a whole, then each question."""
        whole = [self[name] for name in self.sources if not name.startswith("q:")]
        found = [(_("Form"), [*whole, self[DOCUMENT]])]
        for row in self.lead_form.fields.all():
            mine = [self[key] for key in self.sources if key.startswith(f"q:{row.name}:")]
            if mine:
                found.append((str(row), mine))
        return found


def _is_whole(key: str, text: str) -> bool:
    """Whether a text is there; of choices, all of them (an empty line is one that is missing)."""
    return "" not in text.split("\n") if key.endswith(f":{CHOICES}") else bool(text)


class TranslationView(PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """GET shows the texts, POST keeps them."""

    template_name = "wagtail_ma/admin/forms/translation.html"
    header_icon = "form"
    permission_required = "change"
    http_method_names = ["get", "post"]

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(LeadForm)

    @cached_property
    def lead_form(self) -> LeadForm:
        found: LeadForm = get_object_or_404(LeadForm, pk=self.kwargs["pk"])
        return found

    @cached_property
    def language_name(self) -> str:
        names = translations.other_languages(self.lead_form)
        if self.kwargs["language"] not in names:
            raise Http404
        return str(names[self.kwargs["language"]])

    def get_page_title(self) -> str:
        words = {"form": self.lead_form.name, "language": self.language_name}
        return _("“%(form)s” in %(language)s") % words

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        edit = reverse("wagtail_ma_forms:edit", args=[self.lead_form.pk])
        return [
            *self.breadcrumbs_items,
            {"url": reverse("wagtail_ma_forms:index"), "label": _("Forms")},
            {"url": edit, "label": self.lead_form.name},
            {"url": "", "label": self.get_page_title()},
        ]

    def _form(self, data: Any = None) -> TranslationForm:
        return TranslationForm(data, lead_form=self.lead_form, language=self.kwargs["language"])

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = kwargs.pop("form", None) or self._form()
        context: dict[str, Any] = super().get_context_data(form=form, **kwargs)
        given = translations.read(self.lead_form, self.kwargs["language"])
        return context | {
            "media": context.get("media", forms.Media()) + form.media,
            "parts": form.parts(),
            "language_name": self.language_name,
            "missing": sum(not _is_whole(key, given.get(key, "")) for key in form.sources),
            "edit_url": reverse("wagtail_ma_forms:edit", args=[self.lead_form.pk]),
        }

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        _name = self.language_name
        form = self._form(request.POST)
        if not form.is_valid():
            messages.error(request, gettext_lazy("The texts could not be saved due to errors."))
            return self.render_to_response(self.get_context_data(form=form))
        form.save()
        log(self.lead_form, "wagtail.edit", user=request.user)
        messages.success(request, _("The texts in %(language)s are saved.") % {"language": _name})
        return redirect("wagtail_ma_forms:edit", self.lead_form.pk)
