"""Which page a hit is about: one lasting row per page, remembered by each process.

A page that everybody may see is known by its id, so its history survives moving, renaming and
deleting. Anything else (a view of Django's, an unpublished, private or unknown page) is recorded
by its address alone: no title, no link to the page.

A browser names a page by its signed token. Only after a history navigation, when the token may still be that
of the page before, the address that it tells counts, and no further than to a page that is there already:
what a browser says makes no page, or anybody could fill the lists with paths that never were.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, NamedTuple, TypeVar, cast
from urllib.parse import quote, unquote, urlsplit
from uuid import UUID
from weakref import WeakKeyDictionary

import swapper
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Q, QuerySet
from wagtail.models import Site

from wagtail_ma.tracking import page_classes, page_token
from wagtail_ma.tracking.hits import Hit
from wagtail_ma.tracking.models import TrackedPage
from wagtail_ma.tracking.page_token import PageRef

# How long a process believes what it knows of a page (seconds of its own clock): new titles and
# addresses appear after this, and a known page costs no statement meanwhile.
REMEMBER_SECONDS = 60
# More pages than this and the process begins anew.
MAX_REMEMBERED = 10_000
MAX_KEY_LENGTH = 255
# How a view comes about whose page the token may not name yet (see the tracker's "y").
HISTORY = "s"
# Pages with the same last part of their address that are looked at.
MAX_NAMESAKES = 50


@dataclass(frozen=True)
class _Remembered:
    page: TrackedPage | None
    read_at: float


class _Claim(NamedTuple):
    """A page that a browser names by its address alone.

    :param path: percent-decoded, as long as those of tokens are.
    """

    site_id: int | None
    path: str


_Found = TypeVar("_Found", bound=TrackedPage | None)
_Pages = MutableMapping[PageRef | _Claim, _Remembered]
_committed: dict[PageRef | _Claim, _Remembered] = {}
# A row read inside a transaction may never be committed (or, in a test, be rolled back): it is
# remembered for as long as the transaction lives.
_uncommitted: WeakKeyDictionary[Any, _Pages] = WeakKeyDictionary()


def tracked_page_for(hit: Hit, *, now: datetime) -> TrackedPage:
    """The page of a hit; made when it is seen for the first time.

    Costs no statement for a page that this process has looked up within
    :data:`REMEMBER_SECONDS`. Title and address follow the Wagtail page.

    After a history navigation it is the public page at the address, or what is known by this address; if
    there is neither, the page that the token names, where the browser came from.

    :param now: ``first_seen_at`` of a new page.
    """
    claim = _claim(hit)
    if claim is not None:
        claimed = _remembered(claim, lambda: _look_up_claim(claim, hit, now=now))
        if claimed is not None:
            return claimed
    ref = hit.page or PageRef(path=_path(hit))
    return _remembered(ref, lambda: _look_up(ref, hit, now=now))


def _remembered(key: PageRef | _Claim, look_up: Callable[[], _Found]) -> _Found:
    memory = _memory()
    entry = memory.get(key)
    if entry is not None and time.monotonic() - entry.read_at < REMEMBER_SECONDS:
        return cast(_Found, entry.page)
    page = look_up()
    if len(memory) >= MAX_REMEMBERED:
        memory.clear()
    memory[key] = _Remembered(page, time.monotonic())
    return page


def _claim(hit: Hit) -> _Claim | None:
    """Which other page than that of its token a hit names."""
    if hit.nav_type != HISTORY or hit.page is None:
        return None
    path = _path(hit)[: page_token.MAX_PATH_LENGTH]
    return None if not path or page_token.is_for(hit.page, path) else _Claim(hit.page.site_id, path)


def _path(hit: Hit) -> str:
    return unquote(urlsplit(hit.url).path)


def forget() -> None:
    """Forget all pages (a remembered row has been deleted meanwhile)."""
    _committed.clear()
    _uncommitted.clear()


def _memory() -> _Pages:
    blocks = connections[DEFAULT_DB_ALIAS].atomic_blocks
    return _uncommitted.setdefault(blocks[0], {}) if blocks else _committed


def _look_up(ref: PageRef, hit: Hit, *, now: datetime) -> TrackedPage:
    """The page that a token names."""
    wagtail_page = _page_with(ref.page_id) if ref.page_id else _page_at(ref.site_id, ref.path)
    if wagtail_page is not None:
        return _row_of(wagtail_page, ref.site_id, hit, now=now)
    key = _key(ref.site_id, ref.path or _path(hit) or "/")
    tracked = TrackedPage.objects.filter(key=key).first()
    return tracked or _made(key, _by_address(ref, hit), ref.site_id, now=now)


def _look_up_claim(claim: _Claim, hit: Hit, *, now: datetime) -> TrackedPage | None:
    """The public page at an address, or what a token has once named by it; None: nothing is there."""
    wagtail_page = _page_at(claim.site_id, claim.path)
    if wagtail_page is not None:
        return _row_of(wagtail_page, claim.site_id, hit, now=now)
    return TrackedPage.objects.filter(key=_key(*claim)).first()


def _row_of(wagtail_page: Any, site_id: int | None, hit: Hit, *, now: datetime) -> TrackedPage:
    key, fields = f"page:{wagtail_page.pk}", _by_page(wagtail_page, hit)
    tracked = TrackedPage.objects.filter(key=key).first()
    if tracked is None:
        return _made(key, fields, site_id, now=now)
    _follow(tracked, fields)
    return tracked


def _made(key: str, fields: dict[str, Any], site_id: int | None, *, now: datetime) -> TrackedPage:
    """A new row; another process may make it at the same time."""
    known_site_id = Site.objects.filter(pk=site_id).values_list("pk", flat=True).first()
    defaults = {**fields, "site_id": known_site_id, "first_seen_at": now}
    tracked, is_new = TrackedPage.objects.get_or_create(key=key, defaults=defaults)
    if is_new:
        page_classes.resolve_new(tracked, now=now)
    return tracked


def _page_at(site_id: int | None, path: str) -> Any | None:
    """The public page at an address of a site: also of a page whose template the tag could not know it
    from."""
    slug = path.strip("/").rpartition("/")[2]
    roots = [root.root_path for root in Site.get_site_root_paths() if root.site_id == site_id]
    if not roots:
        return None
    at_root = Q(url_path__in=roots)
    for page in _live_pages().filter(at_root | Q(slug=slug) if slug else at_root)[:MAX_NAMESAKES]:
        parts = page.get_url_parts()
        # Not put together from slugs: only this knows the language's prefix.
        if parts and parts[0] == site_id and unquote(parts[2] or "").strip("/") == path.strip("/"):
            return _if_public(page)
    return None


def _page_with(page_id: int) -> Any | None:
    page = _live_pages().filter(pk=page_id).first()
    return None if page is None else _if_public(page)


def _live_pages() -> QuerySet[Any]:
    pages: QuerySet[Any] = swapper.load_model("wagtailcore", "Page").objects.filter(live=True)
    return pages.select_related("locale", "alias_of")


def _if_public(page: Any) -> Any | None:
    """A published page if anybody may see it."""
    return None if page.get_view_restrictions().exists() else page


def _by_page(page: Any, hit: Hit) -> dict[str, Any]:
    # An alias shows its source: who saw one saw the other.
    original = page.alias_of or page
    return {
        "url": (page.full_url or _address(hit.url))[:2000],
        "title": page.title,
        "page_id": page.pk,
        "translation_key": original.translation_key,
        "locale": page.locale.language_code[:12],
    }


def _key(site_id: int | None, path: str) -> str:
    """The key of what is known by its address alone."""
    key = f"url:{site_id or 0}:{path}"
    if len(key) > MAX_KEY_LENGTH:
        return f"url:{site_id or 0}:sha256:{hashlib.sha256(path.encode()).hexdigest()}"
    return key


def _by_address(ref: PageRef, hit: Hit) -> dict[str, Any]:
    path = ref.path or _path(hit) or "/"
    # Scheme and host of where it was seen; the path is the signed one.
    url = urlsplit(hit.url)._replace(path=quote(path), query="", fragment="").geturl()[:2000]
    return {"url": url, "title": hit.title[:255], "locale": ref.locale[:12]}


def _address(url: str) -> str:
    """An address without query and fragment, at most 2000 characters."""
    return urlsplit(url)._replace(query="", fragment="").geturl()[:2000]


def _follow(tracked: TrackedPage, fields: dict[str, Any]) -> None:
    """Bring title and address up to date with the Wagtail page."""
    changed = [name for name, value in fields.items() if getattr(tracked, name) != value]
    if changed:
        for name in changed:
            setattr(tracked, name, fields[name])
        tracked.save(update_fields=[name.removesuffix("_id") for name in changed])


def tracked_pages(page_translation_key: UUID, *, with_descendants: bool) -> QuerySet[TrackedPage]:
    """What "page P" means in a rule: P, its translations and aliases, and with them, if asked for,
    all pages below any of these.

    One statement finds where these pages are in the tree; the returned set is a plain condition on
    TrackedPage, to be used as a sub-query. A move changes its answer.
    """
    found = TrackedPage.objects.filter(translation_key=page_translation_key)
    if not with_descendants:
        return found
    pages = swapper.load_model("wagtailcore", "Page").objects
    paths = pages.filter(
        Q(translation_key=page_translation_key) | Q(alias_of__translation_key=page_translation_key)
    ).values_list("path", flat=True)
    below = [Q(page__path__startswith=path) for path in paths]
    return TrackedPage.objects.filter(reduce(or_, below, Q(translation_key=page_translation_key)))


def pages_within(
    page_translation_keys: Collection[UUID], tracked_page_ids: Collection[int]
) -> dict[UUID, set[int]]:
    """For each key: which of the given tracked pages ``tracked_pages(key, with_descendants=True)``
    holds. Two statements for any number of keys."""
    found: dict[UUID, set[int]] = {key: set() for key in page_translation_keys}
    if not found or not tracked_page_ids:
        return found
    tracked = TrackedPage.objects.filter(pk__in=tracked_page_ids).values_list(
        "pk", "translation_key", "page__path"
    )
    places = list(tracked)
    pages = swapper.load_model("wagtailcore", "Page").objects
    roots = pages.filter(Q(translation_key__in=found) | Q(alias_of__translation_key__in=found)).values_list(
        "translation_key", "alias_of__translation_key", "path"
    )
    for key, original_key, path in roots:
        below = {pk for pk, _own_key, place in places if place and place.startswith(path)}
        for wanted in {key, original_key} & found.keys():
            found[wanted] |= below
    for pk, own_key, _place in places:
        if own_key in found:
            found[own_key].add(pk)
    return found
