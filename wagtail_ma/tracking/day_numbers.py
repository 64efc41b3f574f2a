"""The columns that every roll-up by day has."""

from __future__ import annotations

from django.db import models

from wagtail_ma.tracking import histograms


class DayNumbers(models.Model):
    """What is counted of page views on one day, without bots. Derived; days can be added up.

    Distinct people cannot be added up: ``visitors`` is right for its day alone.
    """

    # In the time zone of the project.
    day = models.DateField()
    views = models.PositiveIntegerField(default=0)
    # Views by people who must not be recognised: in no other number.
    anonymous_views = models.PositiveIntegerField(default=0)
    # Visits that began on this day.
    visits = models.PositiveIntegerField(default=0)
    # The same by channel: {"organic": 12}.
    mediums = models.JSONField(default=dict)
    visitors = models.PositiveIntegerField(default=0)
    # Measured reading time only: views told by the server or a log are left out, here and below.
    engaged_seconds = models.FloatField(default=0)
    # How long views were read, {bucket: views} (see histograms.py): medians of any period.
    engaged_histogram = models.JSONField(default=dict)

    class Meta:
        abstract = True

    @property
    def all_views(self) -> int:
        """Views with and without an identifier."""
        return self.views + self.anonymous_views

    @property
    def engaged_median(self) -> float | None:
        """Seconds that half of the day's views were read for at least; None without views."""
        return histograms.quantile(self.engaged_histogram, 0.5)

    @property
    def engaged_p90(self) -> float | None:
        """Seconds that a tenth of the day's views were read for at least; None without views."""
        return histograms.quantile(self.engaged_histogram, 0.9)
