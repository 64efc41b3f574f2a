"""What a request tells of whoever sent it: known only while a page is being rendered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


def nobody_logged_in() -> bool:
    """The answer where nobody can have logged in."""
    return False


@dataclass(frozen=True)
class RequestFacts:
    """The facts that live conditions ask for.

    :param query: the parameters of the page's address; a repeated one has several values.
    :param referrer: address of the page before, "" when it is not told.
    :param language: the code that the browser asks for first, such as ``ja`` or ``en-gb``; "" if none.
    :param country: two letters in capitals as the proxy or a local database tells them, "" if neither does.
    :param is_logged_in: a function, because asking reads the session.
    """

    now: datetime
    query: Mapping[str, Sequence[str]] = field(default_factory=dict)
    referrer: str = ""
    user_agent: str = ""
    language: str = ""
    country: str = ""
    is_logged_in: Callable[[], bool] = nobody_logged_in
