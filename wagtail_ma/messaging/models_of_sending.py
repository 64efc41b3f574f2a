"""How this installation sends, and what is counted and noticed while it does."""

from __future__ import annotations

from datetime import time

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _


class SendingRules(models.Model):
    """How fast, when and how often this installation sends (one row; see rules_now())."""

    is_stopped = models.BooleanField(
        _("stop all mail"), default=False, help_text=_("Nothing leaves, not even download links.")
    )
    per_second = models.PositiveIntegerField(_("mails a second"), null=True, blank=True)
    per_minute = models.PositiveIntegerField(_("mails a minute"), null=True, blank=True)
    per_hour = models.PositiveIntegerField(_("mails an hour"), null=True, blank=True)
    per_day = models.PositiveIntegerField(_("mails a day"), null=True, blank=True)
    per_domain_minute = models.PositiveIntegerField(
        _("mails a minute to one provider"),
        null=True,
        blank=True,
        help_text=_("For example to all Gmail addresses together."),
    )
    warm_up_from = models.DateField(
        _("warm-up since"),
        null=True,
        blank=True,
        help_text=_("A new sending address earns trust by beginning slowly. Empty: no warm-up."),
    )
    warm_up_first = models.PositiveIntegerField(_("mails on the first day"), default=200)
    warm_up_growth = models.PositiveSmallIntegerField(
        _("more each day (%)"), default=50, validators=[MinValueValidator(1), MaxValueValidator(300)]
    )
    most_per_lead = models.PositiveSmallIntegerField(
        _("most mails to one person"), null=True, blank=True, help_text=_("Empty: no limit.")
    )
    most_per_lead_days = models.PositiveSmallIntegerField(
        _("within days"), default=7, validators=[MinValueValidator(1), MaxValueValidator(90)]
    )
    scenario_per_day = models.PositiveSmallIntegerField(
        _("in 24 hours at most"),
        null=True,
        blank=True,
        default=1,
        help_text=_("A scenario sends no further mail to whoever got as many. Empty: no limit."),
    )
    scenario_per_week = models.PositiveSmallIntegerField(
        _("in 7 days at most"), null=True, blank=True, default=3
    )
    quiet_from = models.TimeField(_("quiet from"), default=time(21))
    quiet_until = models.TimeField(_("until"), default=time(8))
    opens = models.TimeField(_("business hours from"), default=time(9))
    closes = models.TimeField(_("until"), default=time(18))
    holidays = models.CharField(
        _("public holidays of"),
        max_length=2,
        blank=True,
        default="JP",
        help_text=_("Country in two letters (JP); empty: none are kept."),
    )
    # Which database this is: a restored copy must not begin to send (see instance.py).
    fingerprint = models.CharField(max_length=64, blank=True, editable=False)

    class Meta:
        verbose_name = _("rules of sending")
        verbose_name_plural = _("rules of sending")

    def __str__(self) -> str:
        return capfirst(str(self._meta.verbose_name))


class RateWindow(models.Model):
    """How many mails were let go lately, for one limit: a sliding window in 60 slots."""

    key = models.CharField(max_length=100, unique=True)
    # [[number of the slot, count], …], oldest first.
    slots = models.JSONField(default=list)
    version = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name = _("limit of sending")
        verbose_name_plural = _("limits of sending")

    def __str__(self) -> str:
        return self.key


class MailCount(models.Model):
    """How often a link was followed, or the mail opened, where nobody is told from the others."""

    OPENED = -1

    version = models.ForeignKey("wagtail_ma.MailVersion", on_delete=models.CASCADE, related_name="counts")
    # Its number, or OPENED.
    link = models.SmallIntegerField()
    is_machine = models.BooleanField()
    count = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("count of a mail")
        verbose_name_plural = _("counts of mails")
        constraints = [
            models.UniqueConstraint(fields=["version", "link", "is_machine"], name="ma_mail_count_once"),
        ]

    def __str__(self) -> str:
        return f"{self.version_id} {self.link} {self.count}"


class LinkClick(models.Model):
    """Somebody or something followed a link; told apart a little later (see settling.py)."""

    # The hidden link, which no person sees.
    HONEYPOT = 65_535

    delivery = models.ForeignKey("wagtail_ma.Delivery", on_delete=models.CASCADE, related_name="link_clicks")
    link = models.PositiveIntegerField()
    at = models.DateTimeField()
    # Why it looks like a machine, e.g. "agent", "prefetch"; "" for a person so far.
    doubt = models.CharField(max_length=20, blank=True)
    # Keyed hash of the network address: one scanner looks at many people's mail.
    network = models.CharField(max_length=32, blank=True)
    # The browser that came to this site by it and runs scripts.
    is_confirmed = models.BooleanField(default=False)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("click")
        verbose_name_plural = _("clicks")
        indexes = [
            # What is still to be told apart.
            models.Index(fields=["at"], condition=models.Q(settled_at__isnull=True), name="ma_click_open"),
            # One scanner, many mails.
            models.Index(fields=["network", "at"], name="ma_click_network"),
        ]

    def __str__(self) -> str:
        return f"{self.delivery_id} {self.link}"


class Subscription(models.Model):
    """What somebody said about a topic on the preference page; by keyed hash, like a suppression."""

    email_hash = models.CharField(max_length=64)
    topic = models.ForeignKey("wagtail_ma.MailTopic", on_delete=models.CASCADE, related_name="choices")
    is_wanted = models.BooleanField()
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("choice of a subscription")
        verbose_name_plural = _("choices of subscriptions")
        constraints = [
            # Also serves the question before each sending.
            models.UniqueConstraint(fields=["email_hash", "topic"], name="ma_subscription_once"),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {'+' if self.is_wanted else '-'}"


class MailPace(models.Model):
    """How often somebody wants marketing mail, as said on the preference page; by keyed hash."""

    class Days(models.IntegerChoices):
        WEEK = 7, _("At most once a week")
        MONTH = 30, _("At most once a month")

    email_hash = models.CharField(max_length=64, unique=True)
    # At most one in so many days.
    days = models.PositiveSmallIntegerField(choices=Days.choices)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("wanted frequency of mail")
        verbose_name_plural = _("wanted frequencies of mail")

    def __str__(self) -> str:
        return str(self.get_days_display())
