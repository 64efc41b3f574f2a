"""System checks: ways round the gate of a document."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Tags, Warning, register
from django.core.files.storage import FileSystemStorage
from django.urls import Resolver404, resolve
from django.views.static import serve
from wagtail.documents import get_document_model

DOCUMENT_MIDDLEWARE = "wagtail_ma.web.document_links.DocumentMiddleware"


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
    if method == "redirect" and isinstance(_document_storage(), FileSystemStorage):
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


@register(Tags.security)
def check_storage(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """A remote storage signs the addresses that it gives out for documents."""
    storage = _document_storage()
    if isinstance(storage, FileSystemStorage) or signs_addresses(storage):
        return []
    return [
        Warning(
            "The storage of documents gives out public addresses: whoever knows or guesses the address of a "
            "gated document can have it without the form.",
            hint="Keep documents in a private bucket and let the storage sign its addresses "
            "(django-storages: querystring_auth = True without custom_domain; Azure: expiration_secs).",
            id="wagtail_ma.W033",
        )
    ]


def signs_addresses(storage: Any) -> bool:
    """Whether what a storage gives out as address is for a time and not for everybody, as far as can be
    told without asking anybody: by the settings of django-storages, else by an address itself.

    True where there are no addresses at all: such files go through Wagtail's view.
    """
    if getattr(storage, "custom_domain", None) and not getattr(storage, "cloudfront_signer", None):
        return False
    for name in ("querystring_auth", "expiration_secs"):
        if hasattr(storage, name):
            return bool(getattr(storage, name))
    try:
        return "?" in str(storage.url("documents/gated.pdf"))
    except Exception:
        return True


def _document_storage() -> Any:
    return get_document_model()._meta.get_field("file").storage


@register(Tags.urls)
def check_media(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Django itself does not hand out the documents directory (in production)."""
    address = f"{settings.MEDIA_URL}documents/gated.pdf"
    if settings.DEBUG or DOCUMENT_MIDDLEWARE in settings.MIDDLEWARE:
        return []
    if not settings.MEDIA_URL.startswith("/"):
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
            hint="Publish the images directory of MEDIA_ROOT only (documents have addresses of their own), "
            f"or add {DOCUMENT_MIDDLEWARE!r} to MIDDLEWARE.",
            id="wagtail_ma.W032",
        )
    ]
