"""Which source a host is: search engine, social network, AI assistant, web mail, feed reader …

The tables are data/channels.json (a public list) and, over it, data/channels_own.json.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).with_name("data")

# A host may carry several: the narrower kind wins (bing.com/chat is an assistant, not a search).
KINDS = ("ai", "social", "email", "rss", "paid")

# First labels that only say how a page is laid out.
VARIANTS = re.compile(r"^(?:www\d?|m|mobile|amp|touch|sp)\.(?=.+\.)")
WEBMAIL_LABELS = {"mail", "webmail", "owa", "mailbox", "roundcube", "squirrelmail", "email"}
READER_LABELS = {"feeds", "rss", "feedreader"}
COUNTRY = re.compile(r"[a-z]{2,3}(?:\.[a-z]{2,3})?\Z")
LANGUAGE = re.compile(r"[a-z]{2}(?:-[a-z]{2})?\Z")


class Source(NamedTuple):
    """What a host is: ``medium`` as in Channel, ``name`` for reports."""

    medium: str
    name: str


class Tables(NamedTuple):
    """The data files, ready for look-ups. Keys are hosts, ``host/path`` or Android packages."""

    kinds: dict[str, dict[str, str]]
    search: dict[str, tuple[str, tuple[str, ...]]]
    by_country: dict[str, tuple[str, tuple[str, ...]]]
    by_language: dict[str, tuple[str, tuple[str, ...]]]
    names: dict[str, str]


@cache
def tables() -> Tables:
    """Read the data files once. ``google.{}`` becomes a look-up by what stands in front of the
    country, ``{}.bing.com`` one by what follows the language."""
    public, own = (
        json.loads((DATA / name).read_text(encoding="utf-8"))
        for name in ("channels.json", "channels_own.json")
    )
    kinds = {kind: {**public.get(kind, {}), **own.get(kind, {})} for kind in KINDS}
    search, by_country, by_language = {}, {}, {}
    for key, (name, params) in {**public["search"], **own["search"]}.items():
        entry = (name, tuple(params))
        if key.endswith(".{}"):
            by_country[key.removesuffix("{}").removeprefix("www.")] = entry
        elif key.startswith("{}."):
            by_language[key.removeprefix("{}.")] = entry
        elif "{}" not in key:
            search[key.removeprefix("www.")] = entry
    # "google" in a hand-made tag is the engine, not its advertisements.
    names = dict.fromkeys(kinds["paid"].values(), "paid")
    names |= dict.fromkeys((name for name, _ in search.values()), "organic")
    for kind in ("rss", "email", "social", "ai"):
        names |= dict.fromkeys(kinds[kind].values(), kind)
    return Tables(kinds, search, by_country, by_language, names)


def of_host(host: str, path: str, parameters: dict[str, str]) -> Source | None:
    """The source behind a referrer, None for an ordinary site.

    :param host: lower-case host without port, or an Android package.
    :param path: path with its slash, or empty.
    :param parameters: of the referrer's query; some portals count as search only with one.
    """
    data = tables()
    for kind, hosts in data.kinds.items():
        for key in (host + _segments(path, 2), host + _segments(path, 1), host):
            if name := hosts.get(key):
                return Source(kind, name)
    if engine := _engine(host, parameters):
        return Source("organic", engine)
    labels = host.split(".")
    # Sub-domains count as their network (de.linkedin.com), not as its search engine. A mail
    # host in between is mail: us-mg5.mail.yahoo.com.
    for kind in KINDS:
        for start in range(1, len(labels) - 1):
            if name := data.kinds[kind].get(".".join(labels[start:])):
                return Source(kind, name)
    if WEBMAIL_LABELS.intersection(labels[:-1]):
        return Source("email", host)
    if labels[0] in READER_LABELS and len(labels) > 2:
        return Source("rss", host)
    return None


def of_name(name: str) -> str:
    """The medium that a hand-written ``utm_source`` belongs to, empty when it says nothing."""
    medium = tables().names.get(name, "")
    if medium or "." not in name:
        return medium
    source = of_host(name.removeprefix("www."), "", {})
    return source.medium if source else ""


def _engine(host: str, parameters: dict[str, str]) -> str:
    data = tables()
    bare = VARIANTS.sub("", host)
    entry = data.search.get(host) or data.search.get(bare) or _pattern(data, bare)
    if entry is None:
        return ""
    name, needed = entry
    return name if not needed or any(key in parameters for key in needed) else ""


def _pattern(data: Tables, host: str) -> tuple[str, tuple[str, ...]] | None:
    head, _, rest = host.partition(".")
    if LANGUAGE.match(head) and rest in data.by_language:
        return data.by_language[rest]
    labels = host.split(".")
    for cut in (1, 2):
        front, country = ".".join(labels[:-cut]) + ".", ".".join(labels[-cut:])
        if len(labels) > cut and front in data.by_country and COUNTRY.match(country):
            return data.by_country[front]
    return None


def _segments(path: str, count: int) -> str:
    """The beginning of a path: ``("/i/grok/x", 2)`` -> ``/i/grok``."""
    return "/".join(path.split("/", count + 1)[: count + 1]).rstrip("/")
