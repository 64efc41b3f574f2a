"""Caches in front of the site forget the pages that use a segment when it changes."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, override_settings
from django.urls import reverse
from wagtail.contrib.frontend_cache.backends.base import BaseBackend

from tests.admin.test_segments import editor, form, viewed  # noqa: F401  (fixtures)
from tests.factories import make_segment
from tests.personalisation.test_blocks import page, personalised, put, variant  # noqa: F401  (a fixture)
from wagtail_ma.personalisation import purge

pytestmark = pytest.mark.django_db

purged: list[str] = []


class Recorder(BaseBackend):
    """Stands for Varnish or a CDN."""

    def purge(self, url: str) -> None:
        purged.append(url)


class Away(BaseBackend):
    """A cache that does not answer."""

    def purge(self, url: str) -> None:
        raise ConnectionError(url)


def cache_in_front(backend: str) -> Any:
    return override_settings(
        WAGTAILFRONTENDCACHE={"default": {"BACKEND": f"tests.personalisation.test_purge.{backend}"}}
    )


@pytest.fixture(autouse=True)
def nothing_purged() -> None:
    purged.clear()


def save(editor: Client, segment: Any, home: Any) -> Any:  # noqa: F811
    return editor.post(
        reverse("wagtail_ma_segments:edit", args=[segment.pk]), form(segment.name, viewed(home))
    )


def test_segment_saved__live_pages_that_use_it__purged_and_no_other(
    editor: Client,  # noqa: F811
    page: Any,  # noqa: F811
    home: Any,
) -> None:
    segment, other = make_segment("Readers"), make_segment("Others")
    put(page, personalised(variant("OFFER", segment)))
    with cache_in_front("Recorder"):
        assert save(editor, other, home).status_code == 302
        assert purged == []
        assert save(editor, segment, home).status_code == 302
        assert purged == [page.full_url]
        page.unpublish()
        purged.clear()
        save(editor, segment, home)
    assert purged == []


def test_segment_saved__cache_does_not_answer__saved_all_the_same(
    editor: Client,  # noqa: F811
    page: Any,  # noqa: F811
    home: Any,
) -> None:
    segment = make_segment("Readers")
    put(page, personalised(variant("OFFER", segment)))
    with cache_in_front("Away"):
        assert save(editor, segment, home).status_code == 302
        purge.purge([page])


def test_page_published__with_a_cache_in_front__purged_by_wagtail(page: Any) -> None:  # noqa: F811
    with cache_in_front("Recorder"):
        page.save_revision().publish()
    assert set(purged) == {page.full_url}
