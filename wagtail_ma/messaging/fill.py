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
from wagtail_ma.messaging.models_of_sending import LinkClick
from wagtail_ma.messaging.slots import Segment, Slot

CLICK = "click"
# The same for every reader: where only the number of clicks is counted; it carries the version.
COUNTED_CLICK = "counted-click"
OPEN = "open"
COUNTED_OPEN = "counted-open"
UNSUBSCRIBE = "unsubscribe"
HONEYPOT = LinkClick.HONEYPOT
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


class Targets:
    """Where the links of one mail lead, for one reader after the other.

    :param compiled: ``MailVersion.compiled``; its ``tracking`` decides.
    :param links: ``MailVersion.links``.
    :param version_id: of the version, for links that only count.
    :param is_real: False for tests and previews: links lead straight to their targets.
    """

    def __init__(
        self,
        compiled: Mapping[str, Any],
        links: list[dict[str, str]],
        *,
        version_id: int = 0,
        is_real: bool = True,
    ) -> None:
        self.tracking = compiled.get("tracking", "individual") if is_real else "off"
        self._links = links
        self._version_id = version_id
        self.click_prefix, self._open = click_url(""), open_url("")
        # Looked up once, not for each of forty links.
        self._secrets = conf.secrets()

    def link(self, public_id: int, number: int) -> str:
        """The address of a link."""
        if self.tracking == "off":
            return self._links[number]["url"]
        if self.tracking == "aggregate":
            return self.click_prefix + mail_token(
                COUNTED_CLICK, self._version_id, number, secrets=self._secrets
            )
        return self.click_prefix + self.token(public_id, number)

    def token(self, public_id: int, number: int) -> str:
        """What follows :attr:`click_prefix` in a link that tells who follows it."""
        return mail_token(CLICK, public_id, number, secrets=self._secrets)

    def honeypot(self, public_id: int) -> str:
        """A link that no person sees (as HTML); whoever follows it follows everything."""
        if self.tracking != "individual":
            return ""
        url = self.click_prefix + mail_token(CLICK, public_id, HONEYPOT)
        return f'<a href="{url}" style="display:none" aria-hidden="true" tabindex="-1" rel="nofollow"></a>'

    def pixel(self, public_id: int) -> str:
        """The picture that tells that a mail is open (as HTML)."""
        if self.tracking == "off":
            return ""
        if self.tracking == "aggregate":
            token = mail_token(COUNTED_OPEN, self._version_id)
        else:
            token = mail_token(OPEN, public_id)
        return f'<img src="{self._open}{token}" width="1" height="1" alt="" style="display:block" />'


def fill(
    compiled: Mapping[str, Any],
    values: Mapping[str, str],
    *,
    public_id: int = NO_DELIVERY,
    targets: Targets | None = None,
    links: list[dict[str, str]] | None = None,
    segments: Collection[int] = (),
) -> Filled:
    """Fill the slots.

    :param compiled: ``MailVersion.compiled``.
    :param values: of the merge fields (``merge_fields.values_of``), plain text.
    :param public_id: of the delivery; goes into every link.
    :param targets: where the links lead.
    :param links: instead of ``targets``, give the links to have them as they are (tests, previews).
    :param segments: ids of those segments that the reader is in, of the ones the mail asks for.
    """
    targets = targets or Targets(compiled, links or [], is_real=links is None)
    unsubscribe = unsubscribe_url(public_id)

    def part(name: str, clean: Callable[[str], str]) -> str:
        gaps = Gaps(values, compiled["language"], clean, targets, public_id, unsubscribe, segments)
        return "".join(
            segment if isinstance(segment, str) else gaps.text(segment) for segment in compiled[name]
        )

    return Filled(
        subject=clean_line(part("subject", str), 400),
        html=part("html", html_value),
        text=part("text", str),
        from_name=compiled["from_name"],
        from_email=compiled["from_email"],
        unsubscribe_url=unsubscribe if compiled["kind"] != "transactional" else "",
    )


def html_value(value: str) -> str:
    """A value of a merge field, safe in HTML."""
    return escape(value, quote=True)


def click_url(token: str) -> str:
    """The absolute address of a tracked link."""
    return conf.BASE_URL + reverse("wagtail_ma:mail_click", args=["~"])[: -len("~")] + token


def unsubscribe_url(public_id: int) -> str:
    """The absolute address of a delivery's unsubscribe page."""
    token = mail_token(UNSUBSCRIBE, public_id)
    return conf.BASE_URL + reverse("wagtail_ma:mail_unsubscribe", args=[token])


def open_url(token: str) -> str:
    """The absolute address of the picture that tells that a mail is open."""
    return conf.BASE_URL + reverse("wagtail_ma:mail_open", args=["~"])[: -len("~")] + token


@dataclass(frozen=True)
class Gaps:
    """What the slots of one part are filled with, for one reader."""

    values: Mapping[str, str]
    language: str
    clean: Callable[[str], str]
    targets: Targets
    public_id: int
    unsubscribe: str
    segments: Collection[int]

    def text(self, slot: Slot) -> str:
        """What one slot becomes (see slots.py)."""
        kind = slot[0]
        if kind == "f":
            return self.clean(merge_fields.value_for(slot[1], slot[2], self.values, self.language))
        if kind == "l":
            return self.clean(self.targets.link(self.public_id, slot[1]))
        if kind == "u":
            return self.unsubscribe
        if kind == "h":
            return self.targets.honeypot(self.public_id)
        if kind == "o":
            return self.targets.pixel(self.public_id)
        if kind == "p":
            chosen = self._chosen(slot)
            return "".join(each if isinstance(each, str) else self.text(each) for each in chosen)
        return ""

    def _chosen(self, slot: Slot) -> list[Segment]:
        """The variant for this reader."""
        for ids, is_negated, part in slot[1]:
            if any(pk in self.segments for pk in ids) != is_negated:
                return part  # type: ignore[no-any-return]
        return slot[2]  # type: ignore[no-any-return]
