#!/usr/bin/env python
"""Django's command line for the example site; the demo settings are the default."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> None:
    """Run one management command, with the repository root importable."""
    sys.path.append(str(Path(__file__).resolve().parent.parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example.settings.demo")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
