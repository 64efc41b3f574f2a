"""Definitions and exclusions that make sense on the day of installation, to be changed in the admin."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from wagtail_ma.sales.models import ExclusionRule, HotDefinition

Kind, List = HotDefinition.Kind, HotDefinition.List


def default_definitions() -> list[dict[str, Any]]:
    """The values of the default hot lead definitions (requirements S1-15, 16, 21, S3-18, 28)."""
    return [
        {"name": _("High score"), "kind": Kind.SCORE, "score": 75, "release_score": 60},
        {"name": _("Long look at the prices"), "kind": Kind.PRICING_READ, "days": 7},
        {"name": _("Form left unfinished"), "kind": Kind.FORM_LEFT, "days": 7, "expiry_days": 7},
        {"name": _("Manager after staff"), "kind": Kind.SENIOR, "days": 14},
        {
            "name": _("Looks for certainty"),
            "kind": Kind.REASSURANCE,
            "list": List.HIDDEN,
            "days": 14,
            "times": 3,
            "min_seconds": 300,
        },
        {
            "name": _("Stuck on an article"),
            "kind": Kind.SAME_PAGE,
            "list": List.HIDDEN,
            "days": 14,
            "times": 3,
        },
        {
            "name": _("Back after a long silence"),
            "kind": Kind.SURGE,
            "list": List.SURGING,
            "days": 7,
            "times": 2,
            "silent_days": 30,
            "factor": 2,
        },
        {
            "name": _("Company back after a long silence"),
            "kind": Kind.COMPANY_SURGE,
            "list": List.SURGING,
            "days": 14,
            "times": 3,
            "silent_days": 30,
            "factor": 2,
        },
        {
            "name": _("Good fit and busy"),
            "kind": Kind.RULE,
            "match": "any",
            "rule": [_grade("A", "2"), _grade("B", "1")],
        },
        {
            "name": _("Customer growing quiet"),
            "kind": Kind.DROP,
            "list": List.AT_RISK,
            "days": 30,
            "times": 3,
            "factor": 3,
            "rearm_days": 60,
        },
        {"name": _("Customer about to leave"), "kind": Kind.CANCELLATION, "list": List.AT_RISK, "days": 14},
    ]


def _grade(fit: str, engagement: str) -> dict[str, Any]:
    return {"type": "grade", "value": {"fit": fit, "engagement": engagement}}


def default_exclusions() -> list[dict[str, Any]]:
    """The values of the default exclusion rules (S0-36, S0-37)."""
    kind = ExclusionRule.Kind
    return [
        {"name": _("Reads mostly careers pages"), "kind": kind.JOB_SEEKER},
        {"name": _("Works for a competitor"), "kind": kind.COMPETITOR},
        {"name": _("Works for us"), "kind": kind.STAFF},
        {"name": _("Is a student"), "kind": kind.STUDENT},
        {"name": _("Is a bot"), "kind": kind.BOT},
    ]


def ensure() -> int:
    """Create the defaults where there is neither a definition nor an exclusion.

    :returns: how many rows were created.
    """
    if HotDefinition.objects.exists() or ExclusionRule.objects.exists():
        return 0
    made: list[Any] = HotDefinition.objects.bulk_create(
        [HotDefinition(**values) for values in default_definitions()]
    )
    # Whoever was recorded before is looked at, too.
    made += ExclusionRule.objects.bulk_create(
        [ExclusionRule(**values, checked_to_id=0) for values in default_exclusions()]
    )
    return len(made)
