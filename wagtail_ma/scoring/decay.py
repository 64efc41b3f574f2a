"""The arithmetic of forward decay: pure functions of points and times.

Engagement points halve every *h* days. What is stored is the forward-decayed sum
S = Σ pᵢ·2^((tᵢ−T₀)/h), which does not change while nothing happens and orders people the same way
at any time (Cormode, Shkapenyuk, Srivastava, Xu: Forward Decay, ICDE 2009). The score of a moment
is max(0, S·2^(−(now−T₀)/h)).

With h ≥ 7 days a float holds S for at least 19 years around T₀.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime

DAY_SECONDS = 86_400.0


def exponent(at: datetime, *, epoch: datetime, half_life_days: float) -> float:
    """Half-lives between ``epoch`` (T₀) and ``at``; negative before the epoch."""
    return (at - epoch).total_seconds() / (DAY_SECONDS * half_life_days)


def forward_sum(points: Iterable[tuple[float, datetime]], *, epoch: datetime, half_life_days: float) -> float:
    """S: the forward-decayed sum of (points, moment of the fact).

    Summed exactly (``math.fsum``), so that the order in which facts arrive never shows.
    """
    return math.fsum(
        value * 2.0 ** exponent(at, epoch=epoch, half_life_days=half_life_days) for value, at in points
    )


def value_at(forward: float, *, now: datetime, epoch: datetime, half_life_days: float) -> float:
    """What the forward-decayed sum ``forward`` is worth at ``now``, in points; may be negative."""
    return forward * 2.0 ** -exponent(now, epoch=epoch, half_life_days=half_life_days)


def decayed(points: float, at: datetime, *, now: datetime, half_life_days: float) -> float:
    """What ``points`` earned at ``at`` are worth at ``now``."""
    return points * 2.0 ** exponent(at, epoch=now, half_life_days=half_life_days)


def forward_threshold(score: float, *, now: datetime, epoch: datetime, half_life_days: float) -> float:
    """The smallest S that is worth ``score`` points at ``now``: turns a threshold into an index
    range."""
    return score * 2.0 ** exponent(now, epoch=epoch, half_life_days=half_life_days)
