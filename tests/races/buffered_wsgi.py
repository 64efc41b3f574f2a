"""The test site as a server that gathers hits for longer than any test waits."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

from django.conf import settings

settings.DATABASES["default"]["NAME"] = os.environ["BUFFERED_DATABASE"]
settings.WAGTAIL_MA = {"RECORDING": "buffered"}

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()

from wagtail_ma.tracking import buffer  # noqa: E402

buffer.PAUSE_SECONDS = 600
