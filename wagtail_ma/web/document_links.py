"""Optional: other ways to a gated document lead to its form, too.

Put ``"wagtail_ma.web.document_links.DocumentMiddleware"`` into ``MIDDLEWARE``, behind the one for log-ins:

* an old link, made before the file was replaced by one of another name (Wagtail itself answers 404);
* the file below ``MEDIA_URL``, where Django serves that directory.
"""

from __future__ import annotations

import logging
import posixpath
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.files.storage import FileSystemStorage
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.static import serve
from wagtail.documents import get_document_model

from wagtail_ma.forms import downloads, gates
from wagtail_ma.web.downloads import gate

logger = logging.getLogger(__name__)

DOCUMENT_VIEW = "wagtaildocs_serve"


class DocumentMiddleware:
    """Asks the gate where Wagtail's view does not. Everything else passes unseen."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        if response.status_code != 404:
            return response
        try:
            return _behind_old_link(request) or response
        except Exception:
            logger.exception("could not tell what an old link was for")
            return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: dict[str, Any]
    ) -> HttpResponseBase | None:
        """Before Django's view for files."""
        if view is not serve or not _is_media(kwargs.get("document_root")):
            return None
        # As that view reads it.
        name = posixpath.normpath(str(kwargs.get("path", ""))).lstrip("/")
        for document in get_document_model().objects.filter(file=name):
            if answer := gate(document, request):
                return answer
        return None


def _behind_old_link(request: HttpRequest) -> HttpResponseBase | None:
    """For a gated document whose file has another name now: the form, or for whoever may have it the
    present address (nobody else is told the name)."""
    match = request.resolver_match
    if match is None or match.view_name != DOCUMENT_VIEW:
        return None
    # Wagtail's pattern has two groups without names: id, name of the file.
    key, name = match.args
    document = downloads.find_document(int(key)) if len(key) < 19 else None
    if document is None or document.filename == name:
        return None
    if gates.gate_of(document.pk) is None:
        return None
    present = reverse(DOCUMENT_VIEW, args=[document.pk, document.filename])
    return gate(document, request) or HttpResponseRedirect(present)


def _is_media(root: Any) -> bool:
    return bool(root) and Path(root).resolve() == Path(FileSystemStorage().location).resolve()
