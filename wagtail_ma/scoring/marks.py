"""Copies of two marks of a visitor (excluded, customer) in the standings: lists ask them by index."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import Q

from wagtail_ma.people.models import Visitor
from wagtail_ma.scoring.models import Standing


def copy_marks(visitor_ids: Collection[int]) -> int:
    """Make the standings of these visitors say what the visitors themselves say.

    A statement, and one more for each combination of the marks.

    :returns: how many standings were changed.
    """
    if not visitor_ids:
        return 0
    standings = Standing.objects.all()
    by_marks: dict[tuple[bool, bool], list[int]] = {}
    for pk, reason, is_customer in Visitor.objects.filter(pk__in=visitor_ids).values_list(
        "pk", "excluded_reason", "is_customer"
    ):
        by_marks.setdefault((bool(reason), is_customer), []).append(pk)
    changed = 0
    for (is_excluded, is_customer), pks in by_marks.items():
        differing = ~Q(is_excluded=is_excluded, is_customer=is_customer)
        changed += standings.filter(differing, visitor_id__in=pks).update(
            is_excluded=is_excluded, is_customer=is_customer
        )
    return changed
