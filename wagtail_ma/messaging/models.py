"""Mails, and the queue of record of what was sent to whom."""

from __future__ import annotations

import random
from typing import Any

from django.contrib.contenttypes.fields import GenericRelation
from django.core.validators import MinValueValidator
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from wagtail.coreutils import get_content_languages
from wagtail.models import (
    DraftStateMixin,
    LockableMixin,
    PreviewableMixin,
    RevisionMixin,
    TranslatableMixin,
    WorkflowMixin,
)

from wagtail_ma.conf import conf
from wagtail_ma.people.models import Lead, Visitor
from wagtail_ma.rules.fields import LazyStreamField
from wagtail_ma.segments.models import Segment


def draw_public_id() -> int:
    """A random positive 63-bit number: what tokens carry instead of a countable key."""
    return random.SystemRandom().getrandbits(63)


def mail_languages() -> list[tuple[str, str]]:
    """The content languages of the site. (A callable, so that they stay out of migrations.)"""
    return list(get_content_languages().items())


class SenderProfile(models.Model):
    """Who a mail is from, as the law wants it shown at the foot of every marketing mail."""

    name = models.CharField(_("name shown to the reader"), max_length=80)
    email = models.EmailField(_("e-mail address"))
    legal_name = models.CharField(_("legal name"), max_length=160)
    postal_address = models.CharField(_("postal address"), max_length=255)
    contact = models.CharField(_("contact for complaints (URL, phone or address)"), max_length=255)

    class Meta:
        verbose_name = _("sender")
        verbose_name_plural = _("senders")

    def __str__(self) -> str:
        return f"{self.name} <{self.email}>"


class MailTopic(models.Model):
    """What readers subscribe to: "Product news", "Seminars"."""

    name = models.CharField(_("name"), max_length=80, unique=True)
    description = models.CharField(
        _("description"), max_length=255, blank=True, help_text=_("Shown on the preference page.")
    )
    is_default = models.BooleanField(
        _("for everybody who agreed"),
        default=True,
        help_text=_("Otherwise only for those who chose it on their preference page."),
    )

    class Meta:
        verbose_name = _("subscription")
        verbose_name_plural = _("subscriptions")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class MailBodyField(LazyStreamField):
    """The body of a mail."""

    def build_block(self):  # type: ignore[no-untyped-def]
        from wagtail_ma.messaging.blocks import mail_body_block

        return mail_body_block()


class Mail(
    WorkflowMixin,
    DraftStateMixin,
    LockableMixin,
    RevisionMixin,
    TranslatableMixin,
    PreviewableMixin,
    models.Model,
):
    """A mail written in the CMS."""

    class Kind(models.TextChoices):
        NEWSLETTER = "newsletter", _("Newsletter")
        SEGMENT = "segment", _("Mail to segments")
        STEP = "step", _("Step of a scenario")
        TRIGGERED = "triggered", _("Triggered by a rule")
        TRANSACTIONAL = "transactional", _("Transactional")

    class Tracking(models.TextChoices):
        INDIVIDUAL = "individual", _("Who followed which link")
        AGGREGATE = "aggregate", _("Only how often")
        OFF = "off", _("Nothing")

    class Timing(models.TextChoices):
        NOT_AT_NIGHT = "not_at_night", _("Not in quiet hours")
        BUSINESS = "business", _("In business hours")
        BEST = "best", _("At the hour at which each reader usually visits")
        ANY = "any", _("At any time")

    name = models.CharField(_("name"), max_length=120, help_text=_("For you; readers do not see it."))
    kind = models.CharField(
        _("kind"),
        max_length=14,
        choices=Kind.choices,
        default=Kind.NEWSLETTER,
        help_text=_(
            "A newsletter and a mail to segments are sent once to everybody in the audience; a newsletter "
            "can also be read on the site. Transactional mail is what somebody has just asked for; all "
            "other kinds go to people who agreed to them, and can be unsubscribed."
        ),
    )
    topic = models.ForeignKey(
        "wagtail_ma.MailTopic",
        verbose_name=_("subscription"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("What readers choose on their preference page. Empty: all who agreed to mail."),
    )
    tracking = models.CharField(
        _("what is measured"), max_length=10, choices=Tracking.choices, default=Tracking.INDIVIDUAL
    )
    is_tagging = models.BooleanField(
        _("recognise readers on this site"),
        default=False,
        help_text=_(
            "A link to this site tells it who the reader is, so that visits before and after are known as "
            "theirs. Needs “Who followed which link”."
        ),
    )
    timing = models.CharField(_("when"), max_length=12, choices=Timing.choices, default=Timing.NOT_AT_NIGHT)
    latest_hours = models.PositiveSmallIntegerField(
        _("too late after (hours)"),
        default=24,
        validators=[MinValueValidator(1)],
        help_text=_("If it could not start so many hours after its time, it is not sent at all."),
    )
    is_from_owner = models.BooleanField(
        _("from the person in charge"),
        default=False,
        help_text=_(
            "The reader sees the name and the address of whoever looks after them, where there is somebody."
        ),
    )
    trigger_segment = models.ForeignKey(
        Segment,
        verbose_name=_("sent when somebody enters"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_(
            "The conditions of this segment are the rule: the mail goes out when they become true. Not to "
            "people whom a merge, its undoing, a change of the scoring or an import brings into it."
        ),
    )
    trigger_delay_minutes = models.PositiveIntegerField(_("minutes later"), default=0)
    trigger_again_days = models.PositiveSmallIntegerField(
        _("again after (days)"), null=True, blank=True, help_text=_("Empty: once for each person.")
    )
    unless_segment = models.ForeignKey(
        Segment,
        verbose_name=_("not to those who are in"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("For example those who have reached the goal. Asked at the very moment of sending."),
    )
    sender = models.ForeignKey(SenderProfile, verbose_name=_("sender"), on_delete=models.PROTECT)
    # Of the parts that we write: footer, form of address, unsubscribe page.
    language = models.CharField(
        _("language"),
        max_length=12,
        blank=True,
        choices=mail_languages,
        help_text=_("Language of the footer and of the form of address. Empty: that of the mail itself."),
    )
    subject = models.CharField(_("subject"), max_length=200)
    preheader = models.CharField(
        _("preview text"),
        max_length=200,
        blank=True,
        help_text=_("What inboxes show beside the subject."),
    )
    body = MailBodyField(_("body"), blank=True)

    # So that they go with the mail.
    workflow_states = GenericRelation(
        "wagtailcore.WorkflowState", content_type_field="base_content_type", object_id_field="object_id"
    )
    revisions = GenericRelation(
        "wagtailcore.Revision", content_type_field="base_content_type", object_id_field="object_id"
    )

    class Meta(TranslatableMixin.Meta):
        verbose_name = _("mail")
        verbose_name_plural = _("mails")

    def __str__(self) -> str:
        return self.name

    @property
    def is_marketing(self) -> bool:
        """Whether it needs consent and can be unsubscribed."""
        return self.kind != self.Kind.TRANSACTIONAL

    @property
    def is_bulk(self) -> bool:
        """Whether it goes to an audience at one time (:class:`Dispatch`)."""
        return self.kind in (self.Kind.NEWSLETTER, self.Kind.SEGMENT)

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.locale_id is None:
            self.locale = self.get_default_locale()
        super().save(*args, **kwargs)

    @property
    def preview_modes(self) -> list[tuple[str, Any]]:
        from wagtail_ma.messaging.preview import modes

        return modes(self)

    def serve_preview(self, request: HttpRequest, mode_name: str) -> HttpResponse:
        from wagtail_ma.messaging.preview import preview_response

        return preview_response(self, mode_name)


class MailVersion(models.Model):
    """What was really sent: a published mail, compiled once, never changed.

    ``compiled`` holds subject, HTML and text with slots for merge fields and tracked links;
    ``links`` the targets by number. A click token names a delivery and a number, never a URL.
    """

    mail = models.ForeignKey(Mail, null=True, on_delete=models.SET_NULL, related_name="versions")
    fingerprint = models.CharField(max_length=64)
    compiled = models.JSONField()
    links = models.JSONField(default=list)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = _("mail version")
        verbose_name_plural = _("mail versions")
        constraints = [
            models.UniqueConstraint(fields=["mail", "fingerprint"], name="ma_mail_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.mail} #{self.pk}"


class Dispatch(models.Model):
    """One mail on its way to an audience: segments minus segments, at a time.

    planned → preparing → running ⇄ paused → done; or cancelled, or too late. Recipients are written
    down while it is preparing, chunk by chunk; nothing goes out before all are.
    """

    class State(models.TextChoices):
        PLANNED = "planned", _("planned")
        PREPARING = "preparing", _("recipients are being gathered")
        RUNNING = "running", _("being sent")
        PAUSED = "paused", _("paused")
        DONE = "done", _("done")
        CANCELLED = "cancelled", _("cancelled")
        EXPIRED = "expired", _("too late")

    mail = models.ForeignKey(Mail, null=True, on_delete=models.SET_NULL, related_name="dispatches")
    # What is sent: as published when it started. Later changes of the mail do not touch it.
    version = models.ForeignKey(MailVersion, null=True, on_delete=models.SET_NULL, related_name="+")
    include = models.ManyToManyField(
        Segment,
        verbose_name=_("to"),
        blank=True,
        related_name="+",
        help_text=_("Everybody who is in one of these segments. Empty: everybody who agreed to mail."),
    )
    exclude = models.ManyToManyField(
        Segment,
        verbose_name=_("but not to"),
        blank=True,
        related_name="+",
        help_text=_("Whoever is in one of these is left out."),
    )
    scheduled_at = models.DateTimeField(_("time"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.PLANNED)
    # Why it is paused or was given up (see reasons.py).
    reason = models.CharField(max_length=255, blank=True)
    # How many people somebody confirmed.
    expected_count = models.PositiveIntegerField(default=0)
    # Leads up to this one are written down.
    cursor = models.BigIntegerField(default=0)
    created_by = models.ForeignKey(conf.user_model(), null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    # Somebody went on after a pause: what had failed before is no reason to pause again.
    resumed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("sending of a mail")
        verbose_name_plural = _("sendings of mails")
        constraints = [
            # Two clicks on "send", two colleagues at once: one sending.
            models.UniqueConstraint(
                fields=["mail"], condition=models.Q(ended_at__isnull=True), name="ma_dispatch_open_once"
            ),
        ]
        indexes = [
            # The background work: what is open.
            models.Index(
                fields=["scheduled_at"], condition=models.Q(ended_at__isnull=True), name="ma_dispatch_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mail} {self.scheduled_at:%Y-%m-%d %H:%M}"


class Delivery(models.Model):
    """One mail to one person, once. Decision; the queue of record.

    planned (not released yet) → ready → claimed → sending → sent; the step to ``sending`` is
    committed before the first byte goes out, and a row found there after a crash becomes
    ``unknown`` and is never sent again by itself.
    """

    class Priority(models.IntegerChoices):
        ASKED_FOR = 0
        SINGLE = 5
        BULK = 9

    class State(models.TextChoices):
        PLANNED = "planned", pgettext_lazy("mail delivery", "planned")
        READY = "ready", _("waiting")
        CLAIMED = "claimed", pgettext_lazy("mail delivery", "claimed")
        SENDING = "sending", _("being sent")
        SENT = "sent", _("sent")
        FAILED = "failed", _("failed")
        UNKNOWN = "unknown", _("unknown")
        SKIPPED = "skipped", _("skipped")
        EXPIRED = "expired", _("too late")
        CANCELLED = "cancelled", _("cancelled")

    public_id = models.BigIntegerField(unique=True, default=draw_public_id, editable=False)
    version = models.ForeignKey(MailVersion, null=True, on_delete=models.SET_NULL, related_name="deliveries")
    mail = models.ForeignKey(Mail, null=True, on_delete=models.SET_NULL, related_name="deliveries")
    # (Its index is the one with the time of sending.)
    lead = models.ForeignKey(
        Lead, null=True, on_delete=models.SET_NULL, related_name="deliveries", db_index=False
    )
    visitor = models.ForeignKey(Visitor, null=True, on_delete=models.SET_NULL, related_name="deliveries")
    born_visitor = models.ForeignKey(Visitor, null=True, on_delete=models.SET_NULL, related_name="+")
    email = models.CharField(max_length=254)
    # A mail that we write ourselves ("download_link"); then there is no ``mail``.
    builtin = models.CharField(max_length=20, blank=True)
    # As it was when planned: needs consent, can be unsubscribed.
    is_marketing = models.BooleanField(default=True)
    # Which occasion: "" for a single sending, "enrolment:5:<step>:1" for a step.
    occurrence = models.CharField(max_length=120, blank=True)
    # Values for this occasion only, e.g. the document of a download link.
    extra = models.JSONField(default=dict)
    dispatch = models.ForeignKey(Dispatch, null=True, on_delete=models.SET_NULL, related_name="deliveries")
    # What somebody waits for comes first.
    priority = models.PositiveSmallIntegerField(default=Priority.SINGLE)
    state = models.CharField(max_length=10, choices=State.choices, default=State.READY)
    reason = models.CharField(max_length=255, blank=True)
    # Of what failed (see transport.Refusal).
    refusal = models.CharField(max_length=10, blank=True)
    owner = models.CharField(max_length=40, blank=True)
    lease_until = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    # How often a sender took it and was not heard of again: three times is no accident.
    claims = models.PositiveSmallIntegerField(default=0)
    send_after = models.DateTimeField()
    # Not at all after this.
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()
    sending_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    message_id = models.CharField(max_length=120, blank=True)
    # First seen open by what looks like a person; by a machine (a proxy, a scanner).
    opened_at = models.DateTimeField(null=True)
    machine_opened_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        constraints = [
            models.UniqueConstraint(fields=["mail", "lead", "occurrence"], name="ma_delivery_once"),
            models.UniqueConstraint(
                fields=["builtin", "lead", "occurrence"],
                condition=~models.Q(builtin="") & ~models.Q(occurrence=""),
                name="ma_delivery_builtin_once",
            ),
            # Two leads with one address: one mail.
            models.UniqueConstraint(
                fields=["dispatch", "email"],
                condition=models.Q(dispatch__isnull=False) & ~models.Q(state="skipped"),
                name="ma_delivery_address_once",
            ),
        ]
        indexes = [
            # The sender's claim: what is due.
            models.Index(
                fields=["priority", "send_after", "id"],
                condition=models.Q(state="ready"),
                name="ma_delivery_due",
            ),
            # What is given up because its time is over.
            models.Index(
                fields=["expires_at"],
                condition=models.Q(state="ready", expires_at__isnull=False),
                name="ma_delivery_expiring",
            ),
            # Releasing, pausing and cancelling a sending, and its numbers.
            models.Index(
                fields=["dispatch", "state"],
                condition=models.Q(dispatch__isnull=False),
                name="ma_delivery_dispatch",
            ),
            # How many a lead got lately.
            models.Index(fields=["lead", "sending_at"], name="ma_delivery_recent"),
            # The reaper: claims whose lease is over, sendings of a dead process. (Not by state:
            # SQLite uses a partial index for what it can prove, and "one of two" it cannot.)
            models.Index(
                fields=["lease_until"],
                condition=models.Q(lease_until__isnull=False),
                name="ma_delivery_lease",
            ),
            # Unsubscribing: what still waits for this address.
            models.Index(fields=["email"], name="ma_delivery_email"),
            # The result page of a mail.
            models.Index(fields=["mail", "state"], name="ma_delivery_result"),
        ]

    def __str__(self) -> str:
        return f"{self.mail or self.builtin} → {self.email}"


class Suppression(models.Model):
    """An address that must not get marketing mail, by keyed hash: survives erasure and import."""

    email_hash = models.CharField(max_length=64, unique=True)
    reason = models.CharField(max_length=20)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("suppression")
        verbose_name_plural = _("suppressions")

    def __str__(self) -> str:
        return f"{self.reason} {self.at:%Y-%m-%d}"


class Consent(models.Model):
    """Append-only: what somebody agreed to or took back, with the text they saw."""

    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="consents")
    born_visitor = models.ForeignKey(Visitor, null=True, on_delete=models.SET_NULL, related_name="+")
    email = models.CharField(max_length=254)
    is_granted = models.BooleanField()
    basis = models.CharField(max_length=20, default="opt-in")
    text = models.TextField(blank=True)
    source_kind = models.CharField(max_length=20, blank=True)
    source_key = models.CharField(max_length=100, blank=True)
    # Why it was taken back, if they said so a moment later (unsubscribing.Why).
    why = models.CharField(max_length=16, blank=True)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        indexes = [
            # The latest word of an address, asked before each sending.
            models.Index(fields=["email", "-at"], name="ma_consent_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.email} {'+' if self.is_granted else '-'}"
