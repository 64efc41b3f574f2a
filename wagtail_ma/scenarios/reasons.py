"""Why somebody left a scenario: short codes in the table, words for people."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

LABELS = {
    "completed": _("went through to the end"),
    "merged": _("turned out to be somebody who is in this scenario already"),
    "stopped": _("the scenario was stopped by hand"),
    "by_hand": _("taken out by hand"),
    "goal": _("reached the goal"),
    "exit_segment": _("came into the segment that ends the scenario"),
    "unsubscribed": _("unsubscribed"),
    "enquiry": _("sent a form"),
    "sales": _("sales takes care of them"),
    "customer": _("is a customer"),
    "band": _("score or fit left the band of the scenario"),
    "other_scenario": _("taken out by a step of another scenario"),
    "gave_way": _("gave way to a scenario of higher priority in the same group"),
    "held_out": _("held out, for comparison"),
    "failed": _("a step failed again and again"),
}


def label(reason: str) -> str:
    """The reason for people; an unknown one is shown as it is."""
    return str(LABELS.get(reason, reason))
