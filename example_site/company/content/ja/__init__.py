"""The Japanese words."""

from __future__ import annotations

from company.content.structure import Text

from . import articles, cases, firm, offer

TEXTS: dict[str, Text] = {**offer.TEXTS, **cases.TEXTS, **articles.TEXTS, **firm.TEXTS}
