"""Reading the facts of a request, for live segments."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.http import HttpRequest

from wagtail_ma.core.request_facts import RequestFacts
from wagtail_ma.tracking import places


def facts_of(request: HttpRequest, *, now: datetime) -> RequestFacts:
    """The facts that live conditions ask for; never raises for what a visitor may send."""
    return RequestFacts(
        now=now,
        query=dict(request.GET.lists()),
        referrer=request.headers.get("Referer", ""),
        user_agent=request.headers.get("User-Agent", ""),
        language=_language(request.headers.get("Accept-Language", "")),
        country=places.country_of_request(request.META),
        is_logged_in=_log_in_of(request),
    )


def _language(header: str) -> str:
    """The first language of an Accept-Language header: browsers sort them."""
    return header.split(",", 1)[0].split(";", 1)[0].strip()


def _log_in_of(request: HttpRequest) -> Callable[[], bool]:
    def is_logged_in() -> bool:
        user = getattr(request, "user", None)
        return user is not None and bool(user.is_authenticated)

    return is_logged_in
