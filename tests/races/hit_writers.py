"""Writers of gathered hits that are killed again and again: run by test_hit_storm.py.

    python hit_writers.py DATABASE_NAME STREAM SEED

One is killed every 30 to 200 ms, until the stream is empty and stays so. Prints how many were killed, how
many died as they were made to (none), and how many failed.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.races import nursery

URL = "redis://127.0.0.1:6379/15"


def prepare(database: str, stream: str) -> None:
    ours = {"RECORDING": "redis", "REDIS_URL": URL, "REDIS_STREAM": stream}
    nursery.settle(database, WAGTAIL_MA=ours)

    import redis  # noqa: F401

    from wagtail_ma.tracking import stream as module

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


def main(database: str, stream: str, seed: int) -> int:
    prepare(database, stream)
    tally = nursery.raise_and_kill(
        write, count=3, seed=seed, most_kills=40, pause=(0.03, 0.2), give_up_seconds=100
    )
    print(tally)
    return 0 if tally.is_done else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
