"""Points of one page, set where editors think of the page: a scoring rule kept in step."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from wagtail_ma.scoring.models import ScoringRule


def rules_of(key: UUID) -> QuerySet[ScoringRule]:
    """The active rules that name this page, by whatever it is that they count."""
    return ScoringRule.objects.filter(page_key=key, is_active=True).order_by("pk")


def _plain() -> QuerySet[ScoringRule]:
    return ScoringRule.objects.filter(
        kind=ScoringRule.Kind.PAGE_VIEW, page_class__isnull=True, topic__isnull=True, times=1
    ).order_by("pk")


def rule_of(key: UUID, *, is_alone: bool) -> ScoringRule | None:
    """The plain rule "so many points for viewing this page" (alone, or with the pages below it)."""
    return _plain().filter(page_key=key, is_page_alone=is_alone).first()


def points_of(keys: Iterable[UUID]) -> dict[tuple[UUID, bool], float]:
    """(page, whether it alone) → the points of its active plain rule (one statement)."""
    found: dict[tuple[UUID, bool], float] = {}
    for rule in _plain().filter(page_key__in=list(keys), is_active=True):
        if rule.page_key is not None:
            found.setdefault((rule.page_key, rule.is_page_alone), rule.points)
    return found


def set_points(key: UUID, points: float | None, *, is_alone: bool, title: str) -> bool:
    """Give views of a page so many points, once a day; 0 or None: none any more.

    :returns: whether anything changed: then scores must be computed again.
    """
    rule = rule_of(key, is_alone=is_alone)
    if not points:
        if rule is not None:
            rule.delete()
        return rule is not None
    if rule is None:
        name = _("“%(page)s” viewed") % {"page": title}
        ScoringRule.objects.create(
            name=name[:120],
            kind=ScoringRule.Kind.PAGE_VIEW,
            page_key=key,
            is_page_alone=is_alone,
            points=points,
            max_per_day=1,
        )
        return True
    if rule.points == points and rule.is_active:
        return False
    rule.points, rule.is_active = points, True
    rule.save(update_fields=["points", "is_active"])
    return True
