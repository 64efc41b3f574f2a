"""Links of mails: clicks and unsubscribing."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection
from django.test import Client
from django.utils import timezone

from tests import factories
from wagtail_ma.core.tokens import mail_token
from wagtail_ma.messaging import clicks, consents, fill, queue, sending
from wagtail_ma.messaging.models import Consent, Delivery, Mail, Suppression
from wagtail_ma.people.models import News
from wagtail_ma.tracking.models import Activity

pytestmark = pytest.mark.django_db

TARGET = "https://example.com/a?x=1&y=2"
CHROME = {"HTTP_USER_AGENT": factories.CHROME}


@pytest.fixture
def lead(now):
    lead = factories.make_lead(now=now)
    factories.make_consent(lead, now=now)
    return lead


@pytest.fixture
def delivery(now, lead):
    body = [{"type": "button", "value": {"label": "Go", "page": None, "url": TARGET}}]
    found = queue.enqueue(factories.make_mail(body=body), lead, occurrence="", now=now)
    sending.drain(now=now)
    found.refresh_from_db()
    return found


def click_path(delivery, number=0):
    return f"/ma/m/c/{mail_token(fill.CLICK, delivery.public_id, number)}"


def settle():
    """A minute later."""
    return clicks.settle(now=timezone.now() + timedelta(seconds=61))


def unsubscribe_path(delivery):
    return f"/ma/m/u/{mail_token(fill.UNSUBSCRIBE, delivery.public_id)}"


def test_click__person__led_on_and_written_once(client, delivery, lead):
    for _again in range(2):
        response = client.get(click_path(delivery), **CHROME)
        assert (response.status_code, response["Location"]) == (302, TARGET)
    assert "no-store" in response["Cache-Control"]
    assert not Activity.objects.exists(), "a minute goes by before it counts"
    settle()
    activity = Activity.objects.get()
    assert (activity.kind, activity.object_kind, activity.object_key) == (
        "mail_click",
        "mail",
        str(delivery.mail_id),
    )
    assert activity.visitor_id == lead.visitor_id
    assert News.objects.filter(visitor=lead.visitor).exists()


@pytest.mark.parametrize(
    "headers",
    [
        {"HTTP_USER_AGENT": "python-requests/2.31"},
        {"HTTP_USER_AGENT": ""},
        {**CHROME, "HTTP_SEC_PURPOSE": "prefetch;prerender"},
    ],
)
def test_click__machine__led_on_but_no_click(client, delivery, headers):
    assert client.get(click_path(delivery), **headers)["Location"] == TARGET
    settle()
    assert [activity.kind for activity in Activity.objects.all()] == ["mail_scan"]
    client.get(click_path(delivery), **CHROME)
    settle()
    assert Activity.objects.filter(kind="mail_click").count() == 1


def test_click__cannot_be_written__led_on_all_the_same(client, delivery):
    def fail(execute, sql, *arguments):
        if "INSERT" in sql:
            raise IntegrityError("full")
        return execute(sql, *arguments)

    with connection.execute_wrapper(fail):
        assert client.get(click_path(delivery), **CHROME)["Location"] == TARGET


def test_click__head__not_written(client, delivery):
    assert client.head(click_path(delivery), **CHROME)["Location"] == TARGET
    assert not Activity.objects.exists()


@pytest.mark.parametrize("change", ["flip", "short", "unsubscribe", "word"])
def test_click__forged_token__page_that_says_so(client, delivery, change):
    token = mail_token(fill.CLICK, delivery.public_id, 0)
    tokens = {
        "flip": ("A" if token[0] != "A" else "B") + token[1:],
        "short": token[:-1],
        "unsubscribe": mail_token(fill.UNSUBSCRIBE, delivery.public_id, 0),
        "word": "https:evil.example",
    }
    response = client.get(f"/ma/m/c/{tokens[change]}?url=https://evil.example/", **CHROME)
    assert response.status_code == 403
    assert "evil" not in response.content.decode()
    assert not Activity.objects.exists()


def test_click__query_string__cannot_change_the_target(client, delivery):
    response = client.get(click_path(delivery) + "?url=https://evil.example/&next=//evil.example", **CHROME)
    assert response["Location"] == TARGET


def test_click__unknown_link_or_deleted_mail__home(client, delivery):
    assert client.get(click_path(delivery, 9), **CHROME)["Location"] == "/"
    Delivery.objects.all().delete()
    assert client.get(click_path(delivery), **CHROME)["Location"] == "/"


def test_unsubscribe__get_and_head__change_nothing(client, delivery):
    response = client.get(unsubscribe_path(delivery))
    assert response.status_code == 200
    assert "a…@example.com" in response.content.decode()
    assert "ann@" not in response.content.decode()
    client.head(unsubscribe_path(delivery))
    assert not Suppression.objects.exists()
    assert Consent.objects.count() == 1


@pytest.mark.parametrize("content_type", ["multipart/form-data", "application/x-www-form-urlencoded"])
def test_unsubscribe__one_click_post__acts_without_session_or_csrf(delivery, lead, now, content_type):
    client = Client(enforce_csrf_checks=True)
    later = queue.enqueue(Mail.objects.get(), lead, occurrence="later", now=now)
    body = {"List-Unsubscribe": "One-Click"}
    data = {"data": body} if content_type.startswith("multipart") else {"data": "List-Unsubscribe=One-Click"}
    kind = {} if content_type.startswith("multipart") else {"content_type": content_type}
    for _again in range(2):
        response = client.post(unsubscribe_path(delivery), **data, **kind)
        assert response.status_code == 200
        assert not response.cookies
    assert Suppression.objects.count() == 1
    assert [consent.is_granted for consent in Consent.objects.order_by("pk")] == [True, False]
    assert not consents.may_mail(lead.email)
    later.refresh_from_db()
    assert later.state == "cancelled"


def test_unsubscribe__after_a_new_opt_in__works_again(client, delivery, lead):
    client.post(unsubscribe_path(delivery))
    consents.record(
        lead.visitor,
        email=lead.email,
        is_granted=True,
        text="x",
        source_kind="confirmation",
        source_key="9",
        now=timezone.now(),
        is_verified=True,
    )
    assert consents.may_mail(lead.email)
    client.post(unsubscribe_path(delivery))
    assert not consents.may_mail(lead.email)


def test_unsubscribe__mail_and_lead_deleted__works(client, delivery, lead):
    lead.visitor.delete()
    Mail.objects.all().delete()
    assert client.post(unsubscribe_path(delivery)).status_code == 200
    assert not consents.may_mail("ann@example.com")
    assert Suppression.objects.count() == 1


@pytest.mark.parametrize("token", ["x", "A" * 24])
def test_unsubscribe__forged_token__403_and_no_change(client, delivery, token):
    assert client.post(f"/ma/m/u/{token}").status_code == 403
    assert client.post(f"/ma/m/u/{mail_token(fill.CLICK, delivery.public_id)}").status_code == 403
    assert not Suppression.objects.exists()


def test_unsubscribe__test_mail__says_there_is_nothing(client):
    token = mail_token(fill.UNSUBSCRIBE, fill.NO_DELIVERY)
    assert client.get(f"/ma/m/u/{token}").status_code == 200
    assert client.post(f"/ma/m/u/{token}").status_code == 200


def test_unsubscribe__page__has_no_tracker_and_stays_private(client, delivery):
    response = client.get(unsubscribe_path(delivery))
    assert "<script" not in response.content.decode()
    assert "no-store" in response["Cache-Control"]
    assert "noindex" in response["X-Robots-Tag"]
