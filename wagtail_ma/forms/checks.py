"""System checks: ways round the gate of a document."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register
from django.core.files.storage import FileSystemStorage, default_storage
from django.urls import Resolver404, resolve
from django.views.static import serve


@register(Tags.security)
def check_documents(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Documents pass through Wagtail's view, where the gate stands."""
    method = getattr(settings, "WAGTAILDOCS_SERVE_METHOD", None)
    if method == "direct":
        return [
            Warning(
                'WAGTAILDOCS_SERVE_METHOD is "direct": links lead to the files themselves, and gated '
                "documents can be had without the form.",
                hint='Set WAGTAILDOCS_SERVE_METHOD = "serve_view" (or "redirect" with a storage that '
                "signs its addresses), and do not publish the documents directory of MEDIA_ROOT.",
                id="wagtail_ma.W030",
            )
        ]
    if method == "redirect" and isinstance(default_storage, FileSystemStorage):
        return [
            Warning(
                'WAGTAILDOCS_SERVE_METHOD is "redirect" and the files lie below MEDIA_URL: whoever '
                "knows the address of a gated document can have it without the form.",
                hint='Set WAGTAILDOCS_SERVE_METHOD = "serve_view" and do not publish the documents '
                "directory of MEDIA_ROOT.",
                id="wagtail_ma.W031",
            )
        ]
    return []


@register(Tags.urls)
def check_media(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Django itself does not hand out the documents directory (in production)."""
    address = f"{settings.MEDIA_URL}documents/gated.pdf"
    if settings.DEBUG or not settings.MEDIA_URL.startswith("/"):
        return []
    try:
        view = resolve(address).func
    except Resolver404:
        return []
    if view is not serve:
        return []
    return [
        Warning(
            "The URLconf hands out all files below MEDIA_URL: gated documents can be had there without "
            "the form.",
            hint="Publish the images directory of MEDIA_ROOT only; documents have addresses of their own.",
            id="wagtail_ma.W032",
        )
    ]
