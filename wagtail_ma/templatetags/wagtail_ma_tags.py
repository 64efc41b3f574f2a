"""``{% load wagtail_ma_tags %}``: the one template tag a site needs."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

from django import template
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language
from wagtail.models import Site

from wagtail_ma.conf import conf
from wagtail_ma.core.current_request import current_request
from wagtail_ma.personalisation.choose import in_named_segment
from wagtail_ma.tracking import disclosure, page_token
from wagtail_ma.tracking.page_token import PageRef

logger = logging.getLogger(__name__)
register = template.Library()

SCRIPT = "wagtail_ma/tracker.js"
# Our own pages behind a personal link: their addresses are secrets and must not become facts.
SECRET_VIEWS = frozenset(
    {"wagtail_ma:download", "wagtail_ma:form_confirm", "wagtail_ma:mail_click", "wagtail_ma:mail_unsubscribe"}
)


@register.simple_tag(takes_context=True, name="wagtail_ma")
def tracker(context: template.Context) -> SafeString:
    """``{% wagtail_ma %}``: the tracker's script with the signed name of this page.

    Put it once into the base template. It runs no statement, sets no cookie, says nothing about the
    visitor (the page stays cacheable) and renders nothing in previews. It never raises.
    """
    try:
        return _script(context)
    except Exception:
        logger.exception("the tracker could not be rendered")
        return SafeString("")


def _script(context: template.Context) -> SafeString:
    request = context.get("request") or current_request()
    if request is None or getattr(request, "is_preview", False) or conf.TRACKING == "server":
        return SafeString("")
    match = getattr(request, "resolver_match", None)
    if match is not None and match.view_name in SECRET_VIEWS:
        return SafeString("")
    consent = SafeString(' data-consent="opt-in"') if conf.CONSENT == "opt_in" else ""
    return format_html(
        '<script src="{}" defer data-url="{}" data-p="{}"{}></script>',
        static(SCRIPT),
        reverse("wagtail_ma:hit"),
        page_token.make(_page_ref(context, request)),
        consent,
    )


@register.simple_tag(takes_context=True, name="wagtail_ma_consent")
def consent_banner(context: template.Context) -> SafeString:
    """``{% wagtail_ma_consent %}``: tells visitors that they are recorded, or asks them whether they may
    be (setting ``CONSENT``).

    The same for everybody, hidden until the script has seen that this browser has not answered yet: pages
    stay cacheable. A site gives it its own look with a template ``wagtail_ma/consent_banner.html``.
    It renders nothing in previews and never raises.
    """
    return _about_recording(context, "wagtail_ma/consent_banner.html")


@register.simple_tag(takes_context=True, name="wagtail_ma_recorded")
def recorded(context: template.Context) -> SafeString:
    """``{% wagtail_ma_recorded %}``: what is recorded here, as the settings have it, with the visitor's
    choice. For a page on data protection; it never raises."""
    return _about_recording(context, "wagtail_ma/recorded.html", sections=disclosure.sections())


def _about_recording(context: template.Context, name: str, **values: Any) -> SafeString:
    try:
        request = context.get("request") or current_request()
        if request is None or getattr(request, "is_preview", False):
            return SafeString("")
        values |= {**disclosure.ways(), "page_token": page_token.make(_page_ref(context, request))}
        return SafeString(render_to_string(name, values))
    except Exception:
        logger.exception("what is recorded could not be rendered")
        return SafeString("")


def _page_ref(context: template.Context, request: Any) -> PageRef:
    page = next((found for name in ("page", "self") if _is_page(found := context.get(name))), None)
    return PageRef(
        site_id=_site_id(request),
        page_id=page.pk if page is not None else None,
        path=request.path,
        locale=get_language() or "",
    )


def _is_page(candidate: Any) -> bool:
    # By its shape, not its class: Wagtail's page model can be swapped. "page" may as well be a
    # page of a paginator, or a page's preview that was never saved.
    return bool(getattr(candidate, "pk", None)) and hasattr(candidate, "url_path")


def _site_id(request: Any) -> int | None:
    """The site that Wagtail found for this request, else the one whose host it has."""
    site = getattr(request, "_wagtail_site", None)
    if site is not None:
        return site.pk
    host = request.get_host()
    name = (urlsplit(f"//{host}").hostname or "").lower()
    for root in Site.get_site_root_paths():
        if urlsplit(root.root_url).hostname == name:
            return root.site_id
    return None


class IfSegmentNode(template.Node):
    """What is between ``{% if_segment "name" %}`` and ``{% end_if_segment %}``."""

    def __init__(self, names: list[Any], inside: template.NodeList, outside: template.NodeList) -> None:
        self.names = names
        self.nodelist_inside = inside
        self.nodelist_outside = outside

    child_nodelists = ("nodelist_inside", "nodelist_outside")

    def render(self, context: template.Context) -> SafeString:
        names = [name.resolve(context) for name in self.names]
        is_in = in_named_segment(names, context.get("request") or current_request())
        return (self.nodelist_inside if is_in else self.nodelist_outside).render(context)


@register.tag
def if_segment(parser: Any, token: Any) -> IfSegmentNode:
    """``{% if_segment "Readers" "Buyers" %} … {% else %} … {% end_if_segment %}``: for people in at
    least one of the segments of these names; an unknown name is nobody's.

    The answer then is for one visitor: it becomes private and is not kept in shared caches.
    """
    tag, *arguments = token.split_contents()
    if not arguments:
        raise template.TemplateSyntaxError(f"{tag} needs the name of at least one segment")
    names = [parser.compile_filter(argument) for argument in arguments]
    inside = parser.parse(("else", "end_if_segment"))
    outside = template.NodeList()
    if parser.next_token().contents == "else":
        outside = parser.parse(("end_if_segment",))
        parser.delete_first_token()
    return IfSegmentNode(names, inside, outside)
