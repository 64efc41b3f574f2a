"""Optional: hits are answered before Django's own handling of a request begins.

In ``wsgi.py``::

    from django.core.wsgi import get_wsgi_application
    from wagtail_ma.web.wsgi import answer_hits_first

    application = answer_hits_first(get_wsgi_application())

A hit asks for little, and Django makes ready for much: what it does around each request (signals, the
whole request object, middleware) costs more than all that we do with a message. Under ASGI, or where
``wsgi.py`` is not yours, use ``wagtail_ma.web.middleware.HitMiddleware``. (Middleware that sets the client's
address from a proxy's headers does not see hits then: name the proxy in ``TRUSTED_PROXIES``.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.core.handlers.wsgi import LimitedStream, WSGIRequest
from django.db import close_old_connections
from django.http import HttpRequest

from wagtail_ma.conf import conf

if TYPE_CHECKING:
    from wagtail_ma.web import hits

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Answer = Callable[[HttpRequest], "hits.Answer"]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]


def answer_hits_first(application: Application) -> Application:
    """Wrap a WSGI application: what the tracker posts is answered here, everything else (and whoever has a
    session, and may be one of us) there.

    :param application: what Django's ``get_wsgi_application()`` made; it has loaded the apps.
    """
    # Here, not above: ``wsgi.py`` imports this module before the apps are loaded.
    from wagtail_ma.web import hits

    path = hits.HitPath()

    def answer(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if (
            environ["REQUEST_METHOD"] == "POST"
            and path.is_at(environ.get("PATH_INFO", ""))
            and conf.session_cookie() not in environ.get("HTTP_COOKIE", "")
        ):
            return _answer(hits.answer, environ, start_response)
        return application(environ, start_response)

    return answer


class HitRequest(WSGIRequest):
    """A request of which only that is made ready what a hit asks for."""

    def __init__(self, environ: Environ) -> None:
        # (WSGIRequest reads path, script name and content type in ways that take longer than our view.)
        self.environ = self.META = environ
        self.method = environ["REQUEST_METHOD"]
        self.path = self.path_info = environ.get("PATH_INFO", "")
        self.content_type = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        self._stream = LimitedStream(environ["wsgi.input"], _length(environ))  # type: ignore[assignment]
        self._read_started = False


def _length(environ: Environ) -> int:
    try:
        return int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _answer(answer: Answer, environ: Environ, start_response: StartResponse) -> list[bytes]:
    # As Django does at both ends of a request: connections that are too old, or broken, are not used.
    close_old_connections()
    try:
        found = answer(HitRequest(environ))
    finally:
        close_old_connections()
    headers = found.headers()
    for cookie in found.cookies:
        headers.append(("Set-Cookie", cookie))
    start_response(f"{found.status} {HTTPStatus(found.status).phrase}", headers)
    return [found.reason.encode()]
