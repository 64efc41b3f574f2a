"""Stands in for ``wagtail_ma_tags`` where the page is measured without us."""

from __future__ import annotations

from typing import Any

from django import template

register = template.Library()


@register.simple_tag(name="wagtail_ma")
def nothing(*args: Any, **kwargs: Any) -> str:
    """The tag that renders nothing."""
    return ""


register.simple_tag(nothing, name="wagtail_ma_consent")
