"""The preference page: which topics a reader wants."""

from __future__ import annotations

import pytest

from tests import factories
from wagtail_ma.core.tokens import mail_token
from wagtail_ma.messaging import fill, queue, reasons, sending, suppressions
from wagtail_ma.messaging.models import MailTopic
from wagtail_ma.messaging.models_of_sending import Subscription

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
    assert page.count("checked") == 1 and "News" in page and "Seminars" in page
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
