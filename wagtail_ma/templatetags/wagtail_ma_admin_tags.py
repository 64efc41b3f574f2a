"""Small filters for our admin templates."""

from __future__ import annotations

from django import template
from wagtail.admin.templatetags.wagtailadmin_tags import intcomma

from wagtail_ma.core.durations import spoken as spoken_duration

register = template.Library()
register.filter("intcomma", intcomma)


@register.filter
def spoken(seconds: float | None) -> str:
    """``75`` → ``1 min 15 s``; None → a dash."""
    return "–" if seconds is None else spoken_duration(seconds)
