"""Points that were given rather than earned."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from wagtail_ma.people.models import Visitor
from wagtail_ma.scoring.models import ScoringRule


class GivenPoints(models.Model):
    """Decision: somebody was given points, by a step of a scenario. React makes an entry of the ledger
    of it; ``rule`` (of the kind GIVEN) carries the words for it."""

    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="given_points")
    born_visitor = models.ForeignKey(Visitor, null=True, on_delete=models.SET_NULL, related_name="+")
    rule = models.ForeignKey(ScoringRule, on_delete=models.CASCADE, related_name="given")
    points = models.FloatField()
    # What gave them, e.g. the step of a scenario: the same one gives once.
    source_key = models.CharField(max_length=120, unique=True)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("given points")
        verbose_name_plural = _("given points")

    def __str__(self) -> str:
        return f"{self.visitor_id} {self.points:+g}"
