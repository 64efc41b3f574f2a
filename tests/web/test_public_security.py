"""The public addresses of forms, downloads and self-service against people who mean harm."""

from __future__ import annotations

import itertools
import re
from email import message_from_string, policy

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests import factories
from tests.forms.test_form_page import ANSWERS, send, state_in, url_of
from wagtail_ma.conf import conf
from wagtail_ma.core import tokens
from wagtail_ma.forms import confirm, downloads, limits
from wagtail_ma.forms.models import GatedDocument, Submission
from wagtail_ma.messaging import sending
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people.models import Identity, Lead
from wagtail_ma.tracking.models import Activity
from wagtail_ma.web import forms as form_views
from wagtail_ma.web import privacy

pytestmark = pytest.mark.django_db


@pytest.fixture
def document(site, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return factories.document()


@pytest.fixture
def form(document):
    form = factories.lead_form("family_name", "company_name", "email", "message", asks_confirmation=True)
    GatedDocument.objects.create(document_id=document.pk, form=form)
    return form


@pytest.fixture
def links(client, document, form):
    """Each kind of signed address there is, of one person: (kind, purpose, payload) → address."""
    send(client, form)
    submission = Submission.objects.get()
    identity = Identity.objects.get(kind="email")
    return {
        "page": ("wagtail_ma:download", "download", (document.pk, submission.pk)),
        "mail": ("wagtail_ma:download", "download_mail", (document.pk, submission.pk)),
        "confirm": ("wagtail_ma:form_confirm", confirm.PURPOSE, (submission.pk,)),
        "own": ("wagtail_ma:privacy_mine", privacy.PURPOSE, (identity.pk, identity.key)),
    }


def address(view, purpose, payload, *, now=None, secrets=None):
    token = tokens.dumps(purpose, payload, now=now or timezone.now(), secrets=secrets)
    return reverse(view, args=[token])


DATA = {"do": "json"}


def is_refused(url):
    """By a browser that is nobody's, whatever the method."""
    answers = [Client().get(url), Client().post(url, DATA), Client().head(url)]
    return all(answer.status_code in (403, 410) for answer in answers)


def test_tokens__each_for_its_own_purpose_only(links):
    pairs = list(itertools.permutations(links.values(), 2))
    for (view, _purpose, _payload), (other_view, other_purpose, payload) in pairs:
        if view == other_view:
            continue
        assert is_refused(address(view, other_purpose, payload)), (view, other_purpose)
    # What is for the form itself opens nothing either.
    for view, _purpose, payload in links.values():
        for foreign in ("form", form_views.SENT, "browser", "mail_click"):
            assert is_refused(address(view, foreign, payload)), (view, foreign)


def test_tokens__signed_by_another_installation__refused(links):
    for view, purpose, payload in links.values():
        assert is_refused(address(view, purpose, payload, secrets=[b"of somebody else"]))


def test_tokens__one_character_changed_anywhere__refused(links):
    view, purpose, payload = links["own"]
    good = address(view, purpose, payload)
    start = good.index("/privacy/") + len("/privacy/")
    for place in range(start, len(good) - 1, 3):
        changed = good[:place] + ("A" if good[place] != "A" else "B") + good[place + 1 :]
        assert is_refused(changed), place


def test_tokens__other_rows_of_the_same_shape__refused(links, document):
    someone = factories.make_lead("bob@example.com", now=timezone.now())
    bob = Identity.objects.get(key=someone.email)
    view, purpose, (pk, email) = links["own"]
    for payload in ((bob.pk, email), (pk, bob.key), (10**12, email), (email, pk), (pk,)):
        assert is_refused(address(view, purpose, payload)), payload
    view, purpose, (document_id, submission_id) = links["page"]
    for payload in ((document_id + 1, submission_id), (document_id, submission_id + 1), (0, 0), ("1", "1")):
        assert is_refused(address(view, purpose, payload)), payload


def test_sent_page__of_another_form_or_forged__tells_nothing(client, form, document):
    location = send(client, form)["Location"]
    other = factories.lead_form()
    foreign = location.replace(url_of(form), url_of(other))
    for url in (foreign, location[:-1] + ("A" if location[-1] != "A" else "B"), f"{url_of(form)}?sent="):
        response = Client().get(url)
        assert response.status_code == 200
        assert "download_url" not in response.context
        assert "/ma/download/" not in response.content.decode()


HOSTILE = [
    "Ann\r\nBcc: victim@example.org",
    "Ann\nBcc: victim@example.org",
    "Ann\u2028Bcc: victim@example.org",
    "Ann\x0bBcc: victim@example.org",
    "=?utf-8?q?Ann=0ABcc:_victim@example.org?=",
    "<script>alert(1)</script>",
    "{{ settings.SECRET_KEY }}{% load x %}",
    "=cmd|' /C calc'!A0",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", ["family_name", "company_name", "message", "email"])
def test_form__hostile_text__reaches_no_header_and_no_page(client, site, mailoutbox, name, text):
    form = factories.lead_form(
        "family_name", "company_name", "email", "message", asks_confirmation=True, notify="staff@example.net"
    )
    factories.make_sender()
    response = send(client, form, {name: f"{text}@example.com" if name == "email" else text})
    assert response.status_code in (303, 422)
    assert "<script>alert" not in response.content.decode()
    sending.drain(now=timezone.now())
    for message in mail.outbox:
        raw = message_from_string(message.message().as_string(), policy=policy.default)
        assert raw["Bcc"] is None
        assert "victim" not in f"{raw['To']}{raw['Subject']}{raw['From']}{raw['Reply-To']}"
        assert len(raw.get_all("To")) == 1
        for content, kind in getattr(message, "alternatives", []):
            assert kind != "text/html" or "<script>alert" not in content
        assert conf.SECRETS[0] not in message.message().as_string()


@pytest.mark.parametrize(
    "header", ["HTTP_X_FORWARDED_FOR", "HTTP_X_REAL_IP", "HTTP_FORWARDED", "HTTP_CLIENT_IP", "HTTP_VIA"]
)
def test_form__mass_sending_with_forged_headers__stopped(client, form, monkeypatch, header):
    monkeypatch.setattr(limits, "PER_NETWORK", 3)
    codes = [
        send(
            Client(),
            form,
            {"email": f"a{number}@example.com"},
            **{"REMOTE_ADDR": "203.0.114.7", header: f"198.51.{number}.1"},
        ).status_code
        for number in range(5)
    ]
    assert codes == [303, 303, 303, 429, 429]
    assert Submission.objects.count() == 3


def test_form__mass_sending_for_one_address_from_everywhere__mailbox_is_spared(form, monkeypatch):
    for number in range(15):
        send(Client(), form, {"message": str(number)}, REMOTE_ADDR=f"11.0.{number}.1")
    asked = Delivery.objects.filter(email=ANSWERS["email"], builtin="form_confirm")
    assert asked.count() == confirm.MAILS_PER_DAY
    assert Submission.objects.count() == limits.PER_ADDRESS


@pytest.mark.parametrize("forged", ["", "198.51.100.1"])
def test_privacy__mass_asking__stopped_whatever_the_header_says(site, monkeypatch, forged):
    monkeypatch.setattr(privacy, "per_network", privacy.PerMinute(2))
    codes = [
        Client()
        .post(
            "/ma/privacy/",
            {"email": f"a{number}@example.com"},
            REMOTE_ADDR="203.0.114.7",
            HTTP_X_FORWARDED_FOR=forged and f"{forged}{number}",
        )
        .status_code
        for number in range(4)
    ]
    assert codes == [200, 200, 429, 429]


@pytest.mark.parametrize("field", ["Origin", "Sec-Fetch-Site"])
def test_form__posted_from_another_site__names_nobody(client, form, field):
    state = state_in(client.get(url_of(form)))
    value = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}[field]
    response = client.post(url_of(form), {**ANSWERS, "ma_state": state}, headers={field: value})
    assert response.status_code == 403
    assert not Lead.objects.exists()


def test_gate__cookies_of_others_or_made_up__do_not_open_it(client, document, form):
    send(client, form)
    mine = client.cookies[conf.COOKIE_NAME].value
    browser = Identity.objects.get(kind="browser")
    for cookie in (browser.key, mine[:-2], f"{mine}A", "no", "", str(browser.pk), "\x00"):
        stranger = Client()
        stranger.cookies[conf.COOKIE_NAME] = cookie
        assert stranger.get(document.url).status_code == 302, cookie
    assert not Activity.objects.filter(kind="download").exists()


def test_gate__range_and_conditional_requests__never_a_byte(client, document, form):
    headers = (
        {"Range": "bytes=0-"},
        {"Range": "bytes=-1"},
        {"Range": "bytes=0-0,5-6"},
        {"If-Range": '"x"', "Range": "bytes=1-"},
        {"If-None-Match": f'"{document.file_hash}"'},
        {"If-Modified-Since": "Sat, 29 Nov 2036 10:00:00 GMT"},
        {"X-Original-URL": document.url, "X-HTTP-Method-Override": "POST"},
    )
    for given in headers:
        for method in ("get", "head", "post", "put", "options", "trace"):
            response = getattr(client, method)(document.url, headers=given)
            assert response.status_code in (302, 403, 405), (method, given)
            assert b"%PDF" not in response.content


@pytest.mark.parametrize("query", ["?next=https://evil.example", "?document=//evil.example", "?sent=//x"])
def test_redirects__never_to_what_the_address_says(client, form, document, query):
    assert "evil.example" not in client.get(url_of(form) + query).content.decode()
    response = send(client, form, query=query)
    assert response.status_code == 303
    assert response["Location"].startswith("/ma/form/")
    assert "evil.example" not in response["Location"]
    assert client.get(document.url + query).status_code in (200, 302)


def test_public_pages__tell_no_datum_of_the_lead(client, form, document, links):
    """Neither cookies nor pages; what was typed in this browser is prefilled in its own form only."""
    Lead.objects.update(family_name="Hiddenname", phone="03-7777")
    seen = [client.get(url_of(form)), client.get(send(client, form)["Location"])]
    seen += [Client().get(address(*link)) for link in links.values()]
    for response in seen:
        text = "" if response.streaming else response.content.decode()
        assert "Hiddenname" not in text
        assert "03-7777" not in text
        for cookie in response.cookies.values():
            assert re.fullmatch(r"[A-Za-z0-9_-]*", cookie.value)


def test_downloads__link_of_a_held_submission__refused(document, form):
    send(Client(), form)
    submission = Submission.objects.get()
    for state in ("held", "refused", "suspect"):
        Submission.objects.update(state=state)
        for by_mail in (False, True):
            assert is_refused(downloads.make_link(submission, now=timezone.now(), by_mail=by_mail))
