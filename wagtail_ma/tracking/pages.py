"""Which page a hit is about: one lasting row per page, remembered by each process.

A page that everybody may see is known by its id, so its history survives moving, renaming and
deleting. Anything else (a view of Django's, an unpublished, private or unknown page) is recorded
by its address alone: no title, no link to the page.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection, MutableMapping
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any
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
    page: TrackedPage
    read_at: float


_committed: dict[PageRef, _Remembered] = {}
# A row read inside a transaction may never be committed (or, in a test, be rolled back): it is
# remembered for as long as the transaction lives.
_uncommitted: WeakKeyDictionary[Any, dict[PageRef, _Remembered]] = WeakKeyDictionary()


def tracked_page_for(hit: Hit, *, now: datetime) -> TrackedPage:
    """The page of a hit; made when it is seen for the first time.

    Costs no statement for a page that this process has looked up within
    :data:`REMEMBER_SECONDS`. Title and address follow the Wagtail page.

    :param now: ``first_seen_at`` of a new page.
    """
    ref = _named_by(hit)
    remembered = _memory()
    entry = remembered.get(ref)
    if entry is not None and time.monotonic() - entry.read_at < REMEMBER_SECONDS:
        return entry.page
    page = _look_up(ref, hit, now=now)
    if len(remembered) >= MAX_REMEMBERED:
        remembered.clear()
    remembered[ref] = _Remembered(page, time.monotonic())
    return page


def _named_by(hit: Hit) -> PageRef:
    """The page that the token names. After a history navigation it may still be the page before:
    then the address counts, on the token's site."""
    path = unquote(urlsplit(hit.url).path)
    if hit.page is None:
        return PageRef(path=path)
    if hit.nav_type == HISTORY and path and not page_token.is_for(hit.page, path):
        return PageRef(hit.page.site_id, None, path, hit.page.locale)
    return hit.page


def forget() -> None:
    """Forget all pages (a remembered row has been deleted meanwhile)."""
    _committed.clear()
    _uncommitted.clear()


def _memory() -> MutableMapping[PageRef, _Remembered]:
    blocks = connections[DEFAULT_DB_ALIAS].atomic_blocks
    return _uncommitted.setdefault(blocks[0], {}) if blocks else _committed


def _look_up(ref: PageRef, hit: Hit, *, now: datetime) -> TrackedPage:
    page_id = ref.page_id or _page_at(ref)
    wagtail_page = _public_page(page_id) if page_id else None
    if wagtail_page is None:
        key, fields = _by_address(ref, hit)
    else:
        key, fields = f"page:{wagtail_page.pk}", _by_page(wagtail_page, hit)
    tracked = TrackedPage.objects.filter(key=key).first()
    if tracked is None:
        site_id = Site.objects.filter(pk=ref.site_id).values_list("pk", flat=True).first()
        defaults = {**fields, "site_id": site_id, "first_seen_at": now}
        tracked, is_new = TrackedPage.objects.get_or_create(key=key, defaults=defaults)
        if is_new:
            page_classes.resolve_new(tracked, now=now)
    elif wagtail_page is not None:
        _follow(tracked, fields)
    return tracked


def _page_at(ref: PageRef) -> int | None:
    """The id of the published page at an address of a site: also of a page whose template the
    tag could not know it from."""
    slug = ref.path.strip("/").rpartition("/")[2]
    roots = [root.root_path for root in Site.get_site_root_paths() if root.site_id == ref.site_id]
    if not roots:
        return None
    at_root = Q(url_path__in=roots)
    pages = swapper.load_model("wagtailcore", "Page").objects.filter(live=True)
    for page in pages.filter(at_root | Q(slug=slug) if slug else at_root)[:MAX_NAMESAKES]:
        parts = page.get_url_parts()
        # Not put together from slugs: only this knows the language's prefix.
        if parts and parts[0] == ref.site_id and unquote(parts[2] or "").strip("/") == ref.path.strip("/"):
            return page.pk
    return None


def _public_page(page_id: int) -> Any | None:
    """The Wagtail page if it is published and anybody may see it."""
    pages = swapper.load_model("wagtailcore", "Page").objects
    page = pages.filter(pk=page_id, live=True).select_related("locale", "alias_of").first()
    return None if page is None or page.get_view_restrictions().exists() else page


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


def _by_address(ref: PageRef, hit: Hit) -> tuple[str, dict[str, Any]]:
    path = ref.path or unquote(urlsplit(hit.url).path) or "/"
    key = f"url:{ref.site_id or 0}:{path}"
    if len(key) > MAX_KEY_LENGTH:
        key = f"url:{ref.site_id or 0}:sha256:{hashlib.sha256(path.encode()).hexdigest()}"
    # Scheme and host of where it was seen; the path is the signed one.
    url = urlsplit(hit.url)._replace(path=quote(path), query="", fragment="").geturl()[:2000]
    fields = {"url": url, "title": hit.title[:255], "locale": ref.locale[:12]}
    return key, fields


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
