"""The kinds of answers: what people type, repaired where it can be, refused where it must be."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from wagtail_ma.conf import conf
from wagtail_ma.core.text import clean_line, normalise_email
from wagtail_ma.forms import mail_exchange
from wagtail_ma.forms.models import LeadFormField
from wagtail_ma.people import mail_domains

MESSAGE_LENGTH = 5_000
LINE_LENGTH = 200
MapsTo = LeadFormField.MapsTo
Kind = LeadFormField.Kind

_PHONE = re.compile(r"[0-9+() .\-/x#]{5,40}\Z")
# What stands for a hyphen in Japanese keyboards' numbers.
_HYPHENS = re.compile("[‐‑‒–—―−ー－ｰ]")
_POSTAL_CODE = re.compile(r"([0-9]{3})-?([0-9]{4})\Z")
_KANA = re.compile(r"[ァ-ヺー・ヽヾ ]+\Z")
_HALF_WIDTH_KANA = re.compile("[｡-ﾟ]+")
_HIRAGANA = {code: code + 0x60 for code in range(ord("ぁ"), ord("ゖ") + 1)}


def repair_kana(text: str) -> str:
    """Hiragana and half-width katakana as full-width katakana; everything else as NFKC has it."""
    return unicodedata.normalize("NFKC", text).translate(_HIRAGANA)


class LineField(forms.CharField):
    """One line of text. Line breaks are refused: no browser sends any, forgers of mail do.
    Half-width katakana becomes full-width; all else stays as it was typed."""

    default_error_messages = {"one_line": _("Line breaks are not allowed here.")}

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value) or "")
        if any(len(line) != len(text) for line in text.splitlines()):
            raise ValidationError(self.error_messages["one_line"], code="one_line")
        return _HALF_WIDTH_KANA.sub(lambda match: unicodedata.normalize("NFKC", match[0]), text)

    def clean(self, value: Any) -> str:
        text: str = super().clean(value)
        cleaned = clean_line(text, len(text))
        if self.required and not cleaned:
            # Nothing but control characters was typed.
            raise ValidationError(self.error_messages["required"], code="required")
        return cleaned


class EmailField(LineField):
    """A mail address; full-width letters are repaired, throw-away addresses refused.

    :param refuses_free_mail: addresses of free mail providers are refused as well.
    """

    default_error_messages = {
        "email": _("Enter a valid e-mail address, for example name@example.com."),
        "disposable": _("Throw-away addresses cannot be used here."),
        "free": _("Please enter the address that you use at your company."),
        "nobody": _("It seems that nobody takes mail for %(domain)s. Please look at the address once more."),
    }

    def __init__(self, *args: Any, refuses_free_mail: bool = False, **kwargs: Any) -> None:
        self.refuses_free_mail = refuses_free_mail
        super().__init__(*args, **kwargs)

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        if not text:
            return ""
        try:
            address = normalise_email(text)
        except ValueError as error:
            raise ValidationError(self.error_messages["email"], code="email") from error
        domain = address.rpartition("@")[2]
        kind = mail_domains.kind(domain)
        if kind == mail_domains.DISPOSABLE:
            raise ValidationError(self.error_messages["disposable"], code="disposable")
        if kind and self.refuses_free_mail:
            raise ValidationError(self.error_messages["free"], code="free")
        if conf.CHECK_MX and not mail_exchange.takes_mail(domain):
            raise ValidationError(self.error_messages["nobody"], code="nobody", params={"domain": domain})
        return address


class PhoneField(LineField):
    """A telephone number in any notation; full-width digits and hyphens are repaired."""

    default_error_messages = {"phone": _("Enter a telephone number, for example 03-1234-5678.")}

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        text = unicodedata.normalize("NFKC", _HYPHENS.sub("-", text)).strip()
        if text and not _PHONE.match(text):
            raise ValidationError(self.error_messages["phone"], code="phone")
        return text


class PostalCodeField(LineField):
    """A Japanese postal code in any notation, kept as 123-4567."""

    default_error_messages = {"postal_code": _("Enter a postal code of seven digits, for example 100-0001.")}

    def clean(self, value: Any) -> str:
        text = super().clean(value)
        if not text:
            return ""
        plain = unicodedata.normalize("NFKC", _HYPHENS.sub("-", text)).replace("〒", "").replace(" ", "")
        found = _POSTAL_CODE.match(plain)
        if found is None:
            raise ValidationError(self.error_messages["postal_code"], code="postal_code")
        return f"{found[1]}-{found[2]}"


class KanaField(LineField):
    """The reading of a name; hiragana and half-width katakana are repaired."""

    default_error_messages = {"kana": _("Enter the reading in katakana.")}

    def clean(self, value: Any) -> str:
        text = repair_kana(super().clean(value))
        if text and not _KANA.match(text):
            raise ValidationError(self.error_messages["kana"], code="kana")
        return text


class NumberField(forms.DecimalField):
    """A number; full-width digits and separators of thousands are repaired."""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            value = unicodedata.normalize("NFKC", _HYPHENS.sub("-", value)).replace(",", "").strip()
        return super().to_python(value)


class DateField(forms.DateField):
    """A day: as browsers send it, or typed the Japanese way (2026/11/22)."""

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str):
            plain = unicodedata.normalize("NFKC", _HYPHENS.sub("-", value)).strip()
            value = re.sub(r"[/.年月]", "-", plain).rstrip("日")
        return super().to_python(value)


class HiddenField(LineField):
    """A value that nobody sees: too long or broken ones are cut, never shown as an error."""

    def clean(self, value: Any) -> str:
        return clean_line(str(value or ""), LINE_LENGTH)


@dataclass(frozen=True)
class Usual:
    """What is usual for a question about the person.

    :param autocomplete: the browser's own word for it (HTML standard, section "Autofill").
    :param pattern: what the script checks while typing; the server has the last word.
    """

    autocomplete: str
    max_length: int
    field: type[forms.Field] = LineField
    inputmode: str = ""
    repair: str = ""
    pattern: str = ""


USUAL = {
    MapsTo.EMAIL: Usual("email", 254, EmailField, "email", "width", r"[^@\s]+@[^@\s]+\.[^@\s]+"),
    MapsTo.FAMILY_NAME: Usual("family-name", 80),
    MapsTo.GIVEN_NAME: Usual("given-name", 80),
    MapsTo.FAMILY_NAME_KANA: Usual("off", 80, KanaField, "", "kana", "[ァ-ヺー・ヽヾ ]+"),
    MapsTo.GIVEN_NAME_KANA: Usual("off", 80, KanaField, "", "kana", "[ァ-ヺー・ヽヾ ]+"),
    MapsTo.COMPANY: Usual("organization", 160),
    MapsTo.DEPARTMENT: Usual("off", 120),
    MapsTo.TITLE: Usual("organization-title", 120),
    MapsTo.PHONE: Usual("tel", 40, PhoneField, "tel", "width", r"[0-9+() .\-\/x#]{5,40}"),
    MapsTo.POSTAL_CODE: Usual(
        "postal-code", 20, PostalCodeField, "numeric", "width", "〒?[0-9]{3}-?[0-9]{4}"
    ),
    MapsTo.ADDRESS: Usual("street-address", 255),
}
# Their answers have one notation; an editor cannot make lists of them.
FIXED = (
    MapsTo.EMAIL,
    MapsTo.FAMILY_NAME_KANA,
    MapsTo.GIVEN_NAME_KANA,
    MapsTo.PHONE,
    MapsTo.POSTAL_CODE,
    MapsTo.MESSAGE,
)


def kind_of(row: LeadFormField) -> str:
    """The kind of answer of a question, what is usual filled in."""
    if row.maps_to == MapsTo.MESSAGE:
        return Kind.TEXT
    if row.maps_to in FIXED:
        return Kind.USUAL
    if row.kind == Kind.USUAL and row.maps_to not in USUAL:
        return Kind.LINE
    return row.kind


def make_field(row: LeadFormField, *, is_required: bool, refuses_free_mail: bool = False) -> forms.Field:
    """The Django form field of a question.

    :param is_required: also what the browser is told; False for a question asked on a condition.
    """
    label = row.label or (MapsTo(row.maps_to).label if row.maps_to in MapsTo.values else row.name)
    options: dict[str, Any] = {"label": label, "required": is_required, "help_text": row.help_text}
    builder = _BUILDERS.get(kind_of(row))
    if builder is not None:
        return builder(row, options)
    usual = USUAL.get(MapsTo(row.maps_to), Usual("off", LINE_LENGTH))
    if usual.field is EmailField:
        options["refuses_free_mail"] = refuses_free_mail
    widget = forms.TextInput(attrs=_attributes(usual))
    field: Any = usual.field
    return field(widget=widget, max_length=usual.max_length, **options)


def _attributes(usual: Usual) -> dict[str, str]:
    attrs = {"autocomplete": usual.autocomplete}
    if usual.inputmode:
        # Not type="email": browsers would refuse full-width letters before we can repair them.
        attrs["inputmode"] = usual.inputmode
    if usual.repair:
        attrs["data-ma-repair"] = usual.repair
    if usual.pattern:
        messages = usual.field.default_error_messages
        attrs["data-ma-pattern"] = usual.pattern
        attrs["data-ma-message"] = str(next(iter(messages.values())))
    return attrs


def _text(row: LeadFormField, options: dict[str, Any]) -> forms.Field:
    widget = forms.Textarea(attrs={"autocomplete": "off", "rows": "6"})
    return forms.CharField(widget=widget, max_length=MESSAGE_LENGTH, **options)


def _line(row: LeadFormField, options: dict[str, Any]) -> forms.Field:
    usual = USUAL.get(MapsTo(row.maps_to), Usual("off", LINE_LENGTH))
    return LineField(widget=forms.TextInput(attrs=_attributes(usual)), max_length=usual.max_length, **options)


def _number(row: LeadFormField, options: dict[str, Any]) -> forms.Field:
    # Not type="number": it drops full-width digits without a word.
    widget = forms.TextInput(attrs={"autocomplete": "off", "inputmode": "decimal", "data-ma-repair": "width"})
    return NumberField(widget=widget, max_digits=18, decimal_places=4, **options)


def _date(row: LeadFormField, options: dict[str, Any]) -> forms.Field:
    widget = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date", "autocomplete": "off"})
    return DateField(widget=widget, input_formats=["%Y-%m-%d"], **options)


def _select(row: LeadFormField, options: dict[str, Any]) -> forms.Field:
    return forms.ChoiceField(choices=[("", "—"), *row.choice_pairs], **options)


def _radio(row: LeadFormField, options: dict[str, Any]) -> forms.Field:
    return forms.ChoiceField(widget=forms.RadioSelect, choices=row.choice_pairs, **options)


def _checkboxes(row: LeadFormField, options: dict[str, Any]) -> forms.Field:
    # No "required" for each box: browsers would want all of them.
    widget = forms.CheckboxSelectMultiple
    return forms.MultipleChoiceField(widget=widget, choices=row.choice_pairs, **options)


def _checkbox(row: LeadFormField, options: dict[str, Any]) -> forms.Field:
    return forms.BooleanField(widget=forms.CheckboxInput(attrs={"value": "yes"}), **options)


def _hidden(row: LeadFormField, options: dict[str, Any]) -> forms.Field:
    return HiddenField(widget=forms.HiddenInput, initial=row.default, **(options | {"required": False}))


_BUILDERS: dict[str, Callable[[LeadFormField, dict[str, Any]], forms.Field]] = {
    Kind.TEXT: _text,
    Kind.LINE: _line,
    Kind.NUMBER: _number,
    Kind.DATE: _date,
    Kind.SELECT: _select,
    Kind.RADIO: _radio,
    Kind.CHECKBOXES: _checkboxes,
    Kind.CHECKBOX: _checkbox,
    Kind.HIDDEN: _hidden,
}


def storable(value: Any) -> Any:
    """An answer as JSON: days as ISO text, numbers as numbers, the rest as it is."""
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
