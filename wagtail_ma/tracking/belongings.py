"""How the tables of this domain follow a person."""

from __future__ import annotations

from wagtail_ma.core.belongings import Belonging, declare

declare(Belonging("wagtail_ma.Visit", "fact", fields=("identity", "visitor"), active_at="last_at"))
declare(Belonging("wagtail_ma.PageView", "fact", identity="visit__identity"))
declare(Belonging("wagtail_ma.Activity", "fact", fields=("identity", "visitor"), active_at="at"))
