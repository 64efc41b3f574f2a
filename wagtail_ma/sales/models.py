"""Who should be called, and who should not: hot leads, exclusions, customers."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from wagtail_ma.conf import conf
from wagtail_ma.people.models import Visitor
from wagtail_ma.rules.fields import RuleField
from wagtail_ma.segments.models import Segment


class HotDefinition(models.Model):
    """When somebody is hot. Several stand side by side; each that fires has its own entry.

    Which numbers a kind asks for is said in ``patterns``.
    """

    class Kind(models.TextChoices):
        SCORE = "score", _("The score reaches a threshold")
        RULE = "rule", _("Conditions hold")
        PRICING_READ = "pricing_read", _("The prices are read for long")
        REASSURANCE = "reassurance", _("Cases and questions are read, but no product")
        SAME_PAGE = "same_page", _("The same article is opened again and again")
        FORM_LEFT = "form_left", _("A form is started and left")
        SURGE = "surge", _("Many visits after a long silence")
        COMPANY_SURGE = "company_surge", _("Many visits of a company after a long silence")
        SENIOR = "senior", _("A manager comes after staff of the same company")
        DROP = "drop", _("A customer comes much less often than usual")
        CANCELLATION = "cancellation", _("A customer reads pages about cancelling")

    class List(models.TextChoices):
        HOT = "hot", _("Hot")
        HIDDEN = "hidden", _("Hidden hot")
        SURGING = "surging", _("Surging")
        AT_RISK = "at_risk", _("Customers at risk")

    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("who is hot"), max_length=16, choices=Kind.choices)
    list = models.CharField(_("list"), max_length=8, choices=List.choices, default=List.HOT)
    is_active = models.BooleanField(_("active"), default=True)
    score = models.PositiveIntegerField(_("score at least"), default=50)
    # Lower than the score, so that a point more or less does not flap.
    release_score = models.PositiveIntegerField(_("cools when the score falls below"), default=40)
    match = models.CharField(
        _("match"), max_length=4, choices=Segment.Match.choices, default=Segment.Match.ALL
    )
    rule = RuleField(_("conditions"), blank=True)
    days = models.PositiveSmallIntegerField(_("within days"), default=14)
    times = models.PositiveSmallIntegerField(_("times at least"), default=3)
    # Empty: what only a tenth of the site's readers exceed.
    min_seconds = models.PositiveIntegerField(_("seconds at least"), null=True, blank=True)
    silent_days = models.PositiveSmallIntegerField(_("days of silence before"), default=30)
    factor = models.FloatField(_("times as many as usual"), default=2)
    minutes = models.PositiveSmallIntegerField(_("minutes without sending"), default=30)
    expiry_days = models.PositiveSmallIntegerField(_("stays hot for days"), default=14)
    rearm_days = models.PositiveSmallIntegerField(_("quiet for days afterwards"), default=7)
    # What a tenth of the readers exceed, when it was computed.
    learned_seconds = models.FloatField(null=True, editable=False)
    learned_at = models.DateTimeField(null=True, editable=False)
    # When everybody was last searched for people whom time alone makes hot; empty: to be done.
    swept_at = models.DateTimeField(null=True, editable=False)
    broken_reason = models.CharField(max_length=255, blank=True, editable=False)

    class Meta:
        verbose_name = _("hot lead definition")
        verbose_name_plural = _("hot lead definitions")
        ordering = ["list", "name"]

    def __str__(self) -> str:
        return self.name


class HotEntry(models.Model):
    """This visitor is hot by this definition, since when, why, and until when.

    ``data`` holds the numbers of the reason; the sentence is made from them in the reader's language.
    """

    class Ended(models.TextChoices):
        HANDLED = "handled", _("handled")
        EXPIRED = "expired", _("time was up")
        COOLED = "cooled", _("cooled down")
        EXCLUDED = "excluded", _("excluded")
        MERGED = "merged", _("joined with another visitor")
        SWITCHED_OFF = "switched_off", _("the definition was switched off")

    definition = models.ForeignKey(
        HotDefinition, on_delete=models.CASCADE, related_name="entries", db_index=False
    )
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="hot_entries", db_index=False)
    born_visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="+")
    opened_at = models.DateTimeField(_("hot since"))
    # The newest fact that speaks for it.
    evidence_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    data = models.JSONField(default=dict)
    closed_at = models.DateTimeField(_("ended"), null=True)
    ended = models.CharField(_("ended because"), max_length=12, choices=Ended.choices, blank=True)
    closed_by = models.ForeignKey(conf.user_model(), null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        verbose_name = _("hot lead")
        verbose_name_plural = _("hot leads")
        constraints = [
            models.UniqueConstraint(
                fields=["definition", "visitor"],
                condition=models.Q(closed_at__isnull=True),
                name="ma_hot_one_open",
            ),
        ]
        indexes = [
            # react and a visitor's page: what this visitor was hot by, and when.
            models.Index(fields=["visitor", "definition", "-opened_at"], name="ma_hot_visitor"),
            # The lists, and what expires.
            models.Index(
                fields=["expires_at"], condition=models.Q(closed_at__isnull=True), name="ma_hot_open"
            ),
            # The list "Cooling": what has cooled down lately.
            models.Index(fields=["closed_at"], name="ma_hot_closed"),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_id} {self.definition_id} {self.opened_at:%Y-%m-%d}"


class ExclusionRule(models.Model):
    """Who is left out of rankings, alerts and marketing mail; still recorded."""

    class Kind(models.TextChoices):
        JOB_SEEKER = "job_seeker", _("Job seekers")
        COMPETITOR = "competitor", _("Competitors")
        STAFF = "staff", _("Own staff")
        STUDENT = "student", _("Students")
        BOT = "bot", _("Bots")
        RULE = "rule", _("By conditions")

    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("who is left out"), max_length=12, choices=Kind.choices)
    is_active = models.BooleanField(_("active"), default=True)
    share_percent = models.PositiveSmallIntegerField(_("careers pages, percent of all"), default=60)
    min_views = models.PositiveSmallIntegerField(_("pages viewed at least"), default=3)
    domains = models.TextField(
        _("e-mail domains"), blank=True, help_text=_("One per line; with everything below it.")
    )
    match = models.CharField(
        _("match"), max_length=4, choices=Segment.Match.choices, default=Segment.Match.ALL
    )
    rule = RuleField(_("conditions"), blank=True)
    # After a change everybody is looked at again, up to this visitor so far; empty: done.
    checked_to_id = models.BigIntegerField(null=True, editable=False)
    broken_reason = models.CharField(max_length=255, blank=True, editable=False)

    class Meta:
        verbose_name = _("exclusion rule")
        verbose_name_plural = _("exclusion rules")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def reason(self) -> str:
        """What ``Visitor.excluded_reason`` says of whom this rule leaves out."""
        return f"rule:{self.pk}" if self.kind == self.Kind.RULE else self.kind


class Marking(models.Model):
    """Somebody said by hand what this visitor is, or is not, whatever the rules say.

    After a merge one visitor may have several of a kind: the latest counts.
    """

    class Kind(models.TextChoices):
        EXCLUDED = "excluded", _("excluded")
        CUSTOMER = "customer", _("customer")

    kind = models.CharField(max_length=8, choices=Kind.choices)
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="markings")
    born_visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="+")
    is_so = models.BooleanField()
    note = models.CharField(_("note"), max_length=255, blank=True)
    decided_at = models.DateTimeField()
    decided_by = models.ForeignKey(conf.user_model(), null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        verbose_name = _("marking by hand")
        verbose_name_plural = _("markings by hand")
        constraints = [
            models.UniqueConstraint(fields=["kind", "born_visitor"], name="ma_marking_once"),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_id} {'' if self.is_so else 'not '}{self.kind}"
