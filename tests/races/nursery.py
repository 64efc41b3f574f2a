"""A nursery of processes that are killed again and again: what the storms here have in common.

A storm is a script of its own, run by a test: :func:`settle` loads Django once, :func:`raise_and_kill`
forks workers from it and kills one of them with SIGKILL every few milliseconds, wherever it is.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Tally:
    """What became of the workers: killed from outside, died as they were made to, failed otherwise."""

    kills: int = 0
    deaths: int = 0
    failures: int = 0
    # One came to its end: there is nothing left to do.
    is_done: bool = False

    def __str__(self) -> str:
        return f"{self.kills} {self.deaths} {self.failures}"


def settle(database: str, **settings: Any) -> None:
    """Load Django, with this database and these settings; no connection is opened."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django
    from django.conf import settings as present
    from django.db import connections

    present.DATABASES["default"]["NAME"] = database
    for name, value in settings.items():
        is_ours = name == "WAGTAIL_MA"
        setattr(present, name, {**present.WAGTAIL_MA, **value} if is_ours else value)
    django.setup()
    # Loaded once, not in every newborn.
    assert connections["default"].vendor


def raise_and_kill(
    work: Callable[[], None],
    *,
    count: int,
    seed: int,
    most_kills: int,
    pause: tuple[float, float],
    give_up_seconds: float,
    dies_with: Collection[int] = (),
    is_over: Callable[[], bool] = lambda: False,
) -> Tally:
    """Keep so many workers alive until one has come to its end and the others have, too.

    :param work: what a worker does until nothing is left.
    :param most_kills: a busy machine may never let anybody finish otherwise.
    :param pause: seconds between two kills, drawn between these.
    :param dies_with: exit codes of workers that end themselves as a part of the storm.
    :param is_over: asked once all kills are done: whether it is enough. It must leave no connection open.
    """
    dice = random.Random(seed)
    tally = Tally()
    alive = {_fork(work) for _ in range(count)}
    until = time.monotonic() + give_up_seconds
    while alive and time.monotonic() < until:
        time.sleep(dice.uniform(*pause))
        for pid in _ended(alive, tally, dies_with):
            alive.discard(pid)
        if not tally.is_done and alive and tally.kills < most_kills:
            victim = dice.choice(sorted(alive))
            os.kill(victim, signal.SIGKILL)
            os.waitpid(victim, 0)
            alive.discard(victim)
            tally.kills += 1
        elif is_over():
            break
        while not tally.is_done and len(alive) < count:
            alive.add(_fork(work))
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
    return tally


def _fork(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def _ended(alive: Collection[int], tally: Tally, dies_with: Collection[int]) -> list[int]:
    """Those that have ended by themselves, counted."""
    gone = []
    for pid in alive:
        found, status = os.waitpid(pid, os.WNOHANG)
        if not found:
            continue
        gone.append(pid)
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        tally.is_done = tally.is_done or code == 0
        tally.deaths += code in dies_with
        tally.failures += code is not None and code != 0 and code not in dies_with
    return gone
