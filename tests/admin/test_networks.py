"""The screens of networks."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from wagtail_ma.tracking.models import Network

VALUES = {"name": "Example KK", "kind": "company", "ranges": "203.0.113.9/24\n2001:db8::1", "is_excluded": ""}


def test_networks__none__says_what_to_do_first(admin_client: Any) -> None:
    assert "your own office" in admin_client.get(reverse("wagtail_ma_networks:index")).content.decode()


def test_networks__added_edited_deleted(admin_client: Any) -> None:
    admin_client.post(reverse("wagtail_ma_networks:add"), VALUES)
    network = Network.objects.get()
    assert network.ranges == "203.0.113.0/24\n2001:db8::1/128"
    assert "Example KK" in admin_client.get(reverse("wagtail_ma_networks:index")).content.decode()
    admin_client.post(reverse("wagtail_ma_networks:edit", args=[network.pk]), {**VALUES, "is_excluded": "on"})
    network.refresh_from_db()
    assert network.is_excluded
    admin_client.post(reverse("wagtail_ma_networks:delete", args=[network.pk]))
    assert not Network.objects.exists()


def test_networks__no_network_typed__refused_with_the_line(admin_client: Any) -> None:
    response = admin_client.post(reverse("wagtail_ma_networks:add"), {**VALUES, "ranges": "example.com"})
    assert "“example.com”" in response.content.decode()
    assert not Network.objects.exists()


def test_networks__no_permission__not_shown(client: Any, django_user_model: Any) -> None:
    from django.contrib.auth.models import Permission

    user = django_user_model.objects.create_user("editor", "e@example.com", "x")
    user.user_permissions.add(Permission.objects.get(codename="access_admin"))
    client.force_login(user)
    assert client.get(reverse("wagtail_ma_networks:index")).status_code == 302
