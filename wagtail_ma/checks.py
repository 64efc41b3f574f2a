"""System checks: what is set wrongly, with the cure."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.urls import NoReverseMatch, reverse

from wagtail_ma.conf import KEYS, conf

MIDDLEWARE = "wagtail_ma.web.host.IdentityMiddleware"


@register(Tags.compatibility)
def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """``WAGTAIL_MA`` is a dict of known keys with values of the right type."""
    value = getattr(settings, "WAGTAIL_MA", {})
    if not isinstance(value, dict):
        return [Error("WAGTAIL_MA must be a dict.", id="wagtail_ma.E001")]
    found: list[CheckMessage] = []
    for key, given in value.items():
        if key not in KEYS:
            found.append(
                Error(
                    f"WAGTAIL_MA has an unknown key {key!r}.",
                    hint=f"Known keys: {', '.join(sorted(KEYS))}.",
                    id="wagtail_ma.E002",
                )
            )
        elif not isinstance(given, KEYS[key]) or (KEYS[key] is int and isinstance(given, bool)):
            found.append(
                Error(f"WAGTAIL_MA[{key!r}] must be of type {KEYS[key].__name__}.", id="wagtail_ma.E003")
            )
    return found or _check_values()


# A token, as RFC 9110 calls it.
_COOKIE_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def _check_values() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if conf.CONSENT not in ("opt_out", "opt_in"):
        found.append(Error("WAGTAIL_MA['CONSENT'] must be 'opt_out' or 'opt_in'.", id="wagtail_ma.E004"))
    if conf.TRACKING not in ("script", "server"):
        found.append(Error("WAGTAIL_MA['TRACKING'] must be 'script' or 'server'.", id="wagtail_ma.E006"))
    if conf.RECORDING not in ("direct", "buffered", "redis"):
        message = "WAGTAIL_MA['RECORDING'] must be 'direct', 'buffered' or 'redis'."
        found.append(Error(message, id="wagtail_ma.E008"))
    if conf.RECORDING == "redis" and find_spec("redis") is None:
        hint = "pip install wagtail-ma[redis]"
        found.append(Error("RECORDING = 'redis' needs the package redis.", hint=hint, id="wagtail_ma.E009"))
    if conf.CHECK_MX and find_spec("dns") is None:
        hint = "pip install wagtail-ma[mx]"
        found.append(Error("CHECK_MX needs the package dnspython.", hint=hint, id="wagtail_ma.E015"))
    if conf.PERSONALISATION not in ("auto", "server", "slots"):
        message = "WAGTAIL_MA['PERSONALISATION'] must be 'auto', 'server' or 'slots'."
        found.append(Error(message, id="wagtail_ma.E007"))
    if conf.HALF_LIFE_DAYS < 7:
        found.append(Error("WAGTAIL_MA['HALF_LIFE_DAYS'] must be at least 7.", id="wagtail_ma.E005"))
    if not _COOKIE_NAME.fullmatch(conf.COOKIE_NAME):
        hint = "Letters, digits and any of !#$%&'*+-.^_`|~ can be in it."
        message = "WAGTAIL_MA['COOKIE_NAME'] is no name for a cookie."
        found.append(Error(message, hint=hint, id="wagtail_ma.E016"))
    found += _check_grades()
    if conf.IDENTIFY_LOGINS and MIDDLEWARE not in settings.MIDDLEWARE:
        hint = f"Add {MIDDLEWARE!r} to MIDDLEWARE, behind the one for sessions."
        found.append(Error("IDENTIFY_LOGINS needs a middleware.", hint=hint, id="wagtail_ma.E013"))
    return found


@register(Tags.urls)
def check_urls(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """The public endpoints are reachable."""
    try:
        reverse("wagtail_ma:hit")
    except NoReverseMatch:
        return [
            Error(
                "The addresses of wagtail_ma are not included.",
                hint='Add path("ma/", include("wagtail_ma.urls")) before Wagtail\'s own catch-all.',
                id="wagtail_ma.E010",
            )
        ]
    return []


@register(Tags.compatibility)
def check_server(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Hits are not answered by an asynchronous server (measured: 2 to 4 times slower), unless they only wait
    there for others to write them. Sites that are served that way without this setting are told in the log
    (``web/asynchronous.py``)."""
    if conf.RECORDING != "direct" or not getattr(settings, "ASGI_APPLICATION", None):
        return []
    return [
        Warning(
            "Under ASGI each hit takes a thread and, without a pool, a database connection of its own.",
            hint="Let a WSGI server (gunicorn with its own workers) answer the addresses of wagtail_ma, or "
            "set WAGTAIL_MA['RECORDING'] to 'buffered' or 'redis'. Silence this check when that is done.",
            id="wagtail_ma.W022",
        )
    ]


def _check_grades() -> list[CheckMessage]:
    """Bands go down, weights too; otherwise a better fit would be worth less."""
    found: list[CheckMessage] = []
    for key, count, lowest in (("FIT_GRADES", 3, None), ("ENGAGEMENT_GRADES", 3, 0), ("FIT_WEIGHTS", 4, 0)):
        values = getattr(conf, key)
        if (
            not isinstance(values, list)
            or len(values) != count
            or not all(isinstance(value, int | float) for value in values)
            or values != sorted(values, reverse=True)
            or (lowest is not None and values[-1] <= lowest)
        ):
            text = f"WAGTAIL_MA['{key}'] must be {count} numbers from high to low"
            text += " and above 0." if lowest is not None else "."
            found.append(Error(text, id="wagtail_ma.E012"))
    return found


@register(Tags.urls)
def check_base_url(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Links in mails need a scheme and a host."""
    if conf.BASE_URL.startswith(("http://", "https://")):
        return []
    return [
        Warning(
            "Links in mails would have no host.",
            hint="Set WAGTAILADMIN_BASE_URL, or WAGTAIL_MA['BASE_URL'], e.g. to https://www.example.com.",
            id="wagtail_ma.W011",
        )
    ]


@register(Tags.database)
def check_databases(app_configs: Any, databases: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Settings that make recording slow or fragile (measured; see docs/performance.md)."""
    found: list[CheckMessage] = []
    default = settings.DATABASES.get("default", {})
    if default.get("ATOMIC_REQUESTS"):
        found.append(
            Warning(
                "ATOMIC_REQUESTS keeps a transaction open for the whole request, hits included.",
                hint="Set it to False for the database that holds wagtail_ma.",
                id="wagtail_ma.W020",
            )
        )
    options: Any = default.get("OPTIONS") or {}
    # (None is for ever.)
    if default.get("CONN_MAX_AGE", 0) == 0 and "pool" not in options:
        found.append(
            Warning(
                "CONN_MAX_AGE is 0: every hit opens a new database connection (4 to 7 times slower).",
                hint="Set CONN_MAX_AGE, for example to 60.",
                id="wagtail_ma.W021",
            )
        )
    return found
