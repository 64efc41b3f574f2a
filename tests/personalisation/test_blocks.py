"""Who sees which variant, on a page as visitors get it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.syndication.views import Feed
from django.core.management import call_command
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from wagtail.blocks import CharBlock, StreamBlock
from wagtail.images.blocks import ImageChooserBlock

from tests.factories import condition, make_browser, make_segment, make_view
from tests.testapp.models import ContentPage
from wagtail_ma.blocks import PersonalisedBlock, personalised_block
from wagtail_ma.conf import conf
from wagtail_ma.core.current_request import set_request
from wagtail_ma.people.cookies import set_browser_key
from wagtail_ma.segments import refresh, usage
from wagtail_ma.segments.models import Membership, Segment

pytestmark = pytest.mark.django_db


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "value": words}


def item(value: Any) -> dict[str, Any]:
    return {"type": "item", "value": value, "id": str(uuid.uuid4())}


def variant(words: str, *segments: Any) -> dict[str, Any]:
    chosen = [item(getattr(segment, "pk", segment)) for segment in segments]
    return item({"segments": chosen, "content": [text(words)]})


def personalised(*variants: Any, default: str = "DEFAULT") -> dict[str, Any]:
    return {"type": "personalised", "value": {"variants": list(variants), "default": [text(default)]}}


@pytest.fixture
def page(home: Any) -> Any:
    return home.add_child(instance=ContentPage(title="Offer", slug="offer"))


def put(page: Any, *body: Any) -> None:
    page.body = ContentPage._meta.get_field("body").to_python(list(body))
    page.save_revision().publish()


def client_of(browser: Any) -> Client:
    client = Client()
    response = HttpResponse()
    set_browser_key(response, browser.key, request=RequestFactory().get("/"))
    client.cookies[conf.COOKIE_NAME] = response.cookies[conf.COOKIE_NAME].value
    return client


def body_of(client: Client, page: Any) -> str:
    response = client.get(page.url)
    assert response.status_code == 200
    return response.content.decode()


def enter(browser: Any, *segments: Segment, now: Any) -> None:
    for segment in segments:
        Membership.objects.create(segment=segment, visitor_id=browser.visitor_id, entered_at=now)


def test_page__no_segment_and_no_variant__default(page: Any) -> None:
    put(page, personalised())
    assert "DEFAULT" in body_of(Client(), page)


def test_page__member__variant_and_nobody_elses(page: Any, now: Any) -> None:
    readers, buyers = make_segment("Readers"), make_segment("Buyers")
    browser, other = make_browser(now=now), make_browser(now=now)
    enter(browser, buyers, now=now)
    put(page, text("BEFORE"), personalised(variant("ARTICLE", readers), variant("OFFER", buyers)))
    html = body_of(client_of(browser), page)
    assert "OFFER" in html and "BEFORE" in html
    assert "ARTICLE" not in html and "DEFAULT" not in html
    assert "DEFAULT" in body_of(client_of(other), page)
    assert "DEFAULT" in body_of(Client(), page)


def test_page__member_of_several__first_variant_in_the_editors_order(page: Any, now: Any) -> None:
    readers, buyers = make_segment("Readers"), make_segment("Buyers")
    browser = make_browser(now=now)
    enter(browser, readers, buyers, now=now)
    put(page, personalised(variant("SECOND SEGMENT", buyers), variant("FIRST SEGMENT", readers)))
    html = body_of(client_of(browser), page)
    assert "SECOND SEGMENT" in html
    assert "FIRST SEGMENT" not in html


def test_page__variant_for_several_segments__any_of_them(page: Any, now: Any) -> None:
    readers, buyers = make_segment("Readers"), make_segment("Buyers")
    browser = make_browser(now=now)
    enter(browser, buyers, now=now)
    put(page, personalised(variant("FOR BOTH", readers, buyers)))
    assert "FOR BOTH" in body_of(client_of(browser), page)


@pytest.mark.parametrize("segments", [[None], [99_999], []])
def test_page__segment_blank_or_deleted__default(page: Any, now: Any, segments: list[Any]) -> None:
    browser = make_browser(now=now)
    enter(browser, make_segment("Other"), now=now)
    put(page, personalised(variant("NOBODY'S", *segments)))
    assert "DEFAULT" in body_of(client_of(browser), page)


def test_page__segment_deleted_after_publishing__default(page: Any, now: Any) -> None:
    segment = make_segment("Readers")
    browser = make_browser(now=now)
    enter(browser, segment, now=now)
    put(page, personalised(variant("OFFER", segment)))
    segment.delete()
    assert "DEFAULT" in body_of(client_of(browser), page)


def test_page__new_visitor__variant_for_those_who_have_not_viewed(page: Any, home: Any, now: Any) -> None:
    rule = condition("page_viewed", page=home.pk, comparison="at_most", number=0)
    newcomers = make_segment("Newcomers", rule)
    refresh.refresh_segment(newcomers, now=now)
    put(page, personalised(variant("WELCOME", newcomers)))
    assert "WELCOME" in body_of(Client(), page)
    unknown = Client()
    unknown.cookies[conf.COOKIE_NAME] = "forged"
    assert "WELCOME" in body_of(unknown, page)
    reader = make_browser(now=now)
    make_view(reader, home, at=now)
    assert "DEFAULT" in body_of(client_of(reader), page)


def test_page__second_page_before_the_background_work__same_as_the_first(page: Any, home: Any) -> None:
    from django.utils import timezone

    rule = condition("page_viewed", page=home.pk, comparison="at_most", number=0)
    newcomers = make_segment("Newcomers", rule)
    refresh.refresh_segment(newcomers, now=timezone.now())
    put(page, personalised(variant("WELCOME", newcomers)))
    browser = make_browser(now=timezone.now())
    assert not Membership.objects.exists()
    assert "WELCOME" in body_of(client_of(browser), page)


def test_page__cookie_of_ours_that_nobody_has__like_a_new_visitor(page: Any, now: Any) -> None:
    segment = make_segment("Readers")
    browser = make_browser(now=now)
    enter(browser, segment, now=now)
    client = client_of(browser)
    browser.visitor.delete()
    put(page, personalised(variant("OFFER", segment)))
    assert "DEFAULT" in body_of(client, page)


def test_page__browser_refuses_to_be_recognised__default(page: Any, now: Any) -> None:
    segment = make_segment("Readers")
    browser = make_browser(now=now)
    enter(browser, segment, now=now)
    put(page, personalised(variant("OFFER", segment)))
    html = client_of(browser).get(page.url, headers={"Sec-GPC": "1"}).content.decode()
    assert "DEFAULT" in html


def test_page__segments_cannot_be_read__default_and_200(page: Any, now: Any, monkeypatch: Any) -> None:
    segment = make_segment("Readers")
    browser = make_browser(now=now)
    enter(browser, segment, now=now)
    put(page, personalised(variant("OFFER", segment)))
    from wagtail_ma.personalisation import choose

    def fails(key: str, **_options: Any) -> Any:
        raise RuntimeError("the database is away")

    monkeypatch.setattr(choose.queries, "known", fails)
    assert "DEFAULT" in body_of(client_of(browser), page)


def queries_of(client: Client, page: Any) -> int:
    client.get(page.url)
    with CaptureQueriesContext(connection) as captured:
        client.get(page.url)
    # Showing a page writes nothing.
    assert not [row["sql"] for row in captured if not row["sql"].lstrip("(").startswith("SELECT")]
    return len(captured)


@pytest.mark.parametrize("count", [5, 50])
def test_page__many_variants_and_blocks__at_most_two_statements_more(page: Any, now: Any, count: int) -> None:
    segments = [make_segment(f"Segment {number}") for number in range(count)]
    browser = make_browser(now=now)
    enter(browser, segments[-1], now=now)
    put(page, text("plain"))
    known, unknown = client_of(browser), Client()
    plain = queries_of(known, page)
    variants = [variant(f"FOR {segment.name}", segment) for segment in segments]
    put(page, personalised(*variants), personalised(*variants))
    assert f"FOR Segment {count - 1}" in body_of(known, page)
    assert queries_of(known, page) <= plain + 1
    assert queries_of(unknown, page) <= plain + 1


def test_block__images_in_variants_not_chosen__not_loaded(now: Any) -> None:
    segment = make_segment("Readers")
    block = PersonalisedBlock([("image", ImageChooserBlock())])
    block.set_name("personalised")
    stream = StreamBlock([("personalised", block)])
    image = [{"type": "image", "value": 1}]
    raw = {"variants": [item({"segments": [item(segment.pk)], "content": image})], "default": []}
    with CaptureQueriesContext(connection) as captured:
        value = stream.to_python([{"type": "personalised", "value": raw}] * 3)
        stream.render(value, context={"request": RequestFactory().get("/")})
    assert len(captured) == 1
    assert "image" not in captured[0]["sql"]


def test_block__printed_without_a_context__uses_the_request_being_served(page: Any, now: Any) -> None:
    # The page's own template says {{ page.body }}, which hands no request down.
    segment = make_segment("Readers")
    browser = make_browser(now=now)
    enter(browser, segment, now=now)
    put(page, personalised(variant("OFFER", segment)))
    assert "OFFER" in body_of(client_of(browser), page)


def test_block__no_request_at_all__default() -> None:
    set_request(RequestFactory().get("/"))  # gone at once: only a weak reference is kept
    block = ContentPage._meta.get_field("body").stream_block.child_blocks["personalised"]
    value = block.to_python(personalised(variant("OFFER", 1))["value"])
    assert "DEFAULT" in str(block.render(value))


def test_block__printed_after_the_page_was_served__not_for_that_visitor(page: Any, now: Any) -> None:
    segment = make_segment("Readers")
    browser = make_browser(now=now)
    enter(browser, segment, now=now)
    put(page, personalised(variant("OFFER", segment)))
    response = client_of(browser).get(page.url)
    assert "OFFER" in response.content.decode()
    # The test client keeps the request alive, as a reference cycle would.
    assert response.wsgi_request is not None
    assert "OFFER" not in str(ContentPage.objects.get(pk=page.pk).body)


def test_block__search_and_api__only_the_default() -> None:
    block = ContentPage._meta.get_field("body").stream_block.child_blocks["personalised"]
    value = block.to_python(personalised(variant("SECRET", 1))["value"])
    assert block.get_searchable_content(value) == ["DEFAULT"]
    answer = block.get_api_representation(value)
    assert [item["value"] for item in answer] == ["DEFAULT"]


class Offers(Feed):
    """A feed as sites write them: the body as it prints itself."""

    title = description = "Offers"
    link = "/"

    def items(self) -> Any:
        return ContentPage.objects.all()

    def item_link(self, item: Any) -> str:
        return str(item.url)

    def item_description(self, item: Any) -> str:
        return str(item.body)


def test_feed__read_by_a_member__only_the_default(page: Any, now: Any) -> None:
    segment, browser = make_segment("Readers"), make_browser(now=now)
    enter(browser, segment, now=now)
    put(page, personalised(variant("SECRET", segment)))
    client = client_of(browser)
    # The page itself, just before and by the same process.
    assert "SECRET" in body_of(client, page)
    request = RequestFactory().get("/feed/")
    request.COOKIES.update({name: morsel.value for name, morsel in client.cookies.items()})
    feed = Offers()(request).content.decode()
    assert "DEFAULT" in feed and "SECRET" not in feed


def test_page__copied_or_moved__variants_go_with_it(page: Any, home: Any, now: Any) -> None:
    segment, browser = make_segment("Readers"), make_browser(now=now)
    enter(browser, segment, now=now)
    put(page, personalised(variant("OFFER", segment)))
    copied = page.copy(update_attrs={"slug": "copied", "title": "Copied"}, keep_live=True)
    for each in (page, copied):
        assert "OFFER" in body_of(client_of(browser), each)
        assert "OFFER" not in body_of(Client(), each)
    copied.move(page, pos="last-child")
    moved = ContentPage.objects.get(pk=copied.pk)
    assert "OFFER" in body_of(client_of(browser), moved)
    call_command("rebuild_references_index", verbosity=0)
    assert usage.of(segment) == ["Copied", "Offer"]


def test_block__value_made_in_python__can_be_stored_and_shown() -> None:
    block = personalised_block([("text", CharBlock())])
    value = block.normalize({"variants": [], "default": [("text", "HELLO")]})
    assert "HELLO" in block.render(value)
    assert block.get_prep_value(value)["default"][0]["value"] == "HELLO"


def test_block__variants_looked_at_or_changed__same_choice(now: Any) -> None:
    segment = make_segment("Readers")
    browser = make_browser(now=now)
    enter(browser, segment, now=now)
    request = RequestFactory().get("/")
    request.COOKIES.update({name: morsel.value for name, morsel in client_of(browser).cookies.items()})
    block = ContentPage._meta.get_field("body").stream_block.child_blocks["personalised"]
    value = block.to_python(personalised(variant("OFFER", segment))["value"])
    assert "OFFER" in block.render(value, context={"request": request})
    stored = block.get_prep_value(value)
    assert "OFFER" in block.render(value, context={"request": request})
    assert stored["variants"][0]["value"]["segments"][0]["value"] == segment.pk
    value["variants"][0]["content"] = block.child_blocks["default"].normalize([("text", "CHANGED")])
    assert "CHANGED" in block.render(value, context={"request": request})


def test_block__template_of_the_host__gets_the_chosen_content() -> None:
    block = personalised_block(StreamBlock([("text", CharBlock())]), template="testapp/wrapped.html")
    value = block.to_python({"variants": [], "default": [text("HELLO")]})
    assert "<aside>" in block.render(value)
    assert "HELLO" in block.render(value)


def test_block__nested_in_another__each_decides(page: Any) -> None:
    inner = personalised_block([("text", CharBlock())])
    outer = personalised_block([("inner", inner), ("text", CharBlock())])
    value = outer.to_python(
        {"variants": [], "default": [{"type": "inner", "value": personalised()["value"]}]}
    )
    assert "DEFAULT" in outer.render(value, context={"request": RequestFactory().get("/")})


def test_block_picker__personalised_block__has_a_preview(
    page: Any, admin_client: Any, django_assert_num_queries: Any
) -> None:
    block = page.body.stream_block.child_blocks["personalised"]
    assert block.is_previewable
    url = reverse("wagtailadmin_block_preview")
    response = admin_client.get(url, {"id": block.definition_prefix})
    assert response.status_code == 200
    assert "For everybody else" in response.content.decode()
    assert "<script" not in response.content.decode() and "<style" not in response.content.decode()


def test_migration__personalised_block__needs_nothing_of_ours(capsys: Any) -> None:
    from django.db.migrations.writer import MigrationWriter

    _name, path, args, kwargs = ContentPage._meta.get_field("body").deconstruct()
    written = "".join(MigrationWriter.serialize(part)[0] for part in (args, kwargs))
    assert path == "wagtail.fields.StreamField"
    assert "wagtail_ma" not in written
    assert "IntegerBlock" in written


def test_reference_index__segment_in_a_variant__page_is_found(page: Any) -> None:
    from wagtail.models import ReferenceIndex

    segment = make_segment("Readers")
    put(page, personalised(variant("OFFER", segment)))
    call_command("rebuild_references_index", verbosity=0)
    used = ReferenceIndex.get_references_to(segment).values_list("object_id", flat=True)
    assert str(page.pk) in set(used)
