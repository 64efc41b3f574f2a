"""Segments and who is in them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from wagtail_ma.people.models import Visitor
from wagtail_ma.rules.fields import RuleField


class Segment(models.Model):
    """A named rule. Its members are stored, kept current by ``react`` and by a periodic refresh."""

    class Match(models.TextChoices):
        ALL = "all", _("all of these")
        ANY = "any", _("any of these")
        NONE = "none", _("none of these")

    name = models.CharField(_("name"), max_length=120, unique=True)
    description = models.TextField(_("description"), blank=True)
    match = models.CharField(_("match"), max_length=4, choices=Match.choices, default=Match.ALL)
    rule = RuleField(_("conditions"), blank=True)
    # Why the rule cannot be evaluated (a deleted page, a removed fact); members stay frozen.
    broken_reason = models.CharField(max_length=255, blank=True, editable=False)
    refreshed_at = models.DateTimeField(null=True, editable=False)
    # Whether somebody of whom we have no row fulfils the rule ("has not viewed the prices").
    includes_strangers = models.BooleanField(default=False, editable=False)
    member_count = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """Derived: this visitor fulfils the segment's rule, since when."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="memberships", db_index=False)
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="memberships")
    entered_at = models.DateTimeField()

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            # Also serves the list of a segment's members and the diff of a full refresh.
            models.UniqueConstraint(fields=["segment", "visitor"], name="ma_membership_once"),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_id} ∈ {self.segment_id}"
