"""Addresses of the example site."""

from __future__ import annotations

from django.conf import settings
from django.conf.urls.i18n import i18n_patterns
from django.contrib.staticfiles.views import serve as serve_static
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.static import serve as serve_file
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls
from wagtail.documents import urls as wagtaildocs_urls

from company.feeds import ArticleFeed

# The demo has no web server in front, so Django hands out the files itself. Of the media only
# the images: a document under /media/ could be had without asking.
files: list[URLPattern | URLResolver] = [
    re_path(r"^static/(?P<path>.+)$", serve_static, {"insecure": True}),
    re_path(
        r"^media/images/(?P<path>.+)$",
        serve_file,
        {"document_root": settings.MEDIA_ROOT / "images"},
    ),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", include(wagtailadmin_urls)),
    path("documents/", include(wagtaildocs_urls)),
    path("ma/", include("wagtail_ma.urls")),
    *files,
    *i18n_patterns(
        path("blog/feed/", ArticleFeed(), name="feed"),
        path("", include(wagtail_urls)),
        prefix_default_language=True,
    ),
]
