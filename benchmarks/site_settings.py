"""The example site, in a place of its own (environment WAGTAIL_MA_VAR and WAGTAIL_MA_DATABASE)."""

from __future__ import annotations

import os

from example.settings.base import *  # noqa: F403
from example.settings.base import TEMPLATES

SECRET_KEY = "only-for-benchmarks"
EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
WAGTAIL_MA = {
    "RECORDING": os.environ.get("BENCH_RECORDING", "direct"),
    "REDIS_URL": os.environ.get("REDIS", "redis://127.0.0.1:6379/0"),
    "REDIS_STREAM": "wagtail_ma:bench",
}

if os.environ.get("BENCH_PLAIN"):
    # The same site without the tracker: the tag renders nothing.
    TEMPLATES[0]["OPTIONS"]["libraries"] = {"wagtail_ma_tags": "benchmarks.no_tags"}  # type: ignore[index]
