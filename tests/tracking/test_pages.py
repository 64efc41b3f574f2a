"""Which tracked page a hit belongs to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from wagtail.models import PageViewRestriction

from tests.factories import page_hit
from tests.testapp.models import ContentPage
from wagtail_ma import flow
from wagtail_ma.tracking import pages
from wagtail_ma.tracking.hits import PageRef
from wagtail_ma.tracking.models import PageView, TrackedPage

pytestmark = pytest.mark.django_db


def child(parent: Any, slug: str, **fields: Any) -> ContentPage:
    return parent.add_child(instance=ContentPage(title=slug.title(), slug=slug, **fields))


def hit_of(page: Any, path: str = "/a/") -> Any:
    ref = PageRef(site_id=None, page_id=getattr(page, "pk", page), path=path, locale="ja")
    return page_hit(url=f"http://localhost{path}?x=1")._replace(page=ref)


def look(page: Any, now: datetime, path: str = "/a/") -> TrackedPage:
    return TrackedPage.objects.get(pk=pages.tracked_page_for(hit_of(page, path), now=now).pk)


def test_public_page__known_by_id_with_title_and_address(home: Any, now: datetime) -> None:
    pricing = child(home, "pricing")
    found = look(pricing, now)
    assert (found.key, found.title, found.page_id) == (f"page:{pricing.pk}", "Pricing", pricing.pk)
    assert (found.url, found.translation_key) == (pricing.full_url, pricing.translation_key)
    assert (found.locale, found.first_seen_at) == ("en", now)


@pytest.mark.parametrize("kind", ["unknown", "unpublished", "private", "below private"])
def test_hidden_page__recorded_by_address_only(home: Any, now: datetime, kind: str) -> None:
    secret = child(home, "secret", live=kind != "unpublished")
    page: Any = secret
    if "private" in kind:
        PageViewRestriction.objects.create(page=secret, restriction_type="login")
    if kind == "below private":
        page = child(secret, "deeper")
    found = look(10**6 if kind == "unknown" else page, now)
    assert (found.key, found.page_id, found.title) == ("url:0:/a/", None, "")
    assert (found.url, found.locale) == ("http://localhost/a/", "ja")


def test_known_page__costs_no_statement(home: Any, now: datetime) -> None:
    hit = hit_of(home)
    pages.tracked_page_for(hit, now=now)
    with CaptureQueriesContext(connection) as statements:
        pages.tracked_page_for(hit, now=now)
    assert len(statements) == 0


def test_renamed_and_moved_page__followed_after_a_minute(
    home: Any, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    pricing = child(home, "pricing")
    first = look(pricing, now)
    pricing.title, pricing.slug = "Plans", "plans"
    pricing.save()
    assert look(pricing, now).title == "Pricing"
    monkeypatch.setattr(pages, "REMEMBER_SECONDS", 0)
    renamed = look(pricing, now)
    assert (renamed.pk, renamed.title) == (first.pk, "Plans")
    assert renamed.url.endswith("/plans/")


def test_deleted_page__history_stays_and_address_starts_anew(home: Any, now: datetime) -> None:
    pricing = child(home, "pricing")
    flow.record_hit(hit_of(pricing), now=now)
    pricing.delete()
    pages.forget()
    old = TrackedPage.objects.get()
    assert (old.page_id, old.title) == (None, "Pricing")
    flow.record_hit(hit_of(child(home, "pricing")), now=now)
    assert PageView.objects.filter(tracked_page=old).count() == 1
    assert TrackedPage.objects.count() == 2


def test_rolled_back_transaction__its_page_is_not_remembered(home: Any, now: datetime) -> None:
    pages.forget()
    with transaction.atomic():
        pages.tracked_page_for(hit_of(home), now=now)
    # What is read in a transaction is remembered with it, and this test is one.
    assert not pages._committed


def test_very_long_path__key_fits(home: Any, now: datetime) -> None:
    keys = {look(None, now, "/" + "長" * 250 + end).key for end in "ab"}
    assert len(keys) == 2
    assert all(len(key) <= 255 for key in keys)


def test_tracked_pages__page_with_translations_aliases_and_subtree(home: Any, now: datetime) -> None:
    from wagtail.models import Locale

    products = child(home, "products")
    below = child(products, "one")
    other = child(home, "products-old")
    japanese = Locale.objects.create(language_code="ja")
    home.copy_for_translation(japanese)
    translated = products.copy_for_translation(japanese)
    translated.get_latest_revision().publish() if translated.latest_revision else None
    translated.live = True
    translated.save()
    alias = products.create_alias(parent=home, update_slug="alias")
    for page in (products, below, other, translated, alias):
        pages.tracked_page_for(hit_of(page), now=now)

    def found(*, with_descendants: bool) -> set[int | None]:
        rows = pages.tracked_pages(products.translation_key, with_descendants=with_descendants)
        return set(rows.values_list("page_id", flat=True))

    assert found(with_descendants=False) == {products.pk, translated.pk, alias.pk}
    assert found(with_descendants=True) == {products.pk, translated.pk, alias.pk, below.pk}
