"""The blog as a feed, one for each language of the site."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django.contrib.syndication.views import Feed
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.models import Locale

from wagtail_ma.tracking.feeds import TaggedFeedMixin

from .models import ArticlePage, BlogIndexPage

SHOWN = 20


class ArticleFeed(TaggedFeedMixin, Feed):
    """The newest articles in the language of the address; visits by its links are known as such."""

    feed_name = "blog"
    title = gettext_lazy("Sample Software: blog")

    def get_object(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpRequest:
        """The request: addresses of pages are those of the site that was asked."""
        return request

    def link(self, request: HttpRequest) -> str:
        """The blog itself."""
        blog = BlogIndexPage.objects.live().filter(locale=Locale.get_active()).first()
        return (blog.get_url(request) if blog else None) or "/"

    def description(self) -> str:
        return _("Short articles on approvals, bookkeeping rules and access rights.")

    def items(self, request: HttpRequest) -> list[tuple[ArticlePage, str]]:
        """Articles with their addresses."""
        articles = ArticlePage.objects.live().public().filter(locale=Locale.get_active())
        newest = articles.order_by("-published_on", "-pk")[:SHOWN]
        return [(article, article.get_url(request) or "/") for article in newest]

    def item_title(self, item: tuple[ArticlePage, str]) -> str:
        return str(item[0].title)

    def item_description(self, item: tuple[ArticlePage, str]) -> str:
        return str(item[0].search_description or item[0].introduction)

    def item_link(self, item: tuple[ArticlePage, str]) -> str:
        return item[1]

    def item_pubdate(self, item: tuple[ArticlePage, str]) -> datetime:
        return timezone.make_aware(datetime.combine(item[0].published_on, time.min))
