"""The Japanese catalogues are complete, fit the sources and are compiled; what is put together from
parts reads as Japanese."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po
from django.utils.translation import override

from tests.factories import condition, group
from wagtail_ma.rules.sentences import sentence
from wagtail_ma.rules.tree import parse

ROOT = Path(__file__).resolve().parent.parent
JAPANESE = Path("locale") / "ja" / "LC_MESSAGES" / "django.po"


def load_script() -> ModuleType:
    """The catalogue script; it stands outside every package."""
    spec = importlib.util.spec_from_file_location("messages_script", ROOT / "scripts" / "messages.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


script = load_script()
PACKAGES = [pytest.param(package, id=package.name) for package in script.CATALOGUES]


@pytest.mark.parametrize("package", PACKAGES)
def test_catalogue__as_committed__has_no_faults(package: Path) -> None:
    assert script.faults(package, package / JAPANESE) == []


def write(folder: Path, source: str, translations: dict[str, str]) -> Path:
    """A package with one source file and a compiled catalogue of these translations."""
    (folder / "words.py").write_text(source, encoding="utf8")
    catalog = Catalog(locale="ja", charset="utf-8", fuzzy=False)
    for text, translation in translations.items():
        catalog.add(text, translation)
    script.write(catalog, folder / JAPANESE)
    return folder / JAPANESE


@pytest.mark.parametrize(
    ("source", "translations", "fault"),
    [
        ('_("Mail")', {}, "not translated"),
        ('_("Mail")', {"Mail": ""}, "not translated"),
        ('_("%(n)d days")', {"%(n)d days": "%(m)d日"}, "placeholders differ"),
        ('_("Mail")', {"Mail": "メール", "Fax": "ファクス"}, "no longer used"),
    ],
)
def test_faults__catalogue_unlike_source__says_so(
    source: str, translations: dict[str, str], fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "ROOT", tmp_path)
    po = write(tmp_path, source, translations)
    found = script.faults(tmp_path, po)
    assert len(found) == 1
    assert found[0].startswith(fault)


def test_faults__mo_older_than_po__says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script, "ROOT", tmp_path)
    po = write(tmp_path, '_("Mail")', {"Mail": "メール"})
    assert script.faults(tmp_path, po) == []
    po.write_text(po.read_text(encoding="utf8").replace("メール", "手紙"), encoding="utf8")
    assert script.faults(tmp_path, po) == ["the .mo file is not compiled from the .po file"]


def wagtail_words() -> dict[str, set[str]]:
    """What Wagtail and the parts of Django that its admin shows say in Japanese, without contexts."""
    import django
    import wagtail

    folders = [Path(wagtail.__file__).parent, *(Path(django.__file__).parent / d for d in ("conf", "forms"))]
    words: dict[str, set[str]] = {}
    for path in sorted(p for folder in folders for p in folder.rglob("locale/ja/LC_MESSAGES/django.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale="ja"):
                if message.id and isinstance(message.id, str) and message.string and not message.context:
                    words.setdefault(message.id, set()).add(str(message.string))
    return words


def test_catalogue__word_that_wagtail_has_too__is_translated_as_wagtail_does() -> None:
    """An app's catalogue counts for the whole admin: one that stands before Wagtail would rename
    Wagtail's own fields and buttons. A word with another meaning needs a context (``pgettext``)."""
    wagtail = wagtail_words()
    ours = script.texts(script.known(script.CATALOGUES[0] / JAPANESE))
    differing = {
        text: (translation, wagtail[text])
        for (text, context), translation in ours.items()
        if context is None and text in wagtail and translation not in wagtail[text]
    }
    assert differing == {}


@pytest.mark.django_db
def test_sentence__nested_rule_in_japanese__reads_as_one_sentence(home: Any) -> None:
    viewed = condition("page_viewed", page=home.pk, subtree=True, number=3, days=14, seconds=30)
    visited = condition("visit_count", comparison="exactly", number=2, days=None)
    downloaded = condition("activity", kind="download", number=1, days=7)
    known = condition("identified", **{"is": "yes"})
    campaign = condition("campaign", visit="first", campaign="spring")
    raw = [viewed, group("any", visited, downloaded), group("none", known, campaign)]
    with override("ja"):
        assert sentence(parse("all", raw)) == (
            "直近14日間に「Home」（配下を含む）の閲覧が3回以上（30秒以上の閲覧のみ）、かつ"
            "（訪問がちょうど2回、または直近7日間に資料のダウンロードが1回以上）、かつ"
            "次のいずれにも当てはまらない: 特定済みのリードである、または"
            "初回の訪問でキャンペーン「spring」から流入した"
        )
