"""Links in a site's feeds, tagged so that visits by them are known as such.

Feed readers send no referrer: without a tag their visits look direct.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from django.http import HttpRequest

MEDIUM = "rss"


def tagged(url: str, *, feed: str = "blog") -> str:
    """An address with ``utm_medium=rss`` and ``utm_source=<feed>``.

    Tags that the address has already stay as they are, and so does everything else in it.

    :param feed: which feed it is, as reports will name it.
    :returns: the address as it was if it is no web address or cannot be read.
    """
    try:
        parts = urlsplit(url)
        present = {name for name, _value in parse_qsl(parts.query, keep_blank_values=True)}
    except ValueError:
        return url
    if parts.scheme not in ("", "http", "https"):
        return url
    tags = {"utm_source": feed, "utm_medium": MEDIUM}
    new = urlencode({name: value for name, value in tags.items() if name not in present})
    query = "&".join(part for part in (parts.query, new) if part)
    return urlunsplit(parts._replace(query=query))


class TaggedFeedMixin:
    """For a ``django.contrib.syndication.views.Feed``: the links of its items are tagged.

    ``class BlogFeed(TaggedFeedMixin, Feed): feed_name = "blog"``. Only links to the site itself are
    changed. The items' ids stay as they are, so that readers do not take old items for new ones.
    """

    feed_name = "feed"

    def get_feed(self, obj: Any, request: HttpRequest) -> Any:
        """The feed of the class beside, with its links tagged."""
        feed = super().get_feed(obj, request)  # type: ignore[misc]
        own = urlsplit(feed.feed["link"]).netloc
        for item in feed.items:
            if urlsplit(item["link"]).netloc == own:
                item["link"] = tagged(item["link"], feed=self.feed_name)
        return feed
