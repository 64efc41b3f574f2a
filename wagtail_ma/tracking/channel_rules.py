"""What editors say of where visits came from, on top of what channels.py knows."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import unquote

from wagtail_ma.core.remembered import Remembered
from wagtail_ma.tracking.channels import Channel, parse
from wagtail_ma.tracking.models import ChannelRule

# How long a process goes by the rules it has read (seconds of its own clock). They are asked for
# each new visit.
REMEMBER_SECONDS = 60


class _Rule(NamedTuple):
    field: str
    is_exact: bool
    value: str
    medium: str
    source: str


def apply(channel: Channel, url: str, referrer: str) -> Channel:
    """The channel of a visit, changed by the first rule that fits.

    Costs no statement when the rules were read within :data:`REMEMBER_SECONDS`.

    :param channel: what channels.py found.
    :param url: address of the landing page.
    :param referrer: "" for none.
    """
    rules = _remembered.get()
    if not rules:
        return channel
    facts = _facts(url, referrer)
    for rule in rules:
        if _fits(rule, facts[rule.field]):
            return Channel(rule.medium, rule.source or channel.source, channel.campaign)
    return channel


def forget() -> None:
    """Read the rules again: an editor has changed them. Other processes follow within a minute."""
    _remembered.forget()


def _read() -> tuple[_Rule, ...]:
    return tuple(
        _Rule(
            rule.field,
            rule.comparison == ChannelRule.Comparison.EQUALS,
            _folded(rule.field, rule.value),
            rule.medium,
            rule.source_name.lower(),
        )
        for rule in ChannelRule.objects.order_by("sort_order", "pk")
    )


_remembered = Remembered(_read, seconds=REMEMBER_SECONDS)


def _facts(url: str, referrer: str) -> dict[str, str]:
    """What rules look at, by the name of the field."""
    landing = parse(url)
    found = {
        "referrer_host": parse(referrer).host,
        "landing_path": unquote(landing.path) or "/",
        **{name: landing.parameters.get(name, "") for name in ("utm_source", "utm_medium", "utm_campaign")},
    }
    return {field: _folded(field, value) for field, value in found.items()}


def _folded(field: str, value: str) -> str:
    """The form in which texts are compared: upper and lower case, "www." and a "/" at the end are
    no differences."""
    text = value.strip().casefold()
    if field == ChannelRule.Field.REFERRER_HOST:
        return text.removeprefix("www.")
    if field == ChannelRule.Field.LANDING_PATH:
        return text.rstrip("/") or "/"
    return text


def _fits(rule: _Rule, value: str) -> bool:
    if not value:
        return False
    return value == rule.value if rule.is_exact else rule.value in value
