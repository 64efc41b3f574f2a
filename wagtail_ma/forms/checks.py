"""System checks: ways round the gate of a document."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register


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
    if method == "redirect" and _storage_is_public():
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


def _storage_is_public() -> bool:
    from django.core.files.storage import FileSystemStorage, default_storage

    return isinstance(default_storage, FileSystemStorage)
