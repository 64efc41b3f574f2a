"""The pages of the example site, as a visitor gets them."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth import get_user_model
from django.test import Client
from wagtail.documents import get_document_model
from wagtail.images import get_image_model
from wagtail.models import Page, Site

from company import models
from company.content import en, ja
from company.content.notation import Links, to_stream
from company.content.structure import PLACES
from company.load import load_admin, load_site
from company.papers import Sheet, write
from example.settings.database import from_url
from wagtail_ma.tracking.channels import classify

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("loaded")]

ADDRESSES = [
    (language, f"/{language}/{place.path}/".replace("//", "/"))
    for language in ("ja", "en")
    for place in PLACES
]
every_page = pytest.mark.parametrize(("language", "address"), ADDRESSES)


def soup_of(client: Client, address: str) -> BeautifulSoup:
    response = client.get(address)
    assert response.status_code == 200
    return BeautifulSoup(response.content, "html.parser")


@every_page
def test_page__in_its_language__has_one_heading_and_says_its_language(
    client: Client, language: str, address: str
) -> None:
    soup = soup_of(client, address)
    assert len(soup.find_all("h1")) == 1
    assert soup.html is not None and soup.html["lang"] == language
    assert soup.select_one("main[data-ma-content]") is not None
    assert soup.title is not None and "|" in soup.title.text


@every_page
def test_page__in_two_languages__links_to_both_and_the_links_answer(
    client: Client, language: str, address: str
) -> None:
    soup = soup_of(client, address)
    found = {link["hreflang"]: link["href"] for link in soup.select("link[rel=alternate][hreflang]")}
    path = address.removeprefix(f"/{language}/")
    assert set(found) == {"ja", "en", "x-default"}
    for code in ("ja", "en"):
        assert found[code].endswith(f"/{code}/{path}")
    switch = {link["hreflang"]: link["href"] for link in soup.select(".languages a")}
    assert switch == {"ja": f"/ja/{path}", "en": f"/en/{path}"}


@every_page
def test_page__tells_that_visits_are_recorded_and_names_the_feed(
    client: Client, language: str, address: str
) -> None:
    soup = soup_of(client, address)
    banner = soup.select_one("[data-ma-consent]")
    # Hidden until the script knows that this browser has not answered.
    assert banner is not None and banner.has_attr("hidden")
    assert [button["data-ma-choice"] for button in banner.find_all("button")] == ["1", "0"]
    assert banner.p is not None and banner.p.a is not None
    assert banner.p.a["href"] == f"/ma/recorded/?lang={language}"
    assert soup.select_one(f'footer a[href="/ma/recorded/?lang={language}"]') is not None
    feed = soup.select_one('link[type="application/rss+xml"]')
    assert feed is not None and feed["href"] == f"/{language}/blog/feed/"


def test_recorded_page__has_the_choice_itself_and_no_notice(client: Client) -> None:
    soup = soup_of(client, "/ma/recorded/?lang=en")
    assert soup.select_one("[data-ma-consent]") is None
    assert [button["data-ma-choice"] for button in soup.select("[data-ma-choice]")] == ["1", "0"]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_feed__articles_of_its_language__links_answer_and_say_that_they_come_from_it(
    client: Client, language: str
) -> None:
    response = client.get(f"/{language}/blog/feed/")
    assert response.status_code == 200
    items = ElementTree.fromstring(response.content).findall("channel/item")
    published = models.ArticlePage.objects.live().filter(locale__language_code=language)
    assert {item.findtext("title") for item in items} == {article.title for article in published} != set()
    newest = published.order_by("-published_on", "-pk").first()
    assert newest is not None and items[0].findtext("title") == newest.title
    for item in items:
        address = str(item.findtext("link"))
        assert address.endswith("/?utm_source=blog&utm_medium=rss")
        assert address.startswith(f"http://testserver/{language}/blog/")
        assert "utm_" not in str(item.findtext("guid"))
        assert client.get(address).status_code == 200
    channel = classify(address, "", {"testserver"})
    assert (channel.medium, channel.source) == ("rss", "blog")


@every_page
def test_page__strict_content_policy__has_nothing_inline(client: Client, language: str, address: str) -> None:
    soup = soup_of(client, address)
    assert not soup.find_all("style")
    assert not soup.find_all(style=True)
    assert all(script.get("src") for script in soup.find_all("script"))
    handlers = [a for tag in soup.find_all(True) for a in tag.attrs if a.startswith("on")]
    assert handlers == []


@every_page
def test_page__read_by_a_person__has_enough_to_read(client: Client, language: str, address: str) -> None:
    main = soup_of(client, address).main
    assert main is not None
    assert "None" not in set(main.stripped_strings)
    text = main.get_text(" ")
    if language == "en":
        assert len(text.split()) >= 250
        assert not re.search(r"[぀-ヿ一-鿿]", text)
    else:
        # A Japanese text says in two and a half characters what takes one English word.
        assert len(re.sub(r"\s", "", text)) >= 625


@every_page
def test_page__all_its_links_and_pictures__lead_somewhere(
    client: Client, language: str, address: str
) -> None:
    soup = soup_of(client, address)
    targets = {link["href"] for link in soup.select("a[href^='/']")}
    recorded = f"/ma/recorded/?lang={language}"
    assert targets <= {known for _, known in ADDRESSES} | {"/ja/", "/en/", recorded} | documents()
    assert client.get(recorded).status_code == 200
    for picture in soup.find_all("img"):
        assert client.get(picture["src"]).status_code == 200


def documents() -> set[str]:
    return {document.url for document in get_document_model().objects.all()}


def test_load_site__second_time__makes_nothing_twice() -> None:
    counted = [Page, Site, get_image_model(), get_document_model()]
    before = [model.objects.count() for model in counted]
    load_site(lambda line: None)
    assert [model.objects.count() for model in counted] == before
    assert Page.objects.count() == 1 + 2 * len(PLACES)


def test_load_site__progress__is_told(loaded: list[str]) -> None:
    assert loaded[-1] == "The example site is ready."
    assert len(loaded) > 4


def test_load_site__translations__share_a_key() -> None:
    for place in PLACES:
        found = pages_at(place.path)
        assert {page.locale.language_code for page in found} == {"ja", "en"}
        assert len({page.translation_key for page in found}) == 1
        assert all(type(page.specific).__name__ == place.model for page in found)


def pages_at(path: str) -> list[Page]:
    homes = models.HomePage.objects.all()
    wanted = [f"{home.url_path}{path}/".replace("//", "/") for home in homes]
    return list(Page.objects.filter(url_path__in=wanted).select_related("locale"))


def test_page_tree__after_loading__has_no_fault() -> None:
    assert not any(Page.find_problems())
    assert Site.objects.get(is_default_site=True).root_page.slug == "home-ja"


def test_load_admin__twice__makes_one() -> None:
    assert load_admin() is True
    assert load_admin() is False
    assert get_user_model().objects.get(username="admin").is_superuser


def test_texts__both_languages__speak_of_the_same_pages() -> None:
    assert set(ja.TEXTS) == set(en.TEXTS) == {place.path for place in PLACES}


def test_root__of_the_site__leads_to_a_language(client: Client) -> None:
    assert client.get("/", headers={"accept-language": "en"}).headers["location"] == "/en/"
    assert client.get("/", headers={"accept-language": "fr"}).headers["location"] == "/ja/"


@pytest.mark.parametrize("language", ["ja", "en"])
def test_missing_page__answers_in_its_language(client: Client, language: str) -> None:
    response = client.get(f"/{language}/no-such-page/")
    soup = BeautifulSoup(response.content, "html.parser")
    assert response.status_code == 404
    assert soup.html is not None and soup.html["lang"] == language
    assert len(soup.select(".menu__pages a")) == 8


@pytest.mark.parametrize("path", ["documents/{name}", "images/../documents/{name}"])
def test_document__by_its_file_address__is_not_served(client: Client, path: str) -> None:
    document = get_document_model().objects.first()
    name = document.file.name.removeprefix("documents/")
    assert client.get("/media/" + path.format(name=name)).status_code in {400, 404}


def test_page__without_personal_content__stays_cacheable(client: Client) -> None:
    response = client.get("/en/products/sample-flow/")
    assert "Cookie" not in response.headers.get("vary", "")
    assert not response.cookies


def test_to_stream__all_notations__become_blocks() -> None:
    home = models.HomePage.objects.first()
    links = Links(pages={"": home}, pictures={"x": 7}, descriptions={"x": "What"})
    stream = to_stream(
        "One\nline **b** <i>\n\n- a\n  b\n- c\n\n## H\n\n? Q?\nA.\n\n> Q\nq -- S\n\n"
        "* T | text |\n* U | text\n\n!! Go | Button |\n\n[[x | Cap]]\n\n一行\n二行",
        links,
    )
    assert [piece["type"] for piece in stream] == [
        "text", "heading", "question", "quote", "cards", "call_to_action", "picture", "text",
    ]  # fmt: skip
    first, *_, last = stream
    assert first["value"] == ("<p>One line <b>b</b> &lt;i&gt;</p><ul><li>a b</li><li>c</li></ul>")
    assert last["value"] == "<p>一行二行</p>"
    assert stream[3]["value"] == {"text": "Q q", "speaker": "S"}


def test_write__paper__is_a_pdf_with_a_page_for_each_sheet() -> None:
    paper = write("題", "ja", (Sheet("題", ("本文",)), Sheet("二", ("- 項目",))))
    assert paper.startswith(b"%PDF-") and paper.rstrip().endswith(b"%%EOF")
    assert paper.count(b"/Type /Page ") == 2
    for document in get_document_model().objects.all():
        assert document.file.size < 30_000


def test_from_url__postgres_address__is_taken_apart(tmp_path: Any) -> None:
    found = from_url("postgres://ma%40x:s%2Fs@db.example:5433/name?sslmode=require", tmp_path)
    assert (found["USER"], found["PASSWORD"]) == ("ma@x", "s/s")
    assert (found["HOST"], found["PORT"], found["NAME"]) == ("db.example", "5433", "name")
    assert found["OPTIONS"] == {"sslmode": "require"}
    assert from_url("", tmp_path / "x.sqlite3")["NAME"] == tmp_path / "x.sqlite3"
    with pytest.raises(ValueError, match="looks like"):
        from_url("mysql://host/name", tmp_path)
