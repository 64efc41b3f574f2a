"""What is still missing before a mail may go out, in words for its editor."""

from __future__ import annotations

import re
from datetime import datetime

from django.utils.translation import gettext as _

from wagtail_ma.conf import conf
from wagtail_ma.messaging.compile import (
    SIGNATURE,
    CannotCompile,
    Compiled,
    compile_mail,
    current_version,
    present_version,
    static_text,
)
from wagtail_ma.messaging.merge_fields import missing_defaults
from wagtail_ma.messaging.models import Mail, MailVersion
from wagtail_ma.segments.models import Segment

# Gmail shows no more than this of a mail and hides the rest, with it the unsubscribe link.
MAX_BYTES = 102_000
# A letter, a digit, or something that is filled in.
WORDS = re.compile(r"\w|…")


def version_to_send(mail: Mail, *, now: datetime) -> MailVersion:
    """The version that goes out now. What is published anew is looked at first: a mail with a problem does
    not leave, whoever sends it (an audience, a scenario, its own rule).

    :raises CannotCompile: it is not ready; says why.
    """
    present = present_version(mail)
    if present is not None:
        return present
    if found := problems(mail):
        raise CannotCompile(" ".join(found))
    return current_version(mail, now=now)


def problems(mail: Mail) -> list[str]:
    """Everything that forbids sending this mail now; empty when it is ready.

    :param mail: as it stands; what is sent later is its published content.
    """
    found: list[str] = []
    if not mail.live:
        found.append(_("It is not published."))
    if mail.sender_id is None:
        return [*found, _("It has no sender.")]
    return found + _of_sender(mail) + _of_content(mail)


def _of_sender(mail: Mail) -> list[str]:
    sender = mail.sender
    if all((sender.name, sender.email, sender.legal_name, sender.postal_address, sender.contact)):
        return []
    return [_("The sender lacks a name, an address or a contact, which the law wants shown.")]


def _of_content(mail: Mail) -> list[str]:
    found: list[str] = []
    if not mail.subject.strip():
        found.append(_("It has no subject."))
    if not mail.body:
        found.append(_("It is empty."))
    if not conf.BASE_URL:
        found.append(_("The site's own address is not set (WAGTAIL_MA: BASE_URL); links need it."))
    try:
        return found + (_of_compiled(compile_mail(mail)) if mail.body else [])
    except CannotCompile as error:
        return [*found, str(error)]


def _of_compiled(compiled: Compiled) -> list[str]:
    found = [
        _("The link “%(label)s” leads nowhere (no target, or a page that is not published).")
        % {"label": label}
        for label in compiled.bad_links
    ]
    found += [_("“%(text)s” is no merge field.") % {"text": text} for text in compiled.suspects]
    holes = {name for part in ("subject", "html", "text") for name in missing_defaults(compiled.parts[part])}
    found += [
        _("{{ lead.%(name)s }} has no default: say what stands there for readers of whom it is not known.")
        % {"name": name}
        for name in sorted(holes)
    ]
    words = static_text(compiled.parts["text"]).partition(SIGNATURE)[0]
    if not WORDS.search(words):
        found.append(_("Its plain text would be empty: add words, or say what is in the pictures."))
    found += _of_segments(compiled.parts["segments"])
    size = len(static_text(compiled.parts["html"]).encode())
    if size > MAX_BYTES:
        found.append(_("It is too long: %(size)s kB; Gmail cuts mails at 102 kB.") % {"size": size // 1000})
    return found


def _of_segments(segment_ids: list[int]) -> list[str]:
    """A personalised block for a segment that mail cannot know."""
    known = dict(Segment.objects.filter(pk__in=segment_ids).values_list("pk", "is_live"))
    found = []
    if len(known) < len(segment_ids):
        found.append(_("A personalised block is for a segment that was deleted."))
    if any(known.values()):
        found.append(_("A personalised block is for a live segment: its members are known on pages only."))
    return found
