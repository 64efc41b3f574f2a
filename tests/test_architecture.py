"""The shape of the code itself."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from django.apps import apps

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "wagtail_ma"
SOURCES = [path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts]


def test_models__every_model_of_a_domain__is_re_exported() -> None:
    import wagtail_ma.models as exported

    defined = {model.__name__ for model in apps.get_app_config("wagtail_ma").get_models()}
    written = set()
    for path in PACKAGE.glob("*/models*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and "Meta" in ast.dump(node):
                written.add(node.name)
    assert written == defined == set(exported.__all__)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file__any__is_short_and_so_are_its_functions(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 60, node.name


def test_file__of_tests_or_benchmarks__is_short() -> None:
    files = [path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    assert files
    assert {path.name: n for path in files if (n := path.read_text().count("\n")) > 500} == {}


def test_settings__anywhere_but_conf_and_checks__are_not_read() -> None:
    allowed = {PACKAGE / "conf.py", PACKAGE / "checks.py", PACKAGE / "forms" / "checks.py"}
    readers = [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path not in allowed and re.search(r"from django\.conf import settings", path.read_text())
    ]
    assert readers == []


def test_wagtail_admin__outside_of_its_places__is_not_imported() -> None:
    importers = []
    for path in SOURCES:
        inside = path.relative_to(PACKAGE)
        if inside.parts[0] == "admin" or inside.name in ("blocks.py", "wagtail_hooks.py"):
            continue
        if re.search(r"^\s*(from|import) wagtail\.admin", path.read_text(), re.M):
            importers.append(str(inside))
    allowed = {"templatetags/wagtail_ma_admin_tags.py"}
    assert set(importers) - allowed == set()


def test_templates__ours__have_no_inline_script_or_style() -> None:
    offenders = []
    for path in [*PACKAGE.rglob("templates/**/*.html")]:
        text = path.read_text()
        if "mail" in path.parts[-2:][0] and "body" in path.name:
            continue
        if re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", text):
            offenders.append(str(path.relative_to(ROOT)))
    assert offenders == []


def test_repository__any_text__names_no_machine() -> None:
    offenders = []
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *SOURCES]:
        if re.search(r"(^|[^A-Za-z0-9_./-])/(work|farm)/[A-Za-z]", path.read_text()):
            offenders.append(str(path.relative_to(ROOT)))
    assert offenders == []


def test_style_sheets__ours__open_and_close_evenly() -> None:
    """One rule left open swallows all that follow it, and nothing complains."""
    for path in PACKAGE.rglob("*.css"):
        depth = 0
        for line in path.read_text().splitlines():
            depth += line.count("{") - line.count("}")
            assert 0 <= depth <= 2, f"{path.name}: {line}"
        assert depth == 0, path.name
