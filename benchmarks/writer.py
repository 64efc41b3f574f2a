"""Times one writer of hits from Redis; prints a sentence. Started by run.py."""

from __future__ import annotations

import time

import django

django.setup()

import redis  # noqa: E402

from wagtail_ma.conf import conf  # noqa: E402
from wagtail_ma.tracking.stream import Writer  # noqa: E402


def main() -> None:
    """Write all that is waiting, then remove the stream."""
    writer = Writer()
    began, cpu = time.perf_counter(), time.process_time()
    done = 0
    while some := writer.work():
        done += some
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    redis.Redis.from_url(conf.REDIS_URL).delete(conf.REDIS_STREAM)
    print(f"{done} hits, {done / seconds:,.0f} per second, {cpu / max(done, 1) * 1000:.2f} ms CPU each")


if __name__ == "__main__":
    main()
