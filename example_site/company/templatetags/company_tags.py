"""What the templates need to know about the tree around a page."""

from __future__ import annotations

from typing import Any

from django import template
from django.conf import settings
from django.utils.translation import get_language
from wagtail.models import Page, Site

from company.models import HomePage

register = template.Library()


@register.simple_tag(takes_context=True)
def site_home(context: dict[str, Any]) -> Page | None:
    """The home page in the language of this request, or None on a site without pages."""
    site = Site.find_for_request(context.get("request"))
    if site is None:
        return None
    root = Page.objects.filter(pk=site.root_page_id).values("translation_key")
    homes = HomePage.objects.live().filter(translation_key__in=root)
    return homes.filter(locale__language_code=get_language()).first() or site.root_page


@register.simple_tag
def menu_of(home: Page | None) -> list[Page]:
    """The pages directly below ``home`` that are shown in menus, in tree order."""
    return list(home.get_children().live().in_menu()) if home else []


@register.simple_tag
def pages_below(home: Page | None) -> list[Page]:
    """All published pages directly below ``home``, in tree order."""
    return list(home.get_children().live()) if home else []


@register.simple_tag
def crumbs(page: Page | None) -> list[Page]:
    """The pages from the home page down to the parent of ``page``."""
    if not isinstance(page, Page) or page.depth is None or page.depth <= 2:
        return []
    return list(page.get_ancestors().filter(depth__gte=2))


@register.simple_tag
def languages_of(page: Page | None) -> list[dict[str, Any]]:
    """The page in every language it is published in: ``code``, ``name``, ``page``."""
    if not isinstance(page, Page) or page.pk is None:
        return []
    names = {"ja": "日本語", "en": "English"}
    found = page.get_translations(inclusive=True).live().select_related("locale")
    by_code = {translation.locale.language_code: translation for translation in found}
    return [
        {"code": code, "name": names.get(code, str(label)), "page": by_code[code]}
        for code, label in settings.WAGTAIL_CONTENT_LANGUAGES
        if code in by_code
    ]
