"""How the tables of this domain follow a person."""

from __future__ import annotations

from wagtail_ma.core.belongings import Belonging, declare

declare(Belonging("wagtail_ma.Membership", "derived"))
declare(Belonging("wagtail_ma.PastMembership", "decision", fields=("visitor", "born_visitor")))
declare(Belonging("wagtail_ma.SegmentDecision", "decision", fields=("visitor", "born_visitor")))
