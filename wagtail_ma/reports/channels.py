"""How channels are called in reports."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

CHANNEL_LABELS = {
    "organic": _("Search"),
    "paid": _("Advertising"),
    "social": _("Social media"),
    "email": _("E-mail"),
    "rss": _("Feeds"),
    "referral": _("Other sites"),
    "direct": _("Direct"),
    "ai": _("AI assistants"),
    "internal": _("Own site"),
    "offline": _("Offline"),
}


def named(channels: dict[str, int]) -> list[tuple[str, int]]:
    """(name, visits) of each channel, the largest first."""
    ranked = sorted(channels.items(), key=lambda item: (-item[1], item[0]))
    return [(str(CHANNEL_LABELS.get(medium, medium)), count) for medium, count in ranked]
