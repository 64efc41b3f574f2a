"""WSGI entry point of the example site."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from wagtail_ma.web.wsgi import answer_hits_first

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example.settings.demo")

# What the tracker posts is answered before Django makes ready for a page.
application = answer_hits_first(get_wsgi_application())
