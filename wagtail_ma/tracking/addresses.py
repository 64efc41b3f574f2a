"""From an address to the page that answers there, as far as it can be told without serving it."""

from __future__ import annotations

import mimetypes
import re
from posixpath import splitext
from typing import Any
from urllib.parse import parse_qsl, unquote

import swapper
from django.urls import Resolver404, resolve
from django.utils import translation
from wagtail.models import Site

# Kinds of files by their ending, as Python knows them and not as this machine happens to.
_KINDS = mimetypes.MimeTypes(filenames=())
_PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml"})
# Endings that the list above lacks: fonts, packages, source maps …
_FILES = (
    ".7z .apk .avif .bz2 .cab .conf .deb .dmg .eot .exe .flac .gz .heic .iso .jar .jxl .log .map .mkv .msi "
    ".odp .ods .odt .ogg .ogv .otf .patch .rar .rb .rpm .rst .sql .tgz .toml .ttf .war .wasm .webmanifest "
    ".woff .woff2 .xz .yaml .yml .zst"
)
# Endings of programmes that write pages.
_PROGRAMMES = ".php .asp .aspx .jsp .jspx .cgi .pl .cfm .do .shtml .phtml"
_FILE_ENDINGS, _PAGE_ENDINGS = frozenset(_FILES.split()), frozenset(_PROGRAMMES.split())
_FEED_PATH = re.compile(
    r"/(?:feeds?|rss2?|atom|rdf)/?(?:(?:rss2?|atom|rdf)/?)?$|\.(?:rss|atom|rdf)$", re.IGNORECASE
)
_FEED_NAMES = frozenset({"feed", "flav", "format", "type", "alt", "mode"})
_FEED_WORDS = re.compile(r"(?:rss|atom|rdf|feed|xml)[0-9._]*", re.IGNORECASE)


def is_feed(path: str, query: str) -> bool:
    """Whether an address looks like one of a feed: ``/blog/feed/``, ``/?format=rss``.

    :param path: as it was sent or decoded.
    :param query: without "?".
    """
    if _FEED_PATH.search(path):
        return True
    try:
        pairs = parse_qsl(query, errors="replace")
    except ValueError:
        return False
    return any(name.lower() in _FEED_NAMES and _FEED_WORDS.fullmatch(value) for name, value in pairs)


def is_file(path: str) -> bool:
    """Whether a path ends like that of a file that is no page: picture, script, document …

    What has no known ending counts as a page.
    """
    ending = splitext(unquote(path))[1].lower()
    if not ending or ending in _PAGE_ENDINGS:
        return False
    kind, packing = _KINDS.guess_type(f"file{ending}")
    return ending in _FILE_ENDINGS or packing is not None or (kind is not None and kind not in _PAGE_TYPES)


def page_at(path: str, site: Site) -> int | None:
    """The id of the Wagtail page that has this path on this site, None if there is none.

    Paths within a page (of routable pages) are not understood. One or two statements.

    :param path: percent-decoded, with its leading "/".
    """
    inner = _path_within_wagtail(path)
    if inner is None:
        return None
    language, inside = inner
    with translation.override(language):
        root: Any = site.root_page.localized
    url_path = f"{root.url_path}{inside.strip('/')}/".replace("//", "/")
    pages = swapper.load_model("wagtailcore", "Page").objects
    found: int | None = pages.filter(url_path=url_path).values_list("pk", flat=True).first()
    return found


def _path_within_wagtail(path: str) -> tuple[str | None, str] | None:
    """(language, path as Wagtail's own view gets it), None where another view answers."""
    language = translation.get_language_from_path(path) or translation.get_language()
    with translation.override(language):
        for candidate in (path, f"{path}/"):
            try:
                match = resolve(candidate)
            except (Resolver404, ValueError):
                continue
            if match.url_name == "wagtail_serve":
                return language, "/".join([*match.args, *match.kwargs.values()])
            return None
    return None
