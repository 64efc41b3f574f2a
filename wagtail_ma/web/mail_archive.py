"""A newsletter to read on the site."""

from __future__ import annotations

import logging

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from wagtail_ma.core.tokens import BadToken
from wagtail_ma.messaging import archive

logger = logging.getLogger(__name__)

# What editors wrote was cleaned; nothing of it could run here in any case.
POLICY = "default-src 'none'; img-src * data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


@login_not_required
@require_safe
def newsletter(request: HttpRequest, token: str) -> HttpResponse:
    """The newsletter as somebody reads it of whom nothing is known; 404 when it is not out."""
    try:
        filled = archive.read(token)
    except BadToken:
        raise Http404 from None
    except Exception:
        logger.exception("a newsletter could not be shown")
        raise Http404 from None
    if filled is None:
        raise Http404
    response = HttpResponse(filled.html)
    response["Content-Security-Policy"] = POLICY
    return response
