"""Rules that make sense on the day of installation, to be changed in the admin.

They look at classes of pages (said once under "Page classes") and not at pages, so they work on any
site. Opened mails earn nothing: machines open mails too.
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from wagtail_ma.scoring.models import ScoringRule
from wagtail_ma.tracking import page_classes
from wagtail_ma.tracking.models import PageClass

Kind = ScoringRule.Kind
Class = PageClass.BuiltIn

# Titles of people who decide, in the languages of most Japanese sites.
SENIOR = (
    "部長",
    "取締役",
    "社長",
    "役員",
    "代表",
    "本部長",
    "manager",
    "director",
    "head of",
    "chief",
    "president",
)
STUDY = ("大学", "university", "学生", "student", "学校")


def default_rules() -> list[dict[str, Any]]:
    """The values of the default rules."""
    return [*_engagement(), *_acts(), *_patterns(), *_fit()]


def _engagement() -> list[dict[str, Any]]:
    classes = dict(PageClass.objects.values_list("key", "pk"))

    def of(key: str, **values: Any) -> dict[str, Any]:
        return {"kind": Kind.PAGE_VIEW, "page_class_id": classes.get(key), **values}

    return [
        {"name": _("Any page viewed"), "kind": Kind.PAGE_VIEW, "points": 1, "max_per_visit": 5},
        {
            "name": _("A page read for a minute"),
            "kind": Kind.ENGAGED,
            "min_seconds": 60,
            "points": 2,
            "max_per_day": 5,
        },
        of(Class.PRICING, name=_("Prices viewed"), points=10, max_per_day=1),
        {
            **of(Class.PRICING, name=_("Prices read, for every 30 seconds"), points=1, max_per_day=3),
            "kind": Kind.ENGAGED,
            "min_seconds": 30,
            "max_repeats": 10,
        },
        of(Class.PRODUCT, name=_("Product page viewed"), points=2, max_per_day=3),
        of(Class.CASE, name=_("Case study viewed"), points=3, max_per_day=5),
        of(Class.FAQ, name=_("Questions and answers viewed"), points=3, max_per_day=5),
        of(Class.CAREERS, name=_("Careers page viewed"), points=-10, max_per_day=3),
    ]


def _acts() -> list[dict[str, Any]]:
    def act(name: str, kind: str, points: float, **caps: int) -> dict[str, Any]:
        return {"name": name, "kind": Kind.ACTIVITY, "activity_kind": kind, "points": points, **caps}

    return [
        act(_("Document downloaded"), "download", 25, max_per_day=3),
        act(_("Form seen"), "form_view", 5, max_per_day=1),
        act(_("Form begun"), "form_start", 8, max_per_day=1),
        act(_("Form sent"), "form_submit", 50, max_per_day=1),
        act(_("Link in a mail followed"), "mail_click", 5, max_per_day=3),
        act(_("Seminar booked"), "seminar_booked", 20),
        act(_("Seminar attended"), "seminar_attended", 30),
        act(_("Business card exchanged"), "card_exchanged", 15, max_per_day=1),
        act(_("Spoken with on the phone"), "phone_talk", 20, max_per_day=1),
    ]


def _patterns() -> list[dict[str, Any]]:
    return [
        {
            "name": _("The same page opened again and again"),
            "kind": Kind.PAGE_VIEW,
            "times": 3,
            "within_days": 30,
            "is_same_page": True,
            "points": 5,
            "max_per_day": 2,
        },
        {"name": _("Back after a month"), "kind": Kind.VISIT, "after_silence_days": 30, "points": 10},
    ]


def _fit() -> list[dict[str, Any]]:
    def told(field: str, *words: str) -> list[dict[str, Any]]:
        return [
            {"type": "lead_attribute", "value": {"attribute": field, "operator": "contains", "text": word}}
            for word in words
        ]

    def holds(name: str, points: float, match: str, *conditions: dict[str, Any]) -> dict[str, Any]:
        return {"name": name, "kind": Kind.HOLDS, "points": points, "match": match, "rule": list(conditions)}

    free = ("gmail.", "yahoo.", "outlook.", "hotmail.", "icloud.", "docomo.ne.jp", "ezweb.ne.jp")
    return [
        holds(
            _("Known by name, with an address at work"),
            20,
            "all",
            {"type": "identified", "value": {}},
            {"type": "group", "value": {"match": "none", "conditions": told("email_domain", *free)}},
        ),
        holds(_("Decides: the title says so"), 30, "any", *told("title", *SENIOR)),
        holds(
            _("Studies or teaches"),
            -30,
            "any",
            *told("company_name", *STUDY),
            *told("title", *STUDY),
            *told("email_domain", ".ac.jp", ".edu"),
        ),
    ]


def ensure_default_rules() -> int:
    """Create the default rules where there is no rule at all.

    :returns: how many were created.
    """
    if ScoringRule.objects.exclude(kind=Kind.GIVEN).exists():
        return 0
    page_classes.ensure_built_in()
    return len(ScoringRule.objects.bulk_create([ScoringRule(**values) for values in default_rules()]))
