"""Is this installation well? What ``manage.py ma_doctor`` asks and can repair."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.models import F, QuerySet
from django.urls import NoReverseMatch, reverse

from wagtail_ma.core.belongings import Belonging, belongings
from wagtail_ma.jobs.models import Heartbeat
from wagtail_ma.jobs.tick import NAME
from wagtail_ma.people import merge, news, unrecorded
from wagtail_ma.people.models import News
from wagtail_ma.segments.checks import broken_segments

# The worker ticks each minute; three missed ticks are no hiccup.
SILENCE = timedelta(minutes=3)
# News wait for some seconds; this long means that nobody looks.
PATIENCE = timedelta(minutes=5)


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    :param cure: what to do about it; empty for a healthy finding.
    """

    is_healthy: bool
    text: str
    cure: str = ""


def examine(*, now: datetime) -> list[Finding]:
    """Look at addresses, database, worker, waiting work, copied columns and people who are not to be
    recorded; changes nothing."""
    found = [_addresses(), *_database()]
    if all(finding.is_healthy for finding in found):
        found += [_worker(now), *_news(now), *_copies(), _unrecorded(), *_segments()]
    return found


def _addresses() -> Finding:
    try:
        return Finding(True, f"The tracker posts to {reverse('wagtail_ma:hit')}")
    except NoReverseMatch:
        return Finding(
            False,
            "The addresses of wagtail_ma are not included",
            'Add path("ma/", include("wagtail_ma.urls")) before Wagtail\'s own catch-all.',
        )


def _database() -> list[Finding]:
    connection: Any = connections[DEFAULT_DB_ALIAS]
    executor = MigrationExecutor(connection)
    targets = [node for node in executor.loader.graph.leaf_nodes() if node[0] == "wagtail_ma"]
    if executor.migration_plan(targets):
        return [Finding(False, "Tables are missing or old", "Run: manage.py migrate")]
    found = [Finding(True, f"The tables are up to date ({connection.vendor})")]
    if connection.vendor == "sqlite" and not connection.is_in_memory_db():
        found.append(_journal(connection))
    return found


def _journal(connection: Any) -> Finding:
    with connection.cursor() as cursor:
        mode = cursor.execute("PRAGMA journal_mode").fetchone()[0]
    if mode == "wal":
        return Finding(True, "SQLite keeps a write-ahead log: pages are read while hits are written")
    return Finding(
        False,
        f"SQLite keeps its journal as {mode!r}: readers and writers wait for each other",
        "Add to the database's OPTIONS: "
        '"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL;"',
    )


def _segments() -> list[Finding]:
    cure = "Mend its rule in the admin; its members stay as they were until then."
    return [
        Finding(False, f"The segment “{name}” is broken: {reason}", cure)
        for name, reason in broken_segments()
    ]


def _worker(now: datetime) -> Finding:
    cure = "Run manage.py qcluster (or manage.py ma_tick each minute from cron)."
    beat = Heartbeat.objects.filter(name=NAME).first()
    if beat is None or (beat.last_at is None and beat.lease_until is None):
        return Finding(False, "The background work has never run", cure)
    is_working = beat.lease_until is not None and beat.lease_until > now
    if not is_working and (beat.last_at is None or now - beat.last_at > SILENCE):
        return Finding(False, f"The background work last ran at {beat.last_at or 'no time'}", cure)
    if beat.error:
        return Finding(False, f"The background work failed: {beat.error}", "See the worker's log.")
    return Finding(True, "The background work is running")


def _news(now: datetime) -> list[Finding]:
    waiting = News.objects.filter(attempts=0, at__lte=now - PATIENCE).values("visitor").distinct().count()
    failed = News.objects.filter(attempts__gt=0)
    found = [
        Finding(
            not waiting,
            f"Visitors with news older than 5 minutes: {waiting}",
            _if(waiting, "See the background work above."),
        )
    ]
    for row in failed.order_by("at")[:10]:
        text = f"Visitor {row.visitor_id} failed {row.attempts} times, next try {row.at}: {row.error}"
        found.append(Finding(False, text, "See the worker's log; it is tried again by itself."))
    return found


def _if(condition: object, text: str) -> str:
    return text if condition else ""


def _copies() -> list[Finding]:
    found = []
    for facts in _facts():
        count = _stale(facts).count()
        cure = _if(count, "Run: manage.py ma_doctor --repair")
        name = apps.get_model(facts.model)._meta.verbose_name_plural
        found.append(Finding(not count, f"Rows of {name} that name the wrong visitor: {count}", cure))
    return found


def _unrecorded() -> Finding:
    count = unrecorded.heard().count()
    text = f"Browsers that are recorded although their owners have asked not to be: {count}"
    return Finding(not count, text, _if(count, "Run: manage.py ma_doctor --repair"))


def _facts() -> list[Belonging]:
    """Tables of facts: each row has, as a copy, the visitor of its identity."""
    return [belonging for belonging in belongings if belonging.role == "fact"]


def _stale(facts: Belonging) -> QuerySet[Any]:
    rows = apps.get_model(facts.model)._default_manager
    return rows.exclude(visitor_id=F(f"{facts.identity}__visitor_id"))


def repair_copies(*, now: datetime) -> int:
    """Re-set ``visitor`` in facts that do not name their identity's visitor, in short transactions,
    and mark the news of both.

    :returns: how many identities had such facts.
    """
    identity_ids = {
        pk for facts in _facts() for pk in _stale(facts).values_list(f"{facts.identity}_id", flat=True)
    }
    for identity_id in sorted(identity_ids):
        while not _carry(identity_id, now=now):
            pass
    return len(identity_ids)


def _carry(identity_id: int, *, now: datetime) -> bool:
    with transaction.atomic():
        identity = merge.lock([identity_id]).get(identity_id)
        if identity is None:
            return True
        wrong = {
            pk
            for facts in _facts()
            for pk in _stale(facts)
            .filter(**{facts.identity: identity})
            .values_list("visitor_id", flat=True)
            .distinct()
        }
        is_complete = merge.carry_facts(identity)
        news.mark({identity.visitor_id, *wrong}, now=now)
    return is_complete
