"""Rules that make sense on the day of installation, to be changed in the admin."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from wagtail_ma.scoring.models import ScoringRule


def default_rules() -> list[dict[str, Any]]:
    """The values of the default rules. Opened mails earn nothing: machines open mails too."""
    activity = ScoringRule.Kind.ACTIVITY
    return [
        {"name": _("Any page viewed"), "kind": ScoringRule.Kind.PAGE_VIEW, "points": 1, "max_per_day": 5},
        {
            "name": _("A page read for a minute"),
            "kind": ScoringRule.Kind.ENGAGED,
            "min_seconds": 60,
            "points": 2,
            "max_per_day": 5,
        },
        {
            "name": _("Document downloaded"),
            "kind": activity,
            "activity_kind": "download",
            "points": 25,
            "max_per_day": 3,
        },
        {
            "name": _("Form seen"),
            "kind": activity,
            "activity_kind": "form_view",
            "points": 5,
            "max_per_day": 1,
        },
        {
            "name": _("Form begun"),
            "kind": activity,
            "activity_kind": "form_start",
            "points": 8,
            "max_per_day": 1,
        },
        {
            "name": _("Form sent"),
            "kind": activity,
            "activity_kind": "form_submit",
            "points": 50,
            "max_per_day": 1,
        },
        {
            "name": _("Link in a mail followed"),
            "kind": activity,
            "activity_kind": "mail_click",
            "points": 5,
            "max_per_day": 3,
        },
    ]


def ensure_default_rules() -> int:
    """Create the default rules where there is no rule at all.

    :returns: how many were created.
    """
    if ScoringRule.objects.exists():
        return 0
    return len(ScoringRule.objects.bulk_create([ScoringRule(**values) for values in default_rules()]))
