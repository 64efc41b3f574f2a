"""The list of identifications and its undo button."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse

from tests import factories
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Identity, IdentityLink

pytestmark = pytest.mark.django_db
INDEX = "wagtail_ma_identifications:index"


@pytest.fixture
def joined(site, now):
    """The step by which a second browser joined Ann."""
    form = factories.lead_form(name="Whitepaper form")
    first, second = factories.browser(now), factories.browser(now)
    identify(first, email="ann@example.com", now=now, method="form", family_name="Ann")
    identify(second, email="ann@example.com", now=now, method="form", evidence={"form": form.pk})
    identify(first, email="bob@example.com", now=now, method="form")
    return IdentityLink.objects.get(identity=second)


def texts(response):
    return [(row.happened, row.where) for row in response.context["object_list"]]


def test_index__all_kinds_of_steps__told_in_words(admin_client, joined):
    response = admin_client.get(reverse(INDEX))
    assert sorted(texts(response)) == [
        ("A browser with its history joined this person", "Whitepaper form"),
        ("Named for the first time", ""),
        ("Named for the first time", ""),
        ("Shared computer: a second person used this browser", ""),
    ]


@pytest.mark.parametrize(("what", "count"), [("named", 2), ("joined", 1), ("shared", 1)])
def test_index__filtered__only_that_kind(admin_client, joined, what, count):
    assert len(texts(admin_client.get(f"{reverse(INDEX)}?what={what}"))) == count


def test_index__statements__do_not_grow_with_the_rows(
    admin_client, joined, now, django_assert_max_num_queries
):
    admin_client.get(reverse(INDEX))
    for number in range(12):
        identify(factories.browser(now), email=f"a{number}@example.com", now=now, method="form")
    with django_assert_max_num_queries(14):
        admin_client.get(reverse(INDEX))


def test_undo__confirmed__browser_stands_for_itself(admin_client, joined):
    url = reverse("wagtail_ma_identifications:undo", args=[joined.pk])
    assert url in admin_client.get(reverse(INDEX)).content.decode()
    assert "Ann" in admin_client.get(url).content.decode()
    assert Identity.objects.get(pk=joined.identity_id).visitor_id == joined.to_visitor_id
    assert admin_client.post(url).status_code == 302
    assert Identity.objects.get(pk=joined.identity_id).visitor_id == joined.from_visitor_id
    assert "Taken away from" in admin_client.get(url).content.decode()
    assert "Joined, and taken apart again" in admin_client.get(reverse(INDEX)).content.decode()


def test_undo__of_a_naming__404(admin_client, joined):
    named = IdentityLink.objects.filter(from_visitor__isnull=True).first()
    assert admin_client.post(reverse("wagtail_ma_identifications:undo", args=[named.pk])).status_code == 404


@pytest.mark.parametrize(
    ("codenames", "index_status", "may_undo"),
    [([], 302, False), (["view_lead"], 200, False), (["view_lead", "change_lead"], 200, True)],
)
def test_rights__own_for_looking_and_for_undoing(
    client, django_user_model, joined, codenames, index_status, may_undo
):
    group = Group.objects.create(name="g")
    group.permissions.set(Permission.objects.filter(codename__in=["access_admin", *codenames]))
    user = django_user_model.objects.create_user("e", "e@example.com", "e")
    user.groups.add(group)
    client.force_login(user)
    url = reverse("wagtail_ma_identifications:undo", args=[joined.pk])
    response = client.get(reverse(INDEX))
    assert response.status_code == index_status
    assert (url in response.content.decode()) == may_undo
    client.post(url)
    joined.refresh_from_db()
    assert bool(joined.undone_at) == may_undo
