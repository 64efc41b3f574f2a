"""Why somebody is in a segment, or is not: the verdict of each condition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.utils.text import capfirst

from wagtail_ma.rules import compile as compiler
from wagtail_ma.rules.tree import Group, Leaf, Node
from wagtail_ma.segments import compiled, decisions
from wagtail_ma.segments.models import Segment, SegmentDecision
from wagtail_ma.segments.queries import population


@dataclass(frozen=True)
class Line:
    """One line of the answer.

    :param depth: 0 for what stands at the top of the rule.
    :param match: for a group how its conditions go together, else "".
    :param text: the condition in words, "" for a group.
    """

    depth: int
    match: str
    text: str
    holds: bool


@dataclass(frozen=True)
class Why:
    """The answer.

    :param holds: whether the rule as a whole is fulfilled now; None where there is none to be asked
        (fixed members, live segments, broken rules).
    :param decision: what somebody said by hand, which counts more.
    """

    holds: bool | None
    lines: list[Line]
    decision: SegmentDecision | None


def why(segment: Segment, visitor_id: int, *, now: datetime) -> Why:
    """How the rule of a segment stands for one visitor at this moment (a few statements)."""
    decision = (
        decisions.in_force()
        .filter(segment=segment, visitor_id=visitor_id)
        .select_related("decided_by")
        .first()
    )
    tree = None if segment.is_static or segment.is_live else compiled.read([segment])[segment.pk].tree
    if not isinstance(tree, Group):
        return Why(None, [], decision)
    nodes = list(_nodes(tree, -1))
    trees = [node if isinstance(node, Group) else Group("all", (node,)) for node, _depth in nodes]
    rows = compiler.these(trees, population()).rows(now=now, ids=[visitor_id])
    verdicts = [bool(verdict) for verdict in rows[0][1:]] if rows else [False] * len(nodes)
    lines = [
        Line(
            depth,
            node.match if isinstance(node, Group) else "",
            capfirst(node.condition.sentence(node.values)) if isinstance(node, Leaf) else "",
            verdict,
        )
        for (node, depth), verdict in zip(nodes, verdicts, strict=True)
    ]
    return Why(lines[0].holds, lines[1:], decision)


def _nodes(node: Node, depth: int) -> Iterator[tuple[Node, int]]:
    yield node, depth
    if isinstance(node, Group):
        for child in node.children:
            yield from _nodes(child, depth + 1)
