"""Slots: the places in a compiled mail that are filled for each recipient.

While a mail is built, every piece of editors' text is replaced by a *marker*, a word of ASCII
letters with a random part that no text can contain by chance or by malice. The MJML renderer sees
our own skeleton and markers only. Afterwards the markers are expanded: fixed pieces become text
again, the others stay as slots. A compiled part is a list of texts and slots:

* ``["f", name, default]`` a merge field,
* ``["l", number]`` a tracked link,
* ``["h"]`` the hidden link, ``["o"]`` the picture that tells that the mail is open,
* ``["u"]`` the unsubscribe link,
* ``["p", [[segment ids, is_negated, part] …], part]`` variants for segments, the first that fits
  counts, and what everybody else gets; each part again a list of texts and slots.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from wagtail_ma.messaging import merge_fields

Slot = list[Any]
Segment = str | Slot

UNTRACKED_SCHEMES = ("mailto:", "tel:")


def is_safe_target(url: str) -> bool:
    """Whether a link of a mail may lead there: http(s), a host, no user, nothing invisible."""
    if not url or any(character.isspace() or not character.isprintable() for character in url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        return False


def with_campaign(url: str, own_hosts: Collection[str], campaign: str) -> str:
    """A link to the site itself tells where its visit came from: mail programs send no referrer.

    :returns: the address with ``utm_…`` added; unchanged when it leads elsewhere or has its own.
    """
    parts = urlsplit(url)
    if parts.hostname not in own_hosts or "utm_" in parts.query:
        return url
    added = urlencode({"utm_source": "mail", "utm_medium": "email", "utm_campaign": campaign})
    return parts._replace(query=f"{parts.query}&{added}" if parts.query else added).geturl()


@dataclass
class Build:
    """One mail being compiled: its markers, links, and what is wrong with it.

    :param base_url: scheme and host that relative addresses are resolved against.
    :param own_hosts: lower-case host names of the site.
    :param campaign: how visits from this mail are called in reports.
    """

    base_url: str
    own_hosts: Collection[str] = ()
    campaign: str = "mail"
    nonce: str = field(default_factory=lambda: secrets.token_hex(6))
    pieces: list[Segment] = field(default_factory=list)
    links: list[dict[str, str]] = field(default_factory=list)
    bad_links: list[str] = field(default_factory=list)
    suspects: list[str] = field(default_factory=list)

    def marker(self, piece: Segment) -> str:
        """Put a piece away and get the word that stands for it."""
        self.pieces.append(piece)
        return f"ma{self.nonce}n{len(self.pieces) - 1}z"

    def html(self, markup: str) -> str:
        """The marker of a piece of finished HTML (which may contain markers itself)."""
        return self.marker(markup)

    def words(self, text: str) -> str:
        """Editors' plain text for HTML: escaped, with its merge fields as slots. One marker."""
        return self.marker(self._with_fields(text, escaped=True))

    def plain(self, text: str) -> str:
        """Editors' plain text for the text part: as it is, with its merge fields as slots."""
        return self._with_fields(text, escaped=False)

    def link(self, url: str, label: str) -> str:
        """The marker of a tracked link, or "" (and a problem noted) where it may not lead."""
        target = urljoin(f"{self.base_url}/", url.strip()) if url else ""
        if not is_safe_target(target):
            self.bad_links.append(label or url)
            return ""
        entry = {"url": with_campaign(target, self.own_hosts, self.campaign), "label": label[:120]}
        if entry not in self.links:
            self.links.append(entry)
        return self.marker(["l", self.links.index(entry)])

    def href(self, url: str, label: str) -> str:
        """What goes into ``href``: a tracked link, or ``mailto:``/``tel:`` as it is, escaped."""
        if url.lower().startswith(UNTRACKED_SCHEMES):
            return self.marker(escape("".join(url.split()), quote=True))
        return self.link(url, label)

    def absolute(self, url: str) -> str:
        """A picture's address, absolute, as a marker."""
        return self.marker(escape(urljoin(f"{self.base_url}/", url), quote=True))

    def choice(self, variants: list[tuple[list[int], bool, str]], default: str) -> list[str]:
        """Marks that tell variants apart: one before each, one before the default, one behind it.

        :param variants: segment ids, whether the reader must be in none of them, and the text.
        :returns: marks and texts in turn, a mark first and last. Whatever is done with the texts
            must not move them across a mark.
        """
        written: list[str] = []
        for ids, is_negated, text in variants:
            written += [self.marker(["if", ids, is_negated]), text]
        return [*written, self.marker(["else"]), default, self.marker(["end"])]

    def expand(self, markup: str) -> list[Segment]:
        """Turn markers back: texts and slots, neighbouring texts joined."""
        out: list[Segment] = []
        self._expand_into(out, markup)
        return _with_choices(out)

    def _with_fields(self, text: str, *, escaped: bool) -> str:
        self.suspects += merge_fields.suspects(text)
        return "".join(
            (escape(part, quote=True) if escaped else part)
            if isinstance(part, str)
            else self.marker(["f", *part])
            for part in merge_fields.split(text)
        )

    def _expand_into(self, out: list[Segment], markup: str) -> None:
        parts = re.split(rf"ma{self.nonce}n(\d+)z", markup)
        for index, part in enumerate(parts):
            piece: Segment = self.pieces[int(part)] if index % 2 else part
            if index % 2 and isinstance(piece, str):
                self._expand_into(out, piece)
            elif isinstance(piece, str) and out and isinstance(out[-1], str):
                out[-1] += piece
            elif piece:
                out.append(piece)


def _with_choices(flat: list[Segment]) -> list[Segment]:
    """Put what stands between the marks of a choice into one slot."""
    out: list[Segment] = []
    variants: list[list[Any]] = []
    part = out
    for segment in flat:
        mark = segment[0] if isinstance(segment, list) else ""
        if mark in ("if", "else"):
            part = []
            if mark == "if":
                variants.append([*segment[1:], part])
        elif mark == "end":
            out.append(["p", variants, part])
            variants, part = [], out
        else:
            part.append(segment)
    return out


def segments_asked(compiled: Mapping[str, Any]) -> list[int]:
    """The ids of the segments that the parts of a compiled mail ask for."""
    found: set[int] = set()
    for name in ("html", "text"):
        for segment in compiled.get(name, ()):
            if isinstance(segment, list) and segment[0] == "p":
                found.update(*(ids for ids, _is_negated, _part in segment[1]))
    return sorted(found)
