"""How the tables of this domain follow a person."""

from __future__ import annotations

from wagtail_ma.core.belongings import Belonging, declare

declare(Belonging("wagtail_ma.ScoreEntry", "derived"))
declare(Belonging("wagtail_ma.Standing", "derived"))
declare(Belonging("wagtail_ma.Interest", "derived"))
declare(Belonging("wagtail_ma.GivenPoints", "decision", fields=("visitor", "born_visitor")))
# What stays of visits that are deleted by age.
declare(Belonging("wagtail_ma.CarriedPoints", "fact", fields=("identity", "visitor"), is_trace=True))
declare(
    Belonging(
        "wagtail_ma.CarriedCounts",
        "fact",
        fields=("identity", "visitor"),
        active_at="last_seen_at",
        is_trace=True,
    )
)
