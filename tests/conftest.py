"""Fixtures of the whole suite."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

# The moment at which most stories begin: a Tuesday morning in Tokyo.
START = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """Where the file of the database lies; each process of pytest-xdist has its own."""
    (Path(__file__).resolve().parent.parent / "var").mkdir(exist_ok=True)


@pytest.fixture(autouse=True)
def no_sites_remembered() -> None:
    """A process keeps the hosts of the sites for a minute; each test has sites of its own."""
    from wagtail_ma.tracking import sites

    sites.forget()


@pytest.fixture
def now() -> datetime:
    return START


@pytest.fixture
def site(db: Any) -> Any:
    """The default site with a root page, as Wagtail's migrations (or we) made it."""
    from django.contrib.contenttypes.models import ContentType
    from wagtail.models import Locale, Page, Site

    Locale.objects.get_or_create(language_code="en")
    root = Page.get_first_root_node()
    if root is None:
        root = Page.add_root(title="Root", slug="root", content_type=ContentType.objects.get_for_model(Page))
    found = Site.objects.filter(is_default_site=True).first()
    if found is None:
        found = Site.objects.create(hostname="localhost", root_page=root, is_default_site=True)
    return found


@pytest.fixture
def home(site: Any) -> Any:
    """A home page at "/"."""
    from wagtail.models import Page

    from tests.testapp.models import ContentPage

    page = ContentPage(title="Home", slug="ma-home")
    Page.get_first_root_node().add_child(instance=page)
    site.root_page = page
    site.save()
    return page
