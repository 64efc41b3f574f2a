"""Conditions about scores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Case, F, FloatField, Q, Subquery, Sum, Value, When
from django.db.models.functions import Coalesce, Greatest
from django.db.models.lookups import GreaterThanOrEqual, LessThanOrEqual
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from wagtail_ma.conf import conf
from wagtail_ma.core.conditions import Condition, Rows, Scope, Test, register
from wagtail_ma.core.parameters import Choice
from wagtail_ma.core.usual_parameters import at_least, days_back, either
from wagtail_ma.scoring import bands, interests
from wagtail_ma.scoring.expressions import ForwardFactor
from wagtail_ma.scoring.ledger import FIT
from wagtail_ma.scoring.models import LISTED, Interest, ScoreEntry, Standing
from wagtail_ma.tracking.page_class_facts import topic

SCORES = gettext_lazy("Score")
# The number shown is the sum of the rows shown within this, and so is what is compared with it.
TOLERANCE = 1e-9
LOWEST = -1e300


def _now_factor(scope: Scope, model: str = "model") -> ForwardFactor:
    """What one point of now weighs in a forward-decayed sum."""
    return ForwardFactor(scope.ago(), f"{model}__epoch", f"{model}__half_life_days")


def _worth(rows: Any, column: str, least: float, scope: Scope) -> Any:
    """The rows whose forward-decayed sum is worth so much now."""
    weighed = rows.alias(factor=_now_factor(scope))
    return weighed.filter(**{f"{column}__gte": F("factor") * (least * (1 - TOLERANCE))})


def _standings() -> Any:
    """Everybody's standing, as now in force, but for those who are left out of lists."""
    return Standing.objects.filter(model__is_current=True)


def _engagement() -> Any:
    return ScoreEntry.objects.filter(model__is_current=True).exclude(fact_kind=FIT)


@register
class ScoreNow(Condition):
    key = "score"
    label = gettext_lazy("Score")
    group = SCORES
    is_scored = True
    icon = "order"
    parameters = (
        either(("at_least", gettext_lazy("at least")), ("below", gettext_lazy("below")), name="comparison"),
        at_least(gettext_lazy("Points"), 50, maximum=100_000),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        rows = _worth(_standings(), "engagement_sum", values["number"], scope)
        return Rows(rows, negated=values["comparison"] == "below")

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {"number": values["number"]}
        if values["comparison"] == "below":
            return _("has a score below %(number)d") % words
        return _("has a score of at least %(number)d") % words


@register
class ScoreEarned(Condition):
    key = "score_earned"
    label = gettext_lazy("Points earned lately")
    group = SCORES
    is_scored = True
    icon = "order-up"
    parameters = (
        at_least(gettext_lazy("Points at least"), 20, maximum=100_000),
        days_back(7),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        rows = _engagement().filter(at__gte=scope.ago(days=values["days"]))
        return Rows(
            rows,
            aggregates={"total": Sum("points")},
            having=Q(total__gte=values["number"] * (1 - TOLERANCE)),
        )

    def sentence(self, values: Mapping[str, Any]) -> str:
        return ngettext(
            "earned at least %(number)d points in the last %(days)d day",
            "earned at least %(number)d points in the last %(days)d days",
            values["days"],
        ) % {"number": values["number"], "days": values["days"]}


@register
class TopRanked(Condition):
    key = "top_ranked"
    label = gettext_lazy("Among the first of the ranked list")
    group = SCORES
    is_scored = True
    icon = "list-ol"
    parameters = (
        at_least(
            gettext_lazy("How many"),
            100,
            help_text=gettext_lazy("Who is overtaken leaves the segment within a quarter of an hour."),
            maximum=100_000,
        ),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        last = values["number"] - 1
        ranks = _standings().filter(LISTED).order_by("-rank").values("rank")
        # Fewer than that: everybody is among the first.
        lowest = Coalesce(Subquery(ranks[last : last + 1]), Value(LOWEST), output_field=FloatField())
        return Rows(_standings().filter(LISTED, rank__gte=lowest))

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("is among the first %(number)d of the ranked list") % {"number": values["number"]}


@register
class ScoreChanged(Condition):
    key = "score_changed"
    label = gettext_lazy("Change of the score")
    group = SCORES
    is_scored = True
    icon = "history"
    parameters = (
        Choice(
            name="direction",
            label=gettext_lazy("Which way"),
            choices=(("rose", gettext_lazy("rose")), ("fell", gettext_lazy("fell"))),
            default="rose",
        ),
        at_least(gettext_lazy("By at least … points"), 20),
        days_back(7),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        then = scope.ago(days=values["days"])
        half_life = "model__half_life_days"
        now_worth = F("points") * ForwardFactor("at", scope.ago(), half_life)
        then_worth = F("points") * ForwardFactor("at", then, half_life)
        zero = Value(0.0, output_field=FloatField())
        aggregates = {
            "is_now": Sum(now_worth, output_field=FloatField()),
            "was": Sum(
                Case(When(at__lte=then, then=then_worth), default=zero, output_field=FloatField()),
            ),
        }
        # As shown: never below zero.
        change = Greatest(F("is_now"), zero) - Greatest(F("was"), zero)
        least = values["number"] * (1 - TOLERANCE)
        if values["direction"] == "fell":
            return Rows(
                _engagement(), aggregates=aggregates, having=Q(LessThanOrEqual(change, Value(-least)))
            )
        return Rows(_engagement(), aggregates=aggregates, having=Q(GreaterThanOrEqual(change, Value(least))))

    def sentence(self, values: Mapping[str, Any]) -> str:
        if values["direction"] == "fell":
            text = ngettext(
                "has a score that fell by at least %(number)d points in the last %(days)d day",
                "has a score that fell by at least %(number)d points in the last %(days)d days",
                values["days"],
            )
        else:
            text = ngettext(
                "has a score that rose by at least %(number)d points in the last %(days)d day",
                "has a score that rose by at least %(number)d points in the last %(days)d days",
                values["days"],
            )
        return text % {"number": values["number"], "days": values["days"]}


@register
class LifetimePoints(Condition):
    key = "lifetime_points"
    label = gettext_lazy("Points in all")
    group = SCORES
    is_scored = True
    icon = "order"
    parameters = (
        at_least(
            gettext_lazy("Points at least"),
            100,
            help_text=gettext_lazy("Everything ever earned; it does not fade."),
        ),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        return Rows(_standings().filter(lifetime__gte=values["number"] * (1 - TOLERANCE)))

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("earned at least %(number)d points in all") % {"number": values["number"]}


@register
class GradeAtLeast(Condition):
    key = "grade"
    label = gettext_lazy("Grade")
    group = SCORES
    is_scored = True
    icon = "tag"
    parameters = (
        Choice(
            name="fit",
            label=gettext_lazy("Fit at least"),
            choices=tuple((letter, letter) for letter in bands.LETTERS),
            default="B",
        ),
        Choice(
            name="engagement",
            label=gettext_lazy("Score at least"),
            choices=tuple((number, number) for number in bands.NUMBERS),
            default="2",
        ),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        rows = _standings().filter(fit_grade__lte=values["fit"])
        place = bands.NUMBERS.index(values["engagement"])
        if place < len(conf.ENGAGEMENT_GRADES):
            rows = _worth(rows, "engagement_sum", conf.ENGAGEMENT_GRADES[place], scope)
        return Rows(rows)

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("has the grade %(grade)s or better") % {"grade": values["fit"] + values["engagement"]}


@register
class InterestAtLeast(Condition):
    key = "interest"
    label = gettext_lazy("Interest in a topic")
    group = SCORES
    is_scored = True
    icon = "tag"
    parameters = (
        topic,
        at_least(
            gettext_lazy("Weight at least"),
            40,
            name="weight",
            help_text=gettext_lazy("0 to 100: 50 is about five views of a minute and a half; it fades."),
            maximum=99,
        ),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        rows = Interest.objects.filter(model__is_current=True, topic_id=values["topic"].pk)
        return Rows(_worth(rows, "evidence_sum", interests.evidence_of(values["weight"]), scope))

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("is interested in “%(topic)s” (at least %(weight)d of 100)") % {
            "topic": values["topic"].label,
            "weight": values["weight"],
        }


LEVEL_NAMES = {
    "none": gettext_lazy("none"),
    "weak": gettext_lazy("weak"),
    "strong": gettext_lazy("strong"),
    "now": gettext_lazy("now"),
}


@register
class TemperatureLevel(Condition):
    key = "temperature"
    label = gettext_lazy("Temperature")
    group = SCORES
    is_scored = True
    icon = "thumbtack"
    parameters = (
        either(
            ("intent", gettext_lazy("buying intent")),
            ("research", gettext_lazy("gathering information")),
            name="which",
        ),
        Choice(
            name="level",
            label=gettext_lazy("At least"),
            choices=tuple((key, LEVEL_NAMES[key]) for key in interests.LEVELS[1:]),
            default="strong",
        ),
        Choice(
            name="comparison",
            label=gettext_lazy("Whether"),
            choices=(("at_least", gettext_lazy("at least that")), ("below", gettext_lazy("less than that"))),
            default="at_least",
        ),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        least = interests.LEVEL_THRESHOLDS[values["level"]]
        rows = _worth(_standings(), f"{values['which']}_sum", least, scope)
        return Rows(rows, negated=values["comparison"] == "below")

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {"level": LEVEL_NAMES[values["level"]]}
        if values["which"] == "intent":
            if values["comparison"] == "below":
                return _("has a buying intent that is less than “%(level)s”") % words
            return _("has a buying intent that is at least “%(level)s”") % words
        if values["comparison"] == "below":
            return _("gathers information less than “%(level)s”") % words
        return _("gathers information at least “%(level)s”") % words
