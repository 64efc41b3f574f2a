"""What a rule would find, while it is being edited."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wagtail_ma.people.models import Visitor
from wagtail_ma.rules import compile as compiler
from wagtail_ma.rules.sentences import sentence
from wagtail_ma.rules.tree import Broken, parse
from wagtail_ma.segments.queries import population

SAMPLE = 5


@dataclass(frozen=True)
class Preview:
    """How many visitors fulfil a rule, and a few of them.

    :param sentence: the rule in words, empty when it is broken.
    :param problem: why it cannot be evaluated, for people; empty when it can.
    """

    count: int
    sample: list[Visitor]
    sentence: str
    problem: str


def matches(match: str, raw: list[dict[str, Any]], *, now: datetime) -> Preview:
    """Count and sample the visitors who fulfil a rule now. Nothing is stored.

    :param raw: stored conditions, as for ``rules.tree.parse``.
    """
    tree = parse(match, raw)
    if isinstance(tree, Broken):
        return Preview(0, [], "", tree.reason)
    found = compiler.everyone(tree, population(), now=now)
    newest = population().filter(pk__in=found).select_related("lead").order_by("-pk")[:SAMPLE]
    return Preview(found.count(), list(newest), sentence(tree), "")
