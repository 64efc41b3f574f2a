"""The browser scripts: small enough, and what their sources say."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import wagtail_ma

PACKAGE = Path(wagtail_ma.__file__).parent
BUILD = PACKAGE.parent / "scripts" / "build_js.py"
NAMES = sorted(path.name for path in (PACKAGE / "static_src").glob("*.js"))
BUDGET = 1_536

needs_build = pytest.mark.skipif(not BUILD.exists(), reason="installed without its repository")


@pytest.fixture
def build_js() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_js", BUILD)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_scripts__those_of_every_page_are_among_them() -> None:
    assert {"tracker.js", "forms.js"} <= set(NAMES)


@needs_build
@pytest.mark.parametrize("name", NAMES)
def test_script__gzip_9__within_the_budget_and_not_older_than_its_source(
    build_js: ModuleType, name: str
) -> None:
    built = PACKAGE / "static" / "wagtail_ma" / name
    if shutil.which("gzip"):
        command = ["gzip", "-9", "--stdout", str(built)]
        size = len(subprocess.run(command, capture_output=True, check=True).stdout)
    else:
        size = build_js.gzip_size(built)
    assert size <= BUDGET
    assert build_js.faults(PACKAGE / "static_src" / name, json.loads(build_js.RECORD.read_text())) == []


@needs_build
@pytest.mark.skipif(not shutil.which("npm"), reason="needs Node.js")
def test_scripts__built_again__are_the_same(
    build_js: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    built = PACKAGE / "static" / "wagtail_ma"
    monkeypatch.setattr(build_js, "OUTPUTS", tmp_path)
    monkeypatch.setattr(build_js, "RECORD", tmp_path / "built.json")
    # Where the registry is out of reach, say so soon.
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_fetch_timeout", "10000")
    try:
        status = build_js.build()
    except subprocess.CalledProcessError as error:
        if "ci" not in error.cmd:
            raise
        pytest.skip("the minifier could not be fetched")
    assert status == 0
    for name in NAMES:
        assert (tmp_path / name).read_bytes() == (built / name).read_bytes(), name
