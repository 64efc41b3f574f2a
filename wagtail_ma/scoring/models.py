"""Scoring rules, the ledger of points, and where everybody stands."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from wagtail_ma.people.models import Identity, Visitor


class ScoringModel(models.Model):
    """One version of the arithmetic: half-life and epoch. Exactly one is current.

    Entries and standings carry their model, so that after a change of the rules a new version is
    filled beside the old one and switched by one row: current → retired, filling → current.
    Lists never mix two versions.
    """

    half_life_days = models.PositiveSmallIntegerField(_("half-life (days)"), default=30)
    # T₀ of the forward-decayed sum; any fixed moment does.
    epoch = models.DateTimeField()
    is_current = models.BooleanField(default=False)
    # Neither current nor retired: being filled, up to and including this visitor.
    filled_to_id = models.BigIntegerField(default=0)
    retired_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("scoring model")
        verbose_name_plural = _("scoring models")
        constraints = [
            models.UniqueConstraint(
                fields=["is_current"], condition=models.Q(is_current=True), name="ma_scoring_one_current"
            ),
            models.UniqueConstraint(
                fields=["is_current"],
                condition=models.Q(is_current=False, retired_at__isnull=True),
                name="ma_scoring_one_filling",
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} ({self.half_life_days} d)"


class ScoringRule(models.Model):
    """So many points for each fact of a kind."""

    class Kind(models.TextChoices):
        PAGE_VIEW = "page_view", _("A page is viewed")
        ENGAGED = "engaged", _("A page is read for a time")
        VISIT = "visit", _("A visit begins")
        ACTIVITY = "activity", _("An activity happens")

    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("what earns points"), max_length=12, choices=Kind.choices)
    # The page whose views count, with everything below it; empty: any page.
    page_key = models.UUIDField(_("page"), null=True, blank=True)
    activity_kind = models.CharField(_("activity"), max_length=64, blank=True)
    min_seconds = models.PositiveIntegerField(_("engaged seconds at least"), default=0)
    points = models.IntegerField(_("points"), default=1)
    max_per_day = models.PositiveSmallIntegerField(_("at most times per day"), null=True, blank=True)
    max_total = models.PositiveSmallIntegerField(_("at most times in all"), null=True, blank=True)
    is_active = models.BooleanField(_("active"), default=True)

    class Meta:
        verbose_name = _("scoring rule")
        verbose_name_plural = _("scoring rules")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class ScoreEntry(models.Model):
    """Derived: the points that one fact earned under one rule, dated at the fact."""

    model = models.ForeignKey(ScoringModel, on_delete=models.CASCADE, related_name="+", db_index=False)
    rule = models.ForeignKey(ScoringRule, on_delete=models.CASCADE, related_name="entries")
    visitor = models.ForeignKey(
        Visitor, on_delete=models.CASCADE, related_name="score_entries", db_index=False
    )
    fact_kind = models.CharField(max_length=12)
    fact_id = models.BigIntegerField()
    points = models.FloatField()
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("score entry")
        verbose_name_plural = _("score entries")
        constraints = [
            models.UniqueConstraint(fields=["model", "rule", "fact_kind", "fact_id"], name="ma_entry_once"),
        ]
        indexes = [
            # The breakdown of one visitor's score; react's sums.
            models.Index(fields=["visitor", "model", "at"], name="ma_entry_visitor"),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_id} {self.points:+g}"


class Standing(models.Model):
    """Derived, written only by react: a visitor's score and the counters that lists show."""

    model = models.ForeignKey(
        ScoringModel, on_delete=models.CASCADE, related_name="standings", db_index=False
    )
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="standings")
    # Σ pᵢ·2^((tᵢ−T₀)/h): does not change while nothing happens (Cormode et al., Forward Decay).
    engagement_sum = models.FloatField(default=0)
    lifetime = models.FloatField(default=0)
    rank = models.FloatField(default=0)
    view_count = models.PositiveIntegerField(default=0)
    visit_count = models.PositiveIntegerField(default=0)
    engaged_seconds = models.FloatField(default=0)
    last_seen_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("standing")
        verbose_name_plural = _("standings")
        constraints = [
            models.UniqueConstraint(fields=["model", "visitor"], name="ma_standing_once"),
        ]
        indexes = [
            # The ranked list: first page by index, the same order at any time.
            models.Index(fields=["model", "-rank", "-visitor"], name="ma_standing_rank"),
            models.Index(fields=["model", "-last_seen_at", "-visitor"], name="ma_standing_seen"),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_id} {self.rank:g}"


class CarriedPoints(models.Model):
    """Fact: what one identity's deleted facts had earned under one rule in one month.

    Written when retention deletes facts, so that no number drops when the detail goes. ``at`` is
    the moment at which all of ``points`` would be worth the same forward-decayed sum as the entries
    they stand for.
    """

    identity = models.ForeignKey(Identity, on_delete=models.CASCADE, related_name="+", db_index=False)
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="+")
    rule = models.ForeignKey(ScoringRule, on_delete=models.CASCADE, related_name="+")
    month = models.DateField()
    points = models.FloatField()
    count = models.PositiveIntegerField()
    at = models.DateTimeField()
    # How often the rule had paid on the last of these days: a cap per day goes on counting.
    last_day = models.DateField()
    last_day_count = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("carried points")
        verbose_name_plural = _("carried points")
        constraints = [
            models.UniqueConstraint(fields=["identity", "rule", "month"], name="ma_carried_points_once"),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_id} {self.month:%Y-%m} {self.points:+g}"


class CarriedCounts(models.Model):
    """Fact: how many visits and views of one identity have been deleted by retention."""

    identity = models.OneToOneField(Identity, on_delete=models.CASCADE, related_name="+")
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="+")
    visit_count = models.PositiveIntegerField(default=0)
    view_count = models.PositiveIntegerField(default=0)
    engaged_seconds = models.FloatField(default=0)
    last_seen_at = models.DateTimeField()

    class Meta:
        verbose_name = _("carried counts")
        verbose_name_plural = _("carried counts")

    def __str__(self) -> str:
        return f"{self.visitor_id} {self.visit_count}/{self.view_count}"
