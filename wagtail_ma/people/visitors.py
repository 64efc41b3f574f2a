"""Who is asking: the visitor behind a request."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest

from wagtail_ma.people.cookies import browser_key, refuses_identifier
from wagtail_ma.people.models import Identity

ATTRIBUTE = "_wagtail_ma_visitor"


@dataclass(frozen=True)
class BrowserVisitor:
    """The browser that sent a request, and the visitor it belongs to now."""

    identity_id: int
    visitor_id: int


def current(request: HttpRequest) -> BrowserVisitor | None:
    """The visitor behind this request, read once per request (one statement; none without a cookie).

    :returns: None without a cookie of ours, or when the browser asks not to be recognised.
    """
    if not hasattr(request, ATTRIBUTE):
        setattr(request, ATTRIBUTE, _read(request))
    found: BrowserVisitor | None = getattr(request, ATTRIBUTE)
    return found


def _read(request: HttpRequest) -> BrowserVisitor | None:
    key = browser_key(request)
    if key is None or refuses_identifier(request):
        return None
    row = Identity.objects.filter(kind=Identity.Kind.BROWSER, key=key).values_list("pk", "visitor_id").first()
    return BrowserVisitor(*row) if row else None
