"""Scoring rules in the admin."""

from __future__ import annotations

import pytest
from django.urls import reverse

from wagtail_ma.admin.scoring import sentence
from wagtail_ma.scoring import rescore
from wagtail_ma.scoring.models import ScoringRule

pytestmark = pytest.mark.django_db

VALUES = {
    "name": "Pricing",
    "kind": "page_view",
    "page": "",
    "activity_kind": "",
    "min_seconds": "0",
    "points": "10",
    "max_per_day": "",
    "max_total": "3",
    "is_active": "on",
}


def test_add__page_rule__keeps_the_translation_key_and_scores_anew(admin_client, home):
    response = admin_client.post(reverse("wagtail_ma_scoring:add"), {**VALUES, "page": home.pk})
    assert response.status_code == 302, response.context["form"].errors
    rule = ScoringRule.objects.get()
    assert rule.page_key == home.translation_key
    assert rule.max_total == 3
    assert rescore.is_running()


def test_edit__page_rule__shows_the_page_and_can_take_it_away(admin_client, home):
    rule = ScoringRule.objects.create(name="Home", kind="page_view", page_key=home.translation_key)
    url = reverse("wagtail_ma_scoring:edit", args=[rule.pk])
    assert admin_client.get(url).context["form"]["page"].initial.pk == home.pk
    assert admin_client.post(url, VALUES).status_code == 302
    rule.refresh_from_db()
    assert rule.page_key is None


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "activity"}, "activity_kind"),
        ({"kind": "engaged"}, "min_seconds"),
        ({"max_per_day": "0"}, "max_per_day"),
        ({"name": ""}, "name"),
    ],
)
def test_add__incomplete_rule__says_what_is_missing(admin_client, site, changes, field):
    response = admin_client.post(reverse("wagtail_ma_scoring:add"), {**VALUES, **changes})
    assert field in response.context["form"].errors
    assert not rescore.is_running()


def test_add__kind_without_activity__drops_what_was_left_in_the_field(admin_client, site):
    admin_client.post(reverse("wagtail_ma_scoring:add"), {**VALUES, "activity_kind": "download"})
    assert ScoringRule.objects.get().activity_kind == ""


def test_delete__rule__scores_anew(admin_client, site):
    rule = ScoringRule.objects.create(name="View", kind="page_view")
    admin_client.post(reverse("wagtail_ma_scoring:delete", args=[rule.pk]))
    assert not ScoringRule.objects.exists()
    assert rescore.is_running()


def test_list__rules__are_sentences(admin_client, home):
    ScoringRule.objects.create(name="A", kind="page_view", page_key=home.translation_key)
    ScoringRule.objects.create(name="B", kind="engaged", min_seconds=60)
    text = admin_client.get(reverse("wagtail_ma_scoring:index")).content.decode()
    assert "“Home” or a page below is viewed" in text
    assert "A page is read for 60 seconds" in text


def test_list__no_rules__says_what_to_do(admin_client, site):
    text = admin_client.get(reverse("wagtail_ma_scoring:index")).content.decode()
    assert "There are no scoring rules" in text


def test_list__nobody_logged_in__is_refused(client, site):
    assert client.get(reverse("wagtail_ma_scoring:index")).status_code == 302


def test_sentence__deleted_page__is_named_as_such(home):
    rule = ScoringRule(name="A", kind="page_view", page_key=home.translation_key)
    home.delete()
    assert "deleted" in sentence(rule)
