"""Addresses become guesses and are forgotten; nobody can forge where a visit comes from."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.mmdb import write_database
from wagtail_ma import flow
from wagtail_ma.tracking import batch, networks, places, regions
from wagtail_ma.tracking.hits import Hit
from wagtail_ma.tracking.models import Network, Visit
from wagtail_ma.tracking.page_token import PageRef
from wagtail_ma.tracking.places import Place

OFFICE = "203.0.113.7"
PROXY = "10.0.0.1"


def behind_proxy(**keys: Any) -> Any:
    return override_settings(WAGTAIL_MA={"TRUSTED_PROXIES": ["10.0.0.0/8"], **keys})


def address_of(forwarded: str = "", peer: str = PROXY) -> str:
    found = places.client_address({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded})
    return str(found) if found else ""


@given(st.text(max_size=80) | st.lists(st.ip_addresses().map(str)).map(", ".join))
def test_address__no_trusted_proxy__forwarded_for_changes_nothing(forwarded: str) -> None:
    assert address_of(forwarded, peer=OFFICE) == OFFICE


@given(st.text(max_size=80) | st.lists(st.ip_addresses().map(str)).map(", ".join))
def test_address__forged_in_front__last_of_the_trusted_chain_counts(forged: str) -> None:
    with behind_proxy():
        assert address_of(f"{forged}, {OFFICE}") == OFFICE
        assert address_of(f"{forged}, {OFFICE}, 10.3.2.1") == OFFICE
        # Whoever is no proxy of ours cannot say anything.
        assert address_of(forged, peer=OFFICE) == OFFICE


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        ("203.0.113.7:4711", OFFICE),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:203.0.113.7", OFFICE),
        ("10.0.0.9", "10.0.0.9"),
        ("unknown", ""),
        ("", ""),
    ],
)
def test_address__what_a_proxy_writes__read(forwarded: str, expected: str) -> None:
    with behind_proxy():
        assert address_of(forwarded) == expected


def test_address__by_a_socket__needs_the_word() -> None:
    assert address_of(OFFICE, peer="") == ""
    with override_settings(WAGTAIL_MA={"TRUSTED_PROXIES": ["unix"]}):
        assert address_of(OFFICE, peer="") == OFFICE


@given(st.ip_addresses(), st.lists(st.tuples(st.ip_addresses(), st.integers(8, 128)), max_size=8))
def test_find__any_networks__narrowest_that_contains_it(address: Any, drawn: list[Any]) -> None:
    known = [ip_network((a, min(max(n, 16), a.max_prefixlen)), strict=False) for a, n in drawn]
    table = networks._Table()
    for number, network in enumerate(known, start=1):
        networks._fill(table, number, [str(network)])
    for version, by_length in table.by_length.items():
        table.by_length[version] = dict(sorted(by_length.items(), reverse=True))
    fitting = [each for each in known if each.version == address.version and address in each]
    found = table.find(address)
    if not fitting:
        assert found is None
    else:
        assert known[found - 1].prefixlen == max(each.prefixlen for each in fitting)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("203.0.113.7/24", "203.0.113.0/24"),
        ("203.0.113.7 # office\n\n2001:db8::/32", "203.0.113.7/32\n2001:db8::/32"),
        ("203.0.113.0-203.0.113.2", "203.0.113.0/31\n203.0.113.2/32"),
        ("203.0.113.1, 203.0.113.1", "203.0.113.1/32"),
    ],
)
def test_normalised__typed__as_cidr(typed: str, expected: str) -> None:
    assert networks.normalised(typed) == expected


@pytest.mark.parametrize(
    "typed", ["example.com", "0.0.0.0/0", "::/0", "203.0.113.9-203.0.113.1", "1.2.3.4-::1"]
)
def test_normalised__no_network__refused(typed: str) -> None:
    with pytest.raises(networks.BadRange):
        networks.normalised(typed)


@pytest.mark.parametrize(
    ("told", "code"),
    [
        *[("13", "JP-13"), ("JP-13", "JP-13"), ("1", "JP-01"), ("Tokyo", "JP-13"), ("東京都", "JP-13")],
        *[("Ōsaka", "JP-27"), ("Kyoto Prefecture", "JP-26"), ("京都", "JP-26"), ("北海道", "JP-01")],
        *[("99", ""), ("Atlantis", ""), ("", "")],
    ],
)
def test_region__of_japan__its_code(told: str, code: str) -> None:
    assert regions.code_of("JP", told) == code


def test_region__elsewhere__code_or_name() -> None:
    assert regions.code_of("US", "ca") == "US-CA"
    assert regions.code_of("DE", "Bavaria") == "Bavaria"
    assert len(regions.PREFECTURES) == 47


def test_place__headers__only_from_trusted_proxies(db: Any) -> None:
    meta = {"REMOTE_ADDR": PROXY, "HTTP_CF_IPCOUNTRY": "jp", "HTTP_CF_REGION": "Tokyo"}
    with behind_proxy(COUNTRY_HEADER="CF-IPCountry", REGION_HEADER="CF-Region"):
        assert places.of_request(meta) == Place("JP", "JP-13")
        assert places.of_request({**meta, "REMOTE_ADDR": OFFICE}) == Place()
        assert places.of_request({**meta, "HTTP_CF_IPCOUNTRY": "<b>"}) == Place()


def test_place__local_database__country_and_prefecture(db: Any, tmp_path: Path) -> None:
    path = tmp_path / "places.mmdb"
    row = {"country": {"iso_code": "JP"}, "subdivisions": [{"iso_code": "27", "names": {"en": "Osaka"}}]}
    write_database(
        path, {"203.0.113.0/24": row, "198.51.100.0/24": {"country_code": "US", "region": "Texas"}}
    )
    with override_settings(WAGTAIL_MA={"GEOIP_DATABASE": str(path)}):
        assert places.of_address(ip_address(OFFICE)) == Place("JP", "JP-27")
        assert places.of_address(ip_address("198.51.100.9")) == Place("US", "Texas")
        assert places.of_address(ip_address("192.0.2.1")) == Place()


def test_place__no_database_there__unknown(db: Any, tmp_path: Path) -> None:
    with override_settings(WAGTAIL_MA={"GEOIP_DATABASE": str(tmp_path / "none.mmdb")}):
        assert places.of_address(ip_address(OFFICE)) == Place()


def a_hit(number: int, **fields: Any) -> Hit:
    from uuid import UUID

    page = PageRef(site_id=None, page_id=None, path="/a/")
    return Hit(kind="p", view_id=UUID(int=number), url="http://testserver/a/", page=page, **fields)


def test_visit__from_a_network__keeps_the_guess(db: Any, now: Any) -> None:
    office = Network.objects.create(name="Example KK", ranges="203.0.113.0/24")
    flow.record_hit(a_hit(1, country="JP", region="JP-13", network_id=office.pk), now=now)
    visit = Visit.objects.get()
    assert (visit.country, visit.region, visit.network) == ("JP", "JP-13", office)
    office.delete()
    visit.refresh_from_db()
    assert visit.network is None


def test_visit__network_deleted_while_the_message_waited__recorded_without(db: Any, now: Any) -> None:
    gone = Network.objects.create(name="Gone", ranges="203.0.113.0/24")
    heard = batch.Heard(a_hit(2, network_id=gone.pk), now)
    gone.delete()
    networks.forget()
    batch.write_all([heard])
    flow.record_hit(a_hit(3, network_id=heard.hit.network_id), now=now + timedelta(hours=2))
    assert [visit.network_id for visit in Visit.objects.all()] == [None, None]


@pytest.fixture(autouse=True)
def _forget() -> Any:
    networks.forget()
    yield
    networks.forget()
