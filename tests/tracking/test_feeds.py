"""Links in feeds say that they are."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from django.contrib.syndication.views import Feed
from django.test import RequestFactory

from wagtail_ma.tracking.channels import Channel, classify
from wagtail_ma.tracking.feeds import TaggedFeedMixin, tagged


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://example.com/a/", "https://example.com/a/?utm_source=news&utm_medium=rss"),
        ("/a/?b=1&c=%20#d", "/a/?b=1&c=%20&utm_source=news&utm_medium=rss#d"),
        ("/a/?utm_source=x", "/a/?utm_source=x&utm_medium=rss"),
        ("/a/?utm_source=x&utm_medium=", "/a/?utm_source=x&utm_medium="),
        ("mailto:a@example.com", "mailto:a@example.com"),
        ("https://[broken/", "https://[broken/"),
    ],
)
def test_tagged__any_address__keeps_what_it_has(url: str, expected: str) -> None:
    assert tagged(url, feed="news") == expected
    assert tagged(expected, feed="news") == expected


def test_tagged__visit_by_it__is_known_as_one_by_a_feed() -> None:
    assert classify(tagged("https://example.com/a/", feed="blog"), "", []) == Channel("rss", "blog", "")


class PlainFeed(Feed):
    title = "Blog"
    link = "/blog/"
    description = "News"

    def items(self) -> list[str]:
        return ["/blog/one/?a=1", "https://elsewhere.example/two/"]

    def item_title(self, item: str) -> str:
        return item

    def item_link(self, item: str) -> str:
        return item


class BlogFeed(TaggedFeedMixin, PlainFeed):
    feed_name = "blog"


def items(feed: type[Feed], rf: RequestFactory) -> list[dict[str, str]]:
    channel = ElementTree.fromstring(feed()(rf.get("/feed/")).content)[0]
    return [{node.tag: node.text or "" for node in item} for item in channel.iter("item")]


@pytest.mark.django_db
def test_feed__with_the_mixin__own_links_tagged_and_ids_kept(rf: RequestFactory) -> None:
    own, foreign = items(BlogFeed, rf)
    assert own["link"] == "http://testserver/blog/one/?a=1&utm_source=blog&utm_medium=rss"
    assert foreign["link"] == "https://elsewhere.example/two/"
    plain: list[Any] = items(PlainFeed, rf)
    assert [own["guid"], foreign["guid"]] == [item["guid"] for item in plain]
