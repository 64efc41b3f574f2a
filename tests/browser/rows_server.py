"""The real server behind the tracker's tests, as a process: ``python -m tests.browser.rows_server``.

It serves pages that the tests put there, with the real template tag in them, and Wagtail's own pages; it
records hits at the real endpoint. Its clock can be moved. It ends when its standard input does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from datetime import timedelta
from typing import Any

MARK = "<!--tracker-->"


class Clock:
    """The server's time, as far as Django tells it."""

    ahead = timedelta(0)


put_pages: dict[str, dict[str, str]] = {}


def page(request: Any, path: str) -> Any:
    """A page that a test has put there, with the rendered tag in place of the mark; else Wagtail's."""
    from django.http import HttpResponse
    from django.template import RequestContext, Template
    from wagtail.views import serve

    found = put_pages.get("/" + path)
    if found is None:
        return serve(request, path)
    tag = Template("{% load wagtail_ma_tags %}{% wagtail_ma %}").render(RequestContext(request))
    # Settings of the script that the tag leaves at their defaults.
    tag = tag.replace(" defer ", f" defer {found['attributes']} ")
    source = found["source"].replace(MARK, tag)
    for name in ("wagtail_ma_consent", "wagtail_ma_recorded"):
        if f"<!--{name}-->" in source:
            html = Template(f"{{% load wagtail_ma_tags %}}{{% {name} %}}").render(RequestContext(request))
            source = source.replace(f"<!--{name}-->", html)
    return HttpResponse(source)


def control(request: Any, order: str) -> Any:
    """What the tests tell the server: ``{"value": …}`` → ``{"value": …}``."""
    from django.http import JsonResponse

    return JsonResponse({"value": ORDERS[order](json.loads(request.body)["value"])})


def _put(value: dict[str, dict[str, str]]) -> None:
    put_pages.update(value)


def _reset(value: None) -> None:
    """A day without visitors, with nothing remembered."""
    from django.apps import apps
    from django.conf import settings
    from django.db import connection
    from wagtail.models import Page, Site

    from wagtail_ma.tracking import counts, pages, sites

    Clock.ahead = timedelta(0)
    put_pages.clear()
    settings.WAGTAIL_MA = {}
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA foreign_keys = OFF")
        for model in apps.get_app_config("wagtail_ma").get_models(include_auto_created=True):
            cursor.execute(f"DELETE FROM {model._meta.db_table}")
        cursor.execute("PRAGMA foreign_keys = ON")
    Site.objects.filter(is_default_site=False).delete()
    Site.clear_site_root_paths_cache()
    for page in Page.objects.filter(depth=3):
        page.delete()
    pages.forget()
    counts._lately.clear()
    sites.forget()


def _move_clock(seconds: float) -> None:
    Clock.ahead = timedelta(seconds=seconds)


def _configure(value: dict[str, Any]) -> None:
    from django.conf import settings

    settings.WAGTAIL_MA = value


def _publish(value: dict[str, str]) -> int:
    """A published Wagtail page below the home page; its id."""
    from wagtail.models import Site

    from tests.testapp.models import ContentPage

    page = ContentPage(title=value["title"], slug=value["slug"])
    Site.objects.get(is_default_site=True).root_page.add_child(instance=page)
    return page.pk


def _add_site(host: str) -> int:
    """Another site of this installation; its id."""
    from wagtail.models import Site

    from wagtail_ma.tracking import sites

    home = Site.objects.get(is_default_site=True).root_page
    found = Site.objects.create(hostname=host, root_page=home)
    sites.forget()
    return found.pk


def _react(value: None) -> None:
    """What the worker does a few seconds after a hit."""
    from django.utils import timezone

    from wagtail_ma import flow

    flow.react(now=timezone.now())


ORDERS: dict[str, Any] = {
    "put": _put,
    "reset": _reset,
    "clock": _move_clock,
    "configure": _configure,
    "publish": _publish,
    "site": _add_site,
    "react": _react,
}


def _prepare() -> None:
    """Tables, and a default site with a home page."""
    from django.contrib.contenttypes.models import ContentType
    from django.core.management import call_command
    from wagtail.models import Locale, Page, Site

    from tests.testapp.models import ContentPage

    call_command("migrate", run_syncdb=True, verbosity=0)
    Locale.objects.get_or_create(language_code="en")
    kind = ContentType.objects.get_for_model(Page)
    root = Page.add_root(title="Root", slug="root", content_type=kind)
    home = ContentPage(title="Home", slug="home")
    root.add_child(instance=home)
    Site.objects.create(hostname="localhost", root_page=home, is_default_site=True)


def main() -> None:
    """Serve on a free port, which is printed first."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.browser.rows_settings"
    from django.utils import timezone

    real_now = timezone.now
    timezone.now = lambda: real_now() + Clock.ahead
    import django

    django.setup()
    _prepare()
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
    from django.core.wsgi import get_wsgi_application

    class Handler(WSGIRequestHandler):
        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadedWSGIServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.set_app(get_wsgi_application())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    # Under its own name: the urlconf imports it too, and there must be one clock.
    from tests.browser import rows_server

    rows_server.main()
