"""From a claimed delivery to the finished e-mail; what is the same for many is made once."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import replace

from django.core.mail import EmailMessage
from django.db.models import prefetch_related_objects

from wagtail_ma.conf import conf
from wagtail_ma.core.text import clean_line
from wagtail_ma.messaging import fence, fill, merge_fields, message, reasons, settling, transactional
from wagtail_ma.messaging.models import Delivery, Mail, MailVersion
from wagtail_ma.messaging.models_of_sending import SendingRules
from wagtail_ma.messaging.readers import segments_of
from wagtail_ma.messaging.wire import Encoded, Reader
from wagtail_ma.people.models import Lead

logger = logging.getLogger(__name__)

State = Delivery.State


class _Version:
    """A version, with everything that is made of it once."""

    def __init__(self, version: MailVersion, mail: Mail | None) -> None:
        self.compiled = version.compiled
        self.targets = fill.Targets(version.compiled, version.links, version_id=version.pk)
        self.marked = message.stream_headers(
            version.compiled["kind"], mail.pk if mail else None, version.compiled["from_email"]
        )
        self.encoded = Encoded(version.compiled, self.targets, self.marked)


class Preparer:
    """Makes the e-mails of one round of sending."""

    def __init__(self, rules: SendingRules) -> None:
        self._mails: dict[int, Mail] = {}
        self._versions: dict[int, _Version] = {}
        self._paced: set[str] = set()
        self._allowed = [re.compile(pattern, re.I) for pattern in conf.MAIL_ALLOWLIST]

    def load(self, batch: Sequence[Delivery]) -> None:
        """Fetch the mails and versions of these deliveries that are not known yet."""
        mail_ids = {d.mail_id for d in batch if d.mail_id is not None} - self._mails.keys()
        if mail_ids:
            # What an editor has changed meanwhile (topic, goal) counts from the next round on.
            self._mails |= Mail.objects.select_related("topic", "sender").in_bulk(mail_ids)
        version_ids = {d.version_id for d in batch if d.version_id is not None} - self._versions.keys()
        if version_ids:
            for pk, version in MailVersion.objects.in_bulk(version_ids).items():
                self._versions[pk] = _Version(version, self._mails.get(version.mail_id or 0))

    def look_up(self, batch: Sequence[Delivery]) -> None:
        """Look who of these readers has said how often they want mail, and who looks after them where
        the mail comes from that colleague."""
        self._paced |= fence.paced({d.email for d in batch if d.is_marketing})
        leads = [d.lead for d in batch if d.lead is not None and self._is_from_owner(d)]
        prefetch_related_objects(leads, "owner")

    def _is_from_owner(self, delivery: Delivery) -> bool:
        mail = self.mail_of(delivery)
        return mail is not None and mail.is_from_owner

    def has_pace(self, delivery: Delivery) -> bool:
        """Whether its reader has."""
        return delivery.email in self._paced

    def mail_of(self, delivery: Delivery) -> Mail | None:
        """The mail of a delivery; None for one of our own, or when it was deleted."""
        return self._mails.get(delivery.mail_id or 0)

    def message(self, delivery: Delivery, *, speaks_smtp: bool) -> EmailMessage | None:
        """The finished e-mail; None (and the row settled) when there can be none.

        :param speaks_smtp: it goes to Django's SMTP backend, which takes ready bytes.
        """
        if delivery.lead is None and not delivery.extra.get(transactional.NAMELESS):
            settling.end(delivery, State.CANCELLED, reasons.LEAD_GONE)
            return None
        if self._allowed and not any(pattern.fullmatch(delivery.email) for pattern in self._allowed):
            settling.end(delivery, State.SKIPPED, reasons.NOT_ALLOWED)
            return None
        try:
            if delivery.builtin:
                filled = transactional.fill_builtin(delivery)
                return message.compose(filled, to=delivery.email, message_id=delivery.message_id)
            version = self._versions.get(delivery.version_id or 0)
            if version is None:
                settling.end(delivery, State.SKIPPED, reasons.NOT_READY)
                return None
            if delivery.lead is None:
                raise ValueError("a mail of the CMS needs a lead")
            sender = _owner(self.mail_of(delivery), delivery.lead)
            return _compose(delivery, delivery.lead, version, sender, speaks_smtp=speaks_smtp)
        except Exception as error:
            logger.exception("delivery %s cannot be put together", delivery.pk)
            settling.end(delivery, State.FAILED, f"{reasons.BROKEN}: {type(error).__name__}")
            return None


def _owner(mail: Mail | None, lead: Lead) -> tuple[str, str] | None:
    """Name and address of whoever looks after the lead, where the mail shall come from them.

    Their address only within the sender's own domain: another one would not be authenticated, and
    refused (DMARC). Then the name alone is theirs.
    """
    owner = lead.owner if mail is not None and mail.is_from_owner else None
    if mail is None or owner is None or not owner.is_active:
        return None
    sender = mail.sender
    is_own_domain = owner.email.rpartition("@")[2].lower() == sender.email.rpartition("@")[2].lower()
    name = clean_line(owner.get_full_name(), 80) or sender.name
    return name, (owner.email if is_own_domain else sender.email)


def _compose(
    delivery: Delivery,
    lead: Lead,
    version: _Version,
    sender: tuple[str, str] | None,
    *,
    speaks_smtp: bool,
) -> EmailMessage:
    values = merge_fields.values_of(lead, version.compiled["language"])
    segments = segments_of(delivery.visitor_id, version.compiled)
    if speaks_smtp:
        reader = Reader(values, delivery.public_id, segments, delivery.email, delivery.message_id, sender)
        return version.encoded.message(reader)
    filled = fill.fill(
        version.compiled, values, public_id=delivery.public_id, targets=version.targets, segments=segments
    )
    if sender is not None:
        filled = replace(filled, from_name=sender[0], from_email=sender[1])
    return message.compose(filled, to=delivery.email, message_id=delivery.message_id, marked=version.marked)
