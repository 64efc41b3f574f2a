"""What becomes of a visitor's address at the endpoint."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse

from wagtail_ma.tracking import networks, page_token
from wagtail_ma.tracking.models import Network, PageView, Visit
from wagtail_ma.tracking.page_token import PageRef

OFFICE = "203.0.113.7"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


@pytest.fixture(autouse=True)
def _forget() -> Any:
    networks.forget()
    yield
    networks.forget()


def send(**extra: str) -> int:
    token = page_token.make(PageRef(site_id=None, page_id=None, path="/a/"))
    message = {"k": "p", "v": str(uuid4()), "u": "http://testserver/a/", "t": token}
    body = json.dumps(message).encode()
    headers = {"HTTP_USER_AGENT": BROWSER, **extra}
    return Client().post(reverse("wagtail_ma:hit"), body, content_type="text/plain", **headers).status_code


def test_hit__from_a_known_network__guess_but_no_address_anywhere(db: Any) -> None:
    office = Network.objects.create(name="Example KK", ranges="203.0.113.0/24")
    assert send(REMOTE_ADDR=OFFICE) == 204
    assert Visit.objects.get().network == office
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            if table.startswith("wagtail_ma_"):
                cursor.execute(f'SELECT * FROM "{table}"')
                assert OFFICE not in str(cursor.fetchall())


def test_hit__forged_forwarded_for__still_nobodys_network(db: Any) -> None:
    Network.objects.create(name="Example KK", ranges="203.0.113.0/24")
    send(REMOTE_ADDR="198.51.100.1", HTTP_X_FORWARDED_FOR=OFFICE)
    assert Visit.objects.get().network is None


def test_hit__excluded_network__not_recorded(db: Any) -> None:
    Network.objects.create(name="We", kind="own", ranges="203.0.113.0/24", is_excluded=True)
    assert send(REMOTE_ADDR=OFFICE) == 204
    assert not PageView.objects.exists()
    # Nobody gets out of the count by a header, or makes others leave it.
    assert send(REMOTE_ADDR=OFFICE, HTTP_X_FORWARDED_FOR="198.51.100.1") == 204
    assert not PageView.objects.exists()
    send(REMOTE_ADDR="198.51.100.1", HTTP_X_FORWARDED_FOR=OFFICE)
    assert PageView.objects.count() == 1


def test_hit__country_header__on_the_visit(db: Any) -> None:
    keys = {
        "COUNTRY_HEADER": "CF-IPCountry",
        "REGION_HEADER": "CF-Region-Code",
        "TRUSTED_PROXIES": ["10.0.0.1"],
    }
    with override_settings(WAGTAIL_MA=keys):
        send(REMOTE_ADDR="10.0.0.1", HTTP_CF_IPCOUNTRY="JP", HTTP_CF_REGION_CODE="13")
    assert Visit.objects.values_list("country", "region").get() == ("JP", "JP-13")
