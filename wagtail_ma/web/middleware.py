"""Optional: hits are answered before all other middleware.

Put ``"wagtail_ma.web.middleware.HitMiddleware"`` first in ``MIDDLEWARE`` (after one that sets the client's
address from a proxy's headers, if there is one): sessions, languages and messages are nothing to a hit.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from wagtail_ma.conf import conf
from wagtail_ma.web import hits


class HitMiddleware:
    """Answers what the tracker posts; everything else, and whoever has a session (and may be one of
    us), goes the usual way."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._path: str | None = None

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        is_hit = request.method == "POST" and request.path == self._hit_path()
        if is_hit and conf.session_cookie() not in request.COOKIES:
            return hits.hit(request)
        return self._get_response(request)

    def _hit_path(self) -> str:
        if self._path is None:
            self._path = reverse("wagtail_ma:hit")
        return self._path
