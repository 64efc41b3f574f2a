"""What staff decide about submissions that were set aside or held."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from wagtail_ma.forms.models import Submission
from wagtail_ma.forms.submit import follow_up, identify_sender, send_document
from wagtail_ma.people import merge
from wagtail_ma.people.models import Lead

State = Submission.State


def accept(submission: Submission, *, now: datetime) -> bool:
    """Let a submission through: a held (or refused) one gets its document by mail; the sender of a
    suspect one is named, with all that follows. Idempotent.

    :returns: False when it had been accepted already.
    """
    with transaction.atomic():
        before = submission.state
        locked = merge.lock([submission.identity_id])
        waiting = Submission.objects.filter(pk=submission.pk, state=before).exclude(state=State.ACCEPTED)
        if waiting.update(state=State.ACCEPTED) == 0:
            return False
        submission.state = State.ACCEPTED
        if before == State.SUSPECT:
            _name(submission, now=now)
        else:
            lead = Lead.objects.filter(visitor_id=locked[submission.identity_id].visitor_id).first()
            if lead is not None:
                send_document(submission, lead, now=now)
    return True


def refuse(submission: Submission) -> bool:
    """Close a held submission: its sender gets no document.

    :returns: False when it was not held (any more).
    """
    held = Submission.objects.filter(pk=submission.pk, state=State.HELD)
    return held.update(state=State.REFUSED) == 1


def _name(submission: Submission, *, now: datetime) -> None:
    """As if it had just been sent; the browser may have got another owner meanwhile."""
    who = identify_sender(submission, submission.browser, now=now)
    submission.identity = who.identity
    submission.visitor_id = who.identity.visitor_id
    submission.save(update_fields=["identity", "visitor"])
    follow_up(submission, who, now=now)
