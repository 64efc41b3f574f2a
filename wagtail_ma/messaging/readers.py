"""What is known of the reader of a mail at the moment of sending."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wagtail_ma.segments.models import Membership


def segments_of(visitor_id: int | None, compiled: Mapping[str, Any]) -> set[int]:
    """Those segments of the reader that the mail asks for (no statement when it asks for none).

    :param compiled: ``MailVersion.compiled``.
    """
    asked = compiled.get("segments")
    if not asked or visitor_id is None:
        return set()
    mine = Membership.objects.filter(visitor_id=visitor_id, segment_id__in=asked)
    return set(mine.values_list("segment_id", flat=True))
