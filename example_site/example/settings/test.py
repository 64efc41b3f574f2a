"""Settings of the test suite: fast, and apart from the demo's files."""

from __future__ import annotations

from . import base
from .base import *  # noqa: F403
from .database import from_url

VAR = base.VAR / "test"
VAR.mkdir(parents=True, exist_ok=True)

SECRET_KEY = "only-for-tests"
ALLOWED_HOSTS = [*base.ALLOWED_HOSTS, "testserver"]
DATABASES = {"default": from_url(base.DATABASE_ADDRESS, VAR / "example.sqlite3")}
# A name apart from the package's own suite, which may run on the same server. On SQLite a file,
# not memory: the write lock and WAL then behave as they do in the demo.
DATABASES["default"]["TEST"] = {
    "NAME": "test_wagtail_ma_example" if base.DATABASE_ADDRESS else str(VAR / "example_tests.sqlite3")
}

MEDIA_ROOT = VAR / "media"
STATIC_ROOT = VAR / "static"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
