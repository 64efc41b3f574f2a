"""Scoring rules, the ledger of points, and where everybody stands."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from wagtail_ma.conf import conf
from wagtail_ma.people.models import Identity, Visitor
from wagtail_ma.rules.fields import RuleField
from wagtail_ma.tracking.models import PageClass, Topic


def default_thresholds() -> list[float]:
    """As the settings say."""
    return [float(each) for each in conf.FIT_GRADES]


def default_weights() -> list[float]:
    """As the settings say."""
    return [float(each) for each in conf.FIT_WEIGHTS]


# Whoever is excluded stands in no list.
LISTED = models.Q(is_excluded=False)


class ScoringModel(models.Model):
    """One version of the arithmetic: half-life, epoch, bands of fit. Exactly one is current.

    Entries and standings carry their model, so that after a change of the rules a new version is
    filled beside the old one and switched by one row: current → retired, filling → current.
    Lists never mix two versions.
    """

    half_life_days = models.PositiveSmallIntegerField(_("half-life (days)"), default=30)
    # T₀ of the forward-decayed sum; any fixed moment does.
    epoch = models.DateTimeField()
    # Of the settings when it was made: from how many fit points on A, B and C are given, and how much
    # S counts in the rank for A, B, C and D.
    fit_thresholds = models.JSONField(default=default_thresholds)
    fit_weights = models.JSONField(default=default_weights)
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
    """So many points for each fact of a kind, or for as long as conditions hold.

    The first kinds look at facts and give *engagement*, dated at the fact, which fades; PATTERN at the
    fact with which conditions came to hold. HOLDS looks at the visitor and gives *fit*, which does not.
    """

    class Kind(models.TextChoices):
        PAGE_VIEW = "page_view", _("A page is viewed")
        ENGAGED = "engaged", _("A page is read for a time")
        VISIT = "visit", _("A visit begins")
        ACTIVITY = "activity", _("An activity happens")
        PATTERN = "pattern", _("Conditions come to hold (pattern)")
        HOLDS = "holds", _("Conditions hold (fit)")
        # Made by itself (given.py), and not among those that editors see.
        GIVEN = "given", _("A step of a scenario gives points")

    class Match(models.TextChoices):
        ALL = "all", _("all of these")
        ANY = "any", _("any of these")
        NONE = "none", _("none of these")

    class Boost(models.TextChoices):
        """What multiplies the points: how it was at the moment of the fact."""

        NAMED = "named", _("the visitor was known by name by then")
        RETURNING = "returning", _("it was not the first visit")
        PAID = "paid", _("the visit came from advertising")
        EMAIL = "email", _("the visit came from a mail")
        ORGANIC = "organic", _("the visit came from a search")
        SOCIAL = "social", _("the visit came from social media")
        REFERRAL = "referral", _("the visit came from another site")

    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("what earns points"), max_length=12, choices=Kind.choices)
    # The page whose views count, with everything below it unless it is meant alone; empty: any page.
    page_key = models.UUIDField(_("page"), null=True, blank=True)
    is_page_alone = models.BooleanField(_("this page alone, not those below it"), default=False)
    page_class = models.ForeignKey(
        PageClass,
        verbose_name=_("class of pages"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="scoring_rules",
    )
    topic = models.ForeignKey(
        Topic,
        verbose_name=_("topic"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="scoring_rules",
    )
    activity_kind = models.CharField(_("activity"), max_length=64, blank=True)
    # One form, document, mail … ("form:3"); empty: any.
    activity_object = models.CharField(_("of which"), max_length=121, blank=True)
    min_seconds = models.PositiveIntegerField(_("engaged seconds at least"), default=0)
    # 10 with 30 seconds: a point at 30, 60, … 300 seconds.
    max_repeats = models.PositiveSmallIntegerField(_("again for each further such time, up to"), default=1)
    # Patterns: only every n-th fact pays.
    times = models.PositiveSmallIntegerField(_("only at each … time"), default=1)
    within_days = models.PositiveSmallIntegerField(_("within days"), null=True, blank=True)
    is_same_page = models.BooleanField(_("of one and the same page"), default=False)
    after_silence_days = models.PositiveSmallIntegerField(_("after days of silence"), null=True, blank=True)
    match = models.CharField(_("match"), max_length=4, choices=Match.choices, default=Match.ALL)
    rule = RuleField(_("conditions"), blank=True)
    points = models.FloatField(_("points"), default=1)
    boost_when = models.CharField(_("more (or less) if"), max_length=12, choices=Boost.choices, blank=True)
    boost = models.FloatField(_("points times"), default=1)
    max_per_day = models.PositiveSmallIntegerField(_("at most times per day"), null=True, blank=True)
    max_per_visit = models.PositiveSmallIntegerField(_("at most times per visit"), null=True, blank=True)
    max_total = models.PositiveSmallIntegerField(_("at most times in all"), null=True, blank=True)
    cool_down_hours = models.PositiveSmallIntegerField(_("hours of rest after points"), null=True, blank=True)
    # Of the facts, in the site's time zone; both days included.
    valid_from = models.DateField(_("from"), null=True, blank=True)
    valid_to = models.DateField(_("until"), null=True, blank=True)
    is_active = models.BooleanField(_("active"), default=True)
    # When everybody was last searched for people for whom time alone has changed something.
    swept_at = models.DateTimeField(null=True, editable=False)
    broken_reason = models.CharField(max_length=255, blank=True, editable=False)

    class Meta:
        verbose_name = _("scoring rule")
        verbose_name_plural = _("scoring rules")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_fit(self) -> bool:
        """Whether it gives fit points."""
        return self.kind == self.Kind.HOLDS

    @property
    def has_conditions(self) -> bool:
        """Whether it looks at a rule tree."""
        return self.kind in (self.Kind.HOLDS, self.Kind.PATTERN)


class ScoreEntry(models.Model):
    """Derived: the points that one fact earned under one rule, dated at the fact.

    Fit points have the fact kind ``fit`` and the visitor as their fact; they are dated when their
    conditions were first seen to hold.
    """

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
    # Fit points from attributes, and their band A–D; never decays.
    fit = models.FloatField(default=30)
    fit_grade = models.CharField(max_length=1, default="C")
    # S·w(fit): the order of the ranked list at any time.
    rank = models.FloatField(default=0)
    # The two temperatures, forward-decayed like S: what speaks of buying, what of gathering information.
    intent_sum = models.FloatField(default=0)
    research_sum = models.FloatField(default=0)
    view_count = models.PositiveIntegerField(default=0)
    visit_count = models.PositiveIntegerField(default=0)
    engaged_seconds = models.FloatField(default=0)
    # Copies of the visitor's, so that the ranked list is a range of one index: kept by react and by
    # whoever changes them (see :func:`wagtail_ma.scoring.marks.copy_marks`).
    is_excluded = models.BooleanField(default=False)
    is_customer = models.BooleanField(default=False)
    # There is a lead; for filters only: who may see names is decided by the lead itself.
    is_named = models.BooleanField(default=False)
    last_seen_at = models.DateTimeField(null=True)
    # The action before which an active prospect needs no older one (setting ACTIVE_ACTIONS).
    active_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("standing")
        verbose_name_plural = _("standings")
        constraints = [
            models.UniqueConstraint(fields=["model", "visitor"], name="ma_standing_once"),
        ]
        indexes = [
            # The ranked list: first page by index, the same order at any time.
            models.Index(fields=["model", "-rank", "-visitor"], condition=LISTED, name="ma_standing_rank"),
            models.Index(
                fields=["model", "-last_seen_at", "-visitor"], condition=LISTED, name="ma_standing_seen"
            ),
            # The ranked list of one band of fit.
            models.Index(
                fields=["model", "fit_grade", "-rank", "-visitor"], condition=LISTED, name="ma_standing_fit"
            ),
            # How many active prospects there are; the list itself, where few of many are active.
            models.Index(
                fields=["model", "-active_at", "visitor", "is_named"],
                condition=LISTED & models.Q(is_customer=False),
                name="ma_standing_active",
            ),
            # The list of customers.
            models.Index(
                fields=["model", "-rank", "-visitor"],
                condition=LISTED & models.Q(is_customer=True),
                name="ma_standing_customers",
            ),
            # Those with a name.
            models.Index(
                fields=["model", "-rank", "-visitor"],
                condition=LISTED & models.Q(is_named=True),
                name="ma_standing_named",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_id} {self.rank:g}"


class Interest(models.Model):
    """Derived, written only by react: how much a visitor cares for a topic (product or concern).

    ``evidence_sum`` is forward-decayed like ``Standing.engagement_sum``, so that its order, too, is
    the same at any time; ``interests.weight_at`` makes the 0–100 of it that people see.
    """

    model = models.ForeignKey(
        ScoringModel, on_delete=models.CASCADE, related_name="interests", db_index=False
    )
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="interests")
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, related_name="interests", db_index=False)
    evidence_sum = models.FloatField(default=0)
    view_count = models.PositiveIntegerField(default=0)
    last_at = models.DateTimeField()

    class Meta:
        verbose_name = _("interest")
        verbose_name_plural = _("interests")
        constraints = [
            models.UniqueConstraint(fields=["model", "visitor", "topic"], name="ma_interest_once"),
        ]
        indexes = [
            # Who is interested in a topic, most first: filter, sorting, the matrix.
            models.Index(fields=["model", "topic", "-evidence_sum", "-visitor"], name="ma_interest_topic"),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_id} → {self.topic_id} {self.evidence_sum:g}"


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
