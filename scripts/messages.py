"""Translation catalogues without system packages: extract, complete, compile, check.

    python scripts/messages.py           bring locale/ja up to date and compile it
    python scripts/messages.py --check   fail when a string is missing, empty, stale or not compiled
    python scripts/messages.py --missing print the strings that still need a translation

Python files are read by Babel, templates through Django's own ``templatize``.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import read_mo, write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "npgettext": ((1, "c"), 2, 3),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
}
CATALOGUES = [ROOT / "wagtail_ma", ROOT / "example_site" / "company"]


def sources(package: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file with strings, as Python source."""
    for path in sorted(package.rglob("*.py")):
        if "migrations" not in path.parts and "content" not in path.parts:
            yield path, path.read_bytes()
    for path in sorted([*package.rglob("*.html"), *package.rglob("*.txt")]):
        if "templates" in path.parts:
            yield path, templatized(path).encode()


def templatized(path: Path) -> str:
    """A template as lines of Python that hold its strings."""
    from django.utils.translation.template import templatize

    code = templatize(path.read_text(encoding="utf8"), origin=str(path))
    calls = re.findall(r"\b(?:n?p?gettext|_)\((?:[^()\"']|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')*\)", code)
    return "\n".join(call.replace(" u'", " '").replace("(u'", "('") for call in calls)


def wanted(package: Path) -> Catalog:
    """The catalogue as the sources have it now."""
    catalog = Catalog(locale="ja", charset="utf-8", project="wagtail_ma", fuzzy=False)
    for path, source in sources(package):
        found = extract("python", io.BytesIO(source), keywords=KEYWORDS, comment_tags=())
        for _line, message, _comments, context in found:
            catalog.add(
                message,
                locations=[(str(path.relative_to(ROOT)), None)],
                context=context,
                flags=["python-format"] if "%(" in str(message) else [],
            )
    return catalog


def key(message: Message) -> tuple[str, str | None]:
    """What identifies a message. (Babel reads the contexts of a .mo file as bytes.)"""
    text = message.id if isinstance(message.id, str) else message.id[0]
    context = message.context
    return text, context.decode() if isinstance(context, bytes) else context


def known(po: Path) -> Catalog:
    """The catalogue as it is on disk."""
    if not po.exists():
        return Catalog(locale="ja")
    with po.open("rb") as file:
        return read_po(file, locale="ja")


def is_translated(message: Message) -> bool:
    """Whether every form of it has a text."""
    strings = message.string if isinstance(message.string, (list, tuple)) else [message.string]
    return all(strings) and not message.fuzzy


def updated(package: Path, po: Path) -> Catalog:
    """The sources' catalogue with the translations known so far."""
    new, old = wanted(package), known(po)
    for message in new:
        if not message.id:
            continue
        before = old.get(key(message)[0], message.context)
        if before is not None and before.string:
            message.string = before.string
        elif isinstance(message.id, (list, tuple)):
            message.string = ("",)
    return new


def placeholders(text: str) -> list[str]:
    """``%(name)s`` and its like: they must be the same in the translation."""
    return sorted(re.findall(r"%\(\w+\)\S|%%", text))


def faults(package: Path, po: Path) -> list[str]:
    """What ``--check`` complains of."""
    new, old, found = wanted(package), known(po), []
    wanted_keys = {key(message) for message in new if message.id}
    for message in new:
        if not message.id:
            continue
        present = old.get(key(message)[0], message.context)
        if present is None or not is_translated(present):
            found.append(f"not translated: {key(message)[0]!r}")
            continue
        strings = present.string if isinstance(present.string, (list, tuple)) else [present.string]
        ids = message.id if isinstance(message.id, (list, tuple)) else [message.id]
        if placeholders(strings[0]) != placeholders(ids[-1]):
            found.append(f"placeholders differ: {key(message)[0]!r}")
    found += [f"no longer used: {key(m)[0]!r}" for m in old if m.id and key(m) not in wanted_keys]
    mo = po.with_suffix(".mo")
    if not found and (not mo.exists() or compiled_texts(mo) != texts(old)):
        found.append("the .mo file is not compiled from the .po file")
    return found


def texts(catalog: Catalog) -> dict[tuple[str, str | None], object]:
    """Translations by key, for comparing two catalogues."""
    return {
        key(m): tuple(m.string) if isinstance(m.string, (list, tuple)) else m.string for m in catalog if m.id
    }


def compiled_texts(mo: Path) -> dict[tuple[str, str | None], object]:
    """Translations in a compiled catalogue."""
    with mo.open("rb") as file:
        return texts(read_mo(file))


def write(catalog: Catalog, po: Path) -> None:
    """Write .po and .mo; the header carries no date, so that unchanged means unchanged."""
    po.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=100, sort_output=True, omit_header=False, include_lineno=False)
    text = re.sub(
        r'^"(POT?-Creation-Date|PO-Revision-Date|Last-Translator|Language-Team|Generated-By).*\n',
        "",
        buffer.getvalue().decode(),
        flags=re.M,
    )
    text = re.sub(r"^# .*\n|^#\n", "", text, flags=re.M)
    po.write_text(text, encoding="utf8")
    # Babel puts the moment into the header of the .mo file; a fixed one, for the same reason.
    catalog.creation_date = catalog.revision_date = datetime(2000, 1, 1, tzinfo=UTC)
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    po.with_suffix(".mo").write_bytes(compiled.getvalue())


def main() -> int:
    """Run; the exit code says whether all is well."""
    import django
    from django.conf import settings

    settings.configure(USE_I18N=True)
    django.setup()
    bad = 0
    for package in CATALOGUES:
        po = package / "locale" / "ja" / "LC_MESSAGES" / "django.po"
        if "--check" in sys.argv:
            found = faults(package, po)
            bad += len(found)
            for line in found:
                print(f"{po.relative_to(ROOT)}: {line}")
        elif "--missing" in sys.argv:
            for message in updated(package, po):
                if message.id and not is_translated(message):
                    print(repr(message.id))
        else:
            catalog = updated(package, po)
            write(catalog, po)
            missing = sum(1 for m in catalog if m.id and not is_translated(m))
            print(f"{po.relative_to(ROOT)}: {len(catalog)} messages, {missing} to translate")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
