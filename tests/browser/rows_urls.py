"""Addresses of the server behind the tracker's tests."""

from __future__ import annotations

from django.contrib.staticfiles.views import serve
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from wagtail import urls as wagtail_urls

from tests.browser import rows_server

urlpatterns = [
    path("ma/", include("wagtail_ma.urls")),
    path("static/<path:path>", serve, {"insecure": True}),
    path("control/<str:order>/", csrf_exempt(rows_server.control)),
    path("<path:path>", rows_server.page),
    path("", include(wagtail_urls)),
]
