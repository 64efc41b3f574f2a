"""Mails that we write ourselves, because somebody asked for them just now."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import urljoin

from django.template.loader import render_to_string
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from wagtail_ma.conf import conf
from wagtail_ma.core.text import clean_line, normalise_email
from wagtail_ma.messaging import merge_fields, message
from wagtail_ma.messaging.fill import Filled
from wagtail_ma.messaging.models import Delivery, SenderProfile, draw_public_id
from wagtail_ma.people.models import Lead

DOWNLOAD_LINK = "download_link"


def send_download_link(
    lead: Lead,
    document_title: str,
    url: str,
    *,
    now: datetime,
    occurrence: str = "",
    language: str = "",
) -> Delivery | None:
    """Plan the mail with a download link. Needs no consent: the person has just asked for it.

    :param url: the signed link, absolute or from the site's root.
    :param occurrence: names the occasion (e.g. the submission): the same one is one mail.
        Without it every call is a mail.
    :param language: of the mail; default the lead's, else the present one.
    :returns: None when the lead has no usable address.
    """
    try:
        email = normalise_email(lead.email)
    except ValueError:
        return None
    sender = SenderProfile.objects.order_by("pk").first()
    public_id = draw_public_id()
    values: dict[str, Any] = {
        "public_id": public_id,
        "visitor_id": lead.visitor_id,
        "born_visitor_id": lead.visitor_id,
        "email": email,
        "is_marketing": False,
        "extra": {
            "title": clean_line(document_title, 200),
            "url": urljoin(f"{conf.BASE_URL}/", url),
            "language": language or lead.language or get_language() or "en",
        },
        "send_after": now,
        "created_at": now,
        "message_id": message.message_id(public_id, sender.email if sender else ""),
    }
    key = {"builtin": DOWNLOAD_LINK, "lead": lead, "occurrence": occurrence}
    if not occurrence:
        return Delivery.objects.create(**key, **values)
    return Delivery.objects.get_or_create(**key, defaults=values)[0]


def fill_builtin(delivery: Delivery) -> Filled:
    """The finished text of one of our own mails, in its reader's language.

    :raises KeyError: the row lacks a value, or names a mail that we do not know.
    """
    if delivery.builtin != DOWNLOAD_LINK:
        raise KeyError(delivery.builtin)
    extra, lead = delivery.extra, delivery.lead
    sender = SenderProfile.objects.order_by("pk").first()
    with override(extra["language"]):
        values = merge_fields.values_of(lead, extra["language"])
        salutation = merge_fields.value_for("salutation", "", values, extra["language"])
        context = {
            "salutation": salutation,
            "title": extra["title"],
            "url": extra["url"],
            "days": conf.DOWNLOAD_LINK_DAYS,
            "sender": sender,
            "language": extra["language"],
        }
        return Filled(
            subject=clean_line(_("Your download: %(title)s") % {"title": extra["title"]}, 400),
            html=render_to_string("wagtail_ma/mail/download_link.html", context),
            text=render_to_string("wagtail_ma/mail/download_link.txt", context),
            from_name=sender.name if sender else "",
            from_email=sender.email if sender else "",
            unsubscribe_url="",
        )
