"""A mail as its reader will see it: in the editor's preview, and as a test in one's own inbox."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from django.http import HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import override, pgettext
from wagtail.log_actions import log
from wagtail.models import ModelLogEntry

from wagtail_ma.messaging import merge_fields
from wagtail_ma.messaging.compile import CannotCompile, compile_mail, content_hash, language_of
from wagtail_ma.messaging.fill import Filled, fill
from wagtail_ma.messaging.message import compose, message_id
from wagtail_ma.messaging.models import Mail, draw_public_id
from wagtail_ma.messaging.readers import segments_of
from wagtail_ma.messaging.transport import Fate, Line, NoConnection
from wagtail_ma.people.models import Lead
from wagtail_ma.segments.models import Segment

# An action of Wagtail's log.
TESTED = "wagtail_ma.mail_test"


def sample_lead(mail: Mail) -> Lead:
    """Somebody who stands for the reader (never saved)."""
    with override(language_of(mail)):
        return Lead(
            email="reader@example.com",
            family_name=pgettext("sample of a family name", "Smith"),
            given_name=pgettext("sample of a given name", "Alex"),
            family_name_kana=pgettext("sample of a family name in kana", "Smith"),
            given_name_kana=pgettext("sample of a given name in kana", "Alex"),
            company_name=pgettext("sample of a company", "Example Ltd"),
            department=pgettext("sample of a department", "Purchasing"),
            title=pgettext("sample of a title", "Manager"),
        )


def filled_for(mail: Mail, lead: Lead | None = None, *, segments: Collection[int] = ()) -> Filled:
    """The mail as it stands, for one person, with the real targets instead of tracked links.

    :param lead: default a sample.
    :param segments: ids of segments that the sample is in; of a lead, those are looked up.
    :raises CannotCompile: it cannot be laid out.
    """
    compiled = compile_mail(mail)
    values = merge_fields.values_of(lead or sample_lead(mail), compiled.parts["language"])
    if lead is not None:
        segments = segments_of(lead.visitor_id, compiled.parts)
    return fill(compiled.parts, values, links=compiled.links, segments=segments)


def modes(mail: Mail) -> list[tuple[str, Any]]:
    """What the editor may choose from in Wagtail's preview: HTML, plain, phone, and the HTML for
    each segment that the mail speaks to in its own words."""
    found: list[tuple[str, Any]] = [
        ("html", _("HTML")),
        ("plain", _("Plain text")),
        ("phone", _("On a phone")),
    ]
    try:
        asked = compile_mail(mail).parts["segments"] if mail.sender_id else []
    except CannotCompile:
        asked = []
    names = Segment.objects.filter(pk__in=asked).order_by("name").values_list("pk", "name")
    return [*found, *((f"segment-{pk}", _("Segment: %(name)s") % {"name": name}) for pk, name in names)]


def preview_response(mail: Mail, mode_name: str) -> HttpResponse:
    """The answer to Wagtail's preview in one of the :func:`modes`."""
    kind, _dash, number = mode_name.partition("-")
    try:
        filled = filled_for(mail, segments=[int(number)] if number.isdecimal() else [])
    except CannotCompile as error:
        return HttpResponse(str(error), content_type="text/plain; charset=utf-8")
    if kind == "phone":
        return HttpResponse(render_to_string("wagtail_ma/mail/on_a_phone.html", {"html": filled.html}))
    if kind != "plain":
        return HttpResponse(filled.html)
    # The preview is asked for as if by a visitor: the editor's own language is not known here.
    with override(language_of(mail)):
        text = f"{head(filled)}\n\n{filled.text}"
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


def head(filled: Filled) -> str:
    """Sender and subject in words."""
    return _("From: %(name)s <%(email)s>\nSubject: %(subject)s") % {
        "name": filled.from_name,
        "email": filled.from_email,
        "subject": filled.subject,
    }


def note_test(mail: Mail, user: Any) -> None:
    """Write down in Wagtail's log that exactly this content was sent as a test."""
    log(mail, TESTED, user=user, data={"content": content_hash(mail)})


def is_tested(mail: Mail) -> bool:
    """Whether a test of exactly this content (draft or published) has been sent."""
    entries = ModelLogEntry.objects.for_instance(mail).filter(action=TESTED)
    return entries.filter(data__content=content_hash(mail)).exists()


def send_test(mail: Mail, to: str, lead: Lead | None = None) -> str:
    """Send the mail as it stands to somebody of one's own staff, at once.

    Not a delivery: nothing is counted, links are not tracked, unsubscribing does nothing.

    :param to: the address of the person who asks.
    :returns: "" when the mail server took it, else its words.
    :raises CannotCompile: it cannot be laid out.
    :raises ValueError: a header would be broken.
    """
    filled = filled_for(mail, lead)
    filled = replace(filled, subject=_("[Test] %(subject)s") % {"subject": filled.subject})
    message = compose(filled, to=to, message_id=message_id(draw_public_id(), filled.from_email))
    with Line() as line:
        try:
            line.open()
        except NoConnection as error:
            return str(error)
        outcome = line.send(message)
    return "" if outcome.fate is Fate.SENT else outcome.detail or str(outcome.fate.value)
