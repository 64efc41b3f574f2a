"""The example site, run for real: web server and worker as processes, as ``make demo`` runs them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.browser.mail_sink import MailSink

ROOT = Path(__file__).resolve().parents[2]
MANAGE = [sys.executable, str(ROOT / "example_site" / "manage.py")]
SETTINGS = "tests.browser.site_settings"
HOST = "127.0.0.1"
# (The tests run at night too.)
EMPTY = """
from django.core.management import call_command
from wagtail_ma.messaging.models_of_sending import SendingRules
call_command("migrate", verbosity=0)
SendingRules.objects.create(pk=1, quiet_from="00:00", quiet_until="00:00")
"""
# The database of the tests' own shell must not become the site's: it is filled and thrown away.
FOREIGN = ("WAGTAIL_MA_DATABASE", "DATABASE_URL", "WAGTAIL_MA_DEBUG")


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass
class RunningSite:
    """One installation of the example site below ``var``."""

    var: Path
    sink: MailSink
    port: int = field(default_factory=free_port)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _shell: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return f"http://localhost:{self.port}"

    @property
    def admin(self) -> str:
        """Address of the admin, with a slash at the end."""
        return f"{self.url}/admin/"

    def environment(self) -> dict[str, str]:
        """What the site's processes get."""
        kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        return {
            **kept,
            "DJANGO_SETTINGS_MODULE": SETTINGS,
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(ROOT), str(ROOT / "example_site"), kept.get("PYTHONPATH", "")])
            ),
            "PYTHONUNBUFFERED": "1",
            "WAGTAIL_MA_VAR": str(self.var),
            "WAGTAIL_MA_TEST_SMTP_PORT": str(self.sink.port),
            "WAGTAILADMIN_BASE_URL": self.url,
        }

    def manage(self, *arguments: str) -> str:
        """Run one management command and return what it printed; AssertionError when it fails."""
        done = subprocess.run(
            [*MANAGE, *arguments], env=self.environment(), capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f"{' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def shell(self, code: str) -> str:
        """Run Python with the site's Django set up and return what it printed, e.g. to let time go by.

        AssertionError when it fails. All of it runs in one process, which stays until the site is stopped.
        """
        if self._shell is None:
            self._shell = subprocess.Popen(
                [sys.executable, "-m", "tests.browser.site_shell"],
                cwd=ROOT,
                env=self.environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._shell.stdin and self._shell.stdout
        self._shell.stdin.write(json.dumps({"code": code}) + "\n")
        self._shell.stdin.flush()
        answer = json.loads(self._shell.stdout.readline() or '{"printed": "", "error": "it died"}')
        assert not answer["error"], f"{code}:\n{answer['printed']}\n{answer['error']}"
        return str(answer["printed"]).strip()

    def tick(self) -> None:
        """The background work of a minute, now: what cron's ``manage.py ma_tick`` does."""
        self.shell("from django.core.management import call_command; call_command('ma_tick')")

    def start(self) -> None:
        """Start web server and worker, and wait until a page is answered."""
        self._spawn("web", "runserver", f"{HOST}:{self.port}", "--noreload", "--insecure")
        self._spawn("worker", "qcluster")
        self._wait_for_page()

    def _spawn(self, name: str, *arguments: str) -> None:
        with (self.var / f"{name}.log").open("ab") as log:
            self.processes.append(
                subprocess.Popen(
                    [*MANAGE, *arguments],
                    env=self.environment(),
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def _wait_for_page(self) -> None:
        end = time.monotonic() + 90
        while time.monotonic() < end:
            if any(process.poll() is not None for process in self.processes):
                break
            try:
                with urllib.request.urlopen(f"{self.url}/ja/", timeout=30):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise AssertionError(f"the example site did not start:\n{self.log()}")

    def log(self, name: str = "web") -> str:
        """The last lines that a process printed."""
        path = self.var / f"{name}.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-60:]) if path.exists() else ""

    def stop(self) -> None:
        """End the processes. The worker's own children are in its group."""
        if self._shell is not None and self._shell.stdin:
            self._shell.stdin.close()
            self._shell.wait(15)
            self._shell = None
        for process in self.processes:
            # Not asked first: nothing of it is needed any more, and a worker takes its time to say goodbye.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(15)
        self.processes.clear()


def prepare(directory: Path, sink: MailSink) -> None:
    """Make an installation whose tables are empty, for others to begin as its copies."""
    site = RunningSite(directory, sink)
    try:
        site.shell(EMPTY)
    finally:
        site.stop()


def prepare_demo(directory: Path, bare: Path, sink: MailSink) -> None:
    """Make an installation with forty visitors of the last twelve days, for others to begin as its copies."""
    shutil.copytree(bare, directory)
    RunningSite(directory, sink).manage("ma_demo", "--visitors", "40", "--days", "12")


def move_in(site: RunningSite, begin_as: Path) -> None:
    """The site begins as a copy of another installation, at its own address."""
    shutil.copytree(begin_as, site.var)
    with _database(site.var) as database:
        known = database.execute("SELECT port FROM wagtailcore_site WHERE is_default_site").fetchone()
        old = f"http://localhost:{known[0]}/"
        database.execute("UPDATE wagtailcore_site SET port = ?", [site.port])
        pages = "UPDATE wagtail_ma_trackedpage SET url = replace(url, ?, ?)"
        database.execute(pages, [old, f"{site.url}/"])
        # Somebody has said that mail leaves from here now.
        database.execute("UPDATE wagtail_ma_sendingrules SET fingerprint = ''")


@contextmanager
def _database(directory: Path) -> Iterator[sqlite3.Connection]:
    """Of an installation that is not running; committed at the end."""
    with closing(sqlite3.connect(directory / "example.sqlite3")) as database, database:
        yield database


@contextmanager
def running(var: Path, sink: MailSink, *commands: list[str], begin_as: Path) -> Iterator[RunningSite]:
    """A site that begins as a copy of another one, has run ``commands``, and serves until the block ends."""
    site = RunningSite(var, sink)
    move_in(site, begin_as)
    for command in commands:
        site.manage(*command)
    try:
        site.start()
        yield site
    finally:
        site.stop()
