"""Why what is derived of somebody changes, where nobody did anything."""

from __future__ import annotations

from collections.abc import Collection

from django.db import models
from django.utils.translation import gettext_lazy as _


class Cause(models.TextChoices):
    """An occasion on which people come into segments, or leave them, without an act of their own.

    No member (an empty text in the tables) stands for the ordinary: somebody did something, time passed,
    or a person of ours said so.
    """

    MERGE = "merge", _("Two turned out to be one person, or a known person used another browser")
    UNDO = "undo", _("A merge was undone")
    RESCORE = "rescore", _("Scores were computed again under other rules")
    IMPORT = "import", _("A list of people was imported")


# The weightier first.
ORDER = (Cause.UNDO, Cause.MERGE, Cause.IMPORT, Cause.RESCORE)


def weightiest(causes: Collection[str]) -> str:
    """The one that stands for several; empty when there is none."""
    return next((str(cause) for cause in ORDER if cause in causes), "")
