"""The mails that forms send: to the sender, to confirm the address; to staff, with the answers.

The texts are made at the moment of sending from the submission itself, so that no copy of what
somebody typed stays behind in the queue when they are erased.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import override

from wagtail_ma.conf import conf
from wagtail_ma.core.text import clean_line
from wagtail_ma.forms.models import Submission
from wagtail_ma.forms.translations import in_language
from wagtail_ma.messaging import transactional
from wagtail_ma.messaging.fill import Filled
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people.models import Lead

CONFIRM = "form_confirm"
NOTICE = "form_notice"
CONFIRM_DAYS = 7
# The subject of a mail: long names of forms are cut.
NAME_LENGTH = 80


def send_confirmation(
    submission: Submission, lead: Lead, url: str, *, now: datetime, language: str = ""
) -> Delivery | None:
    """Plan the mail that asks the sender of a form to confirm the address; once per submission.

    :param url: the signed link, from the site's root.
    """
    extra = {
        "submission": submission.pk,
        "url": transactional.absolute(url),
        "language": transactional.language_for(lead, language),
    }
    email = str(submission.data.get("email", ""))
    occurrence = f"submission:{submission.pk}"
    return transactional.plan(CONFIRM, lead, now=now, occurrence=occurrence, extra=extra, email=email)


def send_notices(submission: Submission, lead: Lead, *, now: datetime) -> None:
    """Plan a mail with the answers to each of the form's own addresses; once per submission."""
    form = submission.form
    if form is None:
        return
    for number, address in enumerate(form.notified):
        transactional.plan(
            NOTICE,
            lead,
            now=now,
            occurrence=f"submission:{submission.pk}:{number}",
            extra={"submission": submission.pk},
            email=address,
            is_internal=True,
        )


def _fill_confirmation(delivery: Delivery) -> Filled:
    extra = delivery.extra
    submission = _submission_of(delivery)
    with override(extra["language"]):
        form = in_language(submission.form, extra["language"]) if submission.form else None
        consent = submission.version.content["consent_text"] if submission.version else ""
        context = {
            "form_name": (form.heading or form.name) if form else "",
            "consent_text": consent if submission.data.get("consent") else "",
            "url": extra["url"],
            "days": CONFIRM_DAYS,
        }
        return transactional.filled(
            delivery,
            "wagtail_ma/mail/confirm_address",
            subject=_("Please confirm your e-mail address"),
            language=extra["language"],
            context=context,
        )


def _fill_notice(delivery: Delivery) -> Filled:
    submission = _submission_of(delivery)
    language = conf.staff_language()
    with override(language):
        name = clean_line(submission.form.name if submission.form else "", NAME_LENGTH)
        context = {
            "form_name": name,
            "at": submission.at,
            "answers": [(label, _shown(answer)) for label, answer in submission.answers()],
            "state": submission.get_state_display() if submission.state != "accepted" else "",
            "url": _visitor_url(submission),
        }
        return transactional.filled(
            delivery,
            "wagtail_ma/mail/form_notice",
            # The editor's words and nothing that a visitor typed.
            subject=_("Form sent: %(form)s") % {"form": name},
            language=language,
            context=context,
        )


def _submission_of(delivery: Delivery) -> Submission:
    found = Submission.objects.select_related("form", "version").filter(pk=delivery.extra["submission"])
    submission = found.first()
    if submission is None:
        raise KeyError("the submission is gone")
    return submission


def _visitor_url(submission: Submission) -> str:
    try:
        path = reverse("wagtail_ma_visitors:visitor", args=[submission.visitor_id])
    except NoReverseMatch:
        # The Wagtail admin lives on another host.
        return ""
    return transactional.absolute(path)


def _shown(answer: Any) -> str:
    """An answer for reading."""
    if isinstance(answer, list):
        return ", ".join(str(one) for one in answer)
    if isinstance(answer, bool):
        return _("Yes") if answer else _("No")
    return str(answer)


transactional.builtins.register(CONFIRM, _fill_confirmation)
transactional.builtins.register(NOTICE, _fill_notice)
