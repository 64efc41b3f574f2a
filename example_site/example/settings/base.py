"""What the demo and the tests share. Environment variables are read here and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

from django.utils.translation import gettext_lazy as _

from .database import from_url

SITE_DIR = Path(__file__).resolve().parent.parent.parent
REPOSITORY = SITE_DIR.parent
VAR = Path(os.environ.get("WAGTAIL_MA_VAR") or REPOSITORY / "var").resolve()
VAR.mkdir(parents=True, exist_ok=True)

DATABASE_ADDRESS = os.environ.get("WAGTAIL_MA_DATABASE") or os.environ.get("DATABASE_URL", "")
DATABASES = {"default": from_url(DATABASE_ADDRESS, VAR / "example.sqlite3")}

DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS += [h for h in os.environ.get("WAGTAIL_MA_ALLOWED_HOSTS", "").split(",") if h]

INSTALLED_APPS = [
    "wagtail_ma",
    "wagtail.contrib.simple_translation",
    "wagtail.contrib.forms",
    "wagtail.contrib.redirects",
    "wagtail.contrib.settings",
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
    "django_filters",
    "django_q",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    # Last: of two translations of the same words, the app listed first wins.
    "company",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    # Old links to gated documents lead to their forms.
    "wagtail_ma.web.document_links.DocumentMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "wagtail.contrib.redirects.middleware.RedirectMiddleware",
]

ROOT_URLCONF = "example.urls"
WSGI_APPLICATION = "example.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        # Before those of the apps: the pages of wagtail_ma in the look of this site.
        "DIRS": [SITE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

LANGUAGE_CODE = "ja"
LANGUAGES = [("ja", _("Japanese")), ("en", _("English"))]
WAGTAIL_CONTENT_LANGUAGES = LANGUAGES
WAGTAILADMIN_PERMITTED_LANGUAGES = LANGUAGES
WAGTAIL_I18N_ENABLED = True
USE_I18N = True
TIME_ZONE = "Asia/Tokyo"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = VAR / "static"
MEDIA_URL = "/media/"
MEDIA_ROOT = VAR / "media"

WAGTAIL_SITE_NAME = "Sample Software"
# The admin asks no other host for anything: neither pictures of its users nor Wagtail's newest release.
WAGTAIL_GRAVATAR_PROVIDER_URL = None
WAGTAIL_ENABLE_UPDATE_CHECK = False
WAGTAILADMIN_BASE_URL = os.environ.get("WAGTAILADMIN_BASE_URL", "http://localhost:8000")
# Documents must pass through Wagtail's view: a redirect to /media/ would go round every gate.
WAGTAILDOCS_SERVE_METHOD = "serve_view"
WAGTAILSEARCH_BACKENDS = {"default": {"BACKEND": "wagtail.search.backends.database"}}

DEFAULT_FROM_EMAIL = "Sample Software <info@sample-software.example>"

Q_CLUSTER = {
    "name": "wagtail_ma",
    "orm": "default",
    "workers": 1,
    "timeout": 50,
    "retry": 600,
    "queue_limit": 2,
    "bulk": 1,
    "catch_up": False,
    "max_attempts": 2,
    "save_limit": 20,
    "poll": 1,
}

WAGTAIL_MA: dict[str, object] = {
    # "server", "slots" or "auto": see docs/personalisation.md.
    "PERSONALISATION": os.environ.get("WAGTAIL_MA_PERSONALISATION") or "auto",
}

if os.environ.get("WAGTAIL_MA_PAGE_CACHE") == "1":
    # Whole pages are kept for everybody: personalised blocks then are filled in by a script.
    MIDDLEWARE = [
        "django.middleware.cache.UpdateCacheMiddleware",
        *MIDDLEWARE,
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]
    CACHE_MIDDLEWARE_SECONDS = 60

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
}
