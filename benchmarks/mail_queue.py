"""How long it takes to write down who gets a newsletter, and how fast the next mails are found in a long
queue. Started by run.py as well.

    python -m benchmarks.mail_queue [--people N] [--waiting N] [--postgres URL]

* *Recipients*: N people who agreed to mail, in one segment; ``dispatches.advance`` until all are written
  down and released. The memory is the most that this process, which does nothing else, ever held.
* *Claims*: N deliveries, one in ten of them waiting; a hundred times fifty are taken, and put back by the
  way. On PostgreSQL and SQLite alike.

Each in a process of its own; prints a table as a JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

CHUNK = 5_000
MAX_SECONDS, MAX_MEGABYTES, MAX_CLAIM_MS = 60, 200, 10


def fill(people: int) -> None:
    """Visitors, leads, consents, members of one segment; one mail."""
    from django.utils import timezone

    from benchmarks.mails import make_mail
    from wagtail_ma.messaging.models import Consent, Mail
    from wagtail_ma.people.models import Identity, Lead, Visitor
    from wagtail_ma.segments.models import Membership, Segment

    now = timezone.now()
    mail = make_mail()
    mail.kind, mail.timing = Mail.Kind.NEWSLETTER, Mail.Timing.NOT_AT_NIGHT
    mail.save()
    segment = Segment.objects.create(name="Readers")
    for start in range(0, people, CHUNK):
        numbers = range(start, min(start + CHUNK, people))
        visitors = Visitor.objects.bulk_create([Visitor(first_seen_at=now) for _ in numbers])
        emails = [f"reader{number}@mail{number % 500}.example" for number in numbers]
        pairs = list(zip(visitors, emails, strict=True))
        Lead.objects.bulk_create(
            [
                Lead(visitor=visitor, email=email, family_name="山田", given_name="太郎", created_at=now)
                for visitor, email in pairs
            ]
        )
        Identity.objects.bulk_create(
            [Identity(kind="email", key=email, visitor=visitor, created_at=now) for visitor, email in pairs]
        )
        Consent.objects.bulk_create(
            [Consent(visitor=visitor, email=email, is_granted=True, at=now) for visitor, email in pairs]
        )
        Membership.objects.bulk_create(
            [Membership(visitor=visitor, segment=segment, entered_at=now) for visitor in visitors]
        )


def recipients() -> list[list[str]]:
    """Write down who gets it."""
    from django.utils import timezone

    from wagtail_ma.messaging import dispatches, results
    from wagtail_ma.messaging.models import Delivery, Dispatch, Mail
    from wagtail_ma.segments.models import Segment

    now = timezone.now()
    before = _megabytes()
    dispatch = dispatches.plan(
        Mail.objects.get(),
        include=[Segment.objects.get(name="Readers").pk],
        exclude=[],
        scheduled_at=None,
        expected_count=0,
        by=None,
        now=now,
    )
    later = now + timedelta(minutes=2)
    wall, cpu = time.perf_counter(), time.process_time()
    while Delivery.objects.filter(state="ready").count() < 1 or Dispatch.objects.get().state == "preparing":
        dispatches.advance(now=later)
    while Delivery.objects.filter(dispatch=dispatch, state="planned").exists():
        dispatches.advance(now=later)
    seconds, used = time.perf_counter() - wall, time.process_time() - cpu
    count = Delivery.objects.filter(state="ready").count()
    most = _megabytes()
    began = time.perf_counter()
    mail = Mail.objects.get()
    results.results(mail)
    list(results.people(mail)[:50])
    page = time.perf_counter() - began
    return [
        [
            f"{count:,} recipients written down, seconds",
            f"{seconds:.1f}",
            f"{used:.1f} CPU",
            f"{MAX_SECONDS}",
        ],
        [
            "the most memory of that process, MB",
            f"{most:.0f}",
            f"{most - before:.0f} for it",
            f"{MAX_MEGABYTES}",
        ],
        ["numbers and first page of their results, seconds", f"{page:.2f}", "", "1"],
    ]


def fill_queue(waiting: int) -> None:
    """A long history: one delivery in ten is waiting."""
    from django.db import connection

    from wagtail_ma.messaging.models import Delivery

    Delivery.objects.exclude(pk=Delivery.objects.order_by("pk").values("pk")[:1]).delete()
    fields = [field.column for field in Delivery._meta.concrete_fields if not field.primary_key]
    quoted = [connection.ops.quote_name(name) for name in fields]
    changed = {
        "public_id": "1000000 + n",
        "occurrence": "'bench:' || n",
        "dispatch_id": "NULL",
        "state": "CASE WHEN n %% 10 = 0 THEN 'ready' ELSE 'sent' END",
        "email": "'q' || n || '@example.com'",
    }
    source = ", ".join(changed.get(name, f"d.{quote}") for name, quote in zip(fields, quoted, strict=True))
    if connection.vendor == "postgresql":
        numbers = "generate_series(1, %s) AS s(n)"
    else:
        numbers = (
            "(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < %s) SELECT n FROM s)"
        )
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO wagtail_ma_delivery ({', '.join(quoted)}) "
            f"SELECT {source} FROM {numbers}, (SELECT * FROM wagtail_ma_delivery LIMIT 1) AS d",
            [waiting],
        )
        cursor.execute("ANALYZE wagtail_ma_delivery" if connection.vendor == "postgresql" else "ANALYZE")


def claims() -> list[list[str]]:
    """Take fifty, a hundred times."""
    from django.utils import timezone

    from wagtail_ma.messaging import claiming
    from wagtail_ma.messaging.models import Delivery

    now = timezone.now() + timedelta(days=1)
    took = []
    for number in range(101):
        began = time.perf_counter()
        found = claiming.claim(f"sender {number}", now=now, limit=50)
        took.append((time.perf_counter() - began) * 1000)
        assert len(found) == 50
    # (The first has to compile its statements.)
    p95 = statistics.quantiles(took[1:], n=20)[-1]
    count = Delivery.objects.count()
    return [
        [
            f"fifty taken from a queue of {count:,}, ms: median, p95",
            f"{statistics.median(took[1:]):.1f}",
            f"{p95:.1f}",
            f"{MAX_CLAIM_MS}",
        ]
    ]


def _megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def child(name: str, count: int) -> None:
    """One step, in a process of its own."""
    import django

    django.setup()
    if name == "fill":
        fill(count)
    elif name == "recipients":
        print(json.dumps(recipients()))
    elif name == "fill-queue":
        fill_queue(count)
    else:
        print(json.dumps(claims()))


def measure(postgres: str, *, people: int, waiting: int) -> list[list[str]]:
    """Rows: what, figure, a second figure, asked; in a database that is made and dropped here.

    :param postgres: address of a server; "" for SQLite.
    """
    from benchmarks import run

    name = f"wagtail_ma_bench_mail_{os.getpid()}"
    with tempfile.TemporaryDirectory() as folder:
        env = run.environment(Path(folder), postgres and run.with_name(postgres, name))
        try:
            if postgres:
                run.databases(postgres, "CREATE", (name,))
            run.manage("benchmarks.site_settings", env, "migrate")
            return _steps(env, people, waiting)
        finally:
            if postgres:
                run.databases(postgres, "DROP", (name,))


def _steps(env: dict[str, str], people: int, waiting: int) -> list[list[str]]:
    rows: list[list[str]] = []
    for name, count in (("fill", people), ("recipients", 0), ("fill-queue", waiting), ("claims", 0)):
        call = [sys.executable, "-m", "benchmarks.mail_queue", "--child", name, "--people", str(count)]
        output = subprocess.run(call, env=env, check=True, stdout=subprocess.PIPE).stdout
        if output.strip():
            rows += json.loads(output.splitlines()[-1])
    return rows


def main() -> None:
    """Set up, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--postgres", default="", help="address of a server; SQLite without")
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.people)
        return
    for row in measure(options.postgres, people=options.people, waiting=options.waiting):
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
