"""Visitors, their identities, and the record of the named ones.

A *visitor* is one individual, anonymous until named. An *identity* is something we recognise them
by: a browser cookie, an e-mail address. Facts belong to identities for ever; to identify, merge or
undo is to re-point identities, and every step is an :class:`IdentityLink`.
"""

from __future__ import annotations

import random

from django.db import models
from django.utils.translation import gettext_lazy as _

BUCKETS = 10_000


def draw_bucket() -> int:
    """A random number 0–9999, drawn once per visitor: the base of stable random splits."""
    return random.SystemRandom().randrange(BUCKETS)


class Visitor(models.Model):
    """One individual. Narrow and quiet: nothing here changes with a page view."""

    # ``excluded_reason`` of whoever claims impossible reading times (see tracking/views.py).
    DOUBTFUL = "doubtful"

    first_seen_at = models.DateTimeField(_("first seen"))
    bucket = models.PositiveSmallIntegerField(default=draw_bucket, editable=False)
    excluded_reason = models.CharField(_("excluded because"), max_length=40, blank=True)
    # By the company or by hand; kept current by react (sales/standpoint.py).
    is_customer = models.BooleanField(_("customer"), default=False)
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="merged_from"
    )

    class Meta:
        verbose_name = _("visitor")
        verbose_name_plural = _("visitors")
        indexes = [
            # The list of whoever is left out.
            models.Index(fields=["id"], condition=~models.Q(excluded_reason=""), name="ma_visitor_excluded"),
            # The list of customers.
            models.Index(fields=["id"], condition=models.Q(is_customer=True), name="ma_visitor_customer"),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        """How lists call somebody without a name: ``Anonymous #A1B2`` (from the id)."""
        return _("Anonymous #%(code)s") % {"code": f"{self.pk or 0:04X}"}


class Identity(models.Model):
    """What a visitor is recognised by: a browser, an e-mail address, an entry in the server's log."""

    class Kind(models.TextChoices):
        BROWSER = "browser", _("browser")
        EMAIL = "email", _("e-mail address")
        # A keyed hash of address and user agent (see log_identities.py).
        LOG = "log", _("server log")

    kind = models.CharField(max_length=10, choices=Kind.choices)
    key = models.CharField(max_length=254)
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="identities")
    created_at = models.DateTimeField()
    # Made in this transaction: it cannot have a visit yet.
    is_new = False

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        constraints = [
            # Serves the look-up by cookie in every hit, and by address in identify().
            models.UniqueConstraint(fields=["kind", "key"], name="ma_identity_kind_key"),
        ]

    def __str__(self) -> str:
        return f"{self.kind}:{self.key}" if self.kind == self.Kind.EMAIL else f"{self.kind} {self.pk}"


class IdentityLink(models.Model):
    """Append-only: an identity was pointed at a visitor, by what, on what evidence."""

    class Strength(models.TextChoices):
        CLAIMED = "claimed", _("claimed")
        VERIFIED = "verified", _("verified")

    identity = models.ForeignKey(Identity, on_delete=models.CASCADE, related_name="links")
    from_visitor = models.ForeignKey(Visitor, null=True, on_delete=models.CASCADE, related_name="+")
    to_visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="links")
    method = models.CharField(max_length=20)
    strength = models.CharField(max_length=10, choices=Strength.choices, default=Strength.CLAIMED)
    evidence = models.JSONField(default=dict)
    at = models.DateTimeField()
    undone_at = models.DateTimeField(null=True, blank=True)
    # False while facts of the identity still name the visitor it was taken from (many rows move
    # in chunks, in a job).
    is_settled = models.BooleanField(default=True)

    class Meta:
        verbose_name = _("identification")
        verbose_name_plural = _("identifications")
        indexes = [
            # merge.settle: what is still to be carried along.
            models.Index(fields=["id"], condition=models.Q(is_settled=False), name="ma_link_unsettled"),
        ]

    def __str__(self) -> str:
        return f"{self.identity} → {self.to_visitor_id} ({self.method})"


class Lead(models.Model):
    """The record of a named visitor."""

    visitor = models.OneToOneField(Visitor, on_delete=models.CASCADE, related_name="lead")
    email = models.EmailField(_("e-mail address"), max_length=254, db_index=True)
    family_name = models.CharField(_("family name"), max_length=80, blank=True)
    given_name = models.CharField(_("given name"), max_length=80, blank=True)
    company_name = models.CharField(_("company"), max_length=160, blank=True)
    department = models.CharField(_("department"), max_length=120, blank=True)
    title = models.CharField(_("job title"), max_length=120, blank=True)
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    language = models.CharField(_("language"), max_length=12, blank=True)
    time_zone = models.CharField(
        _("time zone"),
        max_length=40,
        blank=True,
        help_text=_("For example Europe/Berlin. Empty: that of the site. Mails keep its quiet hours."),
    )
    created_at = models.DateTimeField(_("identified"))

    class Meta:
        verbose_name = _("lead")
        verbose_name_plural = _("leads")
        permissions = [("export_lead", _("Can export leads"))]

    def __str__(self) -> str:
        return self.full_name or self.email

    @property
    def full_name(self) -> str:
        """Family name and given name, in this order where both are known."""
        return " ".join(part for part in (self.family_name, self.given_name) if part)


class News(models.Model):
    """That something happened to this visitor: insert-only, deleted by ``react`` once read.

    A separate table, because a column updated by every hit would wait behind react. A row that
    failed is put back with ``at`` in the future and its error, and shown in the admin.
    """

    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)

    class Meta:
        verbose_name = _("news")
        verbose_name_plural = _("news")
        indexes = [
            # react takes the oldest news that are due.
            models.Index(fields=["at", "id"], name="ma_news_due"),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_id} {self.at:%Y-%m-%d %H:%M:%S}"
