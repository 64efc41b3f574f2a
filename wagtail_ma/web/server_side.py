"""Recording by the server itself (``TRACKING = "server"``): a page that is sent is a page viewed.

For sites that cannot run scripts. Pages that Wagtail serves are recorded after they have been
rendered; nothing that happens here reaches the visitor's page.
"""

from __future__ import annotations

import logging
import uuid
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.cache import patch_cache_control
from django.utils.translation import get_language
from wagtail.models import Site

from wagtail_ma import flow
from wagtail_ma.conf import conf
from wagtail_ma.jobs import queue
from wagtail_ma.people import cookies, log_identities
from wagtail_ma.people.cookies import Cookie
from wagtail_ma.tracking import networks, places
from wagtail_ma.tracking.bots import is_bot
from wagtail_ma.tracking.hits import MAX_URL_LENGTH, VIEW, Hit
from wagtail_ma.tracking.models import PageView
from wagtail_ma.tracking.page_token import PageRef
from wagtail_ma.tracking.writing import Busy
from wagtail_ma.web.hits import is_staff

logger = logging.getLogger(__name__)

# Requests for a page that a person is about to look at; browsers that say nothing are old ones.
DESTINATIONS = ("document", "empty")


def record_when_rendered(page: Any, request: HttpRequest, response: Any) -> Any:
    """The answer of a page, recorded once its template has been rendered.

    :param page: the Wagtail page that answered.
    :returns: the answer; with the browser's cookie, and private, if it was recorded.
    """
    if conf.TRACKING != "server" or not _is_asked_by_person(request):
        return response
    if hasattr(response, "add_post_render_callback") and not response.is_rendered:
        response.add_post_render_callback(lambda rendered: _record(page, request, rendered))
        return response
    return _record(page, request, response)


def _is_asked_by_person(request: HttpRequest) -> bool:
    """Whether the request is one for a whole page, to be looked at now."""
    if request.method != "GET" or getattr(request, "is_preview", False):
        return False
    announced = " ".join(request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Moz"))
    if "prefetch" in announced or "prerender" in announced:
        return False
    return request.headers.get("Sec-Fetch-Dest", "document") in DESTINATIONS


def _record(page: Any, request: HttpRequest, response: Any) -> Any:
    try:
        kind = response.get("Content-Type", "").partition(";")[0].strip().lower()
        if response.status_code == 200 and kind == "text/html" and not is_staff(request):
            _write(page, request, response)
    except Busy:
        logger.warning("a view was not recorded: the database is busy")
    except Exception:
        logger.exception("a view could not be recorded")
    return response


def _write(page: Any, request: HttpRequest, response: Any) -> None:
    hit = _hit(page, request)
    if networks.is_excluded(hit.network_id):
        return
    if not hit.is_bot:
        # What a shared cache answers never comes here. Also where no cookie is set.
        patch_cache_control(response, private=True)
        if hit.is_anonymous:
            cookies.forget_key(response, request=request)
    now = timezone.now()
    recorded = flow.receive(hit, now=now)
    queue.wake()
    if recorded.is_silent:
        cookies.put(response, cookies.silencing(request=request))
    key = recorded.browser_key
    if key is not None and (recorded.is_fresh or not cookies.read(request).says(key, now=now)):
        cookies.set_browser_key(response, key, request=request)


def _hit(page: Any, request: HttpRequest) -> Hit:
    user_agent = request.headers.get("User-Agent", "")
    refuses = cookies.refuses_identifier(request)
    bot = is_bot(user_agent)
    cookie = Cookie() if refuses or bot else cookies.read(request)
    site = Site.find_for_request(request)
    place = places.of_request(request.META)
    return Hit(
        kind=VIEW,
        view_id=uuid.uuid4(),
        url=request.build_absolute_uri()[:MAX_URL_LENGTH],
        browser_key=cookie.key,
        is_key_fresh=cookie.is_fresh,
        page=PageRef(site.pk if site else None, page.pk, request.path, get_language() or ""),
        referrer=request.headers.get("Referer", "").replace("\0", "")[:MAX_URL_LENGTH],
        language=_language(request),
        user_agent=user_agent,
        is_bot=bot,
        is_anonymous=refuses,
        source=PageView.Source.SERVER,
        country=place.country,
        region=place.region,
        network_id=place.network_id,
        # A programme keeps no cookie: all with one name are one, or each request would be a visitor.
        log_key=log_identities.key_of("bots", "", user_agent) if bot else "",
    )


def _language(request: HttpRequest) -> str:
    """The language that the browser asks for first."""
    first = request.headers.get("Accept-Language", "").split(",")[0].split(";")[0].strip()
    return first[:12] if first.replace("-", "").isalnum() and first.isascii() else ""
