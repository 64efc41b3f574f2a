"""The settings of wagtail_ma: one dict, ``WAGTAIL_MA``, read nowhere but here.

Every key is a typed property of :class:`Conf` whose docstring is its documentation (a test
compares them with docs/settings.md). Values are read at each access, so that
``override_settings`` works; ``checks.py`` reports unknown keys and wrong types.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.conf import settings

# Middleware and apps that keep whole pages for everybody.
PAGE_CACHES = frozenset(
    {
        "django.middleware.cache.UpdateCacheMiddleware",
        "wagtailcache",
        "wagtailcache.cache.UpdateCacheMiddleware",
    }
)


def _of_django(name: str, default: Any = None) -> Any:
    """A setting of Django. Each hit asks for some fifteen, and Django's own way takes a microsecond for
    each: it keeps what it was asked for in this dict, and clears it when the settings are overridden."""
    known = object.__getattribute__(settings, "__dict__")
    return known[name] if name in known else getattr(settings, name, default)


class Conf:
    """Typed view of ``settings.WAGTAIL_MA``."""

    def _get(self, key: str, default: Any) -> Any:
        given = _of_django("WAGTAIL_MA", {})
        return given.get(key, default) if isinstance(given, dict) else default

    @property
    def CONSENT(self) -> str:
        """When visitors are recorded with an identifier: ``"opt_out"`` (unless they refuse, the default)
        or ``"opt_in"`` (only after ``ma.consent(true)``; before that nothing is sent)."""
        return self._get("CONSENT", "opt_out")

    @property
    def TRACKING(self) -> str:
        """Who tells of page views: ``"script"`` in the browser (the default), or the ``"server"``
        that sends the page, for sites that cannot run scripts."""
        return self._get("TRACKING", "script")

    @property
    def RECORDING(self) -> str:
        """When messages of browsers are written to the database: ``"direct"`` (before the answer, the
        default), ``"buffered"`` (gathered in the web process, written a moment later) or ``"redis"``
        (handed to a Redis stream; ``manage.py ma_record`` writes them)."""
        return self._get("RECORDING", "direct")

    @property
    def REDIS_URL(self) -> str:
        """Where Redis is, for ``RECORDING = "redis"``."""
        return self._get("REDIS_URL", "redis://127.0.0.1:6379/0")

    @property
    def REDIS_STREAM(self) -> str:
        """Name of the stream in Redis; each installation needs its own."""
        return self._get("REDIS_STREAM", "wagtail_ma:hits")

    @property
    def REDIS_MAX_HITS(self) -> int:
        """How many messages may wait in Redis (about 1 kB each); with more, web processes write to the
        database themselves."""
        return self._get("REDIS_MAX_HITS", 1_000_000)

    @property
    def COOKIE_NAME(self) -> str:
        """Name of the browser cookie."""
        return self._get("COOKIE_NAME", "wagtail_ma")

    @property
    def COOKIE_DAYS(self) -> int:
        """How many days the browser cookie lives after the last visit (at most 400)."""
        return min(self._get("COOKIE_DAYS", 400), 400)

    @property
    def VISIT_TIMEOUT_SECONDS(self) -> int:
        """Seconds without any message from the browser after which a new visit begins."""
        return self._get("VISIT_TIMEOUT_SECONDS", 1800)

    @property
    def NEW_VISIT_BY_ORIGIN(self) -> bool:
        """Whether somebody who comes back by another campaign or from another site begins a new visit
        before ``VISIT_TIMEOUT_SECONDS`` have passed."""
        return self._get("NEW_VISIT_BY_ORIGIN", False)

    @property
    def ENGAGED_CAP_SECONDS(self) -> int:
        """The most engaged seconds that one page view can be credited with."""
        return self._get("ENGAGED_CAP_SECONDS", 1800)

    @property
    def TRACK_STAFF(self) -> bool:
        """Whether people who may enter the Wagtail admin are recorded like visitors."""
        return self._get("TRACK_STAFF", False)

    @property
    def HALF_LIFE_DAYS(self) -> int:
        """Days after which an engagement point is worth half (at least 7)."""
        return self._get("HALF_LIFE_DAYS", 30)

    @property
    def ACTIVE_ACTIONS(self) -> int:
        """An active prospect has viewed so many pages, or acted so many times, …"""
        return max(self._get("ACTIVE_ACTIONS", 3), 1)

    @property
    def ACTIVE_DAYS(self) -> int:
        """… in the last so many days: who is shown first in the ranked list."""
        return self._get("ACTIVE_DAYS", 30)

    @property
    def FIT_GRADES(self) -> list[float]:
        """From how many fit points on the grades A, B and C are given; below is D."""
        return self._get("FIT_GRADES", [75, 50, 25])

    @property
    def FIT_WEIGHTS(self) -> list[float]:
        """How much engagement counts in the ranked list with the fit A, B, C and D."""
        return self._get("FIT_WEIGHTS", [1.5, 1.2, 1.0, 0.5])

    @property
    def ENGAGEMENT_GRADES(self) -> list[float]:
        """From which current score on the grades 1, 2 and 3 are given; below is 4."""
        return self._get("ENGAGEMENT_GRADES", [75, 50, 25])

    @property
    def DOWNLOAD_LINK_DAYS(self) -> int:
        """Days for which a download link sent by mail is valid."""
        return self._get("DOWNLOAD_LINK_DAYS", 7)

    @property
    def FORM_MIN_SECONDS(self) -> int:
        """Seconds that a person needs at least to fill in a form; quicker ones are dropped."""
        return self._get("FORM_MIN_SECONDS", 2)

    @property
    def CHECK_MX(self) -> bool:
        """Whether forms ask the name server if anybody takes mail for the domain of an address (at most two
        seconds; only a sure no is an error). Needs ``pip install wagtail-ma[mx]``."""
        return self._get("CHECK_MX", False)

    @property
    def RETENTION_MONTHS(self) -> int:
        """Months for which visits, page views and activities are kept one by one (at least 4,
        because reports look back 90 days); daily totals stay."""
        return max(self._get("RETENTION_MONTHS", 25), 4)

    @property
    def LEAD_RETENTION_MONTHS(self) -> int:
        """Months without a sign of life after which a lead is erased with all that is known of the person;
        customers stay. 0 (the default): never."""
        return max(self._get("LEAD_RETENTION_MONTHS", 0), 0)

    @property
    def PAGE_PANEL(self) -> bool:
        """Whether the page editor has the side panel "Visitors", and the list of pages a column of
        views."""
        return self._get("PAGE_PANEL", True)

    @property
    def PERSONALISATION(self) -> str:
        """How personalised blocks reach the visitor: ``"server"`` (in the page, which then is private),
        ``"slots"`` (fetched by a script, so that caches can keep the page), or ``"auto"`` (the
        default): slots where Django's page cache or wagtail-cache is set up, else server."""
        return self._get("PERSONALISATION", "auto")

    @property
    def COUNTRY_HEADER(self) -> str:
        """Name of the request header in which your proxy tells the visitor's country, for example
        ``"CF-IPCountry"``; only where the proxy overwrites what visitors send. Empty: not known."""
        return self._get("COUNTRY_HEADER", "")

    @property
    def IDENTIFY_LOGINS(self) -> bool:
        """Whether people who log in to the site are identified by the address of their account. Needs
        ``wagtail_ma.web.host.IdentityMiddleware``."""
        return self._get("IDENTIFY_LOGINS", False)

    @property
    def SELF_SERVICE(self) -> bool:
        """Whether visitors may get and erase their own data at ``…/privacy/``, by a link that is
        mailed to their address."""
        return self._get("SELF_SERVICE", True)

    @property
    def REGION_HEADER(self) -> str:
        """Name of the request header in which your proxy tells the visitor's region (prefecture), for
        example ``"CF-Region-Code"``; under the same condition."""
        return self._get("REGION_HEADER", "")

    @property
    def GEOIP_DATABASE(self) -> str:
        """Path of a local database (MaxMind's format, ``.mmdb``) that tells country and region of an
        address where no header does. Empty: none."""
        return str(self._get("GEOIP_DATABASE", ""))

    @property
    def TRUSTED_PROXIES(self) -> list[str]:
        """Addresses and networks (CIDR) of your own proxies, ``"unix"`` for a socket. What they say in
        ``X-Forwarded-For`` is believed, what anybody else says there is not. Empty: nobody."""
        return list(self._get("TRUSTED_PROXIES", []))

    @property
    def MAIL_SENDING(self) -> bool:
        """Whether mail leaves at all; ``False`` on a copy for tests. What waits stays where it is."""
        return self._get("MAIL_SENDING", True)

    @property
    def MAIL_ALLOWLIST(self) -> list[str]:
        """Regular expressions; where there are any, only addresses that one of them matches as a whole
        get mail, e.g. ``[r".*@example\\.com"]`` on a staging site. Empty (the default): everybody."""
        return self._get("MAIL_ALLOWLIST", [])

    @property
    def MAIL_CONNECTIONS(self) -> int:
        """How many connections to the mail server one sender uses at once."""
        return self._get("MAIL_CONNECTIONS", 4)

    @property
    def WEBHOOK_SECRET(self) -> str:
        """Key that signs the webhooks of scenarios, known to their receivers (at least 16 characters).
        Empty (the default): no webhook is ever called."""
        secret = str(self._get("WEBHOOK_SECRET", ""))
        return secret if len(secret) >= 16 else ""

    @property
    def BASE_URL(self) -> str:
        """Scheme and host for links in mails, default ``WAGTAILADMIN_BASE_URL``."""
        return (self._get("BASE_URL", getattr(settings, "WAGTAILADMIN_BASE_URL", "")) or "").rstrip("/")

    @property
    def SECRETS(self) -> list[str]:
        """Keys that sign cookies and links, newest first; default ``SECRET_KEY`` and its
        fallbacks. Give own keys to let unsubscribe links outlive a change of ``SECRET_KEY``."""
        own = self._get("SECRETS", None)
        return list(own or (_of_django("SECRET_KEY"), *_of_django("SECRET_KEY_FALLBACKS")))

    def secrets(self) -> tuple[bytes, ...]:
        """The signing keys as bytes, newest first."""
        return _encoded(tuple(map(str, self.SECRETS)))

    def uses_slots(self) -> bool:
        """Whether personalised blocks are fetched by a script (see ``PERSONALISATION``)."""
        if self.PERSONALISATION != "auto":
            return self.PERSONALISATION == "slots"
        return any(name in PAGE_CACHES for name in (*settings.MIDDLEWARE, *settings.INSTALLED_APPS))

    def user_model(self) -> str:
        """The model of people who log in, for foreign keys (``AUTH_USER_MODEL``)."""
        return settings.AUTH_USER_MODEL

    def session_cookie(self) -> str:
        """Name of Django's session cookie."""
        return str(_of_django("SESSION_COOKIE_NAME"))

    def staff_language(self) -> str:
        """The language of mails to staff: the site's own (``LANGUAGE_CODE``)."""
        return settings.LANGUAGE_CODE


@lru_cache(maxsize=8)
def _encoded(secrets: tuple[str, ...]) -> tuple[bytes, ...]:
    return tuple(secret.encode() for secret in secrets)


conf = Conf()

KEYS: dict[str, type] = {
    "CONSENT": str,
    "TRACKING": str,
    "RECORDING": str,
    "REDIS_URL": str,
    "REDIS_STREAM": str,
    "REDIS_MAX_HITS": int,
    "COOKIE_NAME": str,
    "COOKIE_DAYS": int,
    "VISIT_TIMEOUT_SECONDS": int,
    "NEW_VISIT_BY_ORIGIN": bool,
    "ENGAGED_CAP_SECONDS": int,
    "TRACK_STAFF": bool,
    "HALF_LIFE_DAYS": int,
    "ACTIVE_ACTIONS": int,
    "ACTIVE_DAYS": int,
    "FIT_GRADES": list,
    "FIT_WEIGHTS": list,
    "ENGAGEMENT_GRADES": list,
    "DOWNLOAD_LINK_DAYS": int,
    "FORM_MIN_SECONDS": int,
    "CHECK_MX": bool,
    "RETENTION_MONTHS": int,
    "LEAD_RETENTION_MONTHS": int,
    "PAGE_PANEL": bool,
    "PERSONALISATION": str,
    "COUNTRY_HEADER": str,
    "IDENTIFY_LOGINS": bool,
    "SELF_SERVICE": bool,
    "REGION_HEADER": str,
    "GEOIP_DATABASE": str,
    "TRUSTED_PROXIES": list,
    "MAIL_SENDING": bool,
    "MAIL_ALLOWLIST": list,
    "MAIL_CONNECTIONS": int,
    "WEBHOOK_SECRET": str,
    "BASE_URL": str,
    "SECRETS": list,
}
