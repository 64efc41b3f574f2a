"""How long views were read, as counts by duration: medians of any period from sums of days.

A median of medians is not a median, so a day keeps how many views fell into which bucket. Buckets
are whole seconds up to two minutes and 2 % wide above: what is read from them differs from the
exact figure by at most half a second or 1 %, less than is shown.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Case, F, IntegerField, Value, When
from django.db.models.functions import Cast, Floor, Ln

# Whole seconds up to here.
LINEAR_SECONDS = 120
GROWTH = 1.02


def bucket_of(field: str = "engaged_seconds") -> Case:
    """The bucket of a column of seconds, as an expression (an integer)."""
    above = Floor(Ln(F(field) / float(LINEAR_SECONDS)) / Value(math.log(GROWTH)) + 0.5)
    return Case(
        When(**{f"{field}__lt": LINEAR_SECONDS}, then=Cast(Floor(F(field) + 0.5), IntegerField())),
        default=LINEAR_SECONDS + Cast(above, IntegerField()),
        output_field=IntegerField(),
    )


def seconds_of(bucket: int) -> float:
    """The duration that a bucket stands for."""
    if bucket <= LINEAR_SECONDS:
        return float(bucket)
    return LINEAR_SECONDS * GROWTH ** (bucket - LINEAR_SECONDS)


def add(histograms: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The histogram of all together."""
    total: dict[str, int] = {}
    for histogram in histograms:
        for bucket, count in histogram.items():
            total[bucket] = total.get(bucket, 0) + count
    return total


def quantile(histogram: Mapping[Any, int], share: float) -> float | None:
    """The duration (seconds) that this share of the views stayed at or below.

    The nearest rank: a duration that occurred, never a mean of two.

    :param share: 0.5 for the median.
    :returns: None for an empty histogram.
    """
    total = sum(histogram.values())
    if not total:
        return None
    wanted = max(1, math.ceil(share * total))
    seen = 0
    for bucket in sorted(histogram, key=int):
        seen += histogram[bucket]
        if seen >= wanted:
            return seconds_of(int(bucket))
    raise ValueError("a count is negative")
