"""The page "what we record"."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.views.decorators.http import require_safe


@require_safe
def recorded(request: HttpRequest) -> HttpResponse:
    """What is recorded here, as the settings have it, and the visitor's choice.

    ``?lang=ja`` asks for a language of the site; without it, and for any other, it is the one that the
    site found for this request.
    """
    try:
        language = translation.get_supported_language_variant(request.GET.get("lang", ""))
    except LookupError:
        language = translation.get_language() or ""
    with translation.override(language):
        return render(request, "wagtail_ma/recorded_page.html")
