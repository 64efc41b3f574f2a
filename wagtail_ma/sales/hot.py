"""When hot entries open, live on and end.

* An entry opens when a pattern finds somebody by a fact that is newer than the end of the last one,
  and, after it was handled or its time was up, not before ``rearm_days`` have passed.
* Newer facts prolong it; ``expiry_days`` after the last one its time is up.
* It cools down when the pattern says so (the score fell below the lower threshold, the form was sent
  after all). "Handled" ends it by hand.
* Whoever is excluded is not hot. Customers are: what they are up to matters too.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import F

from wagtail_ma.people import news
from wagtail_ma.people.models import Visitor
from wagtail_ma.rules.tree import Broken
from wagtail_ma.sales import reading_patterns
from wagtail_ma.sales.models import HotDefinition, HotEntry
from wagtail_ma.sales.patterns import Evidence, Pattern, pattern_of, read_rule

logger = logging.getLogger(__name__)

# How often the site's own habits are learnt; where there were too few readers, sooner.
LEARN_HOURS = 24
LEARN_AGAIN_HOURS = 1
# News that one search may make; the rest is found by the next one.
NEWS_PER_SWEEP = 50_000
BATCH = 500


@dataclass
class _Changes:
    """What is to be written for one chunk of visitors."""

    opened: list[HotEntry] = field(default_factory=list)
    renewed: list[HotEntry] = field(default_factory=list)
    ended: dict[str, list[int]] = field(default_factory=dict)

    def end(self, entries: Iterable[HotEntry], why: str) -> None:
        self.ended.setdefault(why, []).extend(entry.pk for entry in entries)


def look_at(visitor_ids: Sequence[int], *, now: datetime) -> list[int]:
    """Decide all active definitions for these visitors: what ``react`` calls, after the scores.

    :returns: the ids of those who became hot, or are no longer, by any of them.
    """
    definitions = list(HotDefinition.objects.filter(is_active=True).order_by("pk"))
    if not definitions:
        return []
    past = _last_entries(visitor_ids)
    welcome = set(
        Visitor.objects.filter(pk__in=visitor_ids, merged_into__isnull=True, excluded_reason="").values_list(
            "pk", flat=True
        )
    )
    changes = _Changes()
    changes.end(
        (entry for (_definition, pk), entry in past.items() if pk not in welcome and not entry.closed_at),
        HotEntry.Ended.EXCLUDED,
    )
    for definition in definitions:
        try:
            with transaction.atomic():
                _decide(definition, welcome, past, changes, now=now)
        except Exception:
            logger.exception("hot lead definition %s failed", definition.pk)
    return _write(changes, past, now=now)


def _last_entries(visitor_ids: Sequence[int]) -> dict[tuple[int, int], HotEntry]:
    """By (definition, visitor): the open entry, or else the one that ended last."""
    rows = HotEntry.objects.filter(visitor_id__in=visitor_ids)
    found: dict[tuple[int, int], HotEntry] = {}
    for entry in rows.order_by(F("closed_at").asc(nulls_last=True), "pk"):
        found[entry.definition_id, entry.visitor_id] = entry
    return found


def _decide(
    definition: HotDefinition,
    welcome: Collection[int],
    past: dict[tuple[int, int], HotEntry],
    changes: _Changes,
    *,
    now: datetime,
) -> None:
    pattern = pattern_of(definition)
    found = pattern.find(definition, welcome, now=now) if welcome else {}
    open_now = {
        pk: entry
        for (definition_id, pk), entry in past.items()
        if definition_id == definition.pk and pk in welcome and entry.closed_at is None
    }
    for pk, evidence in sorted(found.items()):
        expires_at = evidence.at + timedelta(days=definition.expiry_days)
        if pk in open_now:
            entry = open_now[pk]
            if _is_news(pattern, entry, evidence):
                entry.evidence_at, entry.expires_at, entry.data = evidence.at, expires_at, dict(evidence.data)
                changes.renewed.append(entry)
        elif expires_at > now and _may_fire(definition, past.get((definition.pk, pk)), evidence, now=now):
            changes.opened.append(
                HotEntry(
                    definition=definition,
                    visitor_id=pk,
                    born_visitor_id=pk,
                    opened_at=now,
                    evidence_at=evidence.at,
                    expires_at=expires_at,
                    data=dict(evidence.data),
                )
            )
    doubtful = open_now.keys() - found.keys()
    still = pattern.still(definition, doubtful, now=now) if doubtful else set()
    changes.end((open_now[pk] for pk in doubtful - still), HotEntry.Ended.COOLED)


def _is_news(pattern: Pattern, entry: HotEntry, evidence: Evidence) -> bool:
    """Whether the evidence says more than what the entry holds: a newer fact, or one that has grown."""
    if evidence.at != entry.evidence_at:
        return evidence.at > entry.evidence_at
    return not pattern.is_fading and dict(evidence.data) != entry.data


def _may_fire(definition: HotDefinition, last: HotEntry | None, evidence: Evidence, *, now: datetime) -> bool:
    """Whether a definition fires again for somebody who was hot by it before."""
    if last is None or last.closed_at is None:
        return True
    if last.ended not in (HotEntry.Ended.HANDLED, HotEntry.Ended.EXPIRED):
        return True
    quiet = timedelta(days=definition.rearm_days)
    return evidence.at > last.closed_at and now >= last.closed_at + quiet


def _write(changes: _Changes, past: dict[tuple[int, int], HotEntry], *, now: datetime) -> list[int]:
    HotEntry.objects.bulk_create(changes.opened, batch_size=BATCH, ignore_conflicts=True)
    HotEntry.objects.bulk_update(changes.renewed, ["evidence_at", "expires_at", "data"], batch_size=BATCH)
    touched = {entry.visitor_id for entry in changes.opened}
    for why, pks in changes.ended.items():
        _end(pks, why, now=now)
        touched |= {entry.visitor_id for entry in past.values() if entry.pk in pks}
    # Segments and scenarios may ask who is hot.
    news.mark(sorted(touched), now=now)
    return sorted(touched)


def _end(entry_ids: Collection[int], why: str, *, now: datetime, by: Any = None) -> int:
    """Close those of these entries that are still open."""
    open_now = HotEntry.objects.filter(pk__in=list(entry_ids), closed_at__isnull=True)
    return open_now.update(closed_at=now, ended=why, closed_by=by)


def handle(entry_ids: Iterable[int], *, by: Any, now: datetime) -> int:
    """Somebody took care of these hot leads.

    :param by: the user.
    :returns: how many were still open.
    """
    asked = list(entry_ids)
    visitors = set(HotEntry.objects.filter(pk__in=asked).values_list("visitor_id", flat=True))
    count = _end(asked, HotEntry.Ended.HANDLED, now=now, by=by)
    news.mark(sorted(visitors), now=now)
    return count


def run_due(*, now: datetime) -> int:
    """End what is over, learn the site's habits, and find people whom time alone makes hot.

    :returns: how many entries ended.
    """
    count = _expire(now=now)
    for definition in HotDefinition.objects.order_by("pk"):
        try:
            count += _tend(definition, now=now)
        except Exception as error:
            logger.exception("hot lead definition %s failed", definition.pk)
            HotDefinition.objects.filter(pk=definition.pk).update(
                swept_at=now, broken_reason=f"{type(error).__name__}: {error}"[:255]
            )
    return count


def _expire(*, now: datetime) -> int:
    """Close those whose time is up (a range of the index of open entries)."""
    over = HotEntry.objects.filter(closed_at__isnull=True, expires_at__lte=now)
    rows = dict(over.values_list("pk", "visitor_id")[:BATCH])
    news.mark(sorted(set(rows.values())), now=now)
    return _end(rows, HotEntry.Ended.EXPIRED, now=now)


def _tend(definition: HotDefinition, *, now: datetime) -> int:
    open_now = dict(
        HotEntry.objects.filter(definition=definition, closed_at__isnull=True).values_list("visitor_id", "pk")
    )
    if not definition.is_active:
        news.mark(sorted(open_now), now=now)
        return _end(open_now.values(), HotEntry.Ended.SWITCHED_OFF, now=now)
    pattern = pattern_of(definition)
    if definition.kind == HotDefinition.Kind.PRICING_READ:
        _learn(definition, now=now)
    last = definition.swept_at
    if last is not None and now - last < timedelta(minutes=pattern.sweep_minutes):
        return 0
    _note_broken(definition)
    if last is None or pattern.may_begin_by_time:
        more = set(pattern.candidates(definition, now=now)).difference(open_now)
        news.mark(sorted(more, reverse=True)[:NEWS_PER_SWEEP], now=now)
    gone = open_now.keys() - pattern.still(definition, open_now.keys(), now=now) if open_now else set()
    HotDefinition.objects.filter(pk=definition.pk).update(swept_at=now)
    news.mark(sorted(gone), now=now)
    return _end([open_now[pk] for pk in gone], HotEntry.Ended.COOLED, now=now)


def _learn(definition: HotDefinition, *, now: datetime) -> None:
    hours = LEARN_HOURS if definition.learned_seconds else LEARN_AGAIN_HOURS
    if definition.learned_at and now - definition.learned_at < timedelta(hours=hours):
        return
    definition.learned_seconds = reading_patterns.learn_seconds(now=now)
    HotDefinition.objects.filter(pk=definition.pk).update(
        learned_seconds=definition.learned_seconds, learned_at=now
    )


def _note_broken(definition: HotDefinition) -> None:
    tree = read_rule(definition) if definition.kind == HotDefinition.Kind.RULE else None
    reason = tree.reason[:255] if isinstance(tree, Broken) else ""
    if definition.broken_reason != reason:
        HotDefinition.objects.filter(pk=definition.pk).update(broken_reason=reason)


def definition_changed(definition: HotDefinition) -> None:
    """Have everybody searched anew in the next round of background work."""
    HotDefinition.objects.filter(pk=definition.pk).update(swept_at=None, learned_at=None)
