"""A nursery of mail senders that are killed again and again: run by the tests of mail here.

    python mail_senders.py DATABASE_NAME SMTP_PORT SEED [--senders N] [--most-kills N] [--poison EMAIL]
                           [--connections N] [--seconds N]

Loads Django once, forks senders, and kills one of them with SIGKILL every 50 to 250 ms until the
queue is empty, or for so many seconds. Prints how many were killed, and how many failed by themselves.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

GIVE_UP_SECONDS = 400


def prepare(options: argparse.Namespace) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = options.database
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", options.port
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "MAIL_CONNECTIONS": options.connections}
    django.setup()

    from django.core.mail import get_connection
    from django.core.mail.utils import DNS_NAME
    from django.db import connections

    from wagtail_ma.messaging import claiming, preparing, sending

    # Loaded once, not in every newborn sender (no connection is opened here).
    assert connections["default"].vendor
    get_connection()
    DNS_NAME.get_fqdn()
    if options.most_kills or options.poison:
        # The dead leave their claims behind; nobody wants to wait ten minutes for them here. (Where all
        # live, a slow machine must not take them for dead.)
        claiming.CLAIM_LEASE = timedelta(seconds=1)
    sending.BATCH = 20
    if options.poison:
        real = preparing.Preparer.message

        def deadly(self, delivery, **more):  # type: ignore[no-untyped-def]
            if delivery.email == options.poison:
                os._exit(9)
            return real(self, delivery, **more)

        preparing.Preparer.message = deadly  # type: ignore[method-assign]


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


def main(options: argparse.Namespace) -> int:
    prepare(options)
    dice = random.Random(options.seed)
    alive = {fork() for _ in range(options.senders)}
    kills, is_done, failures = 0, False, 0
    until = time.monotonic() + (options.seconds or GIVE_UP_SECONDS)
    while alive and time.monotonic() < until:
        time.sleep(dice.uniform(0.05, 0.25))
        for pid in list(alive):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                alive.discard(pid)
                is_done = is_done or status == 0
                failures += os.WIFEXITED(status) and os.WEXITSTATUS(status) not in (0, 9)
        # A busy machine may never let anybody finish otherwise.
        if not is_done and alive and kills < options.most_kills:
            victim = dice.choice(sorted(alive))
            os.kill(victim, signal.SIGKILL)
            os.waitpid(victim, 0)
            alive.discard(victim)
            kills += 1
        while not is_done and len(alive) < options.senders:
            alive.add(fork())
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
    print(kills, failures)
    return 0 if is_done or options.seconds else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("port", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("--senders", type=int, default=4)
    parser.add_argument("--most-kills", type=int, default=30)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--poison", default="")
    parser.add_argument("--seconds", type=float, default=0)
    sys.exit(main(parser.parse_args()))
