"""How the tables of this domain follow a person."""

from __future__ import annotations

from wagtail_ma.core.belongings import Belonging, declare
from wagtail_ma.segments.causes import keep_note

declare(Belonging("wagtail_ma.Membership", "derived", before_merge=keep_note))
declare(Belonging("wagtail_ma.PastMembership", "decision", fields=("visitor", "born_visitor"), is_trace=True))
declare(Belonging("wagtail_ma.SegmentDecision", "decision", fields=("visitor", "born_visitor")))
