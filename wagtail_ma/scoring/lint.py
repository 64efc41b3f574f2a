"""What is doubtful about the rules as a whole: one point of view is not enough to know who will buy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.models import Sum
from django.utils.translation import gettext as _

from wagtail_ma.scoring.ledger import FIT, GIVEN
from wagtail_ma.scoring.models import ScoreEntry, ScoringRule, Standing
from wagtail_ma.tracking.models import TrackedPage

MOST_SHARE = 0.6
# Whose points are looked at: the first of the ranked list.
FIRST = 500
# How often a rule without a cap may pay on one day, when nothing has been earned yet.
OFTEN = 10

Kind = ScoringRule.Kind


def warnings(
    rules: Sequence[ScoringRule] | None = None, earned: Mapping[int, float] | None = None
) -> list[str]:
    """Sentences about rules, in the reader's language; empty when all is well.

    :param rules: as they would be; None: those that are active.
    :param earned: positive points by rule; None: what has been earned.
    """
    if rules is None:
        rules = list(ScoringRule.objects.filter(is_active=True).select_related("page_class"))
    rules = [rule for rule in rules if rule.kind != Kind.GIVEN]
    giving = [rule for rule in rules if not rule.is_fit and rule.points > 0]
    if not giving:
        return []
    found = [
        *_one_signal(giving),
        *_one_rule(giving, _earned() if earned is None else earned),
        *_without_pages(rules),
    ]
    if not any(rule.is_fit for rule in rules):
        found.append(
            _(
                "No rule looks at who people are. Add rules with conditions, for example on the job title: "
                "otherwise the score says who is eager, but not who fits."
            )
        )
    return found


def _one_signal(giving: Sequence[ScoringRule]) -> list[str]:
    kinds = {rule.kind for rule in giving}
    if len(kinds) > 1:
        return []
    if kinds == {Kind.ENGAGED}:
        return [
            _(
                "All points come from reading time. Time alone misleads: a tab left open scores, a quick "
                "look at the prices does not. Add rules for what people do."
            )
        ]
    return [
        _("All rules look at one kind of signal: %(kind)s. Add rules for others: they correct each other.")
        % {"kind": Kind(kinds.pop()).label}
    ]


def _one_rule(giving: Sequence[ScoringRule], earned: Mapping[int, float]) -> list[str]:
    if earned:
        names = {rule.pk: rule.name for rule in giving}
        shares = {pk: points for pk, points in earned.items() if pk in names}
        text = _("“%(rule)s” has given %(percent)d %% of all points. Cap it, or the others count for little.")
    else:
        names = {rule.pk: rule.name for rule in giving}
        shares = {rule.pk: _on_one_day(rule) for rule in giving}
        text = _("“%(rule)s” can give %(percent)d %% of all points. Cap it, or the others count for little.")
    total = sum(shares.values())
    return [
        text % {"rule": names[pk], "percent": round(100 * points / total)}
        for pk, points in shares.items()
        if total and points / total > MOST_SHARE
    ]


def _earned() -> dict[int, float]:
    """Positive points by rule, of those who rank first (two statements, by index)."""
    first = Standing.objects.filter(model__is_current=True).order_by("-rank", "-visitor_id")
    ids = list(first.values_list("visitor_id", flat=True)[:FIRST])
    entries = ScoreEntry.objects.filter(model__is_current=True, visitor_id__in=ids, points__gt=0)
    sums = entries.exclude(fact_kind__in=(FIT, GIVEN)).values("rule_id").annotate(total=Sum("points"))
    return {row["rule_id"]: row["total"] for row in sums}


def _on_one_day(rule: ScoringRule) -> float:
    """The most that a rule can give somebody on a busy day."""
    caps = [rule.max_per_day, rule.max_per_visit, rule.max_total]
    return rule.points * rule.max_repeats * min([OFTEN, *(cap for cap in caps if cap is not None)])


def _without_pages(rules: Sequence[ScoringRule]) -> list[str]:
    """Rules for a class of pages that no page has."""
    wanted = {rule.page_class_id: rule for rule in rules if rule.page_class_id}
    used = set(
        TrackedPage.objects.filter(page_class_id__in=wanted)
        .values_list("page_class_id", flat=True)
        .distinct()
    )
    missing = sorted({str(rule.page_class) for pk, rule in wanted.items() if pk not in used})
    if not missing:
        return []
    return [
        _("No viewed page is of these classes yet, so their rules give nothing: %(classes)s.")
        % {"classes": ", ".join(missing)}
    ]
