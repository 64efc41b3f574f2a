"""Which rule trees come true at a date: those that a dated fact can complete.

A pattern pays engagement at the moment when its conditions come to hold. For that each of them must be
decidable for any moment of the past (:class:`~wagtail_ma.core.conditions.Dated`), and at least one must
be of a kind that something done makes true: "has not viewed the prices for a week" becomes true by
waiting, and waiting is no fact that could be found again in a replay.
"""

from __future__ import annotations

from django.utils.translation import gettext as _

from wagtail_ma.core.conditions import Dated, facts
from wagtail_ma.rules.tree import Group, Leaf, Node
from wagtail_ma.scoring.ledger import ACTIVITY, VIEW, VISIT

# By the name of the table: what of a tree's rows are facts of the ledger.
KINDS = {"pageview": VIEW, "visit": VISIT, "activity": ACTIVITY}


def kind_of(dated: Dated) -> str:
    """Which facts a condition counts; "" for rows that earn nothing themselves (who is known by name)."""
    return KINDS.get(dated.rows.model._meta.model_name or "", "")


def dated_leaves(tree: Group) -> list[Dated]:
    """The conditions of a tree that can be dated (:func:`reason_against`), in order."""
    return [dated for leaf in tree.leaves() if (dated := _dated(leaf)) is not None]


def reason_against(tree: Group) -> str:
    """Why a tree cannot be dated, in the reader's language; "" when it can."""
    for leaf in tree.leaves():
        if _dated(leaf) is None:
            return _(
                "“%(condition)s” as it is set here says how somebody is, and not since when: no date "
                "follows from it. Use it for fit, or another condition here."
            ) % {"condition": leaf.condition.label}
    if not _can_rise(tree):
        return _(
            "Nothing that somebody does makes these conditions true. Add one about something done, for "
            "example a page viewed."
        )
    return ""


def usable() -> list[str]:
    """The names of the conditions of which a date follows, in the reader's language."""
    return sorted(str(condition.label) for condition in facts if condition.may_be_dated)


def is_once(tree: Group) -> bool:
    """Whether it can never become false again, and so true only once: it counts upwards, without a window
    of days."""
    if tree.match == "none":
        return False
    for child in tree.children:
        if isinstance(child, Group):
            if not is_once(child):
                return False
        elif (dated := _dated(child)) is None or dated.days is not None or dated.comparison != "at_least":
            return False
    return True


def _dated(leaf: Leaf) -> Dated | None:
    return leaf.condition.dated(leaf.values)


def _can_rise(node: Node, *, negated: bool = False) -> bool:
    """Whether one more fact can make it true (``negated``: false)."""
    if isinstance(node, Group):
        flipped = negated != (node.match == "none")
        return any(_can_rise(child, negated=flipped) for child in node.children)
    dated = _dated(node)
    if dated is None or not kind_of(dated):
        return False
    if dated.comparison == "at_least":
        return dated.number > 0 and not negated
    return negated or (dated.comparison == "exactly" and dated.number > 0)
