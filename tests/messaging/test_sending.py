"""The queue of record: planned once, claimed by one, fenced, settled."""

from __future__ import annotations

import smtplib
from datetime import timedelta
from email import message_from_bytes, policy

import pytest
from django.core.mail.backends.base import BaseEmailBackend
from django.db import IntegrityError, connection, transaction

from tests import factories
from wagtail_ma.messaging import (
    claiming,
    consents,
    fence,
    queue,
    reasons,
    sending,
    suppressions,
    transactional,
)
from wagtail_ma.messaging.models import Delivery, MailTopic, Suppression
from wagtail_ma.messaging.models_of_sending import SendingRules, Subscription
from wagtail_ma.segments.models import Membership, Segment

pytestmark = pytest.mark.django_db


class FaultyBackend(BaseEmailBackend):
    """A server that answers what the test put into ``answers`` (an exception, or None: taken)."""

    answers: list = []
    taken: list = []
    opened = 0

    def open(self):
        type(self).opened += 1
        if type(self).answers and isinstance(type(self).answers[0], ConnectionError):
            raise type(self).answers.pop(0)
        return True

    def send_messages(self, messages):
        answer = type(self).answers.pop(0) if type(self).answers else None
        if answer is not None:
            raise answer
        type(self).taken += messages
        return len(messages)


@pytest.fixture
def faulty(settings):
    settings.EMAIL_BACKEND = f"{__name__}.FaultyBackend"
    FaultyBackend.answers, FaultyBackend.taken, FaultyBackend.opened = [], [], 0
    return FaultyBackend


@pytest.fixture
def lead(now):
    lead = factories.make_lead(now=now, family_name="Smith")
    factories.make_consent(lead, now=now)
    return lead


@pytest.fixture
def mail():
    return factories.make_mail()


def test_enqueue__same_occasion__one_delivery(now, mail, lead):
    first = queue.enqueue(mail, lead, occurrence="a", now=now)
    assert queue.enqueue(mail, lead, occurrence="a", now=now) == first
    assert queue.enqueue(mail, lead, occurrence="b", now=now) != first
    assert Delivery.objects.count() == 2


def test_enqueue__not_storable_for_another_reason__says_so(now, mail, lead):
    with pytest.raises(IntegrityError):
        queue.enqueue(mail, lead, occurrence=None, now=now)


def test_drain__due__sent_once_with_headers(now, mail, lead, mailoutbox):
    delivery = queue.enqueue(mail, lead, occurrence="", now=now)
    assert sending.drain(now=now) == 1
    assert sending.drain(now=now) == 0
    (message,) = mailoutbox
    delivery.refresh_from_db()
    assert (delivery.state, delivery.sent_at, delivery.attempts) == ("sent", now, 1)
    sent = message_from_bytes(message.message().as_bytes(), policy=policy.default)
    assert message.to == ["ann@example.com"]
    assert sent["From"] == '"Example Inc." <news@example.com>'
    assert sent["Message-ID"] == delivery.message_id
    assert sent["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert sent["List-Unsubscribe"].startswith("<http://testserver/ma/m/u/")
    assert sent["List-Id"] == "<marketing.example.com>"
    assert sent["Auto-Submitted"] == "auto-generated"
    for name in ("From", "To", "Date", "Subject", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Id"):
        assert len(sent.get_all(name)) == 1
    assert [part.get_content_type() for part in sent.iter_parts()] == ["text/plain", "text/html"]


def test_drain__not_due_yet__waits(now, mail, lead, mailoutbox):
    queue.enqueue(mail, lead, occurrence="", now=now, send_after=now + timedelta(hours=1))
    assert sending.drain(now=now) == 0
    assert sending.drain(now=now + timedelta(hours=1)) == 1
    assert len(mailoutbox) == 1


def test_drain__inside_a_transaction__refused(now, transactional_db):
    with transaction.atomic(), pytest.raises(RuntimeError):
        sending.drain(now=now)


def test_drain__no_consent__skipped(now, mail, mailoutbox):
    queue.enqueue(mail, factories.make_lead(now=now), occurrence="", now=now)
    sending.drain(now=now)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.reason) == ("skipped", reasons.NO_CONSENT)
    assert mailoutbox == []


def test_drain__consent_taken_back__latest_word_counts(now, mail, lead, mailoutbox):
    factories.make_consent(lead, now=now + timedelta(hours=1), is_granted=False)
    queue.enqueue(mail, lead, occurrence="a", now=now)
    sending.drain(now=now + timedelta(hours=2))
    assert mailoutbox == []
    factories.make_consent(lead, now=now + timedelta(hours=3))
    queue.enqueue(mail, lead, occurrence="b", now=now)
    sending.drain(now=now + timedelta(hours=4))
    assert len(mailoutbox) == 1


@pytest.fixture
def claimed(now, mail, lead):
    queue.enqueue(mail, lead, occurrence="", now=now)
    (delivery,) = claiming.claim("me", now=now, limit=10)
    return delivery


def close(delivery, now, *, mail=None, **rules):
    return fence.close_behind(
        delivery, "me", mail=mail or delivery.mail, rules=SendingRules(**rules), now=now
    )


def why(delivery, now, **rules):
    return fence.why_not(delivery, mail=delivery.mail, rules=SendingRules(**rules), now=now)


def test_fence__all_well__closed_once(now, claimed):
    assert close(claimed, now)
    assert not close(claimed, now)
    claimed.refresh_from_db()
    assert (claimed.state, claimed.attempts, claimed.sending_at) == ("sending", 1, now)


def test_fence__suppressed_between_claim_and_fence__not_sent(now, claimed):
    suppressions.add("ann@example.com", reason=suppressions.UNSUBSCRIBED, now=now)
    assert not close(claimed, now)
    assert why(claimed, now) == reasons.SUPPRESSED


def test_fence__consent_taken_back_meanwhile__not_sent(now, claimed, lead):
    factories.make_consent(lead, now=now, is_granted=False)
    assert not close(claimed, now)
    assert why(claimed, now) == reasons.NO_CONSENT


def test_fence__row_taken_by_another_sender__not_sent(now, claimed):
    Delivery.objects.update(owner="somebody else")
    assert not close(claimed, now)
    assert why(claimed, now) == ""
    assert Delivery.objects.get().state == "claimed"


def test_fence__goal_reached_meanwhile__not_sent(now, claimed, mail):
    mail.unless_segment = Segment.objects.create(name="Customers")
    mail.save()
    assert why(claimed, now) == ""
    Membership.objects.create(segment=mail.unless_segment, visitor=claimed.visitor, entered_at=now)
    assert not close(claimed, now, mail=mail)
    claimed.mail.refresh_from_db()
    assert why(claimed, now) == reasons.GOAL


@pytest.mark.parametrize("is_default", [True, False])
def test_fence__topic__wanted_or_not(now, claimed, mail, is_default):
    mail.topic = MailTopic.objects.create(name="Seminars", is_default=is_default)
    mail.save()
    claimed.mail.refresh_from_db()
    choice = Subscription.objects.create(
        email_hash=suppressions.hashes(claimed.email)[0],
        topic=mail.topic,
        is_wanted=not is_default,
        at=now,
    )
    if is_default:
        assert not close(claimed, now, mail=mail)
        assert why(claimed, now) == reasons.NOT_SUBSCRIBED
        choice.delete()
    else:
        choice.delete()
        assert not close(claimed, now, mail=mail)
        assert why(claimed, now) == reasons.NOT_SUBSCRIBED
        choice.pk = None
        choice.save()
    assert why(claimed, now) == ""
    assert close(claimed, now, mail=mail)


def test_fence__had_enough__not_sent_until_days_have_passed(now, claimed, mail, lead):
    for days in (1, 3):
        queue.enqueue(mail, lead, occurrence=f"before:{days}", now=now)
        Delivery.objects.filter(occurrence=f"before:{days}").update(
            state="sent", sending_at=now - timedelta(days=days)
        )
    assert not close(claimed, now, most_per_lead=2, most_per_lead_days=7)
    assert why(claimed, now, most_per_lead=2, most_per_lead_days=7) == reasons.ENOUGH
    assert close(claimed, now, most_per_lead=2, most_per_lead_days=2)


def test_fence__enough_marketing__download_link_leaves_all_the_same(now, mail, lead, mailoutbox):
    SendingRules.objects.create(most_per_lead=1)
    queue.enqueue(mail, lead, occurrence="a", now=now)
    queue.enqueue(mail, lead, occurrence="b", now=now)
    transactional.send_download_link(lead, "Paper", "/x", now=now)
    sending.drain(now=now)
    found = Delivery.objects.values_list("state", flat=True)
    assert sorted(found) == ["sent", "sent", "skipped"]
    assert len(mailoutbox) == 2
    assert mailoutbox[0].subject.startswith("Your download"), "what somebody waits for comes first"


def test_reap__dead_sender__claim_free_again_sending_unknown(now, mail, lead, mailoutbox):
    one = queue.enqueue(mail, lead, occurrence="claimed", now=now)
    other = queue.enqueue(mail, lead, occurrence="sending", now=now)
    past = now - timedelta(seconds=1)
    Delivery.objects.filter(pk=one.pk).update(state="claimed", owner="dead", lease_until=past)
    Delivery.objects.filter(pk=other.pk).update(state="sending", owner="dead", lease_until=past)
    sending.drain(now=now)
    one.refresh_from_db()
    other.refresh_from_db()
    assert (one.state, other.state) == ("sent", "unknown")
    sending.drain(now=now + timedelta(days=1))
    other.refresh_from_db()
    assert other.state == "unknown"
    assert len(mailoutbox) == 1


def test_drain__far_too_late__expired(now, mail, lead, mailoutbox):
    queue.enqueue(mail, lead, occurrence="", now=now)
    sending.drain(now=now + timedelta(days=4))
    assert Delivery.objects.get().state == "expired"
    assert mailoutbox == []


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (smtplib.SMTPRecipientsRefused({"ann@example.com": (450, b"4.2.1 later")}), "ready"),
        (smtplib.SMTPRecipientsRefused({"ann@example.com": (550, b"5.7.1 no")}), "failed"),
        (smtplib.SMTPDataError(451, b"4.7.1 greylisted"), "ready"),
        (smtplib.SMTPDataError(554, b"spam"), "failed"),
        (smtplib.SMTPSenderRefused(421, b"too many", "x"), "ready"),
        (smtplib.SMTPServerDisconnected("gone"), "unknown"),
        (TimeoutError("silence"), "unknown"),
    ],
)
def test_drain__server_says_no__settled_accordingly(now, mail, lead, faulty, answer, state):
    faulty.answers = [answer]
    queue.enqueue(mail, lead, occurrence="a", now=now)
    queue.enqueue(mail, lead, occurrence="b", now=now)
    assert sending.drain(now=now) == 2
    first, second = Delivery.objects.order_by("pk")
    assert first.state == state
    assert second.state == "sent"
    assert first.reason
    assert not Suppression.objects.exists()
    if state == "ready":
        assert timedelta(0) < first.send_after - now < timedelta(minutes=2)
    sending.drain(now=now + timedelta(minutes=2))
    first.refresh_from_db()
    assert first.state == ("sent" if state == "ready" else state)
    assert first.message_id == faulty.taken[-1].extra_headers["Message-ID"] or state != "ready"


def test_drain__always_later__given_up_after_five_tries(now, lead, faulty):
    mail = factories.make_mail(timing="any", latest_hours=48)
    queue.enqueue(mail, lead, occurrence="", now=now)
    for hours in range(6):
        faulty.answers = [smtplib.SMTPDataError(451, b"later")]
        sending.drain(now=now + timedelta(hours=5 * hours))
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("failed", 5)
    assert delivery.reason.startswith(reasons.GAVE_UP)


def test_drain__dead_mailbox__suppressed_for_everything(now, mail, lead, faulty):
    faulty.answers = [smtplib.SMTPRecipientsRefused({"ann@example.com": (550, b"5.1.1 unknown")})]
    queue.enqueue(mail, lead, occurrence="", now=now)
    sending.drain(now=now)
    transactional.send_download_link(lead, "Paper", "/x", now=now)
    sending.drain(now=now)
    assert [d.state for d in Delivery.objects.order_by("pk")] == ["failed", "skipped"]
    assert faulty.taken == []


def test_drain__server_down__nothing_lost_nothing_counted(now, mail, lead, faulty):
    faulty.answers = [ConnectionRefusedError("no")]
    queue.enqueue(mail, lead, occurrence="", now=now)
    assert sending.drain(now=now) == 0
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts, delivery.owner) == ("ready", 0, "")
    assert sending.drain(now=now + timedelta(minutes=4)) == 1
    delivery.refresh_from_db()
    assert delivery.state == "sent"


def test_drain__server_down_and_a_long_queue__asked_once_in_a_while(now, mail, lead, faulty):
    faulty.answers = [ConnectionRefusedError("no")]
    for number in range(sending.BATCH + 10):
        queue.enqueue(mail, lead, occurrence=str(number), now=now)
    for seconds in (0, 1, 60):
        assert sending.drain(now=now + timedelta(seconds=seconds)) == 0
    assert faulty.opened == 1
    assert sending.drain(now=now + timedelta(minutes=4)) == sending.BATCH + 10


def test_drain__server_down_for_days__expired_and_not_sent_late(now, mail, lead, faulty):
    queue.enqueue(mail, lead, occurrence="", now=now)
    for hours in range(0, 88, 8):
        faulty.answers = [ConnectionRefusedError("no")]
        sending.drain(now=now + timedelta(hours=hours))
    assert Delivery.objects.get().state == "expired"


def test_drain__killed_while_sending__unknown_and_rest_free(now, mail, lead, faulty):
    faulty.answers = [SystemExit()]
    for occurrence in "abc":
        queue.enqueue(mail, lead, occurrence=occurrence, now=now)
    with pytest.raises(SystemExit):
        sending.drain(now=now)
    assert [d.state for d in Delivery.objects.order_by("pk")] == ["unknown", "ready", "ready"]


def test_drain__one_connection__for_all(now, mail, lead, faulty):
    for number in range(60):
        queue.enqueue(mail, lead, occurrence=str(number), now=now)
    assert sending.drain(now=now) == 60
    assert faulty.opened == 1


def test_drain__lead_deleted__cancelled(now, mail, lead, mailoutbox):
    queue.enqueue(mail, lead, occurrence="", now=now)
    lead.delete()
    sending.drain(now=now)
    assert Delivery.objects.get().state == "cancelled"
    assert mailoutbox == []


def test_drain__statements_per_mail__two(now, mail, lead, mailoutbox):
    from django.test.utils import CaptureQueriesContext

    def count(number):
        for index in range(number):
            queue.enqueue(mail, lead, occurrence=f"{number}-{index}", now=now)
        with CaptureQueriesContext(connection) as context:
            assert sending.drain(now=now) == number
        return len(context)

    count(1)
    assert count(21) - count(2) == 38


@pytest.mark.parametrize("text", ["x\r\nBcc: evil@example.com", "x\nBcc: evil@example.com", "\x01x\u202e"])
def test_drain__line_breaks_in_names__no_header_is_born(now, text, mailoutbox):
    mail = factories.make_mail(
        subject='{{ lead.company_name|default:"x" }}' + text,
        sender=factories.make_sender(name="Sender" + text),
    )
    lead = factories.make_lead(now=now, company_name=text)
    factories.make_consent(lead, now=now)
    queue.enqueue(mail, lead, occurrence="", now=now)
    sending.drain(now=now)
    (message,) = mailoutbox
    sent = message_from_bytes(message.message().as_bytes())
    assert sent["Bcc"] is None
    assert sorted(set(sent.keys())) == sorted(sent.keys())
    assert "\u202e" not in message.subject and "\x01" not in message.subject


def test_drain__japanese_everywhere__arrives_as_written(now, mailoutbox):
    sender = factories.make_sender(name="株式会社例, 広報「部」", legal_name="株式会社例")
    mail = factories.make_mail(
        subject="㈱例からの①お知らせ 髙橋様へ 🎉", text="<p>こんにちは</p>", language="ja", sender=sender
    )
    lead = factories.make_lead(now=now)
    factories.make_consent(lead, now=now)
    queue.enqueue(mail, lead, occurrence="", now=now)
    sending.drain(now=now)
    sent = message_from_bytes(mailoutbox[0].message().as_bytes(), policy=policy.default)
    assert sent["Subject"].strip() == "㈱例からの①お知らせ 髙橋様へ 🎉"
    assert sent["From"].addresses[0].display_name == "株式会社例, 広報「部」"
    assert sent["From"].addresses[0].addr_spec == "news@example.com"
    assert "こんにちは" in sent.get_body(("html",)).get_content()
    assert "こんにちは" in sent.get_body(("plain",)).get_content()


def test_download_link__asked_for__goes_out_without_consent_and_without_unsubscribing(now, mailoutbox):
    lead = factories.make_lead(now=now, family_name="Smith", language="en")
    suppressions.add(lead.email, reason=suppressions.UNSUBSCRIBED, now=now)
    for _again in range(2):
        transactional.send_download_link(lead, "<Paper>\r\nX: y", "/d/1", now=now, occurrence="submission:1")
    sending.drain(now=now)
    (message,) = mailoutbox
    assert "http://testserver/d/1" in message.body
    assert "Dear Smith," in message.body
    assert "&lt;Paper&gt;" in message.alternatives[0][0]
    assert "List-Unsubscribe" not in message.message()
    assert Delivery.objects.get().state == "sent"


@pytest.mark.parametrize("variant", ["ANN@Example.com", "ann+news@example.com", "ａｎｎ@example.com"])
def test_suppression__variant_of_the_address__still_suppressed(now, variant):
    suppressions.add("ann@example.com", reason=suppressions.UNSUBSCRIBED, now=now)
    assert suppressions.stopping(variant, is_marketing=True).exists()
    assert not consents.may_mail(variant)


def test_suppression__domain_written_in_its_own_letters__still_suppressed(now):
    suppressions.add("ann@bücher.example", reason=suppressions.UNSUBSCRIBED, now=now)
    for variant in ("Ann@xn--bcher-kva.example", "ann@BÜCHER.example"):
        assert suppressions.stopping(variant, is_marketing=True).exists()


def test_suppression__changed_secret__still_suppressed(now, settings):
    suppressions.add("ann@example.com", reason=suppressions.UNSUBSCRIBED, now=now)
    settings.WAGTAIL_MA = {"SECRETS": ["new", "only-for-tests"]}
    assert suppressions.stopping("ann@example.com", is_marketing=True).exists()
    assert "ann" not in Suppression.objects.get().email_hash


def test_consent__opt_in_after_unsubscribing__lifts_it_only_when_verified(now, lead):
    suppressions.add(lead.email, reason=suppressions.UNSUBSCRIBED, now=now)
    assert consents.needs_proof(lead.email)
    word = {"email": lead.email, "is_granted": True, "text": "x", "now": now}
    for number, kind in enumerate(("import", "form")):
        consents.record(lead.visitor, **word, source_kind=kind, source_key=str(number))
        assert not consents.may_mail(lead.email)
    consents.record(lead.visitor, **word, source_kind="confirmation", source_key="2", is_verified=True)
    assert consents.may_mail(lead.email)


def test_needs_proof__never_refused__no(now, lead):
    assert not consents.needs_proof(lead.email)
    factories.make_consent(lead, now=now)
    assert not consents.needs_proof(lead.email)
    factories.make_consent(lead, now=now, is_granted=False)
    assert consents.needs_proof(lead.email)
