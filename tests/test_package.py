"""What pip gets: wheel and source distribution hold all that the package needs at run time."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "wagtail_ma"
# Sources of the scripts, for those who change them.
NOT_NEEDED = {"static_src"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both distributions, made without asking the network."""
    target = tmp_path_factory.mktemp("dist")
    # A copy: building writes beside the sources.
    source = tmp_path_factory.mktemp("source")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file() and name.startswith(("wagtail_ma/", "pyproject", "README", "LICENSE")):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def needed() -> set[str]:
    found = set()
    for path in PACKAGE.rglob("*"):
        inside = path.relative_to(PACKAGE)
        if path.is_file() and inside.parts[0] not in NOT_NEEDED and "__pycache__" not in inside.parts:
            found.add(f"wagtail_ma/{inside.as_posix()}")
    return found


def test_wheel__built__holds_everything_and_nothing_of_the_tests(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert needed() - names == set()
    assert not [name for name in names if name.startswith(("tests/", "example_site/", "benchmarks/"))]


def test_source_distribution__built__holds_everything(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert needed() - names == set()
    assert {"LICENSE", "README.md", "pyproject.toml"} <= names
