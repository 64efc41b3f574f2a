"""Workers that move people through scenarios and are killed again and again: run by the tests here.

    python scenario_workers.py DATABASE_NAME NOW SEED [--workers N] [--most-kills N]

Loads Django once, forks workers, and kills one of them with SIGKILL every few milliseconds, wherever it is.
A fifth of all steps dies by itself, half of them before and half after its row. Prints how many were
killed from outside, how many died in a step, and how many failed otherwise.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from datetime import datetime
from pathlib import Path

GIVE_UP_SECONDS = 240
DIED_IN_A_STEP = 9


def prepare(options: argparse.Namespace) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = options.database
    django.setup()

    from wagtail_ma.people.models import News
    from wagtail_ma.scenarios import runner
    from wagtail_ma.scenarios.kinds import StepKind, step_kinds

    # Each transaction a few steps of a few people: as many chances to collide as possible.
    runner.BATCH, runner.MAX_STEPS = 5, 2

    class Mark(StepKind):
        """Leaves a row that nothing keeps unique, and dies now and then."""

        key = "mark"
        label = "Mark"

        def perform(self, context):  # type: ignore[no-untyped-def]
            chance = random.random()
            if chance < 0.1:
                os._exit(DIED_IN_A_STEP)
            News.objects.create(visitor_id=context.enrolment.visitor_id, at=context.now)
            if chance < 0.2:
                os._exit(DIED_IN_A_STEP)
            return "marked"

    step_kinds.register(Mark.key, Mark())


def work(now: datetime) -> None:
    """One worker: until nobody is inside."""
    from wagtail_ma.scenarios import runner
    from wagtail_ma.scenarios.models import Enrolment

    random.seed()
    while Enrolment.objects.filter(status="active").exists():
        runner.run_due(now=now, limit=20)


def fork(now: datetime) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work(now)
        code = 0
    finally:
        os._exit(code)


def main(options: argparse.Namespace) -> int:
    prepare(options)
    now = datetime.fromisoformat(options.now)
    dice = random.Random(options.seed)
    alive = {fork(now) for _ in range(options.workers)}
    kills, died, failures, is_done = 0, 0, 0, False
    until = time.monotonic() + GIVE_UP_SECONDS
    while alive and time.monotonic() < until:
        time.sleep(dice.uniform(0.005, 0.1))
        for pid in list(alive):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                alive.discard(pid)
                is_done = is_done or status == 0
                died += os.WIFEXITED(status) and os.WEXITSTATUS(status) == DIED_IN_A_STEP
                failures += os.WIFEXITED(status) and os.WEXITSTATUS(status) not in (0, DIED_IN_A_STEP)
        # A busy machine may never let anybody finish otherwise.
        if not is_done and alive and kills < options.most_kills:
            victim = dice.choice(sorted(alive))
            os.kill(victim, signal.SIGKILL)
            os.waitpid(victim, 0)
            alive.discard(victim)
            kills += 1
        while not is_done and len(alive) < options.workers:
            alive.add(fork(now))
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
    print(kills, died, failures)
    return 0 if is_done else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("now")
    parser.add_argument("seed", type=int)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--most-kills", type=int, default=40)
    sys.exit(main(parser.parse_args()))
