"""Optional: hits are answered before all other middleware. (Faster still, under WSGI: wsgi.py.)

Put ``"wagtail_ma.web.middleware.HitMiddleware"`` first in ``MIDDLEWARE`` (after one that sets the client's
address from a proxy's headers, if there is one): sessions, languages and messages are nothing to a hit.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from wagtail_ma.conf import conf
from wagtail_ma.web import hits


class HitMiddleware:
    """Answers what the tracker posts; everything else, and whoever has a session (and may be one of
    us), goes the usual way."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response
        self._path = hits.HitPath()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        is_hit = request.method == "POST" and self._path.is_at(request.path_info)
        if is_hit and conf.session_cookie() not in request.COOKIES:
            return hits.hit(request)
        return self._get_response(request)
