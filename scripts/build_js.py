"""Build the browser scripts: wagtail_ma/static_src/*.js → wagtail_ma/static/wagtail_ma/*.js.

    python scripts/build_js.py           minify (needs Node.js; the built files are committed)
    python scripts/build_js.py --check   are the built files current and small enough? (needs no Node.js)

The minifier is pinned by static_src/package-lock.json and set up by static_src/terser.json. What was built
from what is kept in static_src/built.json as SHA-256 sums.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "wagtail_ma" / "static_src"
OUTPUTS = ROOT / "wagtail_ma" / "static" / "wagtail_ma"
RECORD = SOURCES / "built.json"
OPTIONS = SOURCES / "terser.json"
BUDGET = 1536


def gzip_size(path: Path) -> int:
    """Bytes of the file as ``gzip -9`` writes it, its name in the header included."""
    target = io.BytesIO()
    with gzip.GzipFile(path.name, "wb", compresslevel=9, fileobj=target, mtime=0) as stream:
        stream.write(path.read_bytes())
    return len(target.getvalue())


def sums(source: Path, output: Path) -> dict[str, str]:
    """What identifies a build: sums of the source together with the minifier's options, and of the output."""
    made_from = source.read_bytes() + OPTIONS.read_bytes()
    return {
        "source": hashlib.sha256(made_from).hexdigest(),
        "output": hashlib.sha256(output.read_bytes()).hexdigest(),
    }


def faults(source: Path, record: dict[str, dict[str, str]]) -> list[str]:
    """What is wrong with the built file of this source, in sentences; empty when all is well."""
    output = OUTPUTS / source.name
    if not output.exists():
        return [f"{output.name} was never built"]
    found = []
    if record.get(source.name) != sums(source, output):
        found.append(f"{output.name} is not what its source says")
    if (size := gzip_size(output)) > BUDGET:
        found.append(f"{output.name} has {size} bytes gzip -9, {size - BUDGET} too many")
    return found


def sources() -> list[Path]:
    return sorted(SOURCES.glob("*.js"))


def check() -> int:
    """Print a line per script; 0 when all are current and within the budget, else 1."""
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    wrong = []
    for source in sources():
        found = faults(source, record)
        if not found:
            print(f"{source.name}: {gzip_size(OUTPUTS / source.name)} of {BUDGET} bytes gzip -9")
        wrong += found
    wrong += [
        f"{name} has no source any more" for name in sorted(record.keys() - {s.name for s in sources()})
    ]
    for fault in wrong:
        print(fault, file=sys.stderr)
    if wrong:
        print("Run: make js", file=sys.stderr)
    return 1 if wrong else 0


def build() -> int:
    """Minify every source and write the record; the result of ``check`` afterwards."""
    if not shutil.which("npm"):
        print("Building the scripts needs Node.js; using them does not.", file=sys.stderr)
        return 1
    OUTPUTS.mkdir(parents=True, exist_ok=True)
    record = {}
    # Outside the package, so that no node_modules folder can get into a distribution.
    with tempfile.TemporaryDirectory() as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name, folder)
        subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True)
        for source in sources():
            output = OUTPUTS / source.name
            command = [
                "npx",
                "--no-install",
                "terser",
                str(source),
                "--config-file",
                str(OPTIONS),
                "-o",
                str(output),
            ]
            subprocess.run(command, cwd=folder, check=True)
            record[source.name] = sums(source, output)
    RECORD.write_text(json.dumps(record, indent=2) + "\n")
    return check()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare and measure")
    return check() if parser.parse_args().check else build()


if __name__ == "__main__":
    sys.exit(main())
