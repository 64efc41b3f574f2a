"""Keeping memberships true: for visitors with news at once, for what only time changes by and by.

Everything that changes because somebody did something is decided by :func:`refresh_visitors`,
called by react. What changes because time passes ("in the last 14 days") is found by comparing
whole sets; those visitors get news, and react does the rest, so that entering a segment is always
heard of in one place.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections, router
from django.db.models import F, Q, QuerySet

from wagtail_ma.people import news
from wagtail_ma.people.causes import Cause
from wagtail_ma.rules import compile as compiler
from wagtail_ma.rules.fields import stored
from wagtail_ma.rules.tree import Broken, Group
from wagtail_ma.segments import compiled, decisions, sizes
from wagtail_ma.segments.cadence import SHORTEST, cadence
from wagtail_ma.segments.causes import Causes, Change, NewsCauses
from wagtail_ma.segments.compiled import Rule
from wagtail_ma.segments.models import Membership, PastMembership, Segment, Source
from wagtail_ma.segments.queries import buried, population
from wagtail_ma.tracking.retention import cutoff

logger = logging.getLogger(__name__)

# Segments per call of refresh_due, and news that one segment may make in one call; the rest is
# found again next time.
SEGMENTS_PER_CALL = 3
NEWS_PER_CALL = 5_000
ROWS_PER_STATEMENT = 2_000

# Segment id → visitor id → what keeps them in it; ``Said``: as somebody decided (``decisions.of``).
Present = dict[int, dict[int, str]]
Said = dict[int, dict[int, str]]


def refresh_visitors(
    visitor_ids: Sequence[int], *, now: datetime, causes: NewsCauses | None = None
) -> list[Change]:
    """Decide all segments for these visitors and store what changed.

    A broken segment keeps its members as they are. Segments that ask for other segments are
    decided after those. Live ones are not decided here.

    :param causes: those among the news of each visitor (``people.news.Read``).
    :returns: what changed, in the order of the segments' dependence.
    """
    segments = list(Segment.objects.order_by("pk"))
    rules = compiled.read(segment for segment in segments if not segment.is_static)
    live = [rules.pop(pk) for pk in [pk for pk, rule in rules.items() if rule.segment.is_live]]
    ordered, circular = compiled.levels(rules)
    for rule in rules.values():
        reason = compiled.circle_reason() if rule in circular else _reason(rule)
        _note_broken(rule.segment, reason)
    for rule in live:
        _note_live(rule)
    present: Present = {}
    rows = Membership.objects.filter(visitor_id__in=visitor_ids)
    for segment_id, visitor_id, source in rows.values_list("segment_id", "visitor_id", "source"):
        present.setdefault(segment_id, {})[visitor_id] = source
    said, why = decisions.of(visitor_ids), Causes.read(causes or {}, segments)
    # Fixed members first: rules may ask for them.
    static = {segment.pk: set[int]() for segment in segments if segment.is_static}
    changes = why.explain(_differences(static, present, said))
    _store(changes, now=now)
    for level in ordered:
        whole = [rule for rule in level if isinstance(rule.tree, Group)]
        found = why.explain(_compare(whole, visitor_ids, present, said, now))
        _store(found, now=now)
        changes += found
    why.forget(changes)
    _correct_sources(present, said)
    return changes


def _correct_sources(present: Present, said: Said) -> None:
    """Who was in it before may be kept in it by something else now."""
    wrong: dict[tuple[int, str], list[int]] = {}
    for segment_id, members in present.items():
        by_hand = said.get(segment_id, {})
        for visitor_id, source in members.items():
            now_by = by_hand.get(visitor_id) or Source.RULE
            if source != now_by:
                wrong.setdefault((segment_id, now_by), []).append(visitor_id)
    for (segment_id, source), visitor_ids in wrong.items():
        rows = Membership.objects.filter(segment_id=segment_id, visitor_id__in=visitor_ids)
        rows.update(source=source)


def _compare(
    rules: Sequence[Rule],
    visitor_ids: Sequence[int],
    present: Present,
    said: Said,
    now: datetime,
) -> list[Change]:
    changes: list[Change] = []
    for batch in compiled.batches(rules):
        fulfilled: dict[int, set[int]] = {pk: set() for pk in batch.segment_ids}
        for visitor_id, *verdicts in batch.statement.rows(now=now, ids=visitor_ids):
            for segment_id, verdict in zip(batch.segment_ids, verdicts, strict=True):
                if verdict:
                    fulfilled[segment_id].add(visitor_id)
        changes += _differences(fulfilled, present, said)
    return changes


def _differences(fulfilled: dict[int, set[int]], present: Present, said: Said) -> list[Change]:
    """From who fulfils the rules, who is a member now, and what was said by hand."""
    changes: list[Change] = []
    for segment_id, visitors in fulfilled.items():
        by_hand = said.get(segment_id, {})
        wanted = {pk: Source.RULE.value for pk in visitors if by_hand.get(pk, True)} | {
            pk: source for pk, source in by_hand.items() if source
        }
        before = present.get(segment_id, {}).keys()
        changes += [Change(segment_id, pk, True, source=wanted[pk]) for pk in sorted(wanted.keys() - before)]
        changes += [Change(segment_id, pk, False) for pk in sorted(before - wanted.keys())]
    return changes


def refresh_segment(segment: Segment, *, now: datetime) -> list[Change]:
    """Decide one segment for everybody and store what changed (set-based).

    For new and edited rules: whoever fulfils them already is in at once, without "entering". React
    may decide for some of them at the same time, by the old rule or by newer facts; so everybody is
    looked at once more a quarter of an hour later, however seldom time changes the rule.

    :returns: what changed; nothing for a broken segment, whose members stay.
    """
    changes = differences(segment, now=now)
    if changes is None:
        return []
    by_hand = decisions.members(segment)
    changes = [replace(each, source=by_hand.get(each.visitor_id, Source.RULE)) for each in changes]
    # Many short transactions: on SQLite every hit waits for a long one.
    for start in range(0, len(changes), ROWS_PER_STATEMENT):
        _store(changes[start : start + ROWS_PER_STATEMENT], now=now)
    Segment.objects.filter(pk=segment.pk).exclude(pending_cause="").update(pending_cause="")
    _note_refreshed(segment, now=now, next_at=now + SHORTEST)
    return changes


def refresh_due(*, now: datetime) -> int:
    """Refresh the segments that are due by their cadence (``cadence.py``), a few per call, longest
    waiting first; new and edited ones at once.

    Visitors for whom time alone has changed something get news; react stores the change.

    :returns: how many segments were looked at.
    """
    stale = Q(next_refresh_at__isnull=True) | Q(next_refresh_at__lte=now)
    due = Segment.objects.filter(stale).order_by(F("next_refresh_at").asc(nulls_first=True), "pk")
    segments = list(due[:SEGMENTS_PER_CALL])
    for segment in segments:
        try:
            _refresh_due_segment(segment, now=now)
        except Exception as error:
            logger.exception("refresh of segment %s failed", segment.pk)
            Segment.objects.filter(pk=segment.pk).update(
                refreshed_at=now,
                next_refresh_at=now + SHORTEST,
                broken_reason=f"{type(error).__name__}: {error}"[:255],
            )
    return len(segments)


def _refresh_due_segment(segment: Segment, *, now: datetime) -> None:
    if segment.is_live:
        _note_live(compiled.read([segment])[segment.pk])
        _note_looked_at(segment, now=now)
        return
    if segment.refreshed_at is None:
        refresh_segment(segment, now=now)
        # Broken ones too: they are looked at again in their turn.
        _note_looked_at(segment, now=now)
        return
    changes = differences(segment, now=now) or []
    chosen = [change.visitor_id for change in changes[:NEWS_PER_CALL]]
    news.mark(chosen, now=now, cause=segment.pending_cause)
    if segment.pending_cause and len(changes) <= NEWS_PER_CALL:
        Segment.objects.filter(pk=segment.pk, pending_cause=segment.pending_cause).update(pending_cause="")
    tree = None if segment.is_static else compiled.read([segment])[segment.pk].tree
    wait = cadence(tree) if len(changes) <= NEWS_PER_CALL else SHORTEST
    _note_refreshed(segment, now=now, next_at=now + wait)


def differences(segment: Segment, *, now: datetime) -> list[Change] | None:
    """How the stored members differ from what the rule (and what was said by hand) says now; None
    for a broken or live segment."""
    if segment.is_static:
        _note_broken(segment, "")
        return _set_difference(segment, None, now=now)
    rule = compiled.read([segment])[segment.pk]
    reason = _reason(rule)
    if not reason and rule.asks and compiled.asks_for_itself(segment.pk, stored(segment.rule)):
        reason = compiled.circle_reason()
    _note_broken(segment, reason)
    if reason or segment.is_live or not isinstance(rule.tree, Group):
        return None
    _note_strangers(segment, rule.tree)
    return _set_difference(segment, rule.tree, now=now)


def _set_difference(segment: Segment, tree: Group | None, *, now: datetime) -> list[Change]:
    """Both differences in one statement, the rule evaluated once.

    :param tree: None: nobody by rule.
    """
    using = router.db_for_write(Membership)
    sql, parameters = _wanted(segment, tree, using, now=now)
    quote = connections[using].ops.quote_name
    table = quote(Membership._meta.db_table)
    stored = f"SELECT visitor_id FROM {table} WHERE segment_id = %s"  # noqa: S608 (our own names)
    statement = (
        f"WITH wanted(id) AS MATERIALIZED ({sql}) "  # noqa: S608 (compiled by Django)
        f"SELECT id, 1 FROM (SELECT id FROM wanted EXCEPT {stored}) AS entering "
        f"UNION ALL "
        f"SELECT visitor_id, 0 FROM ({stored} EXCEPT SELECT id FROM wanted) AS leaving"
    )
    with connections[using].cursor() as cursor:
        cursor.execute(statement, [*parameters, segment.pk, segment.pk])
        rows = cursor.fetchall()
    return [Change(segment.pk, visitor_id, bool(entered)) for visitor_id, entered in rows]


def _wanted(segment: Segment, tree: Group | None, using: str, *, now: datetime) -> tuple[str, list[Any]]:
    """Who belongs to the segment, as SQL of one column: by rule, but those put out by hand, and
    those put in by hand."""
    said = decisions.in_force().using(using).filter(segment=segment, visitor__merged_into__isnull=True)
    added, a = _compiled(said.filter(is_member=True).values("visitor_id"), using)
    if tree is None:
        return added, a
    removed, r = _compiled(said.filter(is_member=False).values("visitor_id"), using)
    found = compiler.everyone(tree, population().using(using), now=now, outside=buried().using(using))
    rule, parameters = _compiled(found, using)
    sql = (
        f"SELECT * FROM ({rule}) AS by_rule EXCEPT SELECT * FROM ({removed}) AS put_out "  # noqa: S608
        f"UNION SELECT * FROM ({added}) AS put_in"
    )
    return sql, [*parameters, *r, *a]


def _compiled(queryset: QuerySet[Any], using: str) -> tuple[str, list[Any]]:
    try:
        sql, parameters = queryset.query.get_compiler(using=using).as_sql()
    except EmptyResultSet:
        return "SELECT CAST(NULL AS bigint) WHERE 1 = 0", []
    return sql, list(parameters)


def _store(changes: Sequence[Change], *, now: datetime) -> None:
    balance: Counter[int] = Counter()
    left: dict[tuple[int, str], list[int]] = {}
    rows = []
    for change in changes:
        balance[change.segment_id] += 1 if change.entered else -1
        if change.entered:
            rows.append(
                Membership(
                    segment_id=change.segment_id,
                    visitor_id=change.visitor_id,
                    entered_at=change.since or now,
                    source=change.source,
                    cause=change.cause,
                )
            )
        else:
            left.setdefault((change.segment_id, change.cause), []).append(change.visitor_id)
    Membership.objects.bulk_create(rows, batch_size=ROWS_PER_STATEMENT, ignore_conflicts=True)
    for (segment_id, cause), visitor_ids in left.items():
        _end(segment_id, visitor_ids, cause=cause, now=now)
    for segment_id, difference in balance.items():
        # Never below zero, whatever the stored figure was: the full refresh counts anew.
        Segment.objects.filter(pk=segment_id, member_count__gte=-difference).update(
            member_count=F("member_count") + difference
        )


def _end(segment_id: int, visitor_ids: Sequence[int], *, cause: str, now: datetime) -> None:
    """End these memberships, and keep from when until when they were; those that a merge had brought
    and its undoing ends have never been."""
    ending = Membership.objects.filter(segment_id=segment_id, visitor_id__in=visitor_ids)
    if cause == Cause.UNDO:
        ending.filter(cause=Cause.MERGE).delete()
    PastMembership.objects.bulk_create(
        (
            PastMembership(
                segment_id=segment_id,
                visitor_id=visitor_id,
                born_visitor_id=visitor_id,
                entered_at=entered_at,
                left_at=now,
                source=source,
                cause=cause,
            )
            for visitor_id, entered_at, source in ending.values_list("visitor_id", "entered_at", "source")
        ),
        batch_size=ROWS_PER_STATEMENT,
    )
    ending.delete()


def _reason(rule: Rule) -> str:
    return rule.tree.reason[:255] if isinstance(rule.tree, Broken) else ""


def _note_broken(segment: Segment, reason: str) -> None:
    # The stored words are in the language of whoever found it; lists say it in their own.
    if bool(segment.broken_reason) != bool(reason):
        segment.broken_reason = reason
        Segment.objects.filter(pk=segment.pk).update(broken_reason=reason)


def _note_live(rule: Rule) -> None:
    """Keep the version of a live rule in step with what it names: pages move, are deleted and seen
    for the first time."""
    segment, fresh = rule.segment, rule.fingerprint[:32]
    _note_broken(segment, _reason(rule))
    if segment.version != fresh:
        # Not over an edit that came between.
        Segment.objects.filter(pk=segment.pk, version=segment.version).update(version=fresh)
        segment.version = fresh


def _note_strangers(segment: Segment, tree: Group) -> None:
    includes = compiler.stranger(tree)
    if segment.includes_strangers != includes:
        segment.includes_strangers = includes
        Segment.objects.filter(pk=segment.pk).update(includes_strangers=includes)


def rule_changed(segment: Segment) -> None:
    """Have the segment refreshed in the next round of background work. One that has become live has
    no members any more, and no strangers."""
    segment.refreshed_at = None
    changed: dict[str, Any] = {"refreshed_at": None, "next_refresh_at": None}
    if segment.is_live:
        Membership.objects.filter(segment=segment).delete()
        changed |= {"member_count": 0, "includes_strangers": False}
    if segment.is_static:
        changed["includes_strangers"] = False
    Segment.objects.filter(pk=segment.pk).update(**changed)


def _note_looked_at(segment: Segment, *, now: datetime) -> None:
    Segment.objects.filter(pk=segment.pk).update(refreshed_at=now, next_refresh_at=now + SHORTEST)


def _note_refreshed(segment: Segment, *, now: datetime, next_at: datetime) -> None:
    segment.refreshed_at, segment.next_refresh_at = now, next_at
    PastMembership.objects.filter(segment=segment, left_at__lt=cutoff(now=now)).delete()
    segment.member_count = Membership.objects.filter(segment=segment).count()
    Segment.objects.filter(pk=segment.pk).update(
        refreshed_at=now, next_refresh_at=next_at, member_count=segment.member_count
    )
    sizes.note(segment, now=now)
