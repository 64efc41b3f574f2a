"""Scoring rules in the admin."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.scoring.history import a_browser, a_view, a_visit, a_visitor
from wagtail_ma.people.models import Lead
from wagtail_ma.scoring import rescore
from wagtail_ma.scoring.award import award
from wagtail_ma.scoring.current import current_model
from wagtail_ma.scoring.models import ScoringRule
from wagtail_ma.scoring.sentences import sentence

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
    "match": "all",
    "rule-count": "0",
    "confirmed": "1",
}


def test_add__page_rule__keeps_the_translation_key_and_scores_anew(admin_client, home):
    response = admin_client.post(reverse("wagtail_ma_scoring:add"), {**VALUES, "page": home.pk})
    assert response.status_code == 302, response.context["form"].errors
    rule = ScoringRule.objects.get(name="Pricing")
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


def test_list__new_installation__has_the_default_rules(admin_client, site):
    text = admin_client.get(reverse("wagtail_ma_scoring:index")).content.decode()
    assert "Prices read, for every 30 seconds" in text
    assert "contains “部長”" in text


def test_list__all_rules_deleted__says_what_to_do(admin_client, site, now):
    current_model(now)
    ScoringRule.objects.all().delete()
    text = admin_client.get(reverse("wagtail_ma_scoring:index")).content.decode()
    assert "There are no scoring rules" in text


def test_list__nobody_logged_in__is_refused(client, site):
    assert client.get(reverse("wagtail_ma_scoring:index")).status_code == 302


def test_sentence__deleted_page__is_named_as_such(home):
    rule = ScoringRule(name="A", kind="page_view", page_key=home.translation_key)
    home.delete()
    assert "deleted" in sentence(rule)


def condition(kind: str, **values: str) -> dict[str, str]:
    """What a form posts for a rule tree of one condition."""
    posted = {
        "rule-count": "1",
        "rule-0-deleted": "",
        "rule-0-order": "0",
        "rule-0-type": kind,
        "rule-0-id": "",
    }
    posted["rule-0-type"] = kind
    return posted | {f"rule-0-value-{name}": value for name, value in values.items()}


TITLE_RULE = {
    **VALUES,
    "name": "Decides",
    "kind": "holds",
    "points": "30",
    **condition("lead_attribute", attribute="title", operator="contains", text="director"),
}


def test_add__conditions__fit_points_for_whom_they_hold(admin_client, site, now):
    response = admin_client.post(reverse("wagtail_ma_scoring:add"), TITLE_RULE)
    assert response.status_code == 302, response.context["form"].errors
    rule = ScoringRule.objects.get(kind="holds")
    visitor = a_visitor(now)
    Lead.objects.create(visitor=visitor, email="a@example.com", title="Director", created_at=now)
    award([visitor.pk], now=now)
    assert visitor.score_entries.filter(rule=rule, model__is_current=True).get().points == 30


def test_add__conditions_that_ask_for_scores__is_refused(admin_client, site):
    values = {**TITLE_RULE, "rule-0-type": "score"}
    values |= {"rule-0-value-comparison": "at_least", "rule-0-value-number": "5"}
    response = admin_client.post(reverse("wagtail_ma_scoring:add"), values)
    assert "cannot ask for scores" in str(response.context["form"].errors["rule"])


def test_add__not_confirmed__shows_what_would_change_and_saves_nothing(admin_client, site, now):
    current_model(now)
    ScoringRule.objects.all().delete()
    visitor = a_visitor(now)
    Lead.objects.create(visitor=visitor, email="ann@example.com", family_name="Ann", created_at=now)
    a_view(a_visit(a_browser(visitor, now), timezone.now()), timezone.now())
    award([visitor.pk], now=now)
    values = {**VALUES, "points": "60"}
    del values["confirmed"]
    response = admin_client.post(reverse("wagtail_ma_scoring:add"), values)
    found = response.context["found"]
    assert (found.hot, found.cool, found.changed) == (1, 0, 1)
    text = response.content.decode()
    assert "Ann" in text
    assert "60.0" in text
    assert not ScoringRule.objects.exists()
    assert not rescore.is_running()
    again = admin_client.post(reverse("wagtail_ma_scoring:add"), {**values, "again": "1"})
    assert again.context["form"]["points"].value() == "60"
    kept = dict(response.context["kept"])
    assert admin_client.post(reverse("wagtail_ma_scoring:add"), {**kept, "confirmed": "1"}).status_code == 302
    assert ScoringRule.objects.get().points == 60


def test_delete__first_look__says_what_would_change(admin_client, site, now):
    rule = ScoringRule.objects.create(name="View", kind="page_view", points=70)
    visitor = a_visitor(now)
    a_view(a_visit(a_browser(visitor, now), timezone.now()), timezone.now())
    award([visitor.pk], now=now)
    response = admin_client.get(reverse("wagtail_ma_scoring:delete", args=[rule.pk]))
    assert response.context["found"].cool == 1
    assert ScoringRule.objects.filter(pk=rule.pk).exists()


def test_list__all_points_from_reading_time__warns(admin_client, site, now):
    current_model(now)
    ScoringRule.objects.all().delete()
    ScoringRule.objects.create(name="Read", kind="engaged", min_seconds=30, points=5)
    text = admin_client.get(reverse("wagtail_ma_scoring:index")).content.decode()
    assert "Time alone misleads" in text
    assert "can give 100 % of all points" in text


def test_preview__rule_would_give_most_of_the_points__warns_before_it_is_saved(admin_client, site, now):
    current_model(now)
    ScoringRule.objects.all().delete()
    ScoringRule.objects.create(name="Visit", kind="visit", points=5)
    visitor = a_visitor(now)
    a_view(a_visit(a_browser(visitor, now), timezone.now()), timezone.now())
    award([visitor.pk], now=now)
    values = {**VALUES, "name": "Heavy", "points": "45"}
    del values["confirmed"]
    warnings = admin_client.post(reverse("wagtail_ma_scoring:add"), values).context["warnings"]
    assert any("“Heavy” has given 90 % of all points" in warning for warning in warnings)
    calm = admin_client.post(reverse("wagtail_ma_scoring:add"), {**values, "points": "5"}).context["warnings"]
    assert not any("of all points" in warning for warning in calm)


PATTERN = {
    **VALUES,
    "name": "Prices twice",
    "kind": "pattern",
    "max_total": "",
    "max_per_day": "1",
    # Left over from another kind.
    "times": "3",
    "min_seconds": "30",
    **condition("page_viewed", comparison="at_least", number="2", count="views", days="7"),
}


def test_add__pattern__pays_engagement_when_its_conditions_come_to_hold(admin_client, site, now):
    response = admin_client.post(reverse("wagtail_ma_scoring:add"), PATTERN)
    assert response.status_code == 302, response.context["form"].errors
    rule = ScoringRule.objects.get(kind="pattern")
    assert (rule.times, rule.min_seconds, rule.max_per_day) == (1, 0, 1)
    visitor = a_visitor(now)
    visit = a_visit(a_browser(visitor, now), now)
    first, second = a_view(visit, now), a_view(visit, now)
    award([visitor.pk], now=now)
    entry = visitor.score_entries.get(rule=rule, model__is_current=True)
    assert (entry.points, entry.fact_id) == (10, max(first.pk, second.pk))


def test_add__pattern_without_a_date__says_why_and_what_can_be_dated(admin_client, site):
    values = {**PATTERN, "rule-0-type": "last_visit", "rule-0-value-comparison": "at_least"}
    response = admin_client.post(reverse("wagtail_ma_scoring:add"), values)
    assert "no date follows from it" in str(response.context["form"].errors["rule"])
    assert "These conditions can be dated: " in response.content.decode()
    assert not ScoringRule.objects.exists()


def test_preview__pattern__says_whom_it_would_heat(admin_client, site, now):
    current_model(now)
    visitor = a_visitor(now)
    visit = a_visit(a_browser(visitor, now), timezone.now())
    a_view(visit, timezone.now())
    a_view(visit, timezone.now())
    award([visitor.pk], now=now)
    values = {**PATTERN, "points": "90"}
    del values["confirmed"]
    response = admin_client.post(reverse("wagtail_ma_scoring:add"), values)
    assert response.context["found"].hot == 1
    assert "Each time this comes to hold" in response.content.decode()


def test_form__rules_look_at_one_signal__warns_above_the_form_too(admin_client, site, now):
    current_model(now)
    ScoringRule.objects.all().delete()
    rule = ScoringRule.objects.create(name="Read", kind="engaged", min_seconds=30, points=5)
    for url in (
        reverse("wagtail_ma_scoring:edit", args=[rule.pk]),
        reverse("wagtail_ma_scoring:copy", args=[rule.pk]),
        reverse("wagtail_ma_scoring:add"),
    ):
        text = admin_client.get(url).content.decode()
        assert "Time alone misleads" in text
        assert "can give 100 % of all points" in text


def test_form__back_from_the_preview__warns_of_the_rules_as_they_would_be(admin_client, site, now):
    current_model(now)
    ScoringRule.objects.all().delete()
    ScoringRule.objects.create(name="Visit", kind="visit", points=5)
    visitor = a_visitor(now)
    a_view(a_visit(a_browser(visitor, now), timezone.now()), timezone.now())
    award([visitor.pk], now=now)
    values = {**VALUES, "name": "Heavy", "points": "45", "again": "1"}
    del values["confirmed"]
    text = admin_client.post(reverse("wagtail_ma_scoring:add"), values).content.decode()
    assert "“Heavy” has given 90 % of all points" in text
    assert "Heavy" not in admin_client.get(reverse("wagtail_ma_scoring:add")).content.decode()
    assert not ScoringRule.objects.filter(name="Heavy").exists()
