"""Keeping personalised pages out of shared caches."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.cache import patch_cache_control, patch_vary_headers

from wagtail_ma.core.current_request import forget_request

ATTRIBUTE = "_wagtail_ma_is_personalised"


def mark(request: HttpRequest) -> None:
    """Note that the answer to this request holds something made for one visitor."""
    setattr(request, ATTRIBUTE, True)


def is_marked(request: HttpRequest) -> bool:
    """Whether :func:`mark` was called for this request."""
    return bool(getattr(request, ATTRIBUTE, False))


def protect(request: HttpRequest, response: Any) -> Any:
    """Make a rendered answer private if it was personalised; leave all others as they are.

    Also where the default was shown: the next visitor may have another variant.
    """
    if is_marked(request):
        patch_cache_control(response, private=True)
        patch_vary_headers(response, ["Cookie"])
    return response


def protect_when_rendered(request: HttpRequest, response: Any) -> Any:
    """:func:`protect`, once the template has been rendered: only then it is known what was in it.

    The request is then no longer the one being served.
    """
    if hasattr(response, "add_post_render_callback") and not response.is_rendered:
        response.add_post_render_callback(lambda rendered: _finish(request, rendered))
        return response
    return _finish(request, response)


def _finish(request: HttpRequest, response: Any) -> Any:
    forget_request()
    return protect(request, response)
