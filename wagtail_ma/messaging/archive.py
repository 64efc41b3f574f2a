"""Newsletters to read on the site: what was sent, as somebody reads it of whom nothing is known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.urls import reverse
from wagtail.models import Locale

from wagtail_ma.core.tokens import mail_token, read_mail_token
from wagtail_ma.messaging import merge_fields
from wagtail_ma.messaging.fill import Filled, fill
from wagtail_ma.messaging.models import Dispatch, Mail

PURPOSE = "archive"
# More than a page of them helps nobody.
MOST = 200


@dataclass(frozen=True)
class Issue:
    """One newsletter in the list.

    :param url: from the site's root.
    """

    subject: str
    sent_at: datetime
    url: str


def issues(*, language: str = "", limit: int = 20) -> list[Issue]:
    """The newsletters that went out, newest first (two statements).

    :param language: only those in this language; empty for all.
    :param limit: at most so many, at most :data:`MOST`.
    """
    found = _sent().select_related("mail", "version").order_by("-started_at")
    if language:
        known = Locale.objects.filter(language_code=language).first()
        found = found.filter(mail__locale=known)
    rows = []
    for dispatch in found[: min(limit, MOST)]:
        filled = _filled(dispatch)
        started_at = dispatch.started_at or dispatch.scheduled_at
        rows.append(Issue(filled.subject, started_at, address(dispatch)))
    return rows


def address(dispatch: Dispatch) -> str:
    """Where it can be read, from the site's root."""
    return reverse("wagtail_ma:mail_archive", args=[mail_token(PURPOSE, dispatch.pk)])


def read(token: str) -> Filled | None:
    """One newsletter, or None when it is gone or not out yet.

    :raises wagtail_ma.core.tokens.BadToken: the address is not ours.
    """
    pk, _number = read_mail_token(PURPOSE, token)
    dispatch = _sent().select_related("mail", "version").filter(pk=pk).first()
    return _filled(dispatch) if dispatch is not None else None


def _sent() -> QuerySet[Dispatch]:
    """What has left: newsletters only, not cancelled, not still waiting for its time."""
    states = [Dispatch.State.RUNNING, Dispatch.State.DONE]
    return Dispatch.objects.filter(
        mail__kind=Mail.Kind.NEWSLETTER, state__in=states, version__isnull=False, started_at__isnull=False
    )


def _filled(dispatch: Dispatch) -> Filled:
    """With the defaults of all merge fields and what is meant for everybody; links lead straight."""
    if dispatch.version is None:
        raise ValueError("a newsletter without content")
    values = dict.fromkeys(merge_fields.NAMES, "")
    return fill(dispatch.version.compiled, values, links=dispatch.version.links)
