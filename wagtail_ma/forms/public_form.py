"""The form as visitors see it, built from the editor's :class:`LeadForm`."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from wagtail_ma.core.text import clean_line, normalise_email
from wagtail_ma.forms.models import LeadForm, LeadFormField

# The trap for robots: people never see it (``hidden``), robots fill in everything.
TRAP = "ma_homepage"
STATE = "ma_state"
CONSENT = "consent"

MESSAGE_LENGTH = 5_000
MapsTo = LeadFormField.MapsTo


@dataclass(frozen=True)
class Question:
    """What is usual for one kind of question.

    :param autocomplete: the browser's own word for it (HTML standard, section "Autofill").
    """

    autocomplete: str
    max_length: int
    inputmode: str = ""


QUESTIONS = {
    MapsTo.EMAIL: Question("email", 254, "email"),
    MapsTo.FAMILY_NAME: Question("family-name", 80),
    MapsTo.GIVEN_NAME: Question("given-name", 80),
    MapsTo.COMPANY: Question("organization", 160),
    MapsTo.DEPARTMENT: Question("off", 120),
    MapsTo.TITLE: Question("organization-title", 120),
    MapsTo.PHONE: Question("tel", 40, "tel"),
    MapsTo.MESSAGE: Question("off", MESSAGE_LENGTH),
}

_PHONE = re.compile(r"[0-9+() .\-/x#]{5,40}\Z")
# What stands for a hyphen in Japanese keyboards' numbers.
_HYPHENS = re.compile("[‐‑‒–—―−ー－ｰ]")


class LineField(forms.CharField):
    """One line of text. Line breaks are refused: no browser sends any, forgers of mail do."""

    default_error_messages = {"one_line": _("Line breaks are not allowed here.")}

    def to_python(self, value: Any) -> str:
        text: str = super().to_python(value)
        if any(len(line) != len(text) for line in text.splitlines()):
            raise ValidationError(self.error_messages["one_line"], code="one_line")
        return text

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        cleaned = clean_line(text, len(text))
        if self.required and not cleaned:
            # Nothing but control characters was typed.
            raise ValidationError(self.error_messages["required"], code="required")
        return cleaned


class EmailField(LineField):
    """A mail address; full-width letters are repaired, not refused."""

    default_error_messages = {
        "email": _("Enter a valid e-mail address, for example name@example.com."),
    }

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        if not text:
            return ""
        try:
            return normalise_email(text)
        except ValueError as error:
            raise ValidationError(self.error_messages["email"], code="email") from error


class PhoneField(LineField):
    """A telephone number in any notation; full-width digits and hyphens are repaired."""

    default_error_messages = {"phone": _("Enter a telephone number, for example 03-1234-5678.")}

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        text = unicodedata.normalize("NFKC", _HYPHENS.sub("-", text)).strip()
        if text and not _PHONE.match(text):
            raise ValidationError(self.error_messages["phone"], code="phone")
        return text


class PublicForm(forms.Form):
    """A Django form made from a :class:`LeadForm`.

    Whatever the editor chose, it asks for an e-mail address: a form that does not name its sender
    is none of ours.
    """

    required_css_class = "ma-form__field--required"

    def __init__(self, lead_form: LeadForm, *args: Any, state: str = "", **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", f"ma-form-{lead_form.pk}-%s")
        kwargs.setdefault("use_required_attribute", True)
        super().__init__(*args, **kwargs)
        self.lead_form = lead_form
        rows = list(lead_form.fields.all())
        if not any(row.maps_to == MapsTo.EMAIL for row in rows):
            rows.insert(0, LeadFormField(maps_to=MapsTo.EMAIL))
        for row in rows:
            self.fields.setdefault(row.maps_to, _field(row))
        if lead_form.consent_text.strip():
            self.fields[CONSENT] = forms.BooleanField(label=lead_form.consent_text.strip(), required=False)
        self.fields[TRAP] = forms.CharField(
            label=_("Leave this empty"),
            required=False,
            widget=forms.TextInput(attrs={"autocomplete": "off", "tabindex": "-1"}),
        )
        self.fields[STATE] = forms.CharField(
            required=False, initial=state, max_length=1_000, widget=forms.HiddenInput
        )
        self._state = state

    def questions(self) -> list[forms.BoundField]:
        """The fields that people see, in the editor's order."""
        return [self[name] for name in self.fields if name not in (TRAP, STATE)]

    @property
    def trap(self) -> forms.BoundField:
        """The field that only robots fill in."""
        return self[TRAP]

    @property
    def state(self) -> str:
        """The signed state to send along: always the fresh one, never what came in."""
        return self._state

    @property
    def is_trapped(self) -> bool:
        """Whether a robot filled in what nobody sees."""
        return bool(str(self.data.get(self.add_prefix(TRAP), "")).strip())

    def values(self) -> dict[str, Any]:
        """The answers by what they map to, and ``consent`` when it was asked for."""
        return {name: value for name, value in self.cleaned_data.items() if name not in (TRAP, STATE)}


def _field(row: LeadFormField) -> forms.Field:
    maps_to = MapsTo(row.maps_to)
    question = QUESTIONS[maps_to]
    attrs = {"autocomplete": question.autocomplete}
    if question.inputmode:
        # Not type="email": browsers would refuse full-width letters before we can repair them.
        attrs["inputmode"] = question.inputmode
    options: dict[str, Any] = {
        "label": row.label or maps_to.label,
        "required": row.is_required or maps_to == MapsTo.EMAIL,
        "max_length": question.max_length,
    }
    if maps_to == MapsTo.MESSAGE:
        return forms.CharField(widget=forms.Textarea(attrs={**attrs, "rows": "6"}), **options)
    kind = {MapsTo.EMAIL: EmailField, MapsTo.PHONE: PhoneField}.get(maps_to, LineField)
    return kind(widget=forms.TextInput(attrs=attrs), **options)
