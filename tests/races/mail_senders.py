"""A nursery of mail senders that are killed again and again: run by test_mail_storm.py.

    python mail_senders.py DATABASE_NAME SMTP_PORT SEED

Loads Django once, forks senders, and kills one of them with SIGKILL every 50 to 250 ms until the
queue is empty. Prints how many were killed.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

SENDERS = 4
GIVE_UP_SECONDS = 100
# A busy machine may never let anybody finish otherwise.
MOST_KILLS = 30


def prepare(database: str, port: int) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    django.setup()

    from django.core.mail import get_connection
    from django.core.mail.utils import DNS_NAME
    from django.db import connections

    from wagtail_ma.messaging import claiming, sending

    # Loaded once, not in every newborn sender (no connection is opened here).
    assert connections["default"].vendor
    get_connection()
    DNS_NAME.get_fqdn()
    # The dead leave their claims behind; nobody wants to wait ten minutes for them here.
    claiming.CLAIM_LEASE = timedelta(seconds=1)
    sending.BATCH = 20


def send() -> None:
    """One sender: until nothing is left."""
    from django.utils import timezone

    from wagtail_ma.messaging import sending
    from wagtail_ma.messaging.models import Delivery

    while Delivery.objects.filter(state__in=["ready", "claimed"]).exists():
        sending.drain(now=timezone.now())
        time.sleep(0.02)


def fork() -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        send()
        code = 0
    finally:
        os._exit(code)


def main(database: str, port: int, seed: int) -> int:
    prepare(database, port)
    dice = random.Random(seed)
    alive = {fork() for _ in range(SENDERS)}
    kills, is_done, failures = 0, False, 0
    until = time.monotonic() + GIVE_UP_SECONDS
    while alive and time.monotonic() < until:
        time.sleep(dice.uniform(0.05, 0.25))
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
        while len(alive) < SENDERS:
            alive.add(fork())
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
    print(kills, failures)
    return 0 if is_done else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
