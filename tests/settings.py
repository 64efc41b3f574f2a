"""Settings of the suite: a tiny foreign site (tests/testapp) on SQLite or PostgreSQL."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parent.parent
SECRET_KEY = "only-for-tests"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = "Asia/Tokyo"
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ja", "日本語")]
WAGTAIL_CONTENT_LANGUAGES = LANGUAGES
WAGTAIL_I18N_ENABLED = True
USE_I18N = True
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
ROOT_URLCONF = "tests.urls"
STATIC_URL = "/static/"
MEDIA_URL = "/media/"
MEDIA_ROOT = ROOT / "var" / "test-media"
WAGTAIL_SITE_NAME = "Test site"
WAGTAILADMIN_BASE_URL = "http://testserver"
WAGTAILDOCS_SERVE_METHOD = "serve_view"
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
WAGTAIL_MA = {"MAIL_CONNECTIONS": 1, "FORM_MIN_SECONDS": 0, "COUNTRY_HEADER": "CF-IPCountry"}
Q_CLUSTER: dict[str, object] = {
    # Its own for each process of pytest-xdist: they must not take each other's tasks.
    "name": "_".join(
        ("wagtail_ma", os.environ.get("WAGTAIL_MA_TEST_DB", ""), os.environ.get("PYTEST_XDIST_WORKER", ""))
    ),
    "workers": 1,
    "retry": 600,
    "timeout": 50,
    "poll": 0.2,
}
# The broker of the cluster: the database, or Redis.
if os.environ.get("WAGTAIL_MA_TEST_BROKER", "").startswith("redis://"):
    Q_CLUSTER["redis"] = os.environ["WAGTAIL_MA_TEST_BROKER"]
else:
    Q_CLUSTER["orm"] = "default"

url = urlsplit(os.environ.get("WAGTAIL_MA_DATABASE", ""))
if url.scheme.startswith("postgres"):
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": url.path.lstrip("/") or "postgres",
            "USER": url.username or "postgres",
            "PASSWORD": url.password or "",
            "HOST": url.hostname or "127.0.0.1",
            "PORT": str(url.port or 5432),
            "CONN_MAX_AGE": 60,
            "TEST": {"NAME": f"test_{os.environ.get('WAGTAIL_MA_TEST_DB', 'wagtail_ma')}"},
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": ROOT / "var" / "test.sqlite3",
            "CONN_MAX_AGE": 60,
            # A file, not memory: threads and processes of the race tests share it.
            "TEST": {"NAME": ROOT / "var" / f"{os.environ.get('WAGTAIL_MA_TEST_DB', 'test')}.sqlite3"},
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;",
            },
        }
    }

INSTALLED_APPS = [
    "tests.testapp",
    "wagtail_ma",
    "django_q",
    "wagtail.contrib.forms",
    "wagtail.contrib.frontend_cache",
    "wagtail.contrib.redirects",
    "wagtail.embeds",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail.locales",
    "wagtail",
    "modelcluster",
    "taggit",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
