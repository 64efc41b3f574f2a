"""Fill a compiled mail for one recipient."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from django.urls import reverse

from wagtail_ma.conf import conf
from wagtail_ma.core.text import clean_line
from wagtail_ma.core.tokens import mail_token
from wagtail_ma.messaging import merge_fields
from wagtail_ma.messaging.slots import Segment, Slot

CLICK = "click"
UNSUBSCRIBE = "unsubscribe"
# The number of mails that were never a delivery: tests and previews.
NO_DELIVERY = 0


@dataclass(frozen=True)
class Filled:
    """A mail for one person.

    :param unsubscribe_url: "" in a transactional mail.
    """

    subject: str
    html: str
    text: str
    from_name: str
    from_email: str
    unsubscribe_url: str


def fill(
    compiled: Mapping[str, Any],
    values: Mapping[str, str],
    *,
    public_id: int = NO_DELIVERY,
    links: list[dict[str, str]] | None = None,
    segments: Collection[int] = (),
) -> Filled:
    """Fill the slots.

    :param compiled: ``MailVersion.compiled``.
    :param values: of the merge fields (``merge_fields.values_of``), plain text.
    :param public_id: of the delivery; goes into every link.
    :param links: give the targets to have them instead of tracked links (tests, previews).
    :param segments: ids of those segments that the reader is in, of the ones the mail asks for.
    """
    unsubscribe = unsubscribe_url(public_id)
    click_prefix, _sep, click_suffix = click_url("~").partition("~")

    def link(number: int) -> str:
        if links is not None:
            return links[number]["url"]
        return f"{click_prefix}{mail_token(CLICK, public_id, number)}{click_suffix}"

    def part(name: str, clean: Callable[[str], str]) -> str:
        gaps = _Gaps(values, compiled["language"], clean, link, unsubscribe, segments)
        return _fill_part(compiled[name], gaps)

    return Filled(
        subject=clean_line(part("subject", str), 400),
        html=part("html", lambda value: escape(value, quote=True)),
        text=part("text", str),
        from_name=compiled["from_name"],
        from_email=compiled["from_email"],
        unsubscribe_url=unsubscribe if compiled["kind"] != "transactional" else "",
    )


def click_url(token: str) -> str:
    """The absolute address of a tracked link."""
    return conf.BASE_URL + reverse("wagtail_ma:mail_click", args=[token])


def unsubscribe_url(public_id: int) -> str:
    """The absolute address of a delivery's unsubscribe page."""
    token = mail_token(UNSUBSCRIBE, public_id)
    return conf.BASE_URL + reverse("wagtail_ma:mail_unsubscribe", args=[token])


@dataclass(frozen=True)
class _Gaps:
    """What the slots of one part are filled with."""

    values: Mapping[str, str]
    language: str
    clean: Callable[[str], str]
    link: Callable[[int], str]
    unsubscribe: str
    segments: Collection[int]

    def chosen(self, slot: Slot) -> list[Segment]:
        """The variant for this reader."""
        for ids, is_negated, part in slot[1]:
            if any(pk in self.segments for pk in ids) != is_negated:
                return part  # type: ignore[no-any-return]
        return slot[2]  # type: ignore[no-any-return]


def _fill_part(segments: list[Segment], gaps: _Gaps) -> str:
    out: list[str] = []
    for segment in segments:
        if isinstance(segment, str):
            out.append(segment)
        elif segment[0] == "f":
            value = merge_fields.value_for(segment[1], segment[2], gaps.values, gaps.language)
            out.append(gaps.clean(value))
        elif segment[0] == "l":
            out.append(gaps.clean(gaps.link(segment[1])))
        elif segment[0] == "u":
            out.append(gaps.unsubscribe)
        elif segment[0] == "p":
            out.append(_fill_part(gaps.chosen(segment), gaps))
    return "".join(out)
