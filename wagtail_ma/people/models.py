"""Visitors, their identities, and the record of the named ones.

A *visitor* is one individual, anonymous until named. An *identity* is something we recognise them
by: a browser cookie, an e-mail address. Facts belong to identities for ever; to identify, merge or
undo is to re-point identities, and every step is an :class:`IdentityLink`.
"""

from __future__ import annotations

import random

from django.db import models
from django.utils.translation import gettext_lazy as _

from wagtail_ma.conf import conf
from wagtail_ma.core.text import split_lines
from wagtail_ma.people.causes import Cause

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
    # Since when nothing is recorded of what they do: they have asked for it (see unrecorded.py).
    unrecorded_at = models.DateTimeField(_("not recorded since"), null=True, blank=True)
    merged_into = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="merged_from", db_index=False
    )

    class Meta:
        verbose_name = _("visitor")
        verbose_name_plural = _("visitors")
        indexes = [
            # The list of whoever is left out.
            models.Index(fields=["id"], condition=~models.Q(excluded_reason=""), name="ma_visitor_excluded"),
            # The few who are not recorded: the filter of lists, ma_doctor.
            models.Index(
                fields=["id"], condition=models.Q(unrecorded_at__isnull=False), name="ma_visitor_unrecorded"
            ),
            # The list of customers.
            models.Index(fields=["id"], condition=models.Q(is_customer=True), name="ma_visitor_customer"),
            # The few who were merged, which queries leave out; and who was merged into somebody.
            models.Index(
                fields=["merged_into"],
                condition=models.Q(merged_into__isnull=False),
                name="ma_visitor_merged",
            ),
        ]

    def __str__(self) -> str:
        return self.label

    @property
    def is_unrecorded(self) -> bool:
        """Whether nothing is recorded of what they do."""
        return self.unrecorded_at is not None

    @property
    def label(self) -> str:
        """How lists call somebody without a name: ``Anonymous #A1B2`` (from the id)."""
        return _("Anonymous #%(code)s") % {"code": f"{self.pk or 0:04X}"}


class Identity(models.Model):
    """What a visitor is recognised by: a browser, an e-mail address, an entry in the server's log."""

    class Kind(models.TextChoices):
        BROWSER = "browser", _("browser")
        # Of somebody who is not recorded: whoever looks for browsers to record does not find it.
        SILENT = "silent", _("browser that is not recorded")
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

    @property
    def is_silent(self) -> bool:
        """Whether this is a browser of somebody who is not recorded."""
        return self.kind == self.Kind.SILENT

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


class JobFunction(models.TextChoices):
    """What a department is for (people/positions.py reads it from its name)."""

    EXECUTIVE = "executive", _("Management")
    PLANNING = "planning", _("Corporate planning")
    SALES = "sales", _("Sales")
    MARKETING = "marketing", _("Marketing and public relations")
    IT = "it", _("Information technology")
    DEVELOPMENT = "development", _("Research and development")
    PRODUCTION = "production", _("Production and quality")
    PURCHASING = "purchasing", _("Purchasing")
    ADMINISTRATION = "administration", _("Personnel and general affairs")
    FINANCE = "finance", _("Accounting and finance")
    LEGAL = "legal", _("Legal affairs")
    OTHER = "other", _("Other")


class Rank(models.IntegerChoices):
    """How high a job title stands: 1 is the top (people/positions.py reads it from the title)."""

    HEAD = 1, _("Head of the company")
    OFFICER = 2, _("Officer or director of the board")
    DIVISION = 3, _("Head of a division")
    DEPARTMENT = 4, _("Head of a department")
    DEPUTY = 5, _("Deputy head of a department")
    SECTION = 6, _("Section manager")
    TEAM = 7, _("Team leader")
    SENIOR = 8, _("Senior staff")
    STAFF = 9, _("Staff")
    ADVISER = 10, _("Adviser")
    STUDENT = 11, _("Student")


# Titles from here up can usually decide to buy.
DECIDES_UP_TO = Rank.DEPARTMENT


class BuyingRole(models.TextChoices):
    """The part somebody plays in a purchase; set by people, never guessed."""

    DECIDES = "decides", _("Decides")
    APPROVES = "approves", _("Approves the budget")
    RECOMMENDS = "recommends", _("Recommends")
    USES = "uses", _("Will use it")
    PURCHASES = "purchases", _("Handles the purchase")
    OPPOSES = "opposes", _("Is against it")


class Lead(models.Model):
    """The record of a named visitor. After a merge of two persons the loser's record stays, hidden:
    its visitor has ``merged_into`` set."""

    visitor = models.OneToOneField(Visitor, on_delete=models.CASCADE, related_name="lead")
    email = models.EmailField(_("e-mail address"), max_length=254, db_index=True)
    family_name = models.CharField(_("family name"), max_length=80, blank=True)
    given_name = models.CharField(_("given name"), max_length=80, blank=True)
    family_name_kana = models.CharField(_("family name (kana)"), max_length=80, blank=True)
    given_name_kana = models.CharField(_("given name (kana)"), max_length=80, blank=True)
    # As it was told; ``company`` is the one it stands for now (see companies.py).
    company_name = models.CharField(_("company name"), max_length=160, blank=True)
    company = models.ForeignKey(
        "Company",
        verbose_name=_("company"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="leads",
    )
    department = models.CharField(_("department"), max_length=120, blank=True)
    job_function = models.CharField(
        _("job function"),
        max_length=16,
        choices=JobFunction.choices,
        blank=True,
        help_text=_("Read from the department; choose another where that is wrong."),
    )
    title = models.CharField(_("job title"), max_length=120, blank=True)
    rank = models.PositiveSmallIntegerField(
        _("rank"),
        choices=Rank.choices,
        null=True,
        blank=True,
        help_text=_("Read from the job title; choose another where that is wrong."),
    )
    buying_role = models.CharField(
        _("part in the purchase"), max_length=12, choices=BuyingRole.choices, blank=True
    )
    phone = models.CharField(_("phone"), max_length=40, blank=True)
    mobile_phone = models.CharField(_("mobile phone"), max_length=40, blank=True)
    other_phone = models.CharField(_("other phone"), max_length=40, blank=True)
    postal_code = models.CharField(_("postal code"), max_length=20, blank=True)
    address = models.CharField(_("address"), max_length=255, blank=True)
    language = models.CharField(_("language"), max_length=12, blank=True)
    time_zone = models.CharField(
        _("time zone"),
        max_length=40,
        blank=True,
        help_text=_("For example Europe/Berlin. Empty: that of the site. Mails keep its quiet hours."),
    )
    owner = models.ForeignKey(
        conf.user_model(),
        verbose_name=_("person in charge"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("Who of us looks after this person."),
    )
    # Values of LeadField by its key.
    attributes = models.JSONField(default=dict, blank=True)
    # {"phone": {"by": "form", "at": "2026-11-29T09:00:00+00:00", "form": 3}, "attributes.budget": …}
    sources = models.JSONField(default=dict, blank=True, editable=False)
    created_at = models.DateTimeField(_("identified"))

    class Meta:
        verbose_name = _("lead")
        verbose_name_plural = _("leads")
        permissions = [
            ("export_lead", _("Can export leads")),
            ("erase_lead", _("Can erase leads and all that is known of them")),
        ]

    def __str__(self) -> str:
        return self.full_name or self.email

    @property
    def full_name(self) -> str:
        """Family name and given name, in this order where both are known."""
        return " ".join(part for part in (self.family_name, self.given_name) if part)

    @property
    def full_name_kana(self) -> str:
        """The reading of the full name."""
        return " ".join(part for part in (self.family_name_kana, self.given_name_kana) if part)


class LeadPhone(models.Model):
    """Derived: a telephone number of a lead in a comparable form (people/phones.py)."""

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="phone_keys", db_index=False)
    key = models.CharField(max_length=60)

    class Meta:
        verbose_name = _("telephone number of a lead")
        verbose_name_plural = _("telephone numbers of leads")
        constraints = [models.UniqueConstraint(fields=["lead", "key"], name="ma_lead_phone_once")]
        indexes = [
            # Who else has this number (proposals.look).
            models.Index(fields=["key"], name="ma_lead_phone_key"),
        ]

    def __str__(self) -> str:
        return self.key


class LeadField(models.Model):
    """A field of leads that the editor added; its values are in ``Lead.attributes``."""

    class Kind(models.TextChoices):
        TEXT = "text", _("Text")
        NUMBER = "number", _("Number")
        DATE = "date", _("Date")
        CHOICE = "choice", _("One of several choices")
        SEVERAL = "several", _("Any of several choices")

    key = models.SlugField(
        _("short name"),
        max_length=40,
        unique=True,
        help_text=_("For exports, mails and conditions, e.g. budget. It cannot be changed later."),
    )
    label = models.CharField(_("label"), max_length=120)
    kind = models.CharField(_("kind of value"), max_length=8, choices=Kind.choices, default=Kind.TEXT)
    choices = models.TextField(_("choices"), blank=True, help_text=_("One per line."))
    sort_order = models.PositiveSmallIntegerField(_("order"), default=0)

    class Meta:
        ordering = ["sort_order", "pk"]
        verbose_name = _("lead field")
        verbose_name_plural = _("lead fields")

    def __str__(self) -> str:
        return self.label

    @property
    def choice_list(self) -> list[str]:
        """The values to choose from."""
        return split_lines(self.choices)


class MergeProposal(models.Model):
    """Two named persons who may be one. Only a person decides."""

    class State(models.TextChoices):
        OPEN = "open", _("To be decided")
        MERGED = "merged", _("Merged")
        REFUSED = "refused", _("Different persons")
        UNDONE = "undone", _("Merged, and taken apart again")

    kept = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="+")
    other = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="+")
    # Why: a key of proposals.REASONS.
    reason = models.CharField(max_length=20)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.OPEN)
    created_at = models.DateTimeField(_("proposed"))
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.ForeignKey(
        conf.user_model(), null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        verbose_name = _("proposed merge")
        verbose_name_plural = _("proposed merges")
        constraints = [
            # The same two are proposed once, whatever was decided.
            models.UniqueConstraint(fields=["kept", "other"], name="ma_proposal_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kept_id} + {self.other_id} ({self.reason})"


class News(models.Model):
    """That something happened to this visitor: insert-only, deleted by ``react`` once read.

    A separate table, because a column updated by every hit would wait behind react. A row that
    failed is put back with ``at`` in the future and its error, and shown in the admin. (No index but
    that of the visitor: each hit writes a row, and whoever asks for the oldest has to group them all.)
    """

    # Each hit writes one: the database need not look for the visitor. News of nobody are thrown away
    # (merge.bury).
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    # Empty: somebody did something, or time passed.
    cause = models.CharField(max_length=8, choices=Cause.choices, blank=True)

    class Meta:
        verbose_name = _("news")
        verbose_name_plural = _("news")

    def __str__(self) -> str:
        return f"{self.visitor_id} {self.at:%Y-%m-%d %H:%M:%S}"
