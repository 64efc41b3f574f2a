"""Channel rules in the admin."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from wagtail_ma.tracking import channel_rules
from wagtail_ma.tracking.channels import Channel
from wagtail_ma.tracking.models import ChannelRule

pytestmark = pytest.mark.django_db
VALUES = {
    "field": "referrer_host",
    "comparison": "equals",
    "value": "https://www.Partner.example/page",
    "medium": "paid",
    "source_name": " Partner ",
}
FOUND = Channel("referral", "x", "")


@pytest.fixture(autouse=True)
def no_rules_remembered() -> Iterator[None]:
    channel_rules.forget()
    yield
    channel_rules.forget()


def medium_of(referrer: str) -> str:
    return channel_rules.apply(FOUND, "https://example.com/", referrer).medium


def test_list__empty__says_what_to_do(admin_client: Client, home: Any) -> None:
    html = admin_client.get(reverse("wagtail_ma_channels:index")).content.decode()
    assert "There are no rules of your own yet" in html
    assert "visits that begin from now on" in html


def test_add__address_pasted__host_kept_last_in_order_and_applied_at_once(
    admin_client: Client, home: Any
) -> None:
    ChannelRule.objects.create(field="utm_source", value="x", medium="paid", sort_order=5)
    assert medium_of("https://partner.example/") == "referral"
    response = admin_client.post(reverse("wagtail_ma_channels:add"), VALUES)
    assert response.status_code == 302, response.context["form"].errors
    rule = ChannelRule.objects.order_by("-pk")[0]
    assert (rule.value, rule.source_name, rule.sort_order) == ("www.partner.example", "partner", 6)
    assert medium_of("https://partner.example/") == "paid"


@pytest.mark.parametrize(
    "changes",
    [
        {"value": " "},
        {"field": "landing_path", "value": "https://example.com/a/"},
        {"medium": "x"},
        {"field": ""},
    ],
)
def test_add__wrong__shown_in_the_form(admin_client: Client, home: Any, changes: dict[str, str]) -> None:
    response = admin_client.post(reverse("wagtail_ma_channels:add"), {**VALUES, **changes})
    assert response.status_code == 200
    assert set(response.context["form"].errors) & set(VALUES)


def test_edit_copy_delete__each__works_and_is_applied(admin_client: Client, home: Any) -> None:
    rule = ChannelRule.objects.create(
        field="referrer_host", value="partner.example", medium="paid", sort_order=1
    )
    admin_client.post(reverse("wagtail_ma_channels:edit", args=[rule.pk]), {**VALUES, "medium": "social"})
    assert medium_of("https://partner.example/") == "social"
    assert admin_client.get(reverse("wagtail_ma_channels:copy", args=[rule.pk])).status_code == 200
    admin_client.post(reverse("wagtail_ma_channels:delete", args=[rule.pk]))
    assert medium_of("https://partner.example/") == "referral"


def test_reorder__last_to_the_top__wins(admin_client: Client, home: Any) -> None:
    for order, medium in enumerate(("paid", "social"), start=1):
        last = ChannelRule.objects.create(
            field="referrer_host", value="partner.example", medium=medium, sort_order=order
        )
    assert medium_of("https://partner.example/") == "paid"
    admin_client.post(reverse("wagtail_ma_channels:reorder", args=[last.pk]) + "?position=0")
    assert medium_of("https://partner.example/") == "social"
    assert "w-orderable" in admin_client.get(reverse("wagtail_ma_channels:index")).content.decode()
    table = admin_client.get(reverse("wagtail_ma_channels:index_results")).content.decode()
    assert table.index("Social media") < table.index("Advertising")


@pytest.mark.parametrize("query", ["?q=partner", "?medium=paid", "?q=nothing"])
def test_list__searched_or_filtered__works(admin_client: Client, home: Any, query: str) -> None:
    ChannelRule.objects.create(field="referrer_host", value="partner.example", medium="paid", sort_order=1)
    assert admin_client.get(reverse("wagtail_ma_channels:index") + query).status_code == 200
    table = admin_client.get(reverse("wagtail_ma_channels:index_results") + query).content.decode()
    assert ("partner.example" in table) is (query != "?q=nothing")


@pytest.mark.parametrize("page", ["index", "add"])
def test_any__without_permission__refused(client: Client, home: Any, page: str) -> None:
    group = Group.objects.create(name="Editors")
    group.permissions.add(Permission.objects.get(codename="access_admin"))
    user = User.objects.create_user("editor")
    user.groups.add(group)
    client.force_login(user)
    assert client.get(reverse(f"wagtail_ma_channels:{page}")).status_code == 302
