"""What a rule would find, while it is being edited."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from wagtail_ma.people.models import Visitor
from wagtail_ma.rules import compile as compiler
from wagtail_ma.rules.sentences import sentence
from wagtail_ma.rules.tree import Broken, is_live, parse
from wagtail_ma.segments.queries import population

SAMPLE = 5
EARLIER = timedelta(days=30)


@dataclass(frozen=True)
class Preview:
    """How many visitors fulfil a rule, and a few of them.

    :param sentence: the rule in words, empty when it is broken.
    :param problem: why it cannot be evaluated, for people; empty when it can.
    :param is_live: it asks for facts of the request, so that nobody can be counted.
    :param earlier: how many fulfilled it :data:`EARLIER` ago, by what is known today.
    """

    count: int
    sample: list[Visitor]
    sentence: str
    problem: str
    is_live: bool = False
    earlier: int = 0


def matches(match: str, raw: list[dict[str, Any]], *, now: datetime) -> Preview:
    """Count and sample the visitors who fulfil a rule now. Nothing is stored.

    :param raw: stored conditions, as for ``rules.tree.parse``.
    """
    tree = parse(match, raw)
    if isinstance(tree, Broken):
        return Preview(0, [], "", tree.reason)
    if is_live(raw):
        return Preview(0, [], sentence(tree), "", is_live=True)
    found = compiler.everyone(tree, population(), now=now)
    newest = population().filter(pk__in=found).select_related("lead").order_by("-pk")[:SAMPLE]
    then = now - EARLIER
    there = population().filter(first_seen_at__lte=then)
    earlier = compiler.everyone(tree, there, now=then, until=then).count()
    return Preview(found.count(), list(newest), sentence(tree), "", earlier=earlier)
