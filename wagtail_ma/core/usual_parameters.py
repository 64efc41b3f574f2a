"""Parameters that conditions of several domains have, said once."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from wagtail_ma.core.parameters import Choice, Number, Text

EQUALS = ("equals", _("is"))
CONTAINS = ("contains", _("contains"))


def either(first: tuple[str, Any], second: tuple[str, Any], *, name: str = "is") -> Choice:
    """One of two, the first by default: known by name or still anonymous."""
    return Choice(name=name, label=_("Which"), choices=(first, second), default=first[0])


def operator(*choices: tuple[str, Any], default: str) -> Choice:
    """How a text is compared."""
    return Choice(name="operator", label=_("Comparison"), choices=choices, default=default)


def compared_text(*, required: bool = True, max_length: int = 200, help_text: Any = "") -> Text:
    """The text that it is compared with."""
    return Text(
        name="text",
        label=_("Text"),
        help_text=help_text or _("Upper and lower case are the same."),
        required=required,
        max_length=max_length,
    )


def days_back(default: int) -> Number:
    """ "In the last … days", which must be said."""
    return Number(name="days", label=_("In the last … days"), default=default, minimum=1, maximum=3650)


def some_days(default: int) -> Number:
    """A number of days, whose meaning another parameter tells."""
    return Number(name="days", label=_("Days"), default=default, minimum=1, maximum=3650)


def at_least(
    label: Any, default: int, *, name: str = "number", help_text: Any = "", maximum: int = 1_000_000
) -> Number:
    """A number to be reached, 1 or more."""
    return Number(name=name, label=label, help_text=help_text, default=default, minimum=1, maximum=maximum)


WITHIN_OR_BEFORE = either(
    ("within", _("within the last … days")), ("before", _("longer ago than … days")), name="comparison"
)
