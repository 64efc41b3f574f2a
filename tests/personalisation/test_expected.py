# ruff: noqa: E501  (names of tests are long, and are found by them whole)
"""What people expect of personalisation, and which test holds it.

:data:`EXPECTED` names the test of each behaviour; the rest of the file tests those that no other file does.
Conditions as such are compared with a slow, obvious evaluator in ``tests/rules/test_parity.py``.
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.template import Context, Template
from django.test import Client, RequestFactory

from tests.factories import condition, make_browser, make_segment, make_view
from tests.personalisation.test_blocks import page, personalised, put, variant  # noqa: F401
from tests.personalisation.test_live import seen
from wagtail_ma.people.models import Visitor
from wagtail_ma.personalisation.facts import QueryParameter
from wagtail_ma.rules.tree import Broken, parse
from wagtail_ma.segments import refresh
from wagtail_ma.tracking.models import Visit

pytestmark = pytest.mark.django_db
HERE = "personalisation/test_expected.py"

EXPECTED = {
    "general": {
        "no segment: the page, and its default": "personalisation/test_blocks.py::test_page__no_segment_and_no_variant__default",
        "no condition: nobody": "rules/test_tree.py::test_parse__damaged_or_outdated_rule__broken_with_a_reason",
        "deleted segment: no error": "personalisation/test_blocks.py::test_page__segment_deleted_after_publishing__default",
        "all and any": f"{HERE}::test_rule__all_and_any_of_two__as_it_says",
        "two conditions of one kind": f"{HERE}::test_rule__two_of_one_kind__both_or_either",
        "stays in while the rule holds, stored": "segments/test_refresh.py::test_refresh_visitors__views_grow_old__leaves",
        "this request only, live": "personalisation/test_live.py::test_live__query_parameter__this_page_view_only",
        "in a segment once": "segments/test_refresh.py::test_membership__twice__refused",
        "a condition that raises": f"{HERE}::test_rule__condition_raises__default_and_200",
        "stored segments cannot be read": "personalisation/test_blocks.py::test_page__segments_cannot_be_read__default_and_200",
        "order when several match": "personalisation/test_blocks.py::test_page__member_of_several__first_variant_in_the_editors_order",
        "several segments for a variant": "personalisation/test_blocks.py::test_page__variant_for_several_segments__any_of_them",
        "not in a segment": "personalisation/test_live.py::test_excluding__members_and_others__the_others_see_it",
    },
    "time and day": {
        "both ends belong to it": "personalisation/test_local_time.py::test_window__its_ends__belong_to_it",
        "over midnight": "personalisation/test_local_time.py::test_window__over_midnight__belongs_to_the_day_it_began",
        "time zones, day around midnight": "personalisation/test_local_time.py::test_window__another_zone__local_clock_counts",
        "summer time": "personalisation/test_local_time.py::test_window__clocks_change__wall_clock_counts",
        "no day ticked": "personalisation/test_local_time.py::test_window__no_day_ticked__never",
        "a ticked day, and another": "personalisation/test_local_time.py::test_window__equal_ends__the_whole_day",
        "no such time zone": "personalisation/test_local_time.py::test_zone__none_of_that_name__refused",
    },
    "referrer": {
        "found, missing, another, own site": f"{HERE}::test_referrer__found_missing_other_and_own__as_it_says",
        "damaged": "personalisation/test_live.py::test_live__facts_of_the_request__from_its_headers",
        "of the first, the last, any visit": "rules/test_parity.py::test_condition__random_values_and_people__same_in_both_shapes",
    },
    "parameter of the address": {
        "value, others beside it, another, missing": f"{HERE}::test_query__values__as_it_says",
        "two of them": f"{HERE}::test_rule__two_of_one_kind__both_or_either",
    },
    "device, language, log-in": {
        "each device, none told": f"{HERE}::test_device__each__as_it_says",
        "language": "personalisation/test_live.py::test_live__facts_of_the_request__from_its_headers",
        "logged in or not": "personalisation/test_live.py::test_live__logged_in__by_the_session",
    },
    "views and visits": {
        "at least, at most, exactly; never": f"{HERE}::test_views__more_less_equal_and_zero__with_their_edges",
        "another page does not count": f"{HERE}::test_views__of_another_page__do_not_count",
        "the page was deleted": "segments/test_refresh.py::test_refresh__page_deleted__segment_broken_and_members_frozen",
        "the page was moved": "segments/test_refresh.py::test_refresh_visitors__page_moved__compiled_anew",
        "visits: first, second, none; with their edges": f"{HERE}::test_visits__more_less_equal_and_zero__with_their_edges",
        "HEAD": "web/test_server_side.py::test_page__head__not_recorded",
        "previews": "web/test_tag.py::test_tag__preview__nothing",
        "editors": "web/test_hits.py::test_hit__staff__not_recorded_unless_asked_for",
        "programs": "web/test_server_side.py::test_page__bot__flagged_one_visitor_and_no_cookie",
        "visits of programs": f"{HERE}::test_visits__of_programs__do_not_count",
    },
    "country": {
        "header, its case, none, unknown, Tor": f"{HERE}::test_country__header__as_it_says",
        "of a visit, by header, from trusted proxies only": "tracking/test_places.py::test_place__headers__only_from_trusted_proxies",
        "of a visit, by a local database": "tracking/test_places.py::test_place__local_database__country_and_prefecture",
    },
    "address of the visitor": {
        "no trusted proxy": "tracking/test_places.py::test_address__no_trusted_proxy__forwarded_for_changes_nothing",
        "forged": "tracking/test_places.py::test_address__forged_in_front__last_of_the_trusted_chain_counts",
    },
    "random share": {
        "bounds": f"{HERE}::test_random__outside_of_0_to_100__refused",
        "nobody, everybody, the same each time": f"{HERE}::test_random__share__same_people_each_time",
    },
    "fixed members": {
        "added by hand": "admin/test_segment_people.py::test_people__addresses__added_and_unknown_ones_named",
        "members of another at a moment": "segments/test_snapshot.py::test_snapshot__members_now__stay_when_the_other_changes",
        "what keeps each in it": "segments/test_sources.py::test_source__by_rule_by_hand_and_both__what_counts_more",
        "not asked again, however long ago": "segments/test_sources.py::test_source__kept_from_another_segment__said_so",
        "the number over time": "admin/test_segment_people.py::test_people__sizes__as_a_chart",
        "by hand counts more than the rule": "admin/test_segment_people.py::test_person__by_hand__more_than_the_rule",
        "who may only look cannot change them": "admin/test_segment_people.py::test_person__may_only_look__no_change",
        "no conditions beside them": "admin/test_segment_people.py::test_static__form__without_conditions",
    },
    "template tag": {
        "in a segment and not": "personalisation/test_tag.py::test_if_segment__member_and_others__each_their_part",
        "unknown name": f"{HERE}::test_tag__unknown_name__empty",
        "no name": "personalisation/test_tag.py::test_if_segment__no_name__syntax_error",
    },
    "block": {
        "blank or deleted segment": "personalisation/test_blocks.py::test_page__segment_blank_or_deleted__default",
        "no request": "personalisation/test_blocks.py::test_block__no_request_at_all__default",
        "preview": "personalisation/test_http.py::test_preview__as_segment__its_variant",
        "nested": "personalisation/test_blocks.py::test_block__nested_in_another__each_decides",
        "search and API": "personalisation/test_blocks.py::test_block__search_and_api__only_the_default",
        "feeds": "personalisation/test_blocks.py::test_feed__read_by_a_member__only_the_default",
        "draft": "personalisation/test_slots.py::test_endpoint__draft__live_revision_counts",
        "unpublished or private page": "personalisation/test_slots.py::test_endpoint__page_unpublished_or_private__nothing_told",
        "page copied": "personalisation/test_blocks.py::test_page__copied_or_moved__variants_go_with_it",
        "a cache in front": "personalisation/test_purge.py::test_segment_saved__live_pages_that_use_it__purged_and_no_other",
        "behind a cache": "personalisation/test_slots.py::test_cache_middleware__visitors_interleaved__nobody_sees_anothers",
    },
    "admin": {
        "everything that uses a segment is found": "segments/test_usage.py::test_segment__used__shown_on_its_usage_page_and_not_deleted",
        "a segment copied": "admin/test_segments.py::test_copy__segment__form_holds_the_rule_under_a_new_name",
        "members exported, by whoever may": "segments/test_sources.py::test_screens__of_a_member__say_since_when_and_by_what",
        "a segment in use is not deleted": "admin/test_segment_people.py::test_delete__in_use__refused_and_users_named",
        "who may not, cannot": "admin/test_segments.py::test_permissions__not_logged_in__to_the_log_in_page",
        "a broken one is flagged": "admin/test_segments.py::test_list__segments__sentence_number_and_broken_flag",
        "names are escaped": "admin/test_segments.py::test_matches__company_name_with_markup__escaped",
    },
}


@pytest.mark.parametrize("name", sorted({name for some in EXPECTED.values() for name in some.values()}))
def test_expected__named_test__is_there(name: str) -> None:
    file, function = name.split("::")
    source = (Path(__file__).parent.parent / file).read_text(encoding="utf-8")
    assert re.search(rf"^def {function}\(", source, re.MULTILINE)


def parameter(name: str, text: str = "", operator: str = "equals") -> Any:
    return condition("query_parameter", name=name, operator=operator, text=text)


def shows(page: Any, segment: Any, query: str = "", **headers: str) -> bool:  # noqa: F811
    put(page, personalised(variant("OFFER", segment)))
    return "OFFER" in seen(page, query, **headers)


@pytest.mark.parametrize(("match", "expected"), [("all", (True, False, False)), ("any", (True, True, False))])
def test_rule__all_and_any_of_two__as_it_says(page: Any, match: str, expected: Any) -> None:  # noqa: F811
    segment = make_segment("Both", parameter("a", "1"), condition("device_now", device="mobile"), match=match)
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148"
    desk = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    found = [
        shows(page, segment, query, **{"user-agent": agent})
        for query, agent in (("?a=1", phone), ("?a=1", desk), ("?a=2", desk))
    ]
    assert tuple(found) == expected


@pytest.mark.parametrize(("match", "one"), [("all", False), ("any", True)])
def test_rule__two_of_one_kind__both_or_either(page: Any, match: str, one: bool) -> None:  # noqa: F811
    segment = make_segment("Two", parameter("a", "1"), parameter("b", "2"), match=match)
    assert shows(page, segment, "?a=1&b=2")
    assert shows(page, segment, "?b=2&a=3") is one
    assert not shows(page, segment, "?a=2&b=1")


def test_rule__condition_raises__default_and_200(
    page: Any,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*args: Any) -> bool:
        raise RuntimeError("fault")

    segment = make_segment("Ad", parameter("from", "ad"))
    monkeypatch.setattr(QueryParameter, "holds", fail)
    put(page, personalised(variant("OFFER", segment)))
    response = Client().get(f"{page.url}?from=ad")
    assert response.status_code == 200
    assert "DEFAULT" in response.content.decode()


@pytest.mark.parametrize(
    ("operator", "text", "referrer", "expected"),
    [
        ("contains", "Partner", "https://news.example.com/partner/7", True),
        ("contains", "partner", "https://news.example.com/other", False),
        ("contains", "partner", "", False),
        ("site", "example.com", "https://www.example.com/a", True),
        ("site", "example.com", "https://notexample.com/example.com", False),
        ("site", "testserver", "http://testserver/before", True),
        ("none", "", "", True),
        ("none", "", "http://testserver/before", False),
    ],
)
def test_referrer__found_missing_other_and_own__as_it_says(
    page: Any,  # noqa: F811
    operator: str,
    text: str,
    referrer: str,
    expected: bool,
) -> None:
    segment = make_segment("From", condition("referrer_now", operator=operator, text=text))
    headers = {"Referer": referrer} if referrer else {}
    assert shows(page, segment, **headers) is expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?utm_campaign=Spring.Sale 2026, for our oldest customers", True),
        ("?x=1&utm_campaign=SPRING.sale+2026%2C+for+our+oldest+customers&y=2", True),
        ("?utm_campaign=other&utm_campaign=spring.sale 2026, for our oldest customers", True),
        ("?utm_campaign=spring", False),
        ("?utm_campaign=", False),
        ("", False),
    ],
)
def test_query__values__as_it_says(page: Any, query: str, expected: bool) -> None:  # noqa: F811
    segment = make_segment("Sale", parameter("utm_campaign", "Spring.Sale 2026, for our oldest customers"))
    assert shows(page, segment, query) is expected


TABLET = (
    "Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) AppleWebKit/605.1.15 Version/16.0 Mobile/15E148 Safari"
)


@pytest.mark.parametrize(
    ("agent", "device", "expected"),
    [(TABLET, "tablet", True), (TABLET, "mobile", False), ("", "desktop", False), ("", "other", True)],
)
def test_device__each__as_it_says(page: Any, agent: str, device: str, expected: bool) -> None:  # noqa: F811
    segment = make_segment("Device", condition("device_now", device=device))
    assert shows(page, segment, **{"user-agent": agent}) is expected


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [("at_least", [False, False, True, True]), ("at_most", [True, True, True, False]),
     ("exactly", [False, False, True, False])],
)  # fmt: skip
def test_views__more_less_equal_and_zero__with_their_edges(
    home: Any, now: Any, comparison: str, expected: list[bool]
) -> None:
    viewed = condition("page_viewed", page=home.pk, number=2, comparison=comparison)
    segment = make_segment("Two", viewed)
    browsers = [make_browser(now=now) for _number in range(4)]
    for count, browser in enumerate(browsers):
        for _time in range(count):
            make_view(browser, home, at=now)
    refresh.refresh_segment(segment, now=now)
    found = set(segment.memberships.values_list("visitor_id", flat=True))
    assert [browser.visitor_id in found for browser in browsers] == expected


def test_views__of_another_page__do_not_count(page: Any, home: Any, now: Any) -> None:  # noqa: F811
    segment = make_segment("Two", condition("page_viewed", page=home.pk, number=2))
    browser = make_browser(now=now)
    make_view(browser, home, at=now)
    make_view(browser, page, at=now)
    refresh.refresh_visitors([browser.visitor_id], now=now)
    assert not segment.memberships.exists()
    make_view(browser, home, at=now)
    refresh.refresh_visitors([browser.visitor_id], now=now)
    assert segment.memberships.exists()


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [("at_least", [False, True, True]), ("at_most", [True, True, False]), ("exactly", [False, True, False])],
)
def test_visits__more_less_equal_and_zero__with_their_edges(
    home: Any, now: Any, comparison: str, expected: list[bool]
) -> None:
    segment = make_segment("One", condition("visit_count", number=1, comparison=comparison, days=7))
    browsers = [make_browser(now=now) for _number in range(3)]
    for count, browser in enumerate(browsers):
        for _time in range(count):
            make_view(browser, home, at=now - timedelta(days=7))
        # Just before the window.
        make_view(browser, home, at=now - timedelta(days=7, seconds=1))
    ids = [browser.visitor_id for browser in browsers]
    refresh.refresh_visitors(ids, now=now)
    found = set(segment.memberships.values_list("visitor_id", flat=True))
    assert [pk in found for pk in ids] == expected


def test_visits__of_programs__do_not_count(home: Any, now: Any) -> None:
    segment = make_segment("Here", condition("visit_count", number=1))
    browser = make_browser(now=now)
    visit = make_view(browser, home, at=now).visit
    Visit.objects.filter(pk=visit.pk).update(is_bot=True)
    refresh.refresh_visitors([browser.visitor_id], now=now)
    assert not segment.memberships.exists()


@pytest.mark.parametrize(
    ("told", "expected"), [("JP", True), ("jp", True), ("US", False), (None, False), ("T1", False), ("XX", False)]
)  # fmt: skip
def test_country__header__as_it_says(page: Any, told: str | None, expected: bool) -> None:  # noqa: F811
    segment = make_segment("Near", condition("country_now", countries="jp, TW, t1, xx"))
    headers = {} if told is None else {"CF-IPCountry": told}
    assert shows(page, segment, **headers) is expected


@pytest.mark.parametrize("percent", [-1, 101])
def test_random__outside_of_0_to_100__refused(percent: int) -> None:
    assert isinstance(parse("all", [condition("random_share", percent=percent)]), Broken)


@pytest.mark.parametrize(("percent", "expected"), [(0, 0), (25, 1), (50, 2), (100, 4)])
def test_random__share__same_people_each_time(now: Any, percent: int, expected: int) -> None:
    segment = make_segment("Share", condition("random_share", percent=percent))
    browsers = [make_browser(now=now) for _number in range(4)]
    for number, browser in enumerate(browsers):
        Visitor.objects.filter(pk=browser.visitor_id).update(bucket=number * 2500)
    found = []
    for days in range(3):
        ids = [browser.visitor_id for browser in browsers]
        refresh.refresh_visitors(ids, now=now + timedelta(days=days))
        found.append(set(segment.memberships.values_list("visitor_id", flat=True)))
    assert len(found[0]) == expected
    assert found[0] == found[1] == found[2]


def test_tag__unknown_name__empty(now: Any) -> None:
    source = '{% load wagtail_ma_tags %}{% if_segment "Nobody knows" %}IN{% end_if_segment %}'
    assert Template(source).render(Context({"request": RequestFactory().get("/")})) == ""
