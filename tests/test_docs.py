"""The documentation says what there is, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

from wagtail_ma.conf import KEYS, Conf

DOCS = Path(__file__).resolve().parent.parent / "docs"


def test_settings_page__every_key_and_no_other__is_described() -> None:
    described = set(re.findall(r"^\| `([A-Z_]+)` \|", (DOCS / "settings.md").read_text(), re.M))
    properties = {
        name for name, value in vars(Conf).items() if isinstance(value, property) and name.isupper()
    }
    assert described == set(KEYS) == properties
