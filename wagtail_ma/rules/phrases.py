"""Parameters that many conditions have, and the words for them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from wagtail_ma.core.parameters import Choice, Number

COMPARISONS = (
    ("at_least", _("at least")),
    ("at_most", _("at most")),
    ("exactly", _("exactly")),
)
comparison = Choice(name="comparison", label=_("How often"), choices=COMPARISONS, default="at_least")
days = Number(
    name="days",
    label=_("In the last … days"),
    help_text=_("Empty: at any time."),
    required=False,
    minimum=1,
    maximum=3650,
)


def times(comparison: str, number: int) -> str:
    """ "at least 3 times", for the sentences of conditions.

    :param comparison: ``at_least``, ``at_most`` or ``exactly``.
    """
    patterns = {
        "at_least": ngettext("at least %(number)d time", "at least %(number)d times", number),
        "at_most": ngettext("at most %(number)d time", "at most %(number)d times", number),
        "exactly": ngettext("exactly %(number)d time", "exactly %(number)d times", number),
    }
    return patterns[comparison] % {"number": number}


def within(days: int | None) -> str:
    """ " in the last 14 days", with its leading blank; empty without a limit."""
    if days is None:
        return ""
    return ngettext(" in the last %(days)d day", " in the last %(days)d days", days) % {"days": days}


def visits(how: str, number: int) -> str:
    """ "at least 3 visits"."""
    patterns = {
        "at_least": ngettext("at least %(number)d visit", "at least %(number)d visits", number),
        "at_most": ngettext("at most %(number)d visit", "at most %(number)d visits", number),
        "exactly": ngettext("exactly %(number)d visit", "exactly %(number)d visits", number),
    }
    return patterns[how] % {"number": number}
