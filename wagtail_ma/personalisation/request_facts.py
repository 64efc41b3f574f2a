"""Reading the facts of a request, for live segments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.http import HttpRequest

from wagtail_ma.conf import conf
from wagtail_ma.core.request_facts import RequestFacts


def facts_of(request: HttpRequest, *, now: datetime) -> RequestFacts:
    """The facts that live conditions ask for; never raises for what a visitor may send."""
    country = request.headers.get(conf.COUNTRY_HEADER, "") if conf.COUNTRY_HEADER else ""
    return RequestFacts(
        now=now,
        query=dict(request.GET.lists()),
        referrer=request.headers.get("Referer", ""),
        user_agent=request.headers.get("User-Agent", ""),
        language=_language(request.headers.get("Accept-Language", "")),
        country=_country(country),
        is_logged_in=_log_in_of(request),
    )


def _country(header: str) -> str:
    """Two capital letters; "" for what is no country: Tor's exits (T1) and unknown addresses (XX)."""
    code = header.strip().upper()
    return code if len(code) == 2 and code.isascii() and code.isalpha() and code != "XX" else ""


def _language(header: str) -> str:
    """The first language of an Accept-Language header: browsers sort them."""
    return header.split(",", 1)[0].split(";", 1)[0].strip()


def _log_in_of(request: HttpRequest) -> Callable[[], bool]:
    def is_logged_in() -> bool:
        user = getattr(request, "user", None)
        return user is not None and bool(user.is_authenticated)

    return is_logged_in
