"""``make bench``: how fast, as ratios to a bare Django project measured in the same run.

    python -m benchmarks.run [--requests N] [--rounds N] [--only sqlite|postgres] [--match TEXT] [--write]
    python -m benchmarks.run --scenarios | --history [--write]

What is compared runs right after one another, in several rounds, and the median of the ratios counts: a
machine that becomes slower meanwhile, or has other work, is so for both. ``--write`` puts the table into
docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from benchmarks import load, mail_queue
from benchmarks.messages import Hits
from benchmarks.servers import WORKERS, Server

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "performance.md"
REDIS = os.environ.get("REDIS", "redis://127.0.0.1:6379/0")
POSTGRES = os.environ.get("POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres")
DATABASES = ("wagtail_ma_bench_site", "wagtail_ma_bench_reference")
RECORDINGS = ("direct", "buffered", "redis")
# Budgets: speed as a share of that of the view that does one INSERT.
DIRECT = 0.6
GATHERED = 1.5


@dataclass
class Case:
    """Something to be measured: where, what is sent, what it is compared with."""

    name: str
    server: Server
    requests: Callable[[int], list[bytes]]
    reference: str = ""
    # What is asked of it: the ratio to the reference, of speed or (per web core) of CPU time.
    budget: float | None = None
    is_per_core: bool = False
    # Written some time after the answer: more requests, and a pause before the CPUs are read.
    is_gathered: bool = False
    per_second: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    # To the reference, round by round.
    speeds: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)
    statements: int | None = None

    def compare(self, cases: dict[str, Case], count: int) -> None:
        """One round, beside what it is compared with."""
        if not self.reference:
            self.measure(count)
            return
        reference = cases[self.reference]
        reference.measure(count)
        self.measure(count)
        self.speeds.append(self.per_second[-1] / reference.per_second[-1])
        self.cpus.append(self.cpu_ms[-1] / reference.cpu_ms[-1])

    def measure(self, count: int) -> load.Load:
        """One of the two."""
        count *= 3 if self.is_gathered else 1
        requests = self.requests(count)
        before = self.server.cpu_seconds()
        outcome = load.run(self.server.port, requests)
        if self.is_gathered:
            time.sleep(1)
        self.cpu_ms.append((self.server.cpu_seconds() - before) / count * 1000)
        self.per_second.append(count / outcome.seconds)
        refused = count - outcome.statuses[200] - outcome.statuses[204]
        # SQLite may be busy now and then, and the tracker would send again.
        if refused > count / 100 or set(outcome.statuses) - {200, 204, 503}:
            raise SystemExit(f"{self.name}: answers {dict(outcome.statuses)}")
        return outcome


def environment(place: Path, database: str) -> dict[str, str]:
    """Of the example site."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "example_site"), os.environ.get("PYTHONPATH", "")])
    return {
        **os.environ,
        "PYTHONPATH": path,
        "WAGTAIL_MA_VAR": str(place),
        "WAGTAIL_MA_DATABASE": database,
        "DJANGO_SETTINGS_MODULE": "benchmarks.site_settings",
    }


def manage(settings: str, env: dict[str, str], *command: str) -> None:
    """Run a management command, quietly."""
    call = [sys.executable, "-m", "django", *command, "--settings", settings]
    subprocess.run(call, env=env, check=True, stdout=subprocess.DEVNULL)


def set_up(place: Path, postgres: str) -> tuple[dict[str, str], dict[str, str]]:
    """Databases and content; environments of the example site and of the reference."""
    site = environment(place, postgres and with_name(postgres, "wagtail_ma_bench_site"))
    reference = {**site, "BENCH_SQLITE": str(place / "reference.sqlite3")}
    if postgres:
        parts = urlsplit(postgres)
        reference |= {
            "BENCH_POSTGRES": "wagtail_ma_bench_reference",
            "PGUSER": parts.username or "",
            "PGPASSWORD": parts.password or "",
            "PGHOST": parts.hostname or "",
            "PGPORT": str(parts.port or ""),
        }
        databases(postgres, "CREATE")
    manage("benchmarks.reference.settings", reference, "migrate", "--run-syncdb")
    manage("benchmarks.site_settings", site, "migrate")
    manage("benchmarks.site_settings", site, "load_example_site")
    return site, reference


def with_name(url: str, name: str) -> str:
    """The address of another database on the same server."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def databases(url: str, verb: str, names: tuple[str, ...] = DATABASES) -> None:
    """CREATE them, empty, or DROP them."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for name in names:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            if verb == "CREATE":
                connection.execute(f"CREATE DATABASE {name}")


def statements(env: dict[str, str]) -> dict[str, object]:
    """Counted inside one process."""
    call = [sys.executable, "-m", "benchmarks.statements"]
    output = subprocess.run(call, env=env, check=True, stdout=subprocess.PIPE).stdout
    return json.loads(output.splitlines()[-1])


def tell(lines: list[str]) -> list[str]:
    """Print a part of the outcome as soon as it is there; the same lines."""
    print("\n".join(lines), flush=True)
    return lines


NAMES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
# Tables beside that of the requests, by database.
MORE: dict[str, list[str]] = {}


def personalisation(database: str, env: dict[str, str]) -> list[str]:
    """Markdown: what personalised blocks cost, measured inside one process."""
    call = [sys.executable, "-m", "benchmarks.personalisation"]
    output = subprocess.run(call, env=env, check=True, stdout=subprocess.PIPE).stdout
    lines = [
        f"| {database}, in one process | CPU ms | SQL | CPU ÷ plain | SQL more than plain |",
        "|---|---:|---:|---:|---:|",
    ]
    return lines + [f"| {' | '.join(row)} |" for row in json.loads(output.splitlines()[-1])]


def mails(database: str, env: dict[str, str]) -> list[str]:
    """Markdown: how fast mail leaves, measured in one process against a sink in another."""
    call = [sys.executable, "-m", "benchmarks.mails"]
    output = subprocess.run(call, env=env, check=True, stdout=subprocess.PIPE).stdout
    lines = [
        f"| {database}: mail | a second | per second of CPU | |",
        "|---|---:|---:|---|",
    ]
    return lines + [f"| {' | '.join(row)} |" for row in json.loads(output.splitlines()[-1])]


def scenarios(database: str, env: dict[str, str]) -> list[str]:
    """Markdown: how fast people move through scenarios, measured in one process."""
    call = [sys.executable, "-m", "benchmarks.scenarios"]
    output = subprocess.run(call, env=env, check=True, stdout=subprocess.PIPE).stdout
    lines = [
        f"| {database}: scenarios | a second | per second of CPU | |",
        "|---|---:|---:|---|",
    ]
    return lines + [f"| {' | '.join(row)} |" for row in json.loads(output.splitlines()[-1])]


def scenarios_alone() -> None:
    """Print their tables, from databases that are empty otherwise."""
    for database, url in (("SQLite", ""), ("PostgreSQL", POSTGRES)):
        name = DATABASES[0]
        with tempfile.TemporaryDirectory() as folder:
            if url and not reachable(url):
                print(f"PostgreSQL does not answer at {url}: left out (set POSTGRES).")
                continue
            if url:
                databases(url, "CREATE", (name,))
            try:
                env = environment(Path(folder), url and with_name(url, name))
                manage("benchmarks.site_settings", env, "migrate")
                print("\n".join(["", *scenarios(database, env)]), flush=True)
            finally:
                if url:
                    databases(url, "DROP", (name,))


def queue_of_mail(database: str, postgres: str) -> list[str]:
    """Markdown: a hundred thousand recipients, a queue of a million; in a database of its own."""
    lines = [f"| {database}: queue of mail | figure | | asked |", "|---|---:|---:|---:|"]
    rows = mail_queue.measure(postgres, people=100_000, waiting=1_000_000)
    return lines + [f"| {' | '.join(row)} |" for row in rows]


# Benchmarks that make PostgreSQL databases of their own; each prints a table.
OWN = ("scoring", "ranked")


def own(*, is_large: bool) -> list[str]:
    """Markdown: scores (react, all of them again), the ranked list and the page of a lead."""
    lines: list[str] = []
    for name in OWN:
        print(f"{name} ...", flush=True)
        call = [sys.executable, "-m", f"benchmarks.{name}", *["--large"] * is_large]
        output = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout
        lines += tell([*(line for line in output.splitlines() if line.startswith("|")), ""])
    return lines


def measure(database: str, postgres: str, *, count: int, rounds: int, match: str) -> list[Case]:
    """All cases on one database (those whose names match, and what they are compared with)."""
    servers: list[Server] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            print(f"{database}: setting up ...", flush=True)
            site, reference = set_up(Path(folder), postgres)
            plain = {**site, "BENCH_PLAIN": "1"}
            with_tag, without_tag = statements(site), statements(plain)
            servers += [Server("benchmarks.reference.wsgi", reference), Server("benchmarks.site_wsgi", plain)]
            for recording in RECORDINGS[: 3 if has_redis() else 2]:
                servers.append(Server("benchmarks.site_wsgi", {**site, "BENCH_RECORDING": recording}))
            cases = _matching(_cases(servers, with_tag, without_tag, is_postgres=bool(postgres)), match)
            for case in cases:
                load.run(case.server.port, case.requests(100))
            by_name = {case.name: case for case in cases}
            for number in range(rounds):
                print(f"{database}: round {number + 1} of {rounds} ...", flush=True)
                for case in cases:
                    case.compare(by_name, count)
            if has_redis():
                print(f"{database}: the writer of hits from Redis: {writer(site)}", flush=True)
            tell(["", *table(NAMES[database], cases), ""])
            if not match:
                print(f"{database}: personalised pages ...", flush=True)
                MORE[database] = tell(personalisation(database, site))
                print(f"{database}: mail ...", flush=True)
                MORE[database] += tell(["", *mails(database, site)])
                print(f"{database}: scenarios ...", flush=True)
                MORE[database] += tell(["", *scenarios(database, site)])
                print(f"{database}: queue of mail ...", flush=True)
                MORE[database] += tell(["", *queue_of_mail(database, postgres)])
            return cases
        finally:
            for server in servers:
                server.stop()
            if postgres:
                databases(postgres, "DROP")


def _matching(cases: list[Case], match: str) -> list[Case]:
    wanted = {name for case in cases if re.search(match, case.name) for name in (case.name, case.reference)}
    return [case for case in cases if case.name in wanted]


def _cases(
    servers: list[Server],
    with_tag: dict[str, object],
    without_tag: dict[str, object],
    *,
    is_postgres: bool,
) -> list[Case]:
    reference, plain, site, *gathering = servers
    path = str(with_tag["path"])
    counted: dict[str, int] = with_tag["statements"]  # type: ignore[assignment]
    found = re.search(rb'data-p="([^"]+)"', load.run(site.port, [load.get(path)]).body)
    if found is None:
        raise SystemExit("The product page has no tracker.")
    hits = Hits(site.port, found[1].decode())
    row = json.dumps({"v": str(uuid4()), "u": "http://localhost/?a=1"}).encode()
    page_without: dict[str, int] = without_tag["statements"]  # type: ignore[assignment]
    # fmt: off
    cases = [
        Case("reference: nothing", reference, lambda n: [load.post("/nothing/", row)] * n, statements=0),
        Case("reference: page without database", reference, lambda n: [load.get("/page/")] * n, statements=0),
        Case("reference: one INSERT", reference, lambda n: [load.post("/insert/", row)] * n, statements=1),
        Case("product page without us", plain, lambda n: [load.get(path)] * n,
             statements=page_without["page"]),
        Case("product page with the tracker", site, lambda n: [load.get(path)] * n,
             "product page without us", statements=counted["page"]),
        Case("hit: view, known visitor", site, hits.known, "reference: one INSERT", DIRECT,
             statements=counted["hit, known visitor"]),
        Case("hit: view, new visitor", site, hits.new, "reference: one INSERT", DIRECT,
             statements=counted["hit, new visitor"]),
        Case("hit: engagement", site, hits.engagement, "reference: one INSERT", DIRECT,
             statements=counted["hit, engagement"]),
    ]
    # fmt: on
    for server, recording in zip(gathering, RECORDINGS[1:], strict=False):
        theirs = Hits(server.port, found[1].decode())
        is_redis = recording == "redis"
        budget = GATHERED if is_postgres else None
        cases += [
            Case(f"{recording}: {name}", server, make, "reference: one INSERT", budget, is_redis, True)
            for name, make in (
                ("view, known visitor", theirs.known),
                ("view, new visitor", theirs.new),
                ("engagement", theirs.engagement),
            )
        ]
    return cases


def has_redis() -> bool:
    """Whether Redis answers, and its client is installed."""
    try:
        import redis

        return bool(redis.Redis.from_url(REDIS, socket_connect_timeout=1).ping())
    except Exception:
        return False


def writer(env: dict[str, str]) -> str:
    """How fast one process writes what is waiting in Redis."""
    call = [sys.executable, "-m", "benchmarks.writer"]
    env = {**env, "BENCH_RECORDING": "redis"}
    return subprocess.run(call, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def table(database: str, cases: list[Case]) -> list[str]:
    """Markdown. Figures, and ratios, are medians over the rounds."""
    lines = [
        f"| {database} | requests/s | CPU ms/request | SQL | speed ÷ reference | CPU ÷ reference | budget |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    median = {case.name: statistics.median(case.per_second) for case in cases}
    cpu = {case.name: statistics.median(case.cpu_ms) for case in cases}
    for case in cases:
        ratios = "| | | "
        if case.reference:
            speed, load_ratio = statistics.median(case.speeds), statistics.median(case.cpus)
            reached = 1 / load_ratio if case.is_per_core else speed
            ratios = f"| {speed:.2f} | {load_ratio:.2f} | {_verdict(case, reached)} "
        counted = "" if case.statements is None else case.statements
        lines.append(f"| {case.name} | {median[case.name]:,.0f} | {cpu[case.name]:.2f} | {counted} {ratios}|")
    return lines


def _verdict(case: Case, reached: float) -> str:
    if case.budget is None:
        return ""
    what = "per web core" if case.is_per_core else "speed"
    word = "kept" if reached >= case.budget else "MISSED"
    return f"{word}: {what} {reached:.2f}, asked {case.budget}"


def machine() -> str:
    """What it was measured on."""
    import django
    import wagtail

    model = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return (
        f"{model[1] if model else platform.machine()}, {os.cpu_count()} cores; "
        f"Python {platform.python_version()}, Django {django.get_version()}, "
        f"Wagtail {wagtail.__version__}; gunicorn, {WORKERS} sync workers; "
        f"load average at the end {os.getloadavg()[0]:.1f}"
    )


def write(lines: list[str], name: str = "bench") -> None:
    """Replace a table in docs/performance.md."""
    text = DOCUMENT.read_text(encoding="utf-8")
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, after = text.split(begin)[0], text.split(end)[1]
    DOCUMENT.write_text("\n".join([before + begin, *lines, end]) + after, encoding="utf-8")


def in_own_database(name: str, module: str, *arguments: str, content: bool = False) -> list[str]:
    """Run ``python -m module --measure …`` on a PostgreSQL database made for it: the lines it printed.

    :param content: whether the pages of the example site are in it.
    """
    with tempfile.TemporaryDirectory() as folder:
        env = environment(Path(folder), with_name(POSTGRES, name))
        databases(POSTGRES, "CREATE", (name,))
        try:
            manage("benchmarks.site_settings", env, "migrate")
            if content:
                manage("benchmarks.site_settings", env, "load_example_site")
            call = [sys.executable, "-m", module, "--measure", *arguments]
            output = subprocess.run(call, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout
        finally:
            databases(POSTGRES, "DROP", (name,))
    return ["", machine(), "", *output.splitlines(), ""]


def reachable(url: str) -> bool:
    """Whether PostgreSQL answers there."""
    try:
        import psycopg

        psycopg.connect(url, connect_timeout=2).close()
    except Exception:
        return False
    return True


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1000, help="per case and round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=["sqlite", "postgres"])
    parser.add_argument("--match", default="", help="only cases whose name matches this expression")
    parser.add_argument("--history", action="store_true", help="ten million views instead (15 minutes)")
    parser.add_argument("--scenarios", action="store_true", help="only how fast people move through them")
    parser.add_argument(
        "--large", action="store_true", help="a million facts, a million visitors (15 minutes)"
    )
    parser.add_argument("--write", action="store_true", help="put the table into docs/performance.md")
    options = parser.parse_args()
    if options.history:
        subprocess.run([sys.executable, "-m", "benchmarks.history", *["--write"] * options.write], check=True)
        return
    # So that servers and databases are cleared away whatever ends the run.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.scenarios:
        scenarios_alone()
        return
    lines = tell(["", machine(), ""])
    for database, url in (("sqlite", ""), ("postgres", POSTGRES)):
        if options.only not in (None, database):
            continue
        if url and not reachable(url):
            print(f"PostgreSQL does not answer at {url}: left out (set POSTGRES).")
            continue
        cases = measure(database, url, count=options.requests, rounds=options.rounds, match=options.match)
        lines += [*table(NAMES[database], cases), ""]
        lines += [*MORE.get(database, []), ""]
        if url and not options.match:
            lines += own(is_large=options.large)
    if options.write:
        write(lines)


if __name__ == "__main__":
    main()
