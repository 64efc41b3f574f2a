"""Classes and topics of pages: inherited, nearest wins, retroactive."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from wagtail.models import Locale

from tests.factories import browser, page_hit
from tests.testapp.models import ContentPage
from wagtail_ma import flow
from wagtail_ma.core.conditions import facts
from wagtail_ma.people.models import Visitor
from wagtail_ma.rules import compile as compiler
from wagtail_ma.rules.sentences import sentence
from wagtail_ma.rules.tree import find_referents, parse
from wagtail_ma.segments.queries import population
from wagtail_ma.tracking import page_classes, pages
from wagtail_ma.tracking.models import PageClass, PageLabel, Topic, TrackedPage

pytestmark = pytest.mark.django_db


@pytest.fixture
def classes() -> dict[str, PageClass]:
    page_classes.ensure_built_in()
    return {each.key: each for each in PageClass.objects.all()}


@pytest.fixture(autouse=True)
def fresh_memory() -> Any:
    pages.forget()


def child(parent: Any, slug: str, **fields: Any) -> ContentPage:
    parent.refresh_from_db()
    return parent.add_child(instance=ContentPage(title=slug.title(), slug=slug, **fields))


def label(page: Any, page_class: PageClass | None = None, *topics: Topic, below: bool = True) -> PageLabel:
    made = PageLabel.objects.create(
        translation_key=page.translation_key, page_class=page_class, with_descendants=below
    )
    made.topics.set(topics)
    return made


def tracked(page: Any, now: datetime) -> TrackedPage:
    return TrackedPage.objects.get(pk=pages.tracked_page_for(page_hit(page), now=now).pk)


def topic(name: str, kind: str = "product") -> Topic:
    return Topic.objects.create(name=name, kind=kind)


def names(page: TrackedPage) -> set[str]:
    return set(page.topics.values_list("name", flat=True))


def test_ensure_built_in__called_twice_or_after_changes__changes_nothing() -> None:
    page_classes.ensure_built_in()
    PageClass.objects.exclude(key="pricing").delete()
    page_classes.ensure_built_in()
    assert [str(each) for each in PageClass.objects.all()] == ["Pricing"]


def test_resolve__nearest_label__wins_for_class_and_topics_separately(
    home: Any, classes: dict[str, PageClass], now: datetime
) -> None:
    products = child(home, "products")
    pump = child(products, "pump")
    price = child(pump, "price")
    pumps, cost = topic("Pumps"), topic("Price", "concern")
    label(products, classes["product"], pumps)
    label(price, classes["pricing"])
    seen = {page.slug: tracked(page, now) for page in (home, products, pump, price)}
    assert seen["ma-home"].page_class is None and names(seen["ma-home"]) == set()
    assert seen["pump"].page_class == classes["product"] and names(seen["pump"]) == {"Pumps"}
    assert seen["price"].page_class == classes["pricing"] and names(seen["price"]) == {"Pumps"}
    PageLabel.objects.get(page_class=classes["pricing"]).topics.set([cost])
    assert page_classes.resolve(now=now) == 1
    assert names(seen["price"]) == {"Price"}
    assert page_classes.resolve(now=now) == 0


def test_resolve__label_of_the_page_alone__is_not_inherited_and_nearer_than_its_subtree(
    home: Any, classes: dict[str, PageClass], now: datetime
) -> None:
    cases = child(home, "cases")
    one = child(cases, "one")
    label(cases, classes["case"])
    label(cases, classes["other"], below=False)
    assert tracked(cases, now).page_class == classes["other"]
    assert tracked(one, now).page_class == classes["case"]


def test_resolve__translation__shares_the_label_and_so_does_what_is_below_it(
    home: Any, classes: dict[str, PageClass], now: datetime
) -> None:
    products = child(home, "products")
    label(products, classes["product"])
    ja = Locale.objects.create(language_code="ja")
    home.copy_for_translation(ja).save_revision().publish()
    translated = products.copy_for_translation(ja)
    translated.save_revision().publish()
    below = child(translated, "below")
    assert tracked(translated, now).page_class == classes["product"]
    assert tracked(below, now).page_class == classes["product"]


def test_resolve_due__label_changed_or_page_moved__past_views_count_under_the_new_class(
    home: Any, classes: dict[str, PageClass], now: datetime
) -> None:
    products, careers = child(home, "products"), child(home, "careers")
    page = child(products, "page")
    label(products, classes["product"])
    assert tracked(page, now).page_class == classes["product"]
    assert page_classes.resolve_due(now=now) == 0
    label(careers, classes["careers"])
    page.move(careers, pos="last-child")
    page.refresh_from_db()
    page_classes.mark(page)
    assert page_classes.resolve_due(now=now) == 1
    assert tracked(page, now).page_class == classes["careers"]
    # Moved without a word: found by the review.
    products.refresh_from_db()
    page.refresh_from_db()
    page.move(products, pos="last-child")
    assert page_classes.resolve_due(now=now + timedelta(minutes=59)) == 0
    assert page_classes.resolve_due(now=now + timedelta(hours=1)) == 1
    assert tracked(page, now).page_class == classes["product"]


def test_mark__a_page__leaves_pages_elsewhere_alone(home: Any, now: datetime) -> None:
    one, two = child(home, "one"), child(home, "two")
    below = child(one, "below")
    for page in (one, two, below):
        tracked(page, now)
    page_classes.mark(one)
    waiting = TrackedPage.objects.filter(labelled_at__isnull=True)
    assert {each.title for each in waiting} == {"One", "Below"}


def test_resolve__deleted_page__keeps_class_and_topics(
    home: Any, classes: dict[str, PageClass], now: datetime
) -> None:
    page = child(home, "page")
    label(page, classes["faq"], topic("Support", "concern"))
    seen = tracked(page, now)
    page.delete()
    PageLabel.objects.all().delete()
    page_classes.mark()
    page_classes.resolve_due(now=now)
    seen.refresh_from_db()
    assert seen.page_id is None and seen.page_class == classes["faq"] and names(seen) == {"Support"}


def test_resolve_due__many_pages__takes_a_limited_number_and_comes_to_an_end(
    home: Any, now: datetime
) -> None:
    for number in range(5):
        tracked(child(home, f"page-{number}"), now)
    page_classes.mark()
    page_classes.resolve_due(now=now, limit=3)
    assert TrackedPage.objects.filter(labelled_at__isnull=True).count() == 2
    page_classes.resolve_due(now=now, limit=3)
    assert not TrackedPage.objects.filter(labelled_at__isnull=True).exists()


def test_resolve__two_thousand_pages__costs_a_fixed_number_of_statements(
    home: Any, classes: dict[str, PageClass], now: datetime, django_assert_max_num_queries: Any
) -> None:
    label(home, classes["article"], topic("Pumps"))
    for number in range(30):
        child(home, f"page-{number}")
    TrackedPage.objects.bulk_create(
        TrackedPage(key=f"page:{page.pk}", url="/", page_id=page.pk, first_seen_at=now)
        for page in ContentPage.objects.all()
    )
    with django_assert_max_num_queries(12):
        assert page_classes.resolve(now=now) == 31


# --- conditions -------------------------------------------------------------------------------------------


def condition(key: str, **values: Any) -> list[dict[str, Any]]:
    return [{"type": key, "value": values, "id": "1"}]


def fulfilled(raw: list[dict[str, Any]], now: datetime) -> set[int]:
    """Who fulfils it, by both shapes."""
    tree = parse("all", raw, referents=find_referents([raw]))
    everyone = set(compiler.everyone(tree, population(), now=now).values_list("pk", flat=True))
    ids = list(Visitor.objects.values_list("pk", flat=True))
    rows = compiler.these([tree], population()).rows(now=now, ids=ids)
    assert everyone == {pk for pk, verdict in rows if verdict}
    return everyone


@pytest.fixture
def readers(home: Any, classes: dict[str, PageClass], now: datetime) -> dict[str, int]:
    """One reads two product pages (about pumps, 50 s each), one a careers page and a product page."""
    pump, valve, job = child(home, "pump"), child(home, "valve"), child(home, "job")
    label(pump, classes["product"], topic("Pumps"))
    label(valve, classes["product"], Topic.objects.get())
    label(job, classes["careers"])
    who = {}
    for name, seen in {"buyer": [pump, valve], "applicant": [job, pump], "nobody": []}.items():
        identity = browser(now)
        who[name] = identity.visitor_id
        for page in seen:
            flow.record_hit(
                page_hit(page, browser_key=identity.key, engaged_ms=50_000, visible_ms=50_000), now=now
            )
    return who


@pytest.mark.parametrize(
    ("key", "values", "expected"),
    [
        ("page_class_viewed", {"page_class": "product"}, {"buyer", "applicant"}),
        ("page_class_viewed", {"page_class": "product", "number": 2}, {"buyer"}),
        ("page_class_viewed", {"page_class": "product", "number": 2, "count": "visits"}, set()),
        (
            "page_class_viewed",
            {"page_class": "careers", "comparison": "at_most", "number": 0},
            {"buyer", "nobody"},
        ),
        ("topic_viewed", {"topic": "Pumps", "number": 2, "days": 7}, {"buyer"}),
        ("time_on_topic", {"topic": "Pumps", "seconds": 51}, {"buyer"}),
        ("page_class_share", {"page_class": "careers", "percent": 50, "number": 2}, {"applicant"}),
        ("page_class_share", {"page_class": "careers", "percent": 51, "number": 2}, set()),
        ("page_class_share", {"page_class": "product", "percent": 100, "number": 3}, set()),
    ],
)
def test_condition__by_class_or_topic__finds_these(
    readers: dict[str, int], now: datetime, key: str, values: dict[str, Any], expected: set[str]
) -> None:
    stored: dict[str, Any] = {parameter.name: parameter.default for parameter in facts.get(key).parameters}
    stored |= values
    if "topic" in stored:
        stored["topic"] = Topic.objects.get(name=stored["topic"]).pk
    else:
        stored["page_class"] = PageClass.objects.get(key=stored["page_class"]).pk
    raw = condition(key, **stored)
    later = now + timedelta(hours=1)
    assert fulfilled(raw, later) == {readers[name] for name in expected}
    assert "%(" not in sentence(parse("all", raw, referents=find_referents([raw])))
