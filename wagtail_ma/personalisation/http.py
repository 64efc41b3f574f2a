"""What a request carries about personalisation, and keeping personalised pages out of shared caches."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils.cache import patch_cache_control, patch_vary_headers

from wagtail_ma.core.current_request import forget_request, set_request
from wagtail_ma.personalisation.places import Place, places, segments_in

ATTRIBUTE = "_wagtail_ma_is_personalised"
PAGE = "_wagtail_ma_page"
PLACES = "_wagtail_ma_places"


def begin(request: HttpRequest, page: Any) -> None:
    """A page is about to be served for this request."""
    set_request(request)
    setattr(request, PAGE, page)


def page_of(request: HttpRequest) -> Any | None:
    """The page that is served, None outside of one."""
    return getattr(request, PAGE, None)


def places_of(request: HttpRequest) -> list[Place]:
    """The personalised blocks of the page that is served, looked for once."""
    found: list[Place] | None = getattr(request, PLACES, None)
    if found is None:
        page = page_of(request)
        found = [] if page is None else places(page)
        setattr(request, PLACES, found)
    return found


def segments_of_page(request: HttpRequest) -> set[int]:
    """The ids of all segments that variants of the page are for."""
    return {pk for place in places_of(request) for pk in segments_in(place)}


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
