"""``manage.py ma_doctor``: is this installation well?"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from wagtail_ma.jobs import doctor
from wagtail_ma.people import unrecorded


class Command(BaseCommand):
    help = (
        "Looks at the addresses, the database, the worker and the stored facts. "
        "Ends with 1 if anything is ill."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--repair",
            action="store_true",
            help="Correct facts that name the wrong visitor, and browsers that are recorded although their "
            "owners have asked not to be; then look again.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["repair"]:
            count = doctor.repair_copies(now=timezone.now())
            self.stdout.write(f"Identities repaired: {count + unrecorded.repair()}")
        findings = doctor.examine(now=timezone.now())
        for finding in findings:
            mark = self.style.SUCCESS("ok ") if finding.is_healthy else self.style.ERROR("ill")
            self.stdout.write(f"{mark}  {finding.text}")
            if finding.cure:
                self.stdout.write(f"     {finding.cure}")
        if not all(finding.is_healthy for finding in findings):
            raise SystemExit(1)
