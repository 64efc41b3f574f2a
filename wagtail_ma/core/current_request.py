"""The request being served, for blocks printed without a context (``{{ page.body }}``).

Set by the ``before_serve_page`` hook in ``wagtail_hooks.py``; a context variable, so it is right
under threads and under ASGI. It holds a weak reference: a finished request is never kept alive.
"""

from __future__ import annotations

import weakref
from contextvars import ContextVar
from typing import Any

_current: ContextVar[Any] = ContextVar("wagtail_ma_request", default=None)


def set_request(request: Any) -> None:
    """Remember the request now being served in this context."""
    _current.set(weakref.ref(request))


def current_request() -> Any | None:
    """The request now being served, or None outside of one."""
    reference = _current.get()
    return reference() if reference is not None else None


def forget_request() -> None:
    """The page has been served: what this thread renders next is not for its visitor.

    The weak reference alone is not enough: requests are parts of cycles and may outlive their end.
    """
    _current.set(None)
