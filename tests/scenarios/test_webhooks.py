"""Webhooks: what is sent, when again, and where never."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
from datetime import timedelta

import pytest

from tests.scenarios.stories import a_draft, a_lead, a_scenario, an_enrolment, end, step
from wagtail_ma import flow
from wagtail_ma.scenarios import runner, webhooks, wire
from wagtail_ma.scenarios.models_of_webhooks import WebhookCall
from wagtail_ma.scenarios.publish import problems

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]

SECRET = "a secret of sixteen"
URL = "https://crm.example.com/hook?x=1"


def call(url=URL, *, with_person=False):
    return step("webhook", {"url": url, "name": "hot", "with_person": with_person}, key="call")


@pytest.fixture
def signed(settings):
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "WEBHOOK_SECRET": SECRET}


class Receiver:
    """Stands for the other system: answers what it was told to, and keeps what came."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.got = []

    def __call__(self, url, body, headers):
        self.got.append((url, body, headers))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.fixture
def planned(now, signed):
    def plan(**fields):
        lead = a_lead(now)
        an_enrolment(a_scenario(now, [call(**fields), end()]), lead.visitor, now)
        runner.run_due(now=now)
        return lead, WebhookCall.objects.get()

    return plan


def test_drain__due__is_signed_and_names_its_step_run(planned, now):
    lead, waiting = planned(with_person=True)
    receiver = Receiver(204)
    assert webhooks.drain(now=now, post=receiver) == 1
    assert webhooks.drain(now=now + timedelta(days=2), post=receiver) == 0
    ((url, body, headers),) = receiver.got
    assert url == URL
    assert headers["Idempotency-Key"] == waiting.key == f"enrolment:{waiting.enrolment_id}:call:1"
    moment, digest = headers["X-Wagtail-MA-Signature"].split(",")
    signed = f"{moment.removeprefix('t=')}.".encode() + body
    assert digest == "v1=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()
    told = json.loads(body)
    assert told["event"] == "hot"
    assert told["person"]["email"] == lead.email
    waiting.refresh_from_db()
    assert (waiting.state, waiting.ended_at) == ("done", now)


def test_body__person_not_asked_for__is_a_number_only(planned, now):
    lead, waiting = planned()
    assert json.loads(webhooks.body_of(waiting))["person"] == {"id": lead.visitor_id}


def test_drain__receiver_down__backs_off_and_ends_with_the_reason(planned, now):
    _lead, waiting = planned()
    receiver = Receiver(wire.Unreachable("no answer"), 503, 429, 500, 502, 500)
    moment, waits = now, []
    for _number in range(len(webhooks.BACK_OFF)):
        webhooks.drain(now=moment, post=receiver)
        waiting.refresh_from_db()
        assert waiting.state == "waiting"
        waits.append(waiting.due_at - moment)
        # Not a moment before.
        webhooks.drain(now=waiting.due_at - timedelta(seconds=1), post=receiver)
        moment = waiting.due_at
    assert tuple(waits) == webhooks.BACK_OFF
    webhooks.drain(now=moment, post=receiver)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.reason) == ("failed", "HTTP 500")
    keys = {headers["Idempotency-Key"] for _url, _body, headers in receiver.got}
    assert len(receiver.got) == 6
    assert keys == {waiting.key}


@pytest.mark.parametrize("answer", [301, 302, 307, 400, 404, wire.Refused("private")])
def test_drain__redirected_or_refused__is_not_tried_again(planned, now, answer):
    _lead, waiting = planned()
    webhooks.drain(now=now, post=Receiver(answer))
    waiting.refresh_from_db()
    assert waiting.state == "failed"
    assert waiting.reason


def test_drain__process_died_while_calling__is_made_again_after_the_lease(planned, now):
    _lead, waiting = planned()
    with pytest.raises(KeyboardInterrupt):
        webhooks.drain(now=now, post=Receiver(KeyboardInterrupt()))
    assert webhooks.drain(now=now + timedelta(minutes=1), post=Receiver(200)) == 0
    assert webhooks.drain(now=now + webhooks.LEASE, post=Receiver(200)) == 1


def test_settings__no_secret__cannot_be_published_and_nothing_is_sent(planned, now, settings):
    _lead, waiting = planned()
    settings.WAGTAIL_MA = {
        key: value for key, value in settings.WAGTAIL_MA.items() if key != "WEBHOOK_SECRET"
    }
    assert any("WEBHOOK_SECRET" in problem for problem in problems(a_draft([call()])))
    receiver = Receiver(200)
    assert webhooks.drain(now=now, post=receiver) == 0
    assert receiver.got == []


def test_run_due__a_scenario_with_a_webhook__really_tries(planned, now, monkeypatch):
    planned(url="https://localhost/hook")
    monkeypatch.setattr(socket, "create_connection", lambda *args, **kwargs: pytest.fail("called"))
    flow.run_due(now=now)
    waiting = WebhookCall.objects.get()
    assert (waiting.state, waiting.reason) == ("failed", "the address is not on the public internet")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://crm.example.com/",
        "ftp://crm.example.com/",
        "https://",
        "https://user:secret@crm.example.com/",
        "https://crm.example.com:99999/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.1.2.3/",
        "https://[fe80::1]/",
        "https://crm.example.com/a b",
        "https://crm.example.com/\r\nHost: other",
        "https://[::1",
    ],
)
def test_target_of__not_https_or_not_public__is_refused(url, signed):
    with pytest.raises(wire.Refused):
        wire.target_of(url)
    assert problems(a_draft([call(url)]))


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["93.184.216.34", "10.0.0.5"],
        ["0.0.0.0"],
        ["192.168.1.1"],
        ["172.16.0.1"],
        ["100.64.0.1"],
        ["169.254.169.254"],
        ["224.0.0.1"],
        ["255.255.255.255"],
        ["::"],
        ["::1"],
        ["fe80::1%eth0"],
        ["fc00::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
        ["ff02::1"],
    ],
)
def test_post__name_leads_inside__nothing_is_connected(addresses, monkeypatch):
    monkeypatch.setattr(socket, "create_connection", lambda *args, **kwargs: pytest.fail("called"))
    with pytest.raises(wire.Refused):
        wire.post(URL, b"{}", {}, resolve=lambda host, port: addresses)


def test_post__public_name__connects_to_the_address_that_was_checked(monkeypatch):
    seen = []

    def connect(address, timeout):
        seen.append((address, timeout))
        raise ConnectionRefusedError("closed")

    asked = []

    def resolve(host, port):
        asked.append(host)
        return ["93.184.216.34", "2606:2800:220:1::1"]

    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(wire.Unreachable, match="closed"):
        wire.post(URL, b"{}", {}, resolve=resolve)
    assert seen == [(("93.184.216.34", 443), wire.STEP_SECONDS)]
    assert asked == ["crm.example.com"]


def test_post__name_not_known__may_be_tried_again():
    def resolve(host, port):
        raise socket.gaierror("unknown")

    with pytest.raises(wire.Unreachable):
        wire.post(URL, b"{}", {}, resolve=resolve)
