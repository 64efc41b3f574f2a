"""Segments and who is in them."""

from __future__ import annotations

import secrets
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from wagtail_ma.conf import conf
from wagtail_ma.people.causes import Cause
from wagtail_ma.people.models import Visitor
from wagtail_ma.rules.fields import RuleField, stored
from wagtail_ma.rules.tree import is_live


def new_version() -> str:
    """A text that no version of a live rule had before."""
    return secrets.token_hex(8)


class Segment(models.Model):
    """A named group of visitors, in one of three ways.

    * By rule: its members are stored, kept current by ``react`` and by a periodic refresh.
    * Live: a rule that asks for facts of the request. Nobody is stored; it is decided when a page
      is rendered, and only pages can use it.
    * Fixed: only whom people put in (:class:`SegmentDecision`).
    """

    class Match(models.TextChoices):
        ALL = "all", _("all of these")
        ANY = "any", _("any of these")
        NONE = "none", _("none of these")

    name = models.CharField(_("name"), max_length=120, unique=True)
    description = models.TextField(_("description"), blank=True)
    match = models.CharField(_("match"), max_length=4, choices=Match.choices, default=Match.ALL)
    rule = RuleField(_("conditions"), blank=True)
    is_static = models.BooleanField(
        _("fixed members"),
        default=False,
        help_text=_("Without conditions: only the people whom you add stay in it."),
    )
    # Follows from the rule; see save().
    is_live = models.BooleanField(default=False, editable=False)
    # Of a live rule and of what it names: what processes compiled of another version is outdated.
    version = models.CharField(max_length=32, blank=True, editable=False)
    # Why the rule cannot be evaluated (a deleted page, a removed fact); members stay frozen.
    broken_reason = models.CharField(max_length=255, blank=True, editable=False)
    refreshed_at = models.DateTimeField(null=True, editable=False)
    # When everybody is to be decided anew; empty: as soon as can be.
    next_refresh_at = models.DateTimeField(null=True, editable=False)
    # Why the stored members are behind the rule just now, where that is no matter of time.
    pending_cause = models.CharField(max_length=8, choices=Cause.choices, blank=True, editable=False)
    # Whether somebody of whom we have no row fulfils the rule ("has not viewed the prices").
    includes_strangers = models.BooleanField(default=False, editable=False)
    member_count = models.PositiveIntegerField(default=0, editable=False)
    # The conditions of a scenario's own: not among those that editors see.
    is_internal = models.BooleanField(default=False, editable=False)
    # A scenario shows something to its members: pages mark it, so that browsers can prove it was seen.
    is_offer = models.BooleanField(default=False, editable=False)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def save(self, **kwargs: Any) -> None:
        """Note whether the rule is a live one."""
        only = kwargs.get("update_fields")
        if only is None or {"rule", "is_static"} & set(only):
            self.is_live = not self.is_static and is_live(stored(self.rule))
            self.version = new_version() if self.is_live else ""
            if only is not None:
                kwargs["update_fields"] = {*only, "is_live", "version"}
        super().save(**kwargs)


class Source(models.TextChoices):
    """What keeps somebody in a segment."""

    RULE = "rule", _("its conditions")
    HAND = "hand", _("added by hand")
    KEPT = "kept", _("kept from another segment")
    SCENARIO = "scenario", _("put in by a scenario")


class Membership(models.Model):
    """Derived: this visitor fulfils the segment's rule or was put in by hand, since when."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="memberships", db_index=False)
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="memberships")
    entered_at = models.DateTimeField()
    source = models.CharField(_("source"), max_length=8, choices=Source.choices, default=Source.RULE)
    # What brought them in, where it was no act of their own.
    cause = models.CharField(max_length=8, choices=Cause.choices, blank=True)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [
            # Also serves the list of a segment's members and the diff of a full refresh.
            models.UniqueConstraint(fields=["segment", "visitor"], name="ma_membership_once"),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_id} ∈ {self.segment_id}"


class PastMembership(models.Model):
    """Somebody was in a segment, from when until when. Kept as long as the facts (retention)."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="past", db_index=False)
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="past_memberships")
    born_visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="+")
    entered_at = models.DateTimeField()
    left_at = models.DateTimeField()
    source = models.CharField(_("source"), max_length=8, choices=Source.choices, default=Source.RULE)
    # What took them out, where it was no act of their own.
    cause = models.CharField(max_length=8, choices=Cause.choices, blank=True)

    class Meta:
        verbose_name = _("past membership")
        verbose_name_plural = _("past memberships")
        indexes = [
            # "has left the segment in the last 7 days" as a set; forgetting old ones.
            models.Index(fields=["segment", "left_at"], name="ma_past_membership"),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_id} ∈ {self.segment_id} until {self.left_at:%Y-%m-%d}"


class SegmentDecision(models.Model):
    """Somebody said by hand that this visitor is in a segment, or is not, whatever its rule says.

    After a merge one visitor may have several for a segment: the latest counts.
    """

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="decisions", db_index=False)
    # By visitor: react, the visitor's page.
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="segment_decisions")
    born_visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="+")
    is_member = models.BooleanField()
    # Where it comes from: any but the rule.
    source = models.CharField(_("source"), max_length=8, choices=Source.choices, default=Source.HAND)
    decided_at = models.DateTimeField()
    decided_by = models.ForeignKey(conf.user_model(), null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        verbose_name = _("decision on a segment")
        verbose_name_plural = _("decisions on segments")
        constraints = [
            # Also serves the decisions of one segment.
            models.UniqueConstraint(fields=["segment", "born_visitor"], name="ma_decision_once"),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_id} {'∈' if self.is_member else '∉'} {self.segment_id}"


class SegmentDay(models.Model):
    """How many were in a segment at the end of a day (today: at the last count)."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="days", db_index=False)
    # In the time zone of the project.
    day = models.DateField()
    member_count = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("segment on a day")
        verbose_name_plural = _("segments on a day")
        constraints = [
            # The chart of one segment.
            models.UniqueConstraint(fields=["segment", "day"], name="ma_segment_day_once"),
        ]

    def __str__(self) -> str:
        return f"{self.segment_id} {self.day} {self.member_count}"
