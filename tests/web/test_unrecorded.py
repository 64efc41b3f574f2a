"""What people who have asked not to be recorded do here, by all ways in which we could see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory, override_settings
from django.urls import reverse
from django.utils import timezone

from tests import factories
from tests.factories import CHROME
from tests.forms.test_form_page import send
from tests.messaging.test_clicks import after, click, deliver
from tests.web.test_hits import message, post, yes
from tests.web.test_server_side import get
from wagtail_ma import flow
from wagtail_ma.core.tokens import mail_token
from wagtail_ma.forms import downloads
from wagtail_ma.forms.models import Submission
from wagtail_ma.messaging import clicks, fill, tagging
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.messaging.models_of_sending import LinkClick
from wagtail_ma.people import cookies, unrecorded, visitors
from wagtail_ma.people.models import Identity, Lead, Visitor
from wagtail_ma.tracking import batch
from wagtail_ma.tracking import stream as stream_module
from wagtail_ma.tracking.buffer import Buffer
from wagtail_ma.tracking.hits import Heard
from wagtail_ma.tracking.models import Activity, PageCount, PageView, Visit
from wagtail_ma.web import host

# (Each message ends in a commit of its own, as on a site: the short ways are taken.)
pytestmark = pytest.mark.django_db(transaction=True)
KEY, REFUSAL = "wagtail_ma", "wagtail_ma_no"
NEVER = {KEY: "", REFUSAL: "never"}
GATHERED = ("buffered", "redis")


@dataclass
class Mode:
    """One way of recording; ``write``: what was gathered reaches the database."""

    name: str
    write: Callable[[], Any]


class FakeStream:
    """Messages in Redis, as they are told there."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def add(self, heard: Heard) -> None:
        self.bodies.append(stream_module.dump(heard))

    def write(self) -> None:
        found = [stream_module.load({stream_module.FIELD: body}) for body in self.bodies]
        self.bodies = []
        batch.write_all([heard for heard in found if heard is not None])


@contextmanager
def recording(name: str, **more: Any) -> Iterator[Mode]:
    buffer, stream = Buffer(has_thread=False), FakeStream()
    writes = {"direct": lambda: None, "buffered": buffer.flush, "redis": stream.write}
    with (
        override_settings(WAGTAIL_MA={"RECORDING": name, "FORM_MIN_SECONDS": 0, **more}),
        patch.object(flow, "buffer", buffer),
        patch.object(stream_module, "stream", stream),
    ):
        yield Mode(name, writes[name])


@pytest.fixture(params=["direct", *GATHERED])
def mode(request: Any) -> Iterator[Mode]:
    with recording(request.param) as found:
        yield found


@contextmanager
def an_hour_later() -> Iterator[None]:
    """No key is fresh any more."""
    with patch.object(cookies.Cookie, "is_fresh", False):
        yield


def facts() -> tuple[int, ...]:
    """What would be more if anything were recorded."""
    return tuple(model.objects.count() for model in (Visitor, Identity, Visit, PageView, Activity))


def told(response: Any) -> dict[str, str]:
    return {name: each.value for name, each in response.cookies.items()}


def views_counted() -> int:
    return sum(PageCount.objects.values_list("views", flat=True))


def silence_all() -> None:
    for pk in Visitor.objects.values_list("pk", flat=True):
        unrecorded.start(pk, now=timezone.now())


@pytest.fixture
def silent(home: Any, client: Client, mode: Mode) -> Client:
    """A browser that has viewed a page, and whose owner then asked not to be recorded."""
    post(client, message(home))
    mode.write()
    silence_all()
    assert facts() == (1, 1, 1, 1, 0)
    return client


def act(page: Any, **changes: Any) -> dict[str, Any]:
    return message(page, **{"k": "c", "i": str(uuid4()), "n": "form_view", "d": {"form": 1}, **changes})


KINDS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "view": message,
    "view from elsewhere": lambda page: message(page, r="https://www.google.com/"),
    "totals of an unknown view": lambda page: message(page, k="e", e=5000, o=5000, s=50, q=1),
    "act": act,
}


@pytest.mark.parametrize("kind", KINDS)
def test_message__next__nothing_recorded_and_browser_told_to_forget(
    home: Any, silent: Client, mode: Mode, kind: str
) -> None:
    before = facts()
    with an_hour_later():
        response = post(silent, KINDS[kind](home))
        mode.write()
    assert (response.status_code, told(response)) == (204, NEVER)
    assert facts() == before
    assert views_counted() == (1 if "view" in kind.split()[:1] else 0)
    # From now on it is the browser itself that brings nothing.
    post(silent, message(home))
    mode.write()
    assert facts() == before and not post(silent, message(home)).cookies


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", GATHERED)
def test_message__gathered_before_the_wish_or_within_the_hour__dropped_when_written(
    home: Any, client: Client, name: str, kind: str
) -> None:
    with recording(name) as mode:
        post(client, message(home))
        mode.write()
        before = facts()
        post(client, KINDS[kind](home))
        silence_all()
        mode.write()
        assert facts() == before
        assert not told(post(client, KINDS[kind](home))), "it is told once an hour is over"
        mode.write()
    assert facts() == before


@pytest.mark.parametrize("has_cookie", [True, False])
def test_first_view__sent_again_after_the_wish__no_second_visitor(
    home: Any, client: Client, mode: Mode, has_cookie: bool
) -> None:
    body = message(home)
    post(client, body)
    mode.write()
    silence_all()
    before = facts()
    if not has_cookie:
        # The answer, and the cookie in it, got lost.
        client.cookies.clear()
    post(client, body)
    post(client, act(home, v=body["v"]))
    mode.write()
    assert facts() == before


def test_first_view__of_another__recorded_as_ever(home: Any, silent: Client, mode: Mode) -> None:
    other = Client()
    post(other, message(home))
    mode.write()
    assert facts() == (2, 2, 2, 2, 0)
    assert KEY in other.cookies


@pytest.mark.parametrize("name", ["direct"])
def test_totals__of_a_view_that_is_open__go_on_until_it_is_left(home: Any, client: Client, name: str) -> None:
    with recording(name):
        body = message(home)
        post(client, body)
        silence_all()
        before = facts()
        later = timezone.now() + timedelta(seconds=30)
        with patch("wagtail_ma.web.hits.timezone.now", return_value=later):
            post(client, {**body, "k": "e", "e": 9000, "o": 9000, "s": 50, "q": 1})
    assert facts() == before
    assert PageView.objects.get().engaged_seconds == 9


def test_wish_taken_back__browser_that_was_not_here_since__recorded_again(
    home: Any, silent: Client, mode: Mode
) -> None:
    unrecorded.end(Visitor.objects.get().pk, now=timezone.now())
    post(silent, message(home))
    mode.write()
    assert facts() == (1, 1, 1, 2, 0)


def test_server_mode__page_sent__counted_and_cookie_of_a_refusal(home: Any, client: Client) -> None:
    with recording("direct", TRACKING="server"):
        get(client)
        silence_all()
        before = facts()
        response = get(client)
        assert (response.status_code, told(response)) == (200, NEVER)
        assert "private" in response["Cache-Control"]
        assert facts() == before and views_counted() == 1
        assert not get(client).cookies


def test_visitor_of_a_request__silent__stranger_with_the_default(silent: Client) -> None:
    request = RequestFactory().get("/")
    request.COOKIES.update({name: each.value for name, each in silent.cookies.items()})
    assert cookies.browser_key(request) is not None
    assert visitors.current(request) is None


# --- yes and no ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("consent", ["opt_out", "opt_in"])
def test_consent__key_of_somebody_not_recorded__refused(home: Any, client: Client, consent: str) -> None:
    with recording("direct", CONSENT=consent):
        post(client, yes(home))
        silence_all()
        before = facts()
        assert told(post(client, yes(home))) == NEVER
    assert facts() == before


@pytest.mark.parametrize(("consent", "counts"), [("opt_out", True), ("opt_in", False)])
def test_consent__after_that__counts_where_no_script_repeats_it(
    home: Any, client: Client, consent: str, counts: bool
) -> None:
    client.cookies[REFUSAL] = cookies.ASKED
    with recording("direct", CONSENT=consent):
        response = post(client, yes(home))
    assert (KEY in response.cookies) is counts
    assert Visitor.objects.count() == int(counts)


# --- what is done on purpose, and what is merely seen -------------------------------------------------------


def test_form__sent_from_a_silent_browser__arrives_and_ties_nothing(
    home: Any, site: Any, silent: Client, mode: Mode
) -> None:
    with an_hour_later():
        response = send(silent, factories.lead_form())
    assert (response.status_code, told(response)) == (303, NEVER)
    lead = Lead.objects.get()
    assert Activity.objects.get(kind="form_submit").visitor_id == lead.visitor_id
    assert lead.visitor.is_unrecorded and not lead.visitor.identities.exclude(kind="email").exists()
    assert PageView.objects.exclude(visitor=lead.visitor).count() == 1


def test_form__of_somebody_not_recorded_in_a_new_browser__it_is_silent_from_then_on(
    home: Any, site: Any, client: Client, mode: Mode
) -> None:
    lead = factories.make_lead("ann@example.com", now=timezone.now())
    unrecorded.start(lead.visitor_id, now=timezone.now())
    post(client, message(home))
    mode.write()
    response = send(client, factories.lead_form())
    assert (response.status_code, told(response)) == (303, NEVER)
    assert Submission.objects.get().visitor_id == lead.visitor_id
    assert not Identity.objects.filter(kind="browser").exists()


def test_own_views__silent_browser__lead_and_refusal(home: Any, client: Client) -> None:
    with recording("direct"):
        post(client, message(home))
    silence_all()
    request = RequestFactory().post("/", HTTP_USER_AGENT=CHROME)
    request.COOKIES.update({name: each.value for name, each in client.cookies.items()})
    response = HttpResponse()
    assert host.identify_visitor(request, response, email="ann@example.com", activity="form_submit")
    assert told(response) == NEVER
    assert Activity.objects.get().visitor.is_unrecorded


def test_download__asked_for__arrives_and_is_not_noted(home: Any, site: Any, client: Client) -> None:
    document = factories.document()
    now = timezone.now()
    form = factories.lead_form()
    send(client, form)
    submission = Submission.objects.get()
    Submission.objects.update(document_id=document.pk)
    submission.refresh_from_db()
    silence_all()
    for by_mail in (True, False):
        url = downloads.make_link(submission, now=now, by_mail=by_mail)
        response = client.post(url) if by_mail else client.get(url)
        assert response.status_code == 200 and b"".join(response.streaming_content).startswith(b"%PDF")
    assert not Activity.objects.filter(kind=downloads.KIND).exists()
    unrecorded.end(submission.visitor_id, now=now)
    client.post(downloads.make_link(submission, now=now, by_mail=True))
    assert Activity.objects.filter(kind=downloads.KIND).count() == 1


def test_mail__opened_and_clicked__leads_on_and_is_not_noted(site: Any, client: Client) -> None:
    now = timezone.now()
    delivery = deliver(now, is_tagging=True)
    silence_all()
    client.get(f"/ma/m/o/{mail_token(fill.OPEN, delivery.public_id)}", HTTP_USER_AGENT=CHROME)
    found = click(delivery, after(now, minutes=1))
    assert found.target_url and found.click_id is None
    clicks.settle(now=after(now, minutes=9))
    delivery.refresh_from_db()
    assert delivery.opened_at is None and delivery.machine_opened_at is None
    assert not LinkClick.objects.exists() and not Activity.objects.exists()


def test_mail__clicked_before_the_wish__not_told_apart_any_more(site: Any) -> None:
    now = timezone.now()
    delivery = deliver(now)
    click(delivery, after(now, minutes=1))
    silence_all()
    clicks.settle(now=after(now, minutes=9))
    assert not Activity.objects.exists()
    assert not LinkClick.objects.filter(settled_at=None).exists(), "it is not looked at for ever"


@pytest.mark.parametrize("who", ["reader", "browser"])
def test_mail_link__followed__browser_told_to_forget(site: Any, client: Client, who: str) -> None:
    now = timezone.now()
    delivery = deliver(now, is_tagging=True)
    token = tagging.token_for(click(delivery, now).click_id, now=now)
    browser = factories.browser(now)
    response = HttpResponse()
    cookies.set_browser_key(response, browser.key, request=RequestFactory().get("/"))
    client.cookies.update(response.cookies)
    silent_id = delivery.visitor_id if who == "reader" else browser.visitor_id
    unrecorded.start(silent_id, now=now)
    answer = client.post(
        reverse("wagtail_ma:mail_follow"), token, content_type="text/plain", HTTP_USER_AGENT=CHROME
    )
    assert told(answer) == NEVER
    assert not Identity.objects.filter(kind="browser").exists()
    assert all(visitor.is_unrecorded for visitor in Visitor.objects.all())


# --- by themselves ------------------------------------------------------------------------------------------


def test_own_page__not_to_be_recorded__and_back(home: Any, client: Client) -> None:
    from tests.web.test_privacy import link

    now = timezone.now()
    lead = factories.make_lead("ann@example.com", now=now)
    url = link(lead)
    response = client.post(url, {"do": "do-not-record"})
    assert (response.status_code, told(response)) == (200, NEVER)
    assert Visitor.objects.get(pk=lead.visitor_id).is_unrecorded
    assert "record-again" in client.get(url).content.decode()
    response = client.post(url, {"do": "record-again"})
    assert told(response) == {REFUSAL: ""}
    assert not Visitor.objects.get(pk=lead.visitor_id).is_unrecorded
    assert "do-not-record" in client.get(url).content.decode()


def test_own_page__opened__changes_nothing(home: Any, client: Client) -> None:
    from tests.web.test_privacy import link

    lead = factories.make_lead("ann@example.com", now=timezone.now())
    client.get(link(lead), {"do": "do-not-record"})
    assert not Visitor.objects.get(pk=lead.visitor_id).is_unrecorded


def test_own_page__erased_after_the_wish__this_browser_keeps_it(home: Any, client: Client) -> None:
    from tests.web.test_privacy import link

    lead = factories.make_lead("ann@example.com", now=timezone.now())
    unrecorded.start(lead.visitor_id, now=timezone.now())
    response = client.post(link(lead), {"do": "erase", "sure": "yes"})
    assert told(response) == NEVER and not Lead.objects.exists()
    assert not Delivery.objects.filter(lead__isnull=False).exists()
