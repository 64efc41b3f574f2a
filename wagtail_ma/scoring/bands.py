"""Grades: in which band of fit and of engagement somebody is. Pure."""

from __future__ import annotations

from collections.abc import Sequence

LETTERS = "ABCD"
NUMBERS = "1234"
# Everybody's fit before anything is known of them: neutral, neither good nor bad.
NEUTRAL_FIT = 30.0


def band(value: float, thresholds: Sequence[float], names: str) -> str:
    """The name of the band: the first whose threshold is reached, else the last.

    :param thresholds: from high to low, one fewer than names.
    """
    for name, threshold in zip(names, thresholds, strict=False):
        # The number shown is a sum of rows: 75 made of 0.1s is 75.
        if value >= threshold - 1e-9 * max(1.0, abs(threshold)):
            return name
    return names[-1]


def fit_grade(fit: float, thresholds: Sequence[float]) -> str:
    """A–D of so many fit points."""
    return band(fit, thresholds, LETTERS)


def engagement_grade(score: float, thresholds: Sequence[float]) -> str:
    """1–4 of a current score."""
    return band(score, thresholds, NUMBERS)


def rank(forward: float, grade: str, weights: Sequence[float]) -> float:
    """S·w(fit), the order of the ranked list; below zero a better fit must raise it, too: S÷w."""
    weight = float(weights[LETTERS.index(grade)])
    return forward * weight if forward >= 0 else forward / weight
