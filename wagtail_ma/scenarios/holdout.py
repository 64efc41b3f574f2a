"""Who is left alone for comparison, and where a random split sends somebody: by the visitor's own number."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from wagtail_ma.people.models import Visitor
from wagtail_ma.scenarios.models import Enrolment, Scenario

REASON = "held_out"


def share_of(bucket: int, key: str) -> float:
    """Where a visitor falls in a split, 0 to below 100: always the same for the same key (a
    step), and independent of where they fall in others.

    :param bucket: the visitor's, drawn once (``Visitor.bucket``).
    """
    digest = hashlib.blake2b(f"{key}:{bucket}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 * 100


def among(scenario: Scenario, visitor_ids: Sequence[int]) -> set[int]:
    """Those of these visitors who are held out of the scenario: the same ones each time. Raising the
    percentage holds more out and lets nobody back in."""
    if not scenario.holdout_percent or not visitor_ids:
        return set()
    buckets = Visitor.objects.filter(pk__in=visitor_ids).values_list("pk", "bucket")
    return {
        pk for pk, bucket in buckets if share_of(bucket, f"holdout:{scenario.pk}") < scenario.holdout_percent
    }


def state(*, now: datetime) -> dict[str, Any]:
    """Fields of the enrolment of somebody who is held out: over before it has begun."""
    return {"status": Enrolment.Status.HELD_OUT, "left_at": now, "left_reason": REASON}
