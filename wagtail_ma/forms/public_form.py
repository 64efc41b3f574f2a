"""The form as visitors see it, built from the editor's :class:`LeadForm`."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from wagtail_ma.forms.answers import make_field, storable
from wagtail_ma.forms.models import LeadForm, LeadFormField
from wagtail_ma.forms.translations import with_words
from wagtail_ma.people import mail_domains

# The trap for robots: people never see it (``hidden``), robots fill in everything.
TRAP = "ma_homepage"
STATE = "ma_state"
# The free mail address that its sender has been warned about already.
WARNED = "ma_warned"
CONSENT = "consent"
# The answer of a check box that was ticked.
YES = "yes"
OWN_NAMES = (TRAP, STATE, WARNED)

MapsTo = LeadFormField.MapsTo
Kind = LeadFormField.Kind


def questions_of(lead_form: LeadForm) -> list[LeadFormField]:
    """The questions in the editor's order, and always one for the e-mail address: a form that does
    not name its sender is none of ours."""
    rows = [
        with_words(row, lead_form.question_words[row.name]) if row.name in lead_form.question_words else row
        for row in lead_form.fields.all()
    ]
    if not any(row.maps_to == MapsTo.EMAIL for row in rows):
        rows.insert(0, LeadFormField(maps_to=MapsTo.EMAIL))
    return rows


class PublicForm(forms.Form):
    """A Django form made from a :class:`LeadForm`.

    :param asked: the names of the questions to be asked now; None for all. The e-mail address,
        hidden values and the consent are always there.
    """

    required_css_class = "ma-form__field--required"

    def __init__(
        self,
        lead_form: LeadForm,
        *args: Any,
        state: str = "",
        asked: Collection[str] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("auto_id", f"ma-form-{lead_form.pk}-%s")
        kwargs.setdefault("use_required_attribute", True)
        super().__init__(*args, **kwargs)
        self.lead_form = lead_form
        self._state = state
        self.rows: dict[str, LeadFormField] = {}
        for row in questions_of(lead_form):
            is_always = row.maps_to == MapsTo.EMAIL or row.kind == Kind.HIDDEN
            if asked is None or is_always or row.name in asked:
                self._ask(row)
        if lead_form.consent_text.strip():
            self.fields[CONSENT] = forms.BooleanField(label=lead_form.consent_text.strip(), required=False)
        self.fields[TRAP] = forms.CharField(
            label=_("Leave this empty"),
            required=False,
            widget=forms.TextInput(attrs={"autocomplete": "off", "tabindex": "-1"}),
        )

    def _ask(self, row: LeadFormField) -> None:
        if not row.name or row.name in self.fields or row.name in (CONSENT, *OWN_NAMES):
            return
        self.rows[row.name] = row
        is_email = row.maps_to == MapsTo.EMAIL
        self.fields[row.name] = make_field(
            row,
            # Asked on a condition: the browser cannot know whether it must be answered, we can.
            is_required=is_email or (row.is_required and not row.show_if),
            refuses_free_mail=self.lead_form.free_mail == LeadForm.FreeMail.REFUSE,
        )

    def questions(self) -> list[Question]:
        """The fields that people see, in the editor's order."""
        names = [name for name in self.fields if name not in OWN_NAMES]
        return [Question(self, name) for name in names if not self[name].is_hidden]

    def hidden_values(self) -> list[forms.BoundField]:
        """The hidden values that the editor put into the form."""
        return [self[name] for name in self.rows if self[name].is_hidden]

    @property
    def trap(self) -> forms.BoundField:
        """The field that only robots fill in."""
        return self[TRAP]

    @property
    def state(self) -> str:
        """The signed state to send along: always the fresh one, never what came in."""
        return self._state

    @property
    def warned(self) -> str:
        """The address to send along as one that was warned about; "" for none."""
        return str(self.cleaned_data.get(MapsTo.EMAIL, "")) if self.is_warning else ""

    @property
    def is_trapped(self) -> bool:
        """Whether a robot filled in what nobody sees."""
        return bool(str(self.data.get(self.add_prefix(TRAP), "")).strip())

    @property
    def is_warning(self) -> bool:
        """Whether the address is one of a free mail provider, not warned about yet."""
        address = getattr(self, "cleaned_data", {}).get(MapsTo.EMAIL, "")
        if self.lead_form.free_mail != LeadForm.FreeMail.WARN or not address:
            return False
        is_known = str(self.data.get(self.add_prefix(WARNED), "")) == address
        return not is_known and bool(mail_domains.kind(address.rpartition("@")[2]))

    def clean(self) -> dict[str, Any]:
        """Questions asked on a condition must be answered when it holds."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name, row in self.rows.items():
            if not row.show_if or not row.is_required or name in self.errors:
                continue
            if self._holds(row, cleaned) and cleaned.get(name) in (None, "", [], False):
                self.add_error(name, self.fields[name].error_messages["required"])
        return cleaned

    def _holds(self, row: LeadFormField, cleaned: dict[str, Any]) -> bool:
        given = cleaned.get(row.show_if)
        answers = given if isinstance(given, list) else [given]
        return any(as_text(answer) in row.wanted_values for answer in answers)

    def values(self) -> dict[str, Any]:
        """The answers by the names of their questions as JSON values, and ``consent`` when it was
        asked for."""
        return {name: storable(value) for name, value in self.cleaned_data.items() if name not in OWN_NAMES}


class Question:
    """One question as the template shows it."""

    def __init__(self, form: PublicForm, name: str) -> None:
        self.field = form[name]
        self.name = name
        self.is_required = self.field.field.required
        self.is_checkbox = isinstance(self.field.field.widget, forms.CheckboxInput)
        self.is_group = self.field.use_fieldset
        self.is_warned = name == MapsTo.EMAIL and form.is_warning
        self.condition = self._condition(form)

    def _condition(self, form: PublicForm) -> dict[str, str] | None:
        """The other question on which this one depends, if that is asked as well."""
        row = form.rows.get(self.name)
        if row is None or row.show_if not in form.rows:
            return None
        shown = {YES: str(_("Yes")), **form.rows[row.show_if].choice_words}
        values = [shown.get(value, value) for value in row.wanted_values]
        return {
            "name": row.show_if,
            "values": json.dumps(row.wanted_values, ensure_ascii=False),
            "label": str(form[row.show_if].label),
            "words": ", ".join(values),
        }

    @property
    def warning_id(self) -> str:
        """The id of the note below the field."""
        return f"{self.field.auto_id}_warning"

    @property
    def control(self) -> str:
        """The input itself, tied to its help text and messages for screen readers."""
        if not self.is_warned:
            return self.field.as_widget()
        described = f"{self.field.aria_describedby or ''} {self.warning_id}".strip()
        return self.field.as_widget(attrs={"aria-describedby": described})


def as_text(answer: Any) -> str:
    """An answer as an editor writes it into a condition; a ticked box is :data:`YES`."""
    if answer is True:
        return YES
    return "" if answer in (None, False) else str(storable(answer))
