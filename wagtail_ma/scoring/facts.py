"""Conditions about scores."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import DateTimeField, F, FloatField, Func, Q, Subquery, Sum, Value
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from wagtail_ma.core.conditions import Condition, Rows, Scope, Test, register
from wagtail_ma.core.parameters import Choice, Number
from wagtail_ma.scoring.models import ScoreEntry, Standing

SCORES = gettext_lazy("Score")
# The number shown is the sum of the rows shown within this, and so is what is compared with it.
TOLERANCE = 1e-9
LOWEST = -1e300


class ForwardFactor(Func):
    """2^((now − T₀)/h): what one point of now weighs in a forward-decayed sum (see ``decay.py``)."""

    output_field = FloatField()

    def __init__(self, now: Any, epoch: str, half_life_days: str) -> None:
        moment = Value(now, output_field=DateTimeField()) if isinstance(now, datetime) else now
        super().__init__(moment, F(epoch), F(half_life_days))

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        (now, epoch, days), parameters = self._parts(compiler)
        sql = f"POWER(2.0::float8, EXTRACT(EPOCH FROM ({now} - {epoch}))::float8 / (86400.0 * {days}))"
        return sql, parameters

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        (now, epoch, days), parameters = self._parts(compiler)
        return f"POWER(2.0, (julianday({now}) - julianday({epoch})) / {days})", parameters

    def _parts(self, compiler: Any) -> tuple[list[str], list[Any]]:
        compiled = [compiler.compile(each) for each in self.get_source_expressions()]
        return [sql for sql, _parameters in compiled], [p for _sql, some in compiled for p in some]


def _standings() -> Any:
    """Everybody's standing, as now in force, but for those who are left out of lists."""
    return Standing.objects.filter(model__is_current=True)


@register
class ScoreNow(Condition):
    key = "score"
    label = gettext_lazy("Score")
    group = SCORES
    is_scored = True
    icon = "order"
    parameters = (
        Choice(
            name="comparison",
            label=gettext_lazy("Which"),
            choices=(("at_least", gettext_lazy("at least")), ("below", gettext_lazy("below"))),
            default="at_least",
        ),
        Number(name="number", label=gettext_lazy("Points"), default=50, minimum=1, maximum=100_000),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        factor = ForwardFactor(scope.ago(), "model__epoch", "model__half_life_days")
        threshold = values["number"] * (1 - TOLERANCE)
        rows = _standings().alias(factor=factor).filter(engagement_sum__gte=F("factor") * threshold)
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
        Number(name="number", label=gettext_lazy("Points at least"), default=20, minimum=1, maximum=100_000),
        Number(name="days", label=gettext_lazy("In the last … days"), default=7, minimum=1, maximum=3650),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        rows = ScoreEntry.objects.filter(model__is_current=True, at__gte=scope.ago(days=values["days"]))
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
        Number(
            name="number",
            label=gettext_lazy("How many"),
            help_text=gettext_lazy("Who is overtaken leaves the segment within a quarter of an hour."),
            default=100,
            minimum=1,
            maximum=100_000,
        ),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        last = values["number"] - 1
        ranks = _standings().filter(visitor__excluded_reason="").order_by("-rank").values("rank")
        # Fewer than that: everybody is among the first.
        lowest = Coalesce(Subquery(ranks[last : last + 1]), Value(LOWEST), output_field=FloatField())
        return Rows(_standings().filter(visitor__excluded_reason="", rank__gte=lowest))

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("is among the first %(number)d of the ranked list") % {"number": values["number"]}
