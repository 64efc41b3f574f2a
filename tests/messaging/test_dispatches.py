"""A mail to many: once, to the right people, resumable, pausable."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest

from tests import factories
from wagtail_ma.messaging import audience, dispatches, reasons, recipients, sending, suppressions
from wagtail_ma.messaging.models import Delivery, Dispatch, MailTopic
from wagtail_ma.messaging.models_of_sending import Subscription
from wagtail_ma.segments.models import Membership, Segment

pytestmark = pytest.mark.django_db


@pytest.fixture
def mail():
    return factories.make_mail(timing="any")


def people(now, count, *, consent=True, segment=None, prefix="p"):
    leads = [factories.make_lead(f"{prefix}{number}@example.com", now=now) for number in range(count)]
    for lead in leads:
        if consent:
            factories.make_consent(lead, now=now)
        if segment:
            Membership.objects.create(segment=segment, visitor=lead.visitor, entered_at=now)
    return leads


def plan(mail, now, include=(), exclude=(), at=None):
    return dispatches.plan(
        mail, include=include, exclude=exclude, scheduled_at=at, expected_count=0, by=None, now=now
    )


def states():
    return Counter(Delivery.objects.values_list("state", flat=True))


def test_dispatch__segments_minus_segments__those_get_it_once(now, mail, mailoutbox):
    readers, customers = Segment.objects.create(name="R"), Segment.objects.create(name="C")
    people(now, 3, segment=readers)
    (both,) = people(now, 1, segment=readers, prefix="both")
    Membership.objects.create(segment=customers, visitor=both.visitor, entered_at=now)
    people(now, 2, prefix="other")
    dispatch = plan(mail, now, include=[readers.pk], exclude=[customers.pk])
    assert dispatches.advance(now=now) == 0, "there is time to think again"
    later = now + timedelta(minutes=1)
    assert dispatches.advance(now=later) == 3
    sending.drain(now=later)
    assert sorted(message.to[0] for message in mailoutbox) == [f"p{n}@example.com" for n in range(3)]
    dispatches.advance(now=later)
    dispatch.refresh_from_db()
    assert (dispatch.state, dispatch.ended_at) == ("done", later)
    # A second sending of this mail reaches only those who have not got it.
    plan(mail, later, include=[readers.pk])
    dispatches.advance(now=later + timedelta(minutes=2))
    sending.drain(now=later + timedelta(minutes=2))
    assert [message.to[0] for message in mailoutbox[3:]] == ["both0@example.com"]


def test_dispatch__everybody__who_agreed(now, mail, mailoutbox):
    people(now, 2)
    people(now, 2, consent=False, prefix="no")
    gone = people(now, 1, prefix="gone")[0]
    factories.make_consent(gone, now=now + timedelta(seconds=1), is_granted=False)
    counted = audience.count([], [], mail)
    assert (counted.people, counted.agreed) == (2, 2)
    plan(mail, now)
    dispatches.advance(now=now + timedelta(minutes=1))
    sending.drain(now=now + timedelta(minutes=1))
    assert len(mailoutbox) == 2


def test_dispatch__skipped__told_why(now, mail):
    segment = Segment.objects.create(name="All")
    people(now, 1, segment=segment)
    people(now, 1, segment=segment, consent=False, prefix="no")
    (stopped,) = people(now, 1, segment=segment, prefix="stopped")
    suppressions.add(stopped.email, reason=suppressions.UNSUBSCRIBED, now=now)
    (twice,) = people(now, 1, segment=segment, prefix="twice")
    twice.email = "p0@example.com"
    twice.save()
    counted = audience.count([segment.pk], [], mail)
    assert (counted.people, counted.agreed, counted.unsubscribed) == (4, 1, 1)
    assert (counted.without_consent, counted.repeated) == (1, 1)
    plan(mail, now, include=[segment.pk])
    dispatches.advance(now=now + timedelta(minutes=1))
    found = Counter(Delivery.objects.values_list("state", "reason"))
    assert found == {
        ("ready", ""): 1,
        ("skipped", reasons.NO_CONSENT): 1,
        ("skipped", reasons.SUPPRESSED): 1,
        ("skipped", reasons.REPEATED): 1,
    }


def test_dispatch__topic__its_subscribers(now, mailoutbox):
    topic = MailTopic.objects.create(name="Seminars", is_default=False)
    mail = factories.make_mail(topic=topic, timing="any")
    one, _other = people(now, 2)
    Subscription.objects.create(
        email_hash=suppressions.hashes(one.email)[0], topic=topic, is_wanted=True, at=now
    )
    plan(mail, now)
    dispatches.advance(now=now + timedelta(minutes=1))
    sending.drain(now=now + timedelta(minutes=1))
    assert [message.to[0] for message in mailoutbox] == [one.email]
    assert Delivery.objects.get(state="skipped").reason == reasons.NOT_SUBSCRIBED


def test_plan__second_click__refused(now, mail):
    plan(mail, now)
    with pytest.raises(dispatches.AlreadyPlanned):
        plan(mail, now)
    assert Dispatch.objects.count() == 1


def test_plan__mail_for_single_people__refused(now):
    with pytest.raises(ValueError):
        plan(factories.make_mail(kind="step"), now)


def test_advance__killed_while_writing__goes_on_and_forgets_nobody(now, mail, monkeypatch):
    monkeypatch.setattr(recipients, "CHUNK", 3)
    people(now, 10)
    plan(mail, now)
    later = now + timedelta(minutes=1)
    real, calls = recipients._rows, []

    def dying(*args, **kwargs):
        calls.append(1)
        if len(calls) in (2, 4):
            raise SystemExit("killed")
        return real(*args, **kwargs)

    monkeypatch.setattr(recipients, "_rows", dying)
    for _number in range(2):
        with pytest.raises(SystemExit):
            dispatches.advance(now=later)
        assert "ready" not in states(), "nothing leaves before all are written down"
    dispatches.advance(now=later)
    dispatches.advance(now=later)
    assert states() == {"ready": 10}
    assert Delivery.objects.values("lead").distinct().count() == 10


def test_pause__while_sending__holds_and_goes_on_once(now, mail, mailoutbox):
    people(now, 6)
    dispatch = plan(mail, now)
    later = now + timedelta(minutes=1)
    dispatches.advance(now=later)
    sending.drain(now=later, limit=2)
    assert dispatches.pause(dispatch.pk, now=later)
    assert not dispatches.pause(dispatch.pk, now=later)
    sending.drain(now=later)
    dispatches.advance(now=later)
    sending.drain(now=later)
    assert len(mailoutbox) == 2
    assert states() == {"sent": 2, "planned": 4}
    assert dispatches.resume(dispatch.pk, now=later)
    dispatches.advance(now=later)
    sending.drain(now=later)
    assert sorted(message.to[0] for message in mailoutbox) == [f"p{n}@example.com" for n in range(6)]


def test_cancel__while_sending__rest_never_leaves(now, mail, mailoutbox):
    people(now, 4)
    dispatch = plan(mail, now)
    later = now + timedelta(minutes=1)
    dispatches.advance(now=later)
    sending.drain(now=later, limit=1)
    assert dispatches.cancel(dispatch.pk, now=later)
    assert not dispatches.cancel(dispatch.pk, now=later)
    assert not dispatches.resume(dispatch.pk, now=later)
    dispatches.advance(now=later)
    sending.drain(now=later)
    assert states() == {"sent": 1, "cancelled": 3}
    assert len(mailoutbox) == 1


def test_advance__a_day_late__not_sent_at_all(now, mail):
    people(now, 1)
    dispatch = plan(mail, now)
    dispatches.advance(now=now + timedelta(hours=25))
    dispatch.refresh_from_db()
    assert (dispatch.state, dispatch.reason) == ("expired", reasons.TOO_LATE)
    assert not Delivery.objects.exists()


def test_advance__many__few_statements(now, mail, django_assert_max_num_queries):
    people(now, 40)
    plan(mail, now)
    with django_assert_max_num_queries(45):
        dispatches.advance(now=now + timedelta(minutes=1))
    assert states() == {"ready": 40}
