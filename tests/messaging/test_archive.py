"""Newsletters on the site: only what has left, and nothing that is meant for one person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests import factories
from wagtail_ma.blocks import NewsletterListBlock
from wagtail_ma.messaging import archive, dispatches
from wagtail_ma.messaging.models import Delivery, Dispatch, Mail

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent(now: Any) -> Dispatch:
    lead = factories.make_lead("secret@example.com", now=now, given_name="Secret", family_name="Person")
    factories.make_consent(lead, now=now)
    mail = factories.make_mail(
        subject='News for {{ lead.full_name|default:"you" }}',
        text='<p>Dear {{ lead.full_name|default:"reader" }} <a href="https://x.example/a">go</a></p>',
        timing="any",
    )
    dispatches.plan(
        mail,
        include=[],
        exclude=[],
        scheduled_at=None,
        expected_count=1,
        by=None,
        now=now - timedelta(hours=1),
    )
    dispatches.advance(now=now)
    return Dispatch.objects.get()


def test_newsletter__sent__is_listed_and_read_without_anything_personal(
    sent: Dispatch, client: Client
) -> None:
    (issue,) = archive.issues()
    assert issue.subject == "News for you"
    answer = client.get(issue.url)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "Dear reader" in page and 'href="https://x.example/a"' in page
    delivery = Delivery.objects.get()
    for private in ("Secret", "secret@", str(delivery.public_id), "/m/c/"):
        assert private not in page
    assert "default-src 'none'" in answer["Content-Security-Policy"]
    html = NewsletterListBlock().render({"heading": "Read", "count": 5, "same_language": False})
    assert "News for you" in html and issue.url in html


@pytest.mark.parametrize("state", ["planned", "preparing", "paused", "cancelled", "expired"])
def test_newsletter__not_out_or_taken_back__is_not_found(sent: Dispatch, client: Client, state: str) -> None:
    url = archive.address(sent)
    Dispatch.objects.update(state=state)
    assert archive.issues() == []
    assert client.get(url).status_code == 404


def test_newsletter__of_another_kind_or_forged__is_not_found(sent: Dispatch, client: Client) -> None:
    url = archive.address(sent)
    assert client.get(url[:-1] + ("A" if url[-1] != "A" else "B")).status_code == 404
    assert client.get(reverse("wagtail_ma:mail_archive", args=["x"])).status_code == 404
    assert client.post(url).status_code == 405
    Mail.objects.update(kind=Mail.Kind.SEGMENT)
    assert client.get(url).status_code == 404


def test_list__no_newsletter__says_so() -> None:
    assert "No newsletter has been sent yet" in NewsletterListBlock().render({"count": 5})
