"""Caches in front of the site: pages that use a segment are fetched anew when it changes.

Pages that change themselves are purged by ``wagtail.contrib.frontend_cache``, which must be installed
and set up for either to happen.
"""

from __future__ import annotations

import logging
from typing import Any

import swapper
from django.apps import apps
from wagtail.models import ReferenceIndex

logger = logging.getLogger(__name__)


def pages_using(segment: Any) -> list[Any]:
    """The live pages with a variant for the segment, by Wagtail's reference index."""
    model = swapper.load_model("wagtailcore", "Page")
    users = (user for user, _where in ReferenceIndex.get_references_to(segment).group_by_source_object())
    return [user for user in users if isinstance(user, model) and user.live]


def purge(pages: list[Any]) -> None:
    """Have the caches forget these pages; never raises: the caches forget by themselves, later."""
    if not pages or not apps.is_installed("wagtail.contrib.frontend_cache"):
        return
    from wagtail.contrib.frontend_cache.utils import PurgeBatch

    try:
        batch = PurgeBatch()
        batch.add_pages(pages)
        batch.purge()
    except Exception:
        logger.exception("pages could not be purged from the cache in front of the site")
