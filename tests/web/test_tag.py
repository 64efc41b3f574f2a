"""{% wagtail_ma %}: the tracker in the page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connection
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext, override_settings
from django.urls import resolve

from wagtail_ma.tracking import page_token
from wagtail_ma.tracking.page_token import PageRef

pytestmark = pytest.mark.django_db
TEMPLATE = "{% load wagtail_ma_tags %}{% wagtail_ma %}"


def render(**context: Any) -> str:
    return Template(TEMPLATE).render(Context(context))


def token(html: str) -> PageRef | None:
    return page_token.read(re.search(r'data-p="([^"]+)"', html)[1])  # type: ignore[index]


def test_tag__wagtail_page__external_script_with_signed_page(home: Any, client: Client) -> None:
    response = client.get("/")
    html = response.content.decode()
    assert re.search(
        r'<script src="/static/wagtail_ma/tracker\.js" defer data-url="/ma/e/" data-p="[\w-]+"></script>',
        html,
    )
    found = token(html)
    assert found is not None
    assert (found.page_id, found.path, found.locale) == (home.pk, "/", "en")
    assert not response.cookies


def test_tag__every_visitor__same_bytes_and_no_vary_of_ours(home: Any) -> None:
    pages = [Client(headers={"cookie": cookie}).get("/") for cookie in ("", "wagtail_ma=x; a=b")]
    assert pages[0].content == pages[1].content
    assert "Cookie" not in pages[0].get("Vary", "")


def test_tag__no_statement(home: Any, rf: RequestFactory) -> None:
    from wagtail.models import Page, Site

    request = rf.get("/")
    Site.find_for_request(request)
    page = Page.objects.get(pk=home.pk)
    with CaptureQueriesContext(connection) as statements:
        assert "data-p" in render(request=request, page=page)
    assert len(statements) == 0


def test_tag__view_of_django__named_by_its_path(site: Any, rf: RequestFactory) -> None:
    found = token(render(request=rf.get("/shop/?q=1"), page="a page of a paginator"))
    assert found is not None
    assert (found.page_id, found.path) == (None, "/shop/")


def test_tag__preview__nothing(home: Any, rf: RequestFactory) -> None:
    request = rf.get("/")
    request.is_preview = True  # type: ignore[attr-defined]
    assert render(request=request, page=home) == ""


@pytest.mark.parametrize("path", ["form/confirm/x/", "download/x/", "m/c/x", "m/u/x"])
def test_tag__page_behind_a_personal_link__nothing(site: Any, rf: RequestFactory, path: str) -> None:
    request = rf.get(f"/ma/{path}")
    request.resolver_match = resolve(request.path)
    assert render(request=request) == ""


def test_tag__no_request__nothing() -> None:
    assert render() == ""


def test_tag__opt_in__told_to_the_script(home: Any, rf: RequestFactory) -> None:
    with override_settings(WAGTAIL_MA={"CONSENT": "opt_in"}):
        assert 'data-consent="opt-in"' in render(request=rf.get("/"), page=home)


def test_tag__addresses_not_included__nothing_and_logged(home: Any, rf: RequestFactory, caplog: Any) -> None:
    with override_settings(ROOT_URLCONF="wagtail.admin.urls"):
        assert render(request=rf.get("/"), page=home) == ""
    assert "could not be rendered" in caplog.text


@pytest.mark.parametrize("path", ["/<script>", '/"onload="x', "/長い/" * 200, "/%ff/"])
def test_tag__hostile_path__stays_inside_the_token(site: Any, rf: RequestFactory, path: str) -> None:
    html = render(request=rf.get(path))
    assert re.fullmatch(r'<script src="[^"<>]+" defer data-url="[^"<>]+" data-p="[\w-]+"></script>', html)
