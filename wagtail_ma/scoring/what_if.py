"""What a change of the rules would do, before it is applied. Nothing is stored.

The first of the ranked list and the visitors seen last are scored by the rules as they would be, in
memory, and compared with where they stand.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from wagtail_ma.conf import conf
from wagtail_ma.people.models import Visitor
from wagtail_ma.scoring import bands, decay, fit, given, occurrences
from wagtail_ma.scoring.history import counted, read
from wagtail_ma.scoring.ledger import earn, points_by_visitor
from wagtail_ma.scoring.models import LISTED, ScoringModel, ScoringRule, Standing
from wagtail_ma.scoring.queries import current_score, in_force

# So many visitors are looked at while somebody waits.
LOOKED_AT = 2_000
CHUNK = 200
EXAMPLES = 20
# A rule that is not saved yet stands under this id.
UNSAVED = 0


@dataclass(frozen=True)
class Changed:
    """One visitor for whom something would change."""

    visitor: Visitor
    before: float
    after: float
    grade_before: str
    grade_after: str


@dataclass
class WhatIf:
    """The effect of a change.

    :param looked_at: so many visitors were compared: the first of the list, and those seen last.
    :param total: of so many who have a score.
    :param hot, cool: how many would reach the threshold, or fall below it.
    :param examples: where the score changes most.
    """

    threshold: float
    looked_at: int = 0
    total: int = 0
    hot: int = 0
    cool: int = 0
    changed: int = 0
    examples: list[Changed] = field(default_factory=list)
    # Rule id → the positive points that it would have given to those looked at.
    points_of_rules: dict[int, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def is_sample(self) -> bool:
        """Whether there are more visitors than were looked at."""
        return self.total > self.looked_at


def rules_with(rule: ScoringRule) -> list[ScoringRule]:
    """The active rules as they would be with this one, saved or not."""
    others = list(ScoringRule.objects.filter(is_active=True).exclude(pk=rule.pk).order_by("pk"))
    if rule.pk is None:
        rule.pk = UNSAVED
    return [*others, rule] if rule.is_active else others


def rules_without(rule: ScoringRule) -> list[ScoringRule]:
    """The active rules as they would be without this one."""
    return list(ScoringRule.objects.filter(is_active=True).exclude(pk=rule.pk).order_by("pk"))


def compare(
    rules: Sequence[ScoringRule], *, now: datetime, threshold: float, limit: int = LOOKED_AT
) -> WhatIf:
    """What these rules in place of the present ones would change.

    :param threshold: the score from which on somebody counts as hot.
    :param limit: look at no more visitors than this.
    """
    found = WhatIf(threshold)
    model = in_force()
    if model is None:
        return found
    standings = Standing.objects.filter(LISTED, model=model)
    found.total = standings.count()
    looked_at = _chosen(standings.select_related("model", "visitor", "visitor__lead"), limit)
    found.looked_at = len(looked_at)
    differing: list[Changed] = []
    for start in range(0, len(looked_at), CHUNK):
        differing += _compare_chunk(looked_at[start : start + CHUNK], rules, model, found, now)
    found.changed = len(differing)
    found.hot = sum(each.before < threshold <= each.after for each in differing)
    found.cool = sum(each.after < threshold <= each.before for each in differing)
    found.examples = sorted(differing, key=lambda each: (-abs(each.after - each.before), each.visitor.pk))[
        :EXAMPLES
    ]
    return found


def _chosen(standings: QuerySet[Standing], limit: int) -> list[Standing]:
    """Half of them the first of the list (whoever is hot is among them), half those seen last."""
    first = list(standings.order_by("-rank", "-visitor_id")[: limit // 2])
    ids = {each.visitor_id for each in first}
    latest = standings.filter(last_seen_at__isnull=False).order_by("-last_seen_at", "-visitor_id")[:limit]
    more = [each for each in latest if each.visitor_id not in ids]
    return first + more[: limit - len(first)]


def _compare_chunk(
    standings: Sequence[Standing],
    rules: Sequence[ScoringRule],
    model: ScoringModel,
    sums: WhatIf,
    now: datetime,
) -> list[Changed]:
    named_at = {
        each.visitor_id: each.visitor.lead.created_at if hasattr(each.visitor, "lead") else None
        for each in standings
    }
    history = read(named_at)
    paying = counted((rule for rule in rules if not rule.is_fit), history)
    engagement = earn(
        paying,
        history.facts,
        zone=timezone.get_default_timezone(),
        carried=history.carried,
        lost_until=history.lost_until,
    )
    for key, award in engagement.items():
        sums.points_of_rules[key.rule_id] += max(0.0, award.points)
    others = given.earned(rules, list(named_at)) | occurrences.kept(paying, list(named_at), model)
    points = points_by_visitor(engagement | others)
    fits: dict[int, float] = defaultdict(lambda: bands.NEUTRAL_FIT)
    fit_rules = [rule for rule in rules if rule.is_fit]
    for pk, holding in fit.holding(fit_rules, list(named_at), now=now, note=False).items():
        worth = next(rule.points for rule in fit_rules if rule.pk == pk)
        for visitor_id in holding:
            fits[visitor_id] += worth
    found = []
    for standing in standings:
        before = current_score(standing, now=now)
        mine = points.get(standing.visitor_id, [])
        after = max(
            0.0,
            sum(decay.decayed(each, at, now=now, half_life_days=model.half_life_days) for each, at in mine),
        )
        fit_after = bands.fit_grade(fits[standing.visitor_id], model.fit_thresholds)
        # What is shown is rounded to a tenth.
        if round(before, 1) != round(after, 1) or standing.fit_grade != fit_after:
            found.append(
                Changed(
                    standing.visitor,
                    before,
                    after,
                    standing.fit_grade + bands.engagement_grade(before, conf.ENGAGEMENT_GRADES),
                    fit_after + bands.engagement_grade(after, conf.ENGAGEMENT_GRADES),
                )
            )
    return found
