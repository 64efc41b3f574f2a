"""The one base of all errors that wagtail_ma raises on purpose."""

from __future__ import annotations


class MarketingError(Exception):
    """Domain code raises subclasses; the edges (views, jobs) translate them for people."""
