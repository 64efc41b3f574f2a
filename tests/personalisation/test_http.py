"""Caches never give one visitor's variant to another; previews show what the editor chose."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client, RequestFactory, override_settings

from tests.factories import make_browser, make_segment
from tests.personalisation.test_blocks import (
    body_of,
    client_of,
    enter,
    page,  # noqa: F401  (a fixture)
    personalised,
    put,
    text,
    variant,
)
from tests.testapp.models import ContentPage
from wagtail_ma.personalisation import preview
from wagtail_ma.personalisation.choose import segment_ids

pytestmark = pytest.mark.django_db

CACHED = [
    "django.middleware.cache.UpdateCacheMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.cache.FetchFromCacheMiddleware",
]


def test_headers__personalised_page__private_and_varies(page: Any) -> None:  # noqa: F811
    put(page, personalised(variant("OFFER", make_segment("Readers"))))
    response = Client().get(page.url)
    assert "private" in response["Cache-Control"]
    assert "Cookie" in response["Vary"]


def test_headers__block_without_variants__untouched(page: Any) -> None:  # noqa: F811
    put(page, personalised())
    assert "Cache-Control" not in Client().get(page.url)


def test_headers__other_page__untouched(page: Any) -> None:  # noqa: F811
    put(page, text("plain"))
    response = Client().get(page.url)
    assert "Cache-Control" not in response
    assert "Cookie" not in response.get("Vary", "")
    assert response.cookies == {}


def test_cache_middleware__visitors_take_turns__each_sees_their_own(page: Any, now: Any) -> None:  # noqa: F811
    segment = make_segment("Readers")
    browser = make_browser(now=now)
    enter(browser, segment, now=now)
    put(page, personalised(variant("OFFER", segment)))
    member, stranger = client_of(browser), Client()
    cache.clear()
    with override_settings(MIDDLEWARE=CACHED, WAGTAIL_MA={"PERSONALISATION": "server"}):
        for _round in range(2):
            assert "OFFER" in body_of(member, page)
            html = body_of(stranger, page)
            assert "DEFAULT" in html and "OFFER" not in html
    cache.clear()


def test_cache_middleware__plain_page__is_still_cached(page: Any) -> None:  # noqa: F811
    put(page, text("ONE"))
    cache.clear()
    with override_settings(MIDDLEWARE=CACHED):
        assert "ONE" in body_of(Client(), page)
        put(page, text("TWO"))
        assert "ONE" in body_of(Client(), page)
    cache.clear()


def preview_of(page: Any, mode: str) -> str:  # noqa: F811
    return page.make_preview_request(preview_mode=mode).rendered_content


def test_preview__as_segment__its_variant(page: Any) -> None:  # noqa: F811
    preview.install_on_all_pages()
    readers, buyers = make_segment("Readers"), make_segment("Buyers")
    put(page, personalised(variant("ARTICLE", readers), variant("OFFER", buyers)))
    modes = dict(page.preview_modes)
    assert [str(label) for label in modes.values()] == ["Default", "Segment: Buyers", "Segment: Readers"]
    assert "DEFAULT" in preview_of(page, "")
    assert "OFFER" in preview_of(page, f"{preview.PREFIX}{buyers.pk}")
    assert "ARTICLE" in preview_of(page, f"{preview.PREFIX}{readers.pk}")


def test_preview__editor_is_in_a_segment_themselves__only_the_chosen_one_counts(now: Any) -> None:
    segment = make_segment("Readers")
    browser = make_browser(now=now)
    enter(browser, segment, now=now)
    request = RequestFactory().get("/")
    request.COOKIES.update({name: morsel.value for name, morsel in client_of(browser).cookies.items()})
    assert segment_ids(request) == {segment.pk}
    again = RequestFactory().get("/")
    again.COOKIES.update(request.COOKIES)
    again.is_preview = True  # type: ignore[attr-defined]
    assert segment_ids(again) == frozenset()


def test_install__twice_and_on_subclasses__modes_once() -> None:
    make_segment("Readers")
    preview.install_on_all_pages()
    preview.install_on_all_pages()
    assert len(ContentPage(title="x").preview_modes) == 2


@pytest.mark.parametrize(
    "mode", ["", None, "landing", "wagtail_ma_segment_", "wagtail_ma_segment_x", "wagtail_ma_segment_²"]
)
def test_segment_of_mode__not_ours__none(mode: Any) -> None:
    assert preview.segment_of_mode(mode) is None


def test_mixin__page_with_modes_of_its_own__kept_and_first() -> None:
    segment = make_segment("Readers")

    class Base:
        preview_modes = [("own", "Own")]

        def serve_preview(self, request: Any, mode_name: str) -> str:
            return mode_name

    class Personal(preview.PreviewSegmentsMixin, Base):
        pass

    mode = f"{preview.PREFIX}{segment.pk}"
    assert Personal().preview_modes == [("own", "Own"), (mode, "Segment: Readers")]
    request = RequestFactory().get("/")
    request.is_preview = True  # type: ignore[attr-defined]
    assert Personal().serve_preview(request, mode) == "own"
    assert segment_ids(request) == {segment.pk}
