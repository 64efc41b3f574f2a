"""A mail as its reader will see it: in the editor's preview, and as a test in one's own inbox."""

from __future__ import annotations

from dataclasses import replace

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import override, pgettext

from wagtail_ma.messaging import merge_fields
from wagtail_ma.messaging.compile import CannotCompile, compile_mail, language_of
from wagtail_ma.messaging.fill import Filled, fill
from wagtail_ma.messaging.message import compose, message_id
from wagtail_ma.messaging.models import Mail, draw_public_id
from wagtail_ma.messaging.transport import Fate, Line, NoConnection
from wagtail_ma.people.models import Lead


def sample_lead(mail: Mail) -> Lead:
    """Somebody who stands for the reader (never saved)."""
    with override(language_of(mail)):
        return Lead(
            email="reader@example.com",
            family_name=pgettext("sample of a family name", "Smith"),
            given_name=pgettext("sample of a given name", "Alex"),
            company_name=pgettext("sample of a company", "Example Ltd"),
            department=pgettext("sample of a department", "Purchasing"),
            title=pgettext("sample of a title", "Manager"),
        )


def filled_for(mail: Mail, lead: Lead | None = None) -> Filled:
    """The mail as it stands, for one person, with the real targets instead of tracked links.

    :param lead: default a sample.
    :raises CannotCompile: it cannot be laid out.
    """
    compiled = compile_mail(mail)
    values = merge_fields.values_of(lead or sample_lead(mail), compiled.parts["language"])
    return fill(compiled.parts, values, links=compiled.links)


def preview_response(mail: Mail, mode_name: str) -> HttpResponse:
    """The answer to Wagtail's preview: the HTML, or the plain text with its subject."""
    try:
        filled = filled_for(mail)
    except CannotCompile as error:
        return HttpResponse(str(error), content_type="text/plain; charset=utf-8")
    if mode_name != "plain":
        return HttpResponse(filled.html)
    head = _("From: %(name)s <%(email)s>\nSubject: %(subject)s") % {
        "name": filled.from_name,
        "email": filled.from_email,
        "subject": filled.subject,
    }
    return HttpResponse(f"{head}\n\n{filled.text}", content_type="text/plain; charset=utf-8")


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
