"""Workers that move people through scenarios and are killed again and again: run by the tests here.

    python scenario_workers.py DATABASE_NAME NOW SEED [--workers N] [--most-kills N]

A fifth of all steps dies by itself, half of them before and half after its row. Prints how many workers
were killed from outside, how many died in a step, and how many failed otherwise.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.races import nursery

DIED_IN_A_STEP = 9


def prepare(database: str) -> None:
    nursery.settle(database)

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


def main(options: argparse.Namespace) -> int:
    prepare(options.database)
    now = datetime.fromisoformat(options.now)
    tally = nursery.raise_and_kill(
        lambda: work(now),
        count=options.workers,
        seed=options.seed,
        most_kills=options.most_kills,
        pause=(0.005, 0.1),
        give_up_seconds=240,
        dies_with={DIED_IN_A_STEP},
    )
    print(tally)
    return 0 if tally.is_done else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("now")
    parser.add_argument("seed", type=int)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--most-kills", type=int, default=40)
    sys.exit(main(parser.parse_args()))
