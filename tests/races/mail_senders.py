"""Mail senders that are killed again and again: run by the tests of mail here.

    python mail_senders.py DATABASE_NAME SMTP_PORT SEED [--senders N] [--most-kills N] [--poison EMAIL]
                           [--connections N] [--batch N] [--minute N]

One is killed every 50 to 250 ms, until the queue is empty. With ``--minute`` the storm lies within one
minute, for which so many mails are allowed: it is over when they have been let go and nobody holds any.
Prints how many were killed, how many died of the poison, and how many failed by themselves.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.races import nursery

GIVE_UP_SECONDS = 400
# Well within the minute that a limit speaks of: no mail of the next one is among them.
WITHIN_A_MINUTE_SECONDS = 45
POISONED = 9


def prepare(options: argparse.Namespace) -> None:
    nursery.settle(
        options.database,
        EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
        EMAIL_HOST="127.0.0.1",
        EMAIL_PORT=options.port,
        WAGTAIL_MA={"MAIL_CONNECTIONS": options.connections},
    )
    from django.core.mail import get_connection
    from django.core.mail.utils import DNS_NAME

    from wagtail_ma.messaging import claiming, preparing, sending

    # Loaded once, not in every newborn sender (no connection is opened here).
    get_connection()
    DNS_NAME.get_fqdn()
    if options.most_kills or options.poison:
        # The dead leave their claims behind; nobody wants to wait ten minutes for them here. (Where all
        # live, a slow machine must not take them for dead.)
        claiming.CLAIM_LEASE = timedelta(seconds=1)
    sending.BATCH = options.batch
    if options.poison:
        real = preparing.Preparer.message

        def deadly(self, delivery, **more):  # type: ignore[no-untyped-def]
            if delivery.email == options.poison:
                os._exit(POISONED)
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


def is_used_up(allowed: int) -> bool:
    """Whether so many mails have been let go, and none of them is on its way."""
    from django.db import connections

    from wagtail_ma.messaging.models import Delivery
    from wagtail_ma.messaging.models_of_sending import RateWindow

    slots = RateWindow.objects.values_list("slots", flat=True)
    let_go = max((sum(count for _slot, count in each) for each in slots), default=0)
    is_on_its_way = Delivery.objects.filter(state__in=["claimed", "sending"]).exists()
    connections.close_all()
    return let_go >= allowed and not is_on_its_way


def main(options: argparse.Namespace) -> int:
    prepare(options)
    tally = nursery.raise_and_kill(
        send,
        count=options.senders,
        seed=options.seed,
        most_kills=options.most_kills,
        pause=(0.05, 0.25),
        give_up_seconds=WITHIN_A_MINUTE_SECONDS if options.minute else GIVE_UP_SECONDS,
        dies_with={POISONED},
        is_over=lambda: bool(options.minute) and is_used_up(options.minute),
    )
    print(tally)
    return 0 if tally.is_done or options.minute else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("database")
    parser.add_argument("port", type=int)
    parser.add_argument("seed", type=int)
    parser.add_argument("--senders", type=int, default=4)
    parser.add_argument("--most-kills", type=int, default=30)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--poison", default="")
    parser.add_argument("--minute", type=int, default=0)
    sys.exit(main(parser.parse_args()))
