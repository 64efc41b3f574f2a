"""Mails that we write ourselves, because somebody asked for them just now.

Each kind is a row of :class:`Delivery` with ``builtin`` and no ``mail``. Its text is made at the
moment of sending by the function registered for it here, from the row's ``extra``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urljoin

from django.template.loader import render_to_string
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from wagtail_ma.conf import conf
from wagtail_ma.core.registry import Registry
from wagtail_ma.core.text import clean_line, normalise_email
from wagtail_ma.messaging import merge_fields, message
from wagtail_ma.messaging.fill import Filled
from wagtail_ma.messaging.models import Delivery, SenderProfile, draw_public_id
from wagtail_ma.people.models import Lead

DOWNLOAD_LINK = "download_link"
# In ``extra``: it never had a lead, which is something else than a lead that was deleted.
NAMELESS = "nameless"
# After that nobody waits for it any more.
LATEST = timedelta(hours=72)

# What makes the text of a mail; raises KeyError when the row lacks a value.
Filler = Callable[[Delivery], Filled]
builtins: Registry[Filler] = Registry("built-in mails")


def plan(
    builtin: str,
    lead: Lead | None,
    *,
    now: datetime,
    occurrence: str,
    extra: Mapping[str, Any],
    email: str = "",
    is_internal: bool = False,
) -> Delivery | None:
    """Plan one mail of our own; the same (builtin, lead, occurrence) is one mail.

    :param builtin: the key of its text in :data:`builtins` (at most 20 characters).
    :param occurrence: names the occasion, e.g. the submission. Without it every call is a mail.
    :param extra: what the text needs, as JSON.
    :param email: where it goes; default the lead's address.
    :param lead: None only for a mail to staff about somebody who is not known by name.
    :param is_internal: it goes to staff, about the lead: it is no mail on the lead's timeline.
    :returns: None when there is no usable address.
    """
    try:
        address = normalise_email(email or (lead.email if lead else ""))
    except ValueError:
        return None
    sender = SenderProfile.objects.order_by("pk").first()
    public_id = draw_public_id()
    values: dict[str, Any] = {
        "public_id": public_id,
        "visitor_id": None if is_internal or lead is None else lead.visitor_id,
        "born_visitor_id": lead.visitor_id if lead else None,
        "email": address,
        "is_marketing": False,
        "extra": {**extra, NAMELESS: True} if lead is None else dict(extra),
        "send_after": now,
        "expires_at": now + LATEST,
        "priority": Delivery.Priority.ASKED_FOR,
        "created_at": now,
        "message_id": message.message_id(public_id, sender.email if sender else ""),
    }
    key = {"builtin": builtin, "lead": lead, "occurrence": occurrence}
    if not occurrence:
        return Delivery.objects.create(**key, **values)
    return Delivery.objects.get_or_create(**key, defaults=values)[0]


def language_for(lead: Lead, language: str = "") -> str:
    """The language of a mail to this lead: as said, the lead's own, else the present one."""
    return language or lead.language or get_language() or "en"


def absolute(url: str) -> str:
    """A path of ours as an address for mails."""
    return urljoin(f"{conf.BASE_URL}/", url)


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
    extra = {
        "title": clean_line(document_title, 200),
        "url": absolute(url),
        "language": language_for(lead, language),
    }
    return plan(DOWNLOAD_LINK, lead, now=now, occurrence=occurrence, extra=extra)


def fill_builtin(delivery: Delivery) -> Filled:
    """The finished text of one of our own mails, in its reader's language.

    :raises KeyError: the row lacks a value, or names a mail that we do not know.
    """
    filler = builtins.get(delivery.builtin)
    if filler is None:
        raise KeyError(delivery.builtin)
    return filler(delivery)


def filled(
    delivery: Delivery, template: str, *, subject: str, language: str, context: Mapping[str, Any]
) -> Filled:
    """A mail from a pair of templates, ``<template>.html`` and ``.txt``; call it with the reader's
    language active.

    The templates get ``context`` and ``salutation``, ``sender``, ``language``.
    """
    sender = SenderProfile.objects.order_by("pk").first()
    values = merge_fields.values_of(delivery.lead, language) if delivery.lead else {}
    full = {
        "salutation": merge_fields.value_for("salutation", "", values, language),
        "sender": sender,
        "language": language,
        **context,
    }
    return Filled(
        subject=clean_line(subject, 400),
        html=render_to_string(f"{template}.html", full),
        text=render_to_string(f"{template}.txt", full),
        from_name=sender.name if sender else "",
        from_email=sender.email if sender else "",
        unsubscribe_url="",
    )


def _fill_download_link(delivery: Delivery) -> Filled:
    extra = delivery.extra
    context = {"title": extra["title"], "url": extra["url"], "days": conf.DOWNLOAD_LINK_DAYS}
    with override(extra["language"]):
        return filled(
            delivery,
            "wagtail_ma/mail/download_link",
            subject=_("Your download: %(title)s") % {"title": extra["title"]},
            language=extra["language"],
            context=context,
        )


builtins.register(DOWNLOAD_LINK, _fill_download_link)
