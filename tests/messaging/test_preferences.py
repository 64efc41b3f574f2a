"""The preference page: which topics a reader wants, how often; and unsubscribing, taken back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests import factories
from wagtail_ma.core.tokens import mail_token
from wagtail_ma.messaging import consents, fill, queue, reasons, results, sending, suppressions
from wagtail_ma.messaging.models import Consent, Mail, MailTopic, Suppression
from wagtail_ma.messaging.models_of_sending import MailPace, Subscription

pytestmark = pytest.mark.django_db


@pytest.fixture
def topics():
    return [
        MailTopic.objects.create(name="News"),
        MailTopic.objects.create(name="Seminars", is_default=False),
    ]


@pytest.fixture
def lead(now):
    lead = factories.make_lead(now=now)
    factories.make_consent(lead, now=now)
    return lead


@pytest.fixture
def path(now, lead, topics):
    delivery = queue.enqueue(factories.make_mail(topic=topics[0], timing="any"), lead, occurrence="", now=now)
    sending.drain(now=now)
    return f"/ma/m/u/{mail_token(fill.UNSUBSCRIBE, delivery.public_id)}"


def test_preferences__get__shows_what_counts_and_changes_nothing(client, path):
    page = client.get(path).content.decode()
    assert page.count(" checked") == 2, "one topic, and all of it"
    assert "News" in page in page and "Seminars" in page
    assert "ann@" not in page
    assert not Subscription.objects.exists()


def test_preferences__other_topic_chosen__waiting_mail_is_stopped(
    client, path, topics, lead, now, mailoutbox
):
    news, seminars = topics
    waiting = queue.enqueue(factories.make_mail(topic=news, timing="any"), lead, occurrence="b", now=now)
    response = client.post(path, {"choose": "1", "topic": [str(seminars.pk), "999999", "x"]})
    assert response.status_code == 200 and not response.cookies
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == ("cancelled", reasons.NOT_SUBSCRIBED)
    assert "seminars" not in suppressions.hashes(lead.email)
    found = dict(Subscription.objects.values_list("topic__name", "is_wanted"))
    assert found == {"News": False, "Seminars": True}
    for topic, occurrence in ((news, "c"), (seminars, "d")):
        queue.enqueue(factories.make_mail(topic=topic, timing="any"), lead, occurrence=occurrence, now=now)
    sending.drain(now=now)
    assert len(mailoutbox) == 2, "the first one, and that of the seminars"


def test_preferences__choice__survives_erasure_and_new_secret(client, path, topics, lead, now, settings):
    client.post(path, {"choose": "1"})
    email, visitor = lead.email, lead.visitor
    visitor.delete()
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "SECRETS": ["new", settings.SECRET_KEY]}
    again = factories.make_lead(email.upper(), now=now)
    factories.make_consent(again, now=now)
    mail = factories.make_mail(topic=topics[0], timing="any")
    delivery = queue.enqueue(mail, again, occurrence="", now=now)
    sending.drain(now=now)
    delivery.refresh_from_db()
    assert (delivery.state, delivery.reason) == ("skipped", reasons.NOT_SUBSCRIBED)


def test_preferences__unsubscribed__nothing_to_choose(client, path):
    client.post(path)
    page = client.get(path).content.decode()
    assert "checkbox" not in page


# --- how often ----------------------------------------------------------------------------------------------


def another(lead, now, occurrence):
    delivery = queue.enqueue(factories.make_mail(timing="any"), lead, occurrence=occurrence, now=now)
    sending.drain(now=now)
    delivery.refresh_from_db()
    return delivery.state, delivery.reason


def test_pace__once_a_week__what_comes_sooner_is_skipped(client, path, topics, lead, now):
    page = client.post(path, {"choose": "1", "topic": [str(t.pk) for t in topics], "pace": "7"})
    assert 'value="7" checked' in page.content.decode()
    assert another(lead, now + timedelta(days=6), "b") == ("skipped", reasons.PACE)
    assert another(lead, now + timedelta(days=8), "c") == ("sent", "")
    assert another(lead, now + timedelta(days=9), "d") == ("skipped", reasons.PACE)
    client.post(path, {"choose": "1", "topic": [str(t.pk) for t in topics], "pace": "0"})
    assert another(lead, now + timedelta(days=9), "e") == ("sent", "")
    assert not MailPace.objects.exists()


def test_pace__chosen_between_claim_and_fence__asked_in_the_same_statement(now, lead):
    from wagtail_ma.messaging import claiming, fence, rates

    another(lead, now, "a")
    queue.enqueue(factories.make_mail(timing="any"), lead, occurrence="b", now=now)
    (claimed,) = claiming.claim("me", now=now, limit=5)
    MailPace.objects.create(email_hash=suppressions.hashes(lead.email)[0], days=30, at=now)
    mail = Mail.objects.get(pk=claimed.mail_id)
    assert not fence.close_behind(claimed, "me", mail=mail, rules=rates.rules_now(), now=now)


def test_pace__somebody_else__gets_everything(client, path, now):
    client.post(path, {"choose": "1", "pace": "30"})
    other = factories.make_lead("bob@example.com", now=now)
    factories.make_consent(other, now=now)
    assert [another(other, now, key)[0] for key in "ab"] == ["sent", "sent"]


@pytest.mark.parametrize("pace", ["", "5", "-7", "9999999999", "x", "7 "])
def test_pace__rubbish__changes_nothing(client, path, pace):
    assert client.post(path, {"choose": "1", "pace": pace}).status_code == 200
    assert not MailPace.objects.exists()


# --- taken back ---------------------------------------------------------------------------------------------


def test_unsubscribed__subscribe_again__as_it_was(client, path, lead):
    assert "Subscribe again" in client.post(path).content.decode()
    assert not consents.may_mail(lead.email)
    assert "Subscribe again" in client.get(path).content.decode(), "also when the page is opened anew"
    page = client.post(path, {"again": "1"}).content.decode()
    assert "You are subscribed again" in page
    assert consents.may_mail(lead.email)
    words = Consent.objects.order_by("pk").values_list("is_granted", "text")
    agreed = "I agree to get news by mail."
    assert list(words) == [(True, agreed), (False, ""), (True, agreed)]
    assert results.results(Mail.objects.get()).unsubscribed == 0
    client.post(path)
    assert not consents.may_mail(lead.email), "and again"
    assert results.results(Mail.objects.get()).unsubscribed == 1


def test_subscribe_again__after_ten_minutes__not_by_whoever_has_the_link(client, path, lead):
    client.post(path)
    Suppression.objects.update(at=timezone.now() - timedelta(minutes=11))
    assert "Subscribe again" not in client.get(path).content.decode()
    client.post(path, {"again": "1"})
    assert not consents.may_mail(lead.email)


@pytest.mark.parametrize("reason", [suppressions.HARD_BOUNCE, suppressions.MANUAL])
def test_subscribe_again__stopped_for_another_reason__stays_stopped(client, path, lead, reason):
    client.post(path)
    suppressions.add(lead.email, reason=reason, now=timezone.now())
    assert "Subscribe again" not in client.get(path).content.decode()
    client.post(path, {"again": "1"})
    assert not consents.may_mail(lead.email)


def test_subscribe_again__never_unsubscribed__nothing(client, path):
    assert client.post(path, {"again": "1"}).status_code == 200
    assert Consent.objects.count() == 1


def test_unsubscribed__says_why__counted_with_the_results(client, path, now):
    assert "Would you tell us why" in client.post(path).content.decode()
    for why in ("nonsense", "too_many"):
        assert client.post(path, {"tell": "1", "why": why}).status_code == 200
    assert [consent.why for consent in Consent.objects.order_by("pk")] == ["", "too_many"]
    mail = Mail.objects.get()
    (found,) = results.results(mail).why_left
    assert (found.reason, found.count) == ("too_many", 1)
    assert results.people(mail, why_left="too_many").count() == 1
    assert results.people(mail, why_left="other").count() == 0


def test_say_why__still_subscribed__nothing(client, path):
    client.post(path, {"tell": "1", "why": "too_many"})
    assert [consent.why for consent in Consent.objects.all()] == [""]
