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


def test_tracking_tests_page__every_case__has_a_test_that_there_is() -> None:
    text = (DOCS / "tracking-tests.md").read_text()
    rows = re.findall(r"^\| (D\d\d) \|.*\| (`test_.*`) \|$", text, re.M)
    assert [case for case, _names in rows] == [f"D{number:02}" for number in range(1, 53)]
    tests = Path(__file__).resolve().parent
    written = {
        name
        for path in [*(tests / "browser").glob("test_tracker*.py"), tests / "scoring" / "test_award.py"]
        for name in re.findall(r"^def (test_\w+)\(", path.read_text(), re.M)
    }
    named = {name for _case, names in rows for name in re.findall(r"`(\w+)`", names)}
    assert named - written == set()


def test_mail_tests_page__every_case__has_a_test_that_there_is() -> None:
    text = (DOCS / "mail-tests.md").read_text()
    rows = re.findall(r"^\| (\d+) \|.*\| (.*) \|$", text, re.M)
    assert [int(case) for case, _names in rows] == [*range(1, 42), *range(46, 52)]
    written = {
        name
        for path in Path(__file__).resolve().parent.rglob("test_*.py")
        for name in re.findall(r"^ *def (test_\w+)\(", path.read_text(), re.M)
    }
    named = {name for _case, names in rows for name in re.findall(r"`(test_\w+)`", names)}
    assert named - written == set()
