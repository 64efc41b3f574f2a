"""The ranked list: who is on it, in which order, and what its rows show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import F, Q, QuerySet, Sum
from django.utils.translation import gettext_lazy

from wagtail_ma.conf import conf
from wagtail_ma.core.durations import spoken
from wagtail_ma.people.models import Lead
from wagtail_ma.reports import charts
from wagtail_ma.reports.keyset import Order
from wagtail_ma.sales.models import HotEntry
from wagtail_ma.scoring import bands, decay
from wagtail_ma.scoring import queries as scores
from wagtail_ma.scoring.expressions import ForwardFactor, WholeDays
from wagtail_ma.scoring.ledger import FIT
from wagtail_ma.scoring.models import ScoreEntry, Standing

# How far back the line and the change beside a score look.
SPARK_DAYS = 30
CHANGE_DAYS = 7
LARGEST_ID = 2**63 - 1

ACTIVE = "active"
LISTS = {
    ACTIVE: gettext_lazy("Active prospects"),
    "all": gettext_lazy("Everybody"),
    "customers": gettext_lazy("Customers"),
}


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return moment.astimezone(UTC)


def _number(text: str) -> float:
    number = float(text)
    if number != number or abs(number) == float("inf"):
        raise ValueError("not a number")
    return number


ORDERS = {
    "-rank": Order("rank", "visitor_id", _number),
    "-last_seen_at": Order("last_seen_at", "visitor_id", _moment),
    # Only where a topic is chosen.
    "-interest": Order("interest", "visitor_id", _number),
}


def listed(which: str, *, now: datetime) -> QuerySet[Standing]:
    """The people of one of :data:`LISTS`; nobody who is excluded.

    Active prospects: no customers, with at least ``ACTIVE_ACTIONS`` page views and acts in the last
    ``ACTIVE_DAYS`` days.
    """
    found = scores.ranked()
    if which == "customers":
        return found.filter(is_customer=True)
    if which == ACTIVE:
        since = now - timedelta(days=conf.ACTIVE_DAYS)
        return found.filter(active_at__gte=since, is_customer=False)
    return found


def interested_in(rows: QuerySet[Standing], topic_id: int) -> QuerySet[Standing]:
    """Those interested in a topic, with ``interest``: the evidence, which orders them at any time."""
    # A join and no subquery, so that the order is that of an index (ma_interest_topic).
    mine = rows.filter(
        visitor__interests__model=scores.in_force(),
        visitor__interests__topic=topic_id,
        visitor__interests__evidence_sum__gt=0,
    )
    return mine.annotate(interest=F("visitor__interests__evidence_sum"))


def searched(rows: QuerySet[Any], text: str, *, path: str = "visitor") -> QuerySet[Any]:
    """Those with all words in name, company or address; ``#A1B2`` is the number of an anonymous one.

    :param path: from the rows to the visitor; empty for visitors themselves.
    """
    for word in text.split():
        rows = rows.filter(_matches(word, f"{path}__" if path else ""))
    return rows


def _matches(word: str, to: str) -> Q:
    if word.startswith("#"):
        try:
            number = int(word[1:], 16)
        except ValueError:
            return Q(pk__isnull=True)
        return Q(**{f"{to}pk": number}) if 0 < number <= LARGEST_ID else Q(pk__isnull=True)
    found = Q()
    for name in ("family_name", "given_name", "company_name", "email"):
        found |= Q(**{f"{to}lead__{name}__icontains": word})
    return found


def read_ids(texts: Iterable[str]) -> list[int]:
    """Ids of visitors as they stand in an address; what is none is passed over."""
    return [
        number
        for text in texts
        if text.isascii() and text.isdigit() and len(text) < 20 and 0 < (number := int(text)) <= LARGEST_ID
    ]


def decorate(standing: Any, *, now: datetime) -> Any:
    """Add what an exported row shows: label, company, email, score, engaged."""
    lead: Lead | None = getattr(standing.visitor, "lead", None)
    standing.label = str(lead or standing.visitor)
    standing.company = lead.company_name if lead else ""
    standing.email = lead.email if lead else ""
    standing.score = round(scores.current_score(standing, now=now), 1)
    standing.grade = grade_of(standing, standing.score)
    standing.engaged = spoken(standing.engaged_seconds)
    return standing


def grade_of(standing: Standing, score: float) -> str:
    """``"B2"``: the bands of fit and of engagement."""
    return f"{standing.fit_grade}{bands.engagement_grade(score, conf.ENGAGEMENT_GRADES)}"


def in_engagement_band(rows: QuerySet[Standing], number: str, *, now: datetime) -> QuerySet[Standing]:
    """Those whose current score is in the band 1–4."""
    model = scores.in_force()
    if model is None or number not in bands.NUMBERS:
        return rows.none()
    limits = [float("inf"), *conf.ENGAGEMENT_GRADES, float("-inf")]
    at = bands.NUMBERS.index(number)
    for score, lookup in ((limits[at + 1], "gte"), (limits[at], "lt")):
        if abs(score) != float("inf"):
            forward = decay.forward_threshold(
                score, now=now, epoch=model.epoch, half_life_days=model.half_life_days
            )
            # The rank lies between S × the smallest and S × the largest weight: a range of its index.
            least, most = min(model.fit_weights), max(model.fit_weights)
            rank = forward * (least if lookup == "gte" else most)
            limits_of_rank = {f"rank__{lookup}": rank * (1 - 1e-9)} if forward > 0 else {}
            rows = rows.filter(**{f"engagement_sum__{lookup}": forward * (1 - 1e-9)}, **limits_of_rank)
    return rows


def decorate_page(standings: Sequence[Any], *, now: datetime) -> list[Any]:
    """Add what the rows of a page show, beside the above: how the score came about in the last 30
    days, how it changed in the last 7, and what they are hot by (two statements)."""
    lines = score_lines(standings, now=now)
    hot: dict[int, list[HotEntry]] = defaultdict(list)
    entries = HotEntry.objects.filter(
        visitor_id__in=[standing.visitor_id for standing in standings], closed_at__isnull=True
    ).select_related("definition")
    for entry in entries.order_by("-opened_at"):
        hot[entry.visitor_id].append(entry)
    for standing in standings:
        decorate(standing, now=now)
        line = lines[standing.visitor_id]
        standing.change = round(line[-1] - line[-1 - CHANGE_DAYS])
        standing.spark = charts.sparkline(line)
        standing.hot = hot.get(standing.visitor_id, [])
    return list(standings)


def score_lines(
    standings: Sequence[Standing], *, now: datetime, days: int = SPARK_DAYS
) -> dict[int, list[float]]:
    """The score on each of the last days, oldest first, today last (``days`` + 1 values), by visitor.

    From today's sum back: what was earned after a day had not been earned by then. One statement, which
    adds up the entries of each day. Load the standings with their model.
    """
    if not standings:
        return {}
    model = standings[0].model
    half_life = float(model.half_life_days)
    earned: dict[int, dict[int, float]] = defaultdict(dict)
    worth = Sum(F("points") * ForwardFactor("at", now, half_life))
    # (index: ma_entry_visitor)
    sums = (
        ScoreEntry.objects.filter(
            visitor_id__in=[standing.visitor_id for standing in standings],
            model=model,
            at__gt=now - timedelta(days=days),
        )
        .exclude(fact_kind=FIT)
        .annotate(ago=WholeDays(now, "at"))
        .order_by()
        .values_list("visitor_id", "ago")
        .annotate(worth=worth)
    )
    for visitor_id, ago, worth_now in sums:
        earned[visitor_id][ago] = worth_now
    clock: dict[str, Any] = {"now": now, "epoch": model.epoch, "half_life_days": half_life}
    return {
        standing.visitor_id: line_back(
            decay.value_at(standing.engagement_sum, **clock),
            earned.get(standing.visitor_id, {}),
            half_life_days=half_life,
            days=days,
        )
        for standing in standings
    }


def line_back(
    now_worth: float, worth: Mapping[int, float], *, half_life_days: float, days: int
) -> list[float]:
    """The score on each of the last days, oldest first, today last.

    :param now_worth: the score of today, before it is cut off at zero.
    :param worth: how many whole days ago → what was earned on that day, as it is worth now.
    """
    line, older = [], 2.0 ** (1 / half_life_days)
    factor = 1.0
    for day in range(days + 1):
        line.append(round(max(0.0, now_worth * factor), 2))
        now_worth -= worth.get(day, 0.0)
        # One day earlier it had not faded by so much.
        factor *= older
    return line[::-1]
