"""System checks of segments, run by ``manage.py check --database default`` and ``migrate``."""

from __future__ import annotations

from typing import Any

from django.core.checks import CheckMessage, Tags, Warning, register
from django.db import DatabaseError

from wagtail_ma.segments.models import Segment


def broken_segments() -> list[tuple[str, str]]:
    """(name, reason) of the segments whose rule cannot be evaluated."""
    rows = Segment.objects.exclude(broken_reason="").order_by("name")
    return list(rows.values_list("name", "broken_reason"))


@register(Tags.database)
def check_segments(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Segments whose rule names something that does not exist any more."""
    if not databases:
        return []
    try:
        found = broken_segments()
    except DatabaseError:
        # Before the first migration.
        return []
    return [
        Warning(
            f"The rule of the segment “{name}” cannot be evaluated: {reason}",
            hint="Its members stay as they were until the rule is mended.",
            id="wagtail_ma.W030",
        )
        for name, reason in found
    ]
