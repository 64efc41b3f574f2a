"""Goals: what a site wants its visitors to do."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Goal(models.Model):
    """Something that counts as a success: an act, or being in a segment (a page reached, a stage …)."""

    class Kind(models.TextChoices):
        ACTIVITY = "activity", _("An activity happens")
        SEGMENT = "segment", _("Somebody enters a segment")

    name = models.CharField(_("name"), max_length=80, unique=True)
    kind = models.CharField(_("reached when"), max_length=10, choices=Kind.choices, default=Kind.ACTIVITY)
    activity_kind = models.CharField(_("activity"), max_length=64, blank=True)
    object_key = models.CharField(
        _("only for"),
        max_length=100,
        blank=True,
        help_text=_("Key of the form, document or mail that it is done to. Empty: any."),
    )
    segment = models.ForeignKey(
        "wagtail_ma.Segment",
        verbose_name=_("segment"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        limit_choices_to={"is_live": False},
    )

    class Meta:
        verbose_name = _("goal")
        verbose_name_plural = _("goals")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
