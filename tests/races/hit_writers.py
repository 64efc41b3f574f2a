"""Writers of gathered hits that are killed again and again: run by test_hit_storm.py.

    python hit_writers.py DATABASE_NAME STREAM SEED

Loads Django once, forks writers, and kills one of them with SIGKILL every 30 to 200 ms until the stream
is empty and stays so. Prints how many were killed.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

WRITERS = 3
GIVE_UP_SECONDS = 100
# A busy machine may never let anybody finish otherwise.
MOST_KILLS = 40
URL = "redis://127.0.0.1:6379/15"


def prepare(database: str, stream: str) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    settings.WAGTAIL_MA = {"RECORDING": "redis", "REDIS_URL": URL, "REDIS_STREAM": stream}
    django.setup()

    import redis  # noqa: F401
    from django.db import connections

    from wagtail_ma.tracking import stream as module

    # Loaded once, not in every newborn writer (no connection is opened here).
    assert connections["default"].vendor
    # Nobody wants to wait for what the dead leave behind; small batches die in more places.
    module.DEAD_AFTER_MS = 300
    module.BATCH = 20


def write() -> None:
    """One writer: until nothing is left, and a little longer (the sender may be slow)."""
    from wagtail_ma.tracking.stream import Writer
    from wagtail_ma.tracking.writing import Busy

    writer = Writer()
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < 2:
        try:
            writer.work(wait_ms=50)
        except Busy:
            time.sleep(0.05)
        if writer.waiting():
            quiet_since = time.monotonic()


def fork() -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        write()
        code = 0
    finally:
        os._exit(code)


def main(database: str, stream: str, seed: int) -> int:
    prepare(database, stream)
    dice = random.Random(seed)
    alive = {fork() for _ in range(WRITERS)}
    kills, is_done, failures = 0, False, 0
    until = time.monotonic() + GIVE_UP_SECONDS
    while alive and time.monotonic() < until:
        time.sleep(dice.uniform(0.03, 0.2))
        for pid in list(alive):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                alive.discard(pid)
                is_done = is_done or status == 0
                failures += os.WIFEXITED(status) and status != 0
        if is_done or kills >= MOST_KILLS:
            continue
        if alive:
            victim = dice.choice(sorted(alive))
            os.kill(victim, signal.SIGKILL)
            os.waitpid(victim, 0)
            alive.discard(victim)
            kills += 1
        while len(alive) < WRITERS:
            alive.add(fork())
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
    print(kills, failures)
    return 0 if is_done else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
