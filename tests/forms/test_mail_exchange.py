"""Whether anybody takes mail for a domain, asked of a name server of our own."""

from __future__ import annotations

import socket
import threading

import pytest

from tests import factories
from tests.forms.test_form_page import send
from wagtail_ma import checks
from wagtail_ma.forms import mail_exchange
from wagtail_ma.forms.models import Submission

pytest.importorskip("dns")
import dns.message
import dns.rcode
import dns.rdatatype
import dns.resolver
import dns.rrset

# What the name server knows; anything else does not exist. "slow" is never answered.
ZONE = {
    ("good.example", "MX"): "10 mx.good.example.",
    ("null.example", "MX"): "0 .",
    ("plain.example", "A"): "192.0.2.1",
    ("six.example", "AAAA"): "2001:db8::1",
    ("empty.example", "TXT"): '"nothing"',
    ("broken.example", "MX"): "SERVFAIL",
}


def answer(wire: bytes) -> bytes | None:
    query = dns.message.from_wire(wire)
    name = str(query.question[0].name).rstrip(".")
    kind = dns.rdatatype.to_text(query.question[0].rdtype)
    if name == "slow.example":
        return None
    response = dns.message.make_response(query)
    data = ZONE.get((name, kind))
    if data == "SERVFAIL":
        response.set_rcode(dns.rcode.SERVFAIL)
    elif data is not None:
        response.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", kind, data))
    elif name not in {known for known, _kind in ZONE}:
        response.set_rcode(dns.rcode.NXDOMAIN)
    return response.to_wire()


@pytest.fixture
def name_server(monkeypatch):
    """Answers on this machine; the list of what it was asked."""
    asked: list[bytes] = []
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                wire, peer = server.recvfrom(4096)
            except OSError:
                return
            if not wire:
                return
            asked.append(wire)
            if reply := answer(wire):
                server.sendto(reply, peer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()

    def resolver():
        made = dns.resolver.Resolver(configure=False)
        made.nameservers, made.port = ["127.0.0.1"], server.getsockname()[1]
        return made

    monkeypatch.setattr(mail_exchange, "_resolver", resolver)
    monkeypatch.setattr(mail_exchange, "WAIT_SECONDS", 0.4)
    mail_exchange._asked.cache_clear()
    yield asked
    server.sendto(b"", server.getsockname())
    thread.join(2)
    server.close()
    mail_exchange._asked.cache_clear()


@pytest.mark.parametrize(
    ("domain", "takes"),
    [
        ("good.example", True),
        ("null.example", False),
        ("plain.example", True),
        ("six.example", True),
        ("empty.example", False),
        ("nowhere.example", False),
        # Doubt is no no.
        ("broken.example", True),
        ("slow.example", True),
    ],
)
def test_takes_mail__domain__only_a_sure_no_counts(name_server, domain, takes):
    assert mail_exchange.takes_mail(domain) is takes
    count = len(name_server)
    assert mail_exchange.takes_mail(domain) is takes
    assert len(name_server) == count


@pytest.mark.django_db
def test_form__switched_on__mistyped_domain_is_pointed_out(client, site, settings, name_server):
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "CHECK_MX": True}
    form = factories.lead_form()
    response = send(client, form, {"email": "ann@nowhere.example"})
    assert response.status_code == 422
    assert "nobody takes mail for nowhere.example" in response.content.decode()
    assert send(client, form, {"email": "ann@good.example"}).status_code == 303


@pytest.mark.django_db
def test_form__as_delivered__asks_nobody(client, site, name_server):
    assert send(client, factories.lead_form(), {"email": "ann@nowhere.example"}).status_code == 303
    assert Submission.objects.exists()
    assert name_server == []


def test_check__switched_on_without_the_package__says_so(settings, monkeypatch):
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "CHECK_MX": True}
    assert not [one for one in checks.check_settings(None) if one.id == "wagtail_ma.E015"]
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    assert [one.id for one in checks.check_settings(None)] == ["wagtail_ma.E015"]
