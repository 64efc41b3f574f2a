"""Says once in the log that hits are answered by an asynchronous server, and the cure.

A system check cannot know it: only ``ASGI_APPLICATION`` hints at it, which Django itself never sets.
"""

from __future__ import annotations

import logging

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from wagtail_ma.conf import conf

logger = logging.getLogger(__name__)


class Notice:
    """Given once per process."""

    def __init__(self) -> None:
        self.is_given = False

    def look(self, request: HttpRequest) -> None:
        """Log a warning if this hit came over ASGI and is written to the database before the answer."""
        if self.is_given or not isinstance(request, ASGIRequest) or conf.RECORDING != "direct":
            return
        self.is_given = True
        logger.warning(
            "Hits come over ASGI: each takes a thread and, without a pool, a database connection of its own. "
            "Let a WSGI server answer the addresses of wagtail_ma, or set WAGTAIL_MA['RECORDING'] to "
            "'buffered' or 'redis'."
        )


notice = Notice()
