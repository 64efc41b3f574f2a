"""A lead form as a block of any page."""

from __future__ import annotations

import logging
from typing import Any

from django import forms
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.functional import cached_property
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _
from wagtail.blocks import BooleanBlock, ChooserBlock, StructBlock
from wagtail.documents.blocks import DocumentChooserBlock

from wagtail_ma.core.current_request import current_request
from wagtail_ma.forms import known
from wagtail_ma.forms.models import LeadForm
from wagtail_ma.forms.public_form import PublicForm
from wagtail_ma.forms.state import new_state
from wagtail_ma.forms.translations import in_language
from wagtail_ma.people import visitors
from wagtail_ma.personalisation.http import mark

logger = logging.getLogger(__name__)


class FormChooserBlock(ChooserBlock):
    """One of the lead forms, from a list (there are few)."""

    target_model = LeadForm

    @cached_property
    def widget(self) -> forms.Select:
        """A plain list to choose from."""
        return forms.Select()

    def get_form_state(self, value: Any) -> Any:
        """What the list shows as chosen: a list of option values, as text."""
        key = getattr(value, "pk", value)
        return [] if key is None else [str(key)]

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """As a block of Wagtail's own: a site's migrations must load without us."""
        _path, _args, kwargs = super().deconstruct()
        kept = {key: value for key, value in kwargs.items() if key in ("required", "help_text", "label")}
        return "wagtail.blocks.IntegerBlock", [], kept

    class Meta:
        icon = "form"


class LeadFormBlock(StructBlock):
    """Shows a lead form; its sender gets the document, if one is chosen."""

    form = FormChooserBlock(label=_("Form"))
    document = DocumentChooserBlock(
        label=_("Document"),
        required=False,
        help_text=_("Handed out after the form. Empty: the document that this form is the gate of."),
    )

    is_personal = BooleanBlock(
        label=_("Adapt to the visitor"),
        required=False,
        help_text=_(
            "Fill in, or leave out, what was answered in the same browser before. The page is then made "
            "for each visitor anew and kept out of shared caches."
        ),
    )

    def get_context(self, value: Any, parent_context: dict[str, Any] | None = None) -> dict[str, Any]:
        """The form, fresh; the page it stands on goes into its signed state."""
        context: dict[str, Any] = super().get_context(value, parent_context=parent_context)
        lead_form = in_language(value["form"], translation.get_language())
        document = value.get("document")
        page = (parent_context or {}).get("page")
        answers, asked = _adapted(lead_form, value, parent_context)
        state = new_state(
            lead_form.pk,
            now=timezone.now(),
            document_id=document.pk if document is not None else None,
            page_id=getattr(page, "pk", None),
            language=translation.get_language() or "",
            asked=asked,
        )
        return context | {
            "lead_form": lead_form,
            "form": PublicForm(lead_form, state=state.seal(), initial=answers, asked=asked),
            "action": reverse("wagtail_ma:form", args=[lead_form.pk]),
            "problem": "",
        }

    def render(self, value: Any, context: dict[str, Any] | None = None) -> SafeString:
        """The form, or nothing when it was deleted or cannot be shown: never a broken page."""
        if not value or value.get("form") is None:
            return mark_safe("")
        try:
            return super().render(value, context=context)
        except Exception:
            logger.exception("a form could not be shown")
            return mark_safe("")

    def get_searchable_content(self, value: Any) -> list[str]:
        """Nothing: a form is no content of the page."""
        return []

    class Meta:
        icon = "form"
        label = _("Lead form")
        template = "wagtail_ma/forms/block.html"


def _adapted(
    lead_form: LeadForm, value: Any, parent_context: dict[str, Any] | None
) -> tuple[dict[str, Any], tuple[str, ...] | None]:
    """What is known of this browser and which questions are left; nothing and all of them, unless
    the editor gave up the cache for it."""
    request = (parent_context or {}).get("request") or current_request()
    if not value.get("is_personal") or request is None or getattr(request, "is_preview", False):
        return {}, None
    mark(request)
    browser = visitors.current(request)
    answers = known.known_answers(lead_form, browser)
    return answers, known.next_questions(lead_form, answers)
