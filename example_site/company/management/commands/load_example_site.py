"""Load the pages of the example site and the demo's administrator."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from company.load import ADMIN_NAME, load_admin, load_site


class Command(BaseCommand):
    """``manage.py load_example_site``; a second run changes nothing."""

    help = "Load the example company's pages, pictures and paper, and the demo's administrator."

    def handle(self, *args: Any, **options: Any) -> None:
        """Load what is missing and say so."""

        def say(line: str) -> None:
            self.stdout.write(line)
            self.stdout.flush()

        load_site(say)
        if load_admin():
            say(f"Administrator {ADMIN_NAME!r} with the password {ADMIN_NAME!r}, for the demo only.")
