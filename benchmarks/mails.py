"""How fast mail leaves, against the bare SMTP ceiling and the usual Django way. Started by run.py, in a
process of the example site; prints a table as JSON lines.

    python -m benchmarks.mails [--mails N] [--rounds N]

A newsletter of 15 sections with 60 tracked links and merge fields to N people who agreed to it; the server
is a loopback sink in a process of its own. The ceiling is smtplib handing the same finished bytes over
one connection. In turns; the median over the rounds counts.
"""

from __future__ import annotations

import argparse
import json
import smtplib
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any

import django

django.setup()

from django.conf import settings  # noqa: E402
from django.core.mail import get_connection  # noqa: E402
from django.template import Template  # noqa: E402
from django.utils import timezone  # noqa: E402

from benchmarks.reference import naive_mail  # noqa: E402
from wagtail_ma.messaging import queue, sending  # noqa: E402
from wagtail_ma.messaging.models import Consent, Delivery, Mail, SenderProfile  # noqa: E402
from wagtail_ma.messaging.wire import WireMessage  # noqa: E402
from wagtail_ma.people.models import Lead, Visitor  # noqa: E402

SECTIONS, LINKS = 15, 4
NAIVE = 60
NAME = '{{ lead.full_name|default:"you" }}'


def make_mail() -> Mail:
    sender = SenderProfile.objects.create(
        name="Example", email="news@example.com", legal_name="Example", postal_address="Tokyo", contact="x"
    )
    words = "and a sentence that says something about it, " * 3
    blocks: list[tuple[str, Any]] = []
    for section in range(SECTIONS):
        links = [
            f'<a href="https://www.example.com/{section}/page-{number}/">page {number}</a>'
            for number in range(LINKS)
        ]
        text = "".join(f"<p>Dear {NAME}, {words}<b>{link}</b></p>" for link in links)
        blocks.append(("heading", {"text": f"Section {section}", "size": "medium"}))
        blocks.append(("text", text))
    body = [{"type": name, "value": value, "id": str(uuid.uuid4())} for name, value in blocks]
    mail = Mail(name="Bench", subject=f"News for {NAME}", sender=sender, timing="any", kind="step")
    mail.body = mail._meta.get_field("body").to_python(body)
    mail.live = True
    mail.save()
    return mail


def make_leads(count: int) -> list[Lead]:
    now = timezone.now()
    visitors = Visitor.objects.bulk_create([Visitor(first_seen_at=now) for _ in range(count)])
    leads = Lead.objects.bulk_create(
        [
            Lead(
                visitor=visitor,
                email=f"reader{number}@mail{number % 50}.example",
                family_name="山田",
                given_name=f"太郎{number}",
                created_at=now,
            )
            for number, visitor in enumerate(visitors)
        ]
    )
    Consent.objects.bulk_create(
        [Consent(visitor=lead.visitor, email=lead.email, is_granted=True, at=now) for lead in leads]
    )
    return leads


def timed(work: Callable[[], int]) -> tuple[float, float]:
    """Mails a second, and mails per second of CPU time of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    count = work()
    return count / (time.perf_counter() - wall), count / (time.process_time() - cpu)


def product(mail: Mail, leads: list[Lead], number: int) -> Callable[[], int]:
    now = timezone.now()
    for lead in leads:
        queue.enqueue(mail, lead, occurrence=f"round:{number}", now=now)

    def work() -> int:
        done = 0
        while some := sending.drain(now=timezone.now(), limit=10_000):
            done += some
        return done

    return work


def ceiling(port: int, data: bytes, count: int) -> int:
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        for _ in range(count):
            smtp.sendmail("news@example.com", ["reader@example.com"], data)
    return count


def naive(template: Template, count: int) -> int:
    with get_connection() as connection:
        for number in range(count):
            reader = {"email": f"reader{number}@example.com", "full_name": f"山田 太郎{number}"}
            connection.send_messages([naive_mail.message(template, reader, number)])
    return count


def captured(mail: Mail, lead: Lead) -> WireMessage:
    """One finished message, to hand the same bytes to smtplib."""
    from wagtail_ma.messaging.preparing import Preparer
    from wagtail_ma.messaging.rates import rules_now

    delivery = queue.enqueue(mail, lead, occurrence="capture", now=timezone.now())
    assert delivery is not None
    preparer = Preparer(rules_now())
    preparer.load([delivery])
    found = preparer.message(delivery, speaks_smtp=True)
    Delivery.objects.filter(pk=delivery.pk).delete()
    assert isinstance(found, WireMessage)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mails", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    sink = subprocess.Popen([sys.executable, "-m", "benchmarks.sink"], stdout=subprocess.PIPE)
    try:
        assert sink.stdout is not None
        port = int(sink.stdout.readline())
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", port, False
        print(json.dumps(measure(port, options.mails, options.rounds)))
    finally:
        sink.kill()


def measure(port: int, count: int, rounds: int) -> list[list[str]]:
    mail, leads = make_mail(), make_leads(count)
    message = captured(mail, leads[0])
    from wagtail_ma.messaging.compile import compile_mail, static_text

    template = Template(static_text(compile_mail(mail).parts["html"]).replace("…", "{{ lead.full_name }}"))
    found: dict[str, list[tuple[float, float]]] = {}
    for number in range(-1, rounds):
        work = product(mail, leads, number)
        took: dict[str, Any] = {
            "SMTP ceiling: finished bytes, one connection": timed(lambda: ceiling(port, message.data, count)),
            "usual Django way, all anew for each reader": timed(lambda: naive(template, NAIVE)),
        }
        took["wagtail_ma, prepared and sent"] = timed(work)
        if number >= 0:
            for name, pair in took.items():
                found.setdefault(name, []).append(pair)
    median = {
        name: (statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs))
        for name, pairs in found.items()
    }
    names = list(median)
    top, slow, ours = (median[name] for name in names)
    budget = {
        names[0]: "",
        names[1]: "",
        names[2]: f"{ours[0] / top[0]:.0%} of the ceiling (asked 20 %), {ours[1] / slow[1]:.0f} × the usual "
        f"way (asked 10), {ours[1]:,.0f} a second and core (asked 300)",
    }
    size = f"{len(message.data) / 1000:.0f} kB"
    return [[f"{name} ({size})", f"{m[0]:,.0f}", f"{m[1]:,.0f}", budget[name]] for name, m in median.items()]


if __name__ == "__main__":
    main()
