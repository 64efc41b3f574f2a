"""Slots: pages that caches keep for everybody, with blocks that a script asks for.

The page holds the default of each personalised block, in an element that names the block and the
signed page. ``static/wagtail_ma/slots.js`` sends the names back, once per page, and
:func:`fill` answers with what this visitor is to see instead.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from typing import Any

import swapper
from django.http import HttpRequest, HttpResponse, QueryDict
from django.template import engines
from django.templatetags.static import static
from django.urls import Resolver404, resolve, reverse
from django.utils.datastructures import MultiValueDict
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, override
from wagtail import hooks
from wagtail.models import Site

from wagtail_ma.conf import conf
from wagtail_ma.core.current_request import forget_request, set_request
from wagtail_ma.personalisation import http
from wagtail_ma.personalisation.places import Place
from wagtail_ma.tracking import page_token
from wagtail_ma.tracking.page_token import PageRef

logger = logging.getLogger(__name__)

MAX_SLOTS = 20
SIGNED_PAGE = "_wagtail_ma_page_token"
FILLING = "_wagtail_ma_fills_slots"


def slot_of(request: HttpRequest, stored_variants: Any) -> Place | None:
    """The place of a block in the page being served, if it is to be a slot there.

    None means that the block is chosen by the server: another mode, a preview, a block that does not
    stand in the page itself (but in a snippet, say), or one that was changed since it was read.

    :param stored_variants: the very list of variants that was read from the page.
    """
    if not conf.uses_slots() or getattr(request, "is_preview", False) or getattr(request, FILLING, False):
        return None
    if getattr(http.page_of(request), "pk", None) is None:
        return None
    return next(
        (place for place in http.places_of(request) if place.raw.get("variants") is stored_variants), None
    )


def wrap(request: HttpRequest, place: Place, default: Any) -> SafeString:
    """The default of a block in the element that the script fills. It says nothing of the visitor
    and runs no statement."""
    token = getattr(request, SIGNED_PAGE, None)
    assets = SafeString("")
    if token is None:
        token = page_token.make(_page_ref(request))
        setattr(request, SIGNED_PAGE, token)
        assets = format_html(
            '<link rel="stylesheet" href="{}"><script src="{}" defer data-url="{}"></script>',
            static("wagtail_ma/slots.css"),
            static("wagtail_ma/slots.js"),
            reverse("wagtail_ma:slots"),
        )
    return format_html(
        '{}<div data-ma-slot="{}" data-ma-page="{}">{}</div>', assets, place.id, token, default
    )


def _page_ref(request: HttpRequest) -> PageRef:
    page = http.page_of(request)
    # Wagtail has looked it up in order to serve the page.
    site = Site.find_for_request(request)
    return PageRef(
        site_id=site.pk if site else None,
        page_id=page.pk if page is not None else None,
        path=request.path,
        locale=get_language() or "",
    )


def fill(
    request: HttpRequest, ref: PageRef, ids: Sequence[str], *, query: str, referrer: str
) -> dict[str, str]:
    """What this visitor sees in place of the default, by block id, as HTML.

    Blocks that are not in the live page, or whose default is for this visitor, are left out, as is
    everything on a page that this visitor may not see.

    :param request: of the script, with the visitor's cookies.
    :param query: the query string of the page as the visitor has it open.
    :param referrer: where the visitor came from to the page.
    """
    page = _served_page(request, ref)
    if page is None:
        return {}
    asked = as_page_request(request, ref, query=query, referrer=referrer)
    try:
        with override(ref.locale or get_language()):
            if not _may_see(page, asked):
                return {}
            http.begin(asked, page)
            places = [place for place in http.places_of(asked) if not place.is_inside_variant]
            wanted = [place for place in places if place.id in set(ids[:MAX_SLOTS])]
            return _filled(page, asked, wanted)
    finally:
        forget_request()
        # A form in a variant has its token in the answer, and needs its cookie.
        request.META.update(
            {key: value for key, value in asked.META.items() if key.startswith("CSRF_COOKIE")}
        )


def _served_page(request: HttpRequest, ref: PageRef) -> Any | None:
    """The live page of the token, if it belongs to the site that is asked."""
    site = Site.find_for_request(request)
    if site is None or ref.page_id is None or ref.site_id != site.pk:
        return None
    model = swapper.load_model("wagtailcore", "Page")
    page = model.objects.filter(pk=ref.page_id, live=True).first()
    parts = page.get_url_parts(request) if page is not None else None
    return page.specific if page is not None and parts and parts[0] == site.pk else None


def _may_see(page: Any, request: HttpRequest) -> bool:
    """What is asked before each serving of a page: view restrictions, and the host's own hooks."""
    if any(not restriction.accept_request(request) for restriction in page.get_view_restrictions()):
        return False
    for hook in hooks.get_hooks("before_serve_page"):
        if isinstance(hook(page, request, [], {}), HttpResponse):
            return False
    return True


def _filled(page: Any, request: HttpRequest, places: Sequence[Place]) -> dict[str, str]:
    found: dict[str, str] = {}
    context: dict[str, Any] | None = None
    for place in places:
        try:
            picked = place.block.pick(place.block.to_python(place.raw), request)
            if picked is None:
                continue
            if context is None:
                context = _context(page, request)
            inner = {**context, "id": place.id.partition(".")[0]}
            found[place.id] = str(place.block.show_picked(picked, request, inner))
        except Exception:
            logger.exception("a slot could not be filled; the default stays")
    return found


def _context(page: Any, request: HttpRequest) -> dict[str, Any]:
    """What the page's own template would hand to its blocks."""
    context: dict[str, Any] = {}
    for engine in engines.all():
        for processor in getattr(getattr(engine, "engine", None), "template_context_processors", ()):
            context.update(processor(request))
    context.update(page.get_context(request))
    # Other requests may have been served by these.
    set_request(request)
    return {"page": page, "self": page, "request": request, **context}


def as_page_request(request: HttpRequest, ref: PageRef, *, query: str, referrer: str) -> HttpRequest:
    """The same visitor, asking for the page: what is rendered for it links and submits there."""
    made = copy.copy(request)
    prefix = request.META.get("SCRIPT_NAME", "").rstrip("/")
    # Looked up once per request; of this one it would be that of the script.
    made.__dict__.pop("headers", None)
    made.method = "GET"
    made.path = ref.path
    made.path_info = ref.path.removeprefix(prefix) or "/"
    made.META = {
        **request.META,
        "REQUEST_METHOD": "GET",
        "PATH_INFO": made.path_info,
        "QUERY_STRING": query,
        "HTTP_REFERER": referrer,
        "CONTENT_TYPE": "",
        "CONTENT_LENGTH": "",
    }
    made.GET = QueryDict(query)  # type: ignore[misc]
    made.POST = QueryDict()  # type: ignore[misc]
    made._files = MultiValueDict()  # type: ignore[attr-defined]
    made.LANGUAGE_CODE = ref.locale  # type: ignore[attr-defined]
    try:
        made.resolver_match = resolve(made.path_info)
    except Resolver404:
        made.resolver_match = None
    setattr(made, FILLING, True)
    return made
