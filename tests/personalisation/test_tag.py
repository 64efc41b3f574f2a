"""``{% if_segment %}`` in hand-written templates."""

from __future__ import annotations

from typing import Any

import pytest
from django.http import HttpResponse
from django.template import Context, Template, TemplateSyntaxError
from django.test import RequestFactory

from tests.factories import make_browser, make_segment
from tests.personalisation.test_blocks import client_of, enter
from wagtail_ma.personalisation import http

pytestmark = pytest.mark.django_db

SOURCE = '{% load wagtail_ma_tags %}{% if_segment "Readers" other %}IN{% else %}OUT{% end_if_segment %}'


def request_of(browser: Any) -> Any:
    request = RequestFactory().get("/")
    request.COOKIES.update({name: morsel.value for name, morsel in client_of(browser).cookies.items()})
    return request


def render(request: Any, source: str = SOURCE, **context: Any) -> str:
    return Template(source).render(Context({"request": request, **context}))


def test_if_segment__member_and_others__each_their_part(now: Any) -> None:
    member, other = make_browser(now=now), make_browser(now=now)
    enter(member, make_segment("Readers"), now=now)
    assert render(request_of(member)) == "IN"
    assert render(request_of(other)) == "OUT"
    assert render(RequestFactory().get("/")) == "OUT"
    assert render(None) == "OUT"


def test_if_segment__second_name_from_the_context__also_counts(now: Any) -> None:
    browser = make_browser(now=now)
    enter(browser, make_segment("Buyers"), now=now)
    assert render(request_of(browser), other="Buyers") == "IN"
    assert render(request_of(browser), other="Nobody knows") == "OUT"


def test_if_segment__without_else__nothing_for_others(now: Any) -> None:
    source = '{% load wagtail_ma_tags %}{% if_segment "Readers" %}IN{% end_if_segment %}'
    assert render(request_of(make_browser(now=now)), source) == ""


def test_if_segment__used__answer_is_private(now: Any) -> None:
    request = request_of(make_browser(now=now))
    render(request)
    assert "private" in http.protect(request, HttpResponse())["Cache-Control"]


def test_if_segment__no_name__syntax_error() -> None:
    with pytest.raises(TemplateSyntaxError):
        Template("{% load wagtail_ma_tags %}{% if_segment %}IN{% end_if_segment %}")
