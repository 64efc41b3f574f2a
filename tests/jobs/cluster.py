"""A cluster of django-q2 on the tests' own database: run by test_cluster.py.

python cluster.py DATABASE_NAME
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main(database: str) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django
    from django.conf import settings

    settings.DATABASES["default"]["NAME"] = database
    django.setup()
    from django.core.management import call_command

    call_command("qcluster")


if __name__ == "__main__":
    main(sys.argv[1])
