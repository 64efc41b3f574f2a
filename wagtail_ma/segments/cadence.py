"""How often a segment is decided anew for everybody.

React decides at once for whoever does something. What is left is what changes because time passes:
"in the last 14 days" may be looked at less often than "in the last day".
"""

from __future__ import annotations

from datetime import timedelta

from wagtail_ma.rules.tree import Broken, Group

SHORTEST = timedelta(minutes=15)
# Also for rules that time does not change: whatever went wrong is mended by then.
LONGEST = timedelta(hours=6)
# Nobody stays longer than this part of the window after it has passed: 15 minutes for a day.
PART = 96


def cadence(tree: Group | Broken | None) -> timedelta:
    """The time between two full refreshes of a segment with this rule.

    :param tree: None for fixed members. Broken rules are looked at soon: they may have been mended.
    """
    if tree is None:
        return LONGEST
    if isinstance(tree, Broken):
        return SHORTEST
    windows = [leaf.condition.window(leaf.values) for leaf in tree.leaves()]
    shortest = min((window for window in windows if window is not None), default=LONGEST * PART)
    return min(max(shortest / PART, SHORTEST), LONGEST)
