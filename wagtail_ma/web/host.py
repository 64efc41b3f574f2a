"""For the site's own views: tell us who somebody is.

* :func:`identify_visitor`: one call in any Django view, with the response at hand or not.
* :data:`address_given`: the same as a signal, for code that should not import us.
* :class:`IdentifyingFormMixin`: for pages built with ``wagtail.contrib.forms``.
* Log-ins, with the setting ``IDENTIFY_LOGINS``.

None of them ever raises or breaks a page: what goes wrong is logged.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core import checks
from django.db import DatabaseError
from django.dispatch import Signal
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import timezone

from wagtail_ma.conf import conf
from wagtail_ma.jobs import queue
from wagtail_ma.people import browsers, cookies, lead_values
from wagtail_ma.people.identify import identify_browser
from wagtail_ma.people.models import Lead
from wagtail_ma.tracking import activities, visits
from wagtail_ma.tracking.writing import Busy, write_facts
from wagtail_ma.web.hits import is_staff

logger = logging.getLogger(__name__)

# ``address_given.send(sender, request=…, email=…, method="form", evidence={…}, fields={…})``
address_given = Signal()
PENDING = "_wagtail_ma_cookies"
# A person waits, and an address lost is lost.
WAIT_MS = 2_000


def identify_visitor(
    request: HttpRequest,
    response: HttpResponseBase | None = None,
    *,
    email: str,
    method: str = "form",
    evidence: Mapping[str, Any] | None = None,
    activity: str = "",
    **fields: Any,
) -> Lead | None:
    """Tie an address to the browser of this request.

    :param response: gets the cookie, where it has to change (a shared computer, a browser without one).
        Without it ``IdentityMiddleware`` sets the cookie on the final response.
    :param email: as typed.
    :param method: ``form``, ``login`` …; ``login`` counts as a proof that the address is theirs.
    :param evidence: what led to it, e.g. ``{"page": page.pk}``; kept in the log.
    :param activity: also record an act of this kind, e.g. ``form_submit``.
    :param fields: values for the lead (``people.lead_values.FIELDS``, ``attributes.<key>``).
    :returns: the lead; None when there is none: no address, one of us, or a fault of ours.
    """
    try:
        return _identify(request, response, email, method, dict(evidence or {}), activity, fields)
    except ValueError:
        logger.info("no address to identify by")
    except (Busy, DatabaseError):
        logger.exception("somebody could not be identified")
    except Exception:
        logger.exception("somebody could not be identified")
    return None


def _identify(
    request: HttpRequest,
    response: HttpResponseBase | None,
    email: str,
    method: str,
    evidence: dict[str, Any],
    activity: str,
    fields: dict[str, Any],
) -> Lead | None:
    if not email or is_staff(request):
        return None
    now = timezone.now()
    with write_facts(wait_ms=WAIT_MS):
        browser = None
        if not cookies.refuses_identifier(request):
            cookie = cookies.read(request)
            browser = browsers.recognise(cookie.key, now=now, is_fresh=cookie.is_fresh)
        who = identify_browser(browser, email=email, now=now, method=method, evidence=evidence, **fields)
        if activity:
            activities.add(
                who.identity,
                kind=activity,
                now=now,
                source_key=_occurrence(method, evidence, now=now),
                visit=visits.open_visit(who.identity, now=now),
                object_kind="page" if "page" in evidence else "",
                object_key=str(evidence.get("page", "")),
                data={key: value for key, value in evidence.items() if key != "page"},
            )
    if browser is not None:
        key = who.identity.key if who.is_new_browser else browser.key
        setattr(request, PENDING, cookies.answering(key, is_silent=who.is_silent, request=request))
    else:
        setattr(request, PENDING, cookies.forgetting(request=request))
    if response is not None:
        set_pending(request, response)
    queue.wake()
    return who.lead


def _occurrence(method: str, evidence: Mapping[str, Any], *, now: datetime) -> str:
    """The same for a double click: two acts of one person at one place within a minute are one."""
    place = json.dumps(evidence, sort_keys=True, default=str)
    digest = hashlib.sha256(place.encode()).hexdigest()[:16]
    return f"{method}:{digest}:{now:%Y%m%d%H%M}"


def set_pending(request: HttpRequest, response: HttpResponseBase) -> None:
    """Give the response the cookie that :func:`identify_visitor` asked for, or take it away; once."""
    cookies.put(response, getattr(request, PENDING, ()))
    setattr(request, PENDING, ())


class IdentityMiddleware:
    """Sets the cookie after an identification that had no response at hand (log-ins, the signal)."""

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = self._get_response(request)
        set_pending(request, response)
        return response


def on_address_given(sender: Any, *, request: HttpRequest, email: str, **kwargs: Any) -> None:
    """Receiver of :data:`address_given`."""
    fields = kwargs.get("fields") or {}
    identify_visitor(
        request,
        email=email,
        method=kwargs.get("method", "form"),
        evidence=kwargs.get("evidence"),
        activity=kwargs.get("activity", ""),
        **fields,
    )


def on_logged_in(sender: Any, *, request: HttpRequest, user: Any, **kwargs: Any) -> None:
    """Receiver of Django's ``user_logged_in``."""
    # (Not is_staff(request): the session does not know the user yet.)
    if not conf.IDENTIFY_LOGINS or request is None or _is_ours(user):
        return
    identify_visitor(
        request,
        email=getattr(user, "email", "") or "",
        method="login",
        family_name=getattr(user, "last_name", ""),
        given_name=getattr(user, "first_name", ""),
    )


def _is_ours(user: Any) -> bool:
    return not conf.TRACK_STAFF and user.has_perm("wagtailadmin.access_admin")


class IdentifyingFormMixin:
    """For pages of ``wagtail.contrib.forms``; first among the bases: ``class FormPage(
    IdentifyingFormMixin, AbstractEmailForm)``. The page, its fields and its mails stay as they are.

    ``ma_fields`` names the form's fields by what they mean: ``{"email": "your_email", "company_name":
    "company"}``. Without an entry for ``email`` the first e-mail field of the form is it.
    """

    ma_fields: Mapping[str, str] = {}

    @classmethod
    def check(cls, **kwargs: Any) -> list[checks.CheckMessage]:
        """Also that ``ma_fields`` names values that a lead has."""
        found: list[checks.CheckMessage] = super().check(**kwargs)  # type: ignore[misc]
        known = {"email", *lead_values.FIELDS}
        for name in cls.ma_fields:
            if name not in known and not name.startswith(lead_values.ATTRIBUTE):
                hint = f"Known are {', '.join(sorted(known))}, and {lead_values.ATTRIBUTE}… for lead fields."
                text = f"ma_fields names {name!r}, which is no value of a lead: nobody is identified."
                found.append(checks.Error(text, hint=hint, obj=cls, id="wagtail_ma.E016"))
        return found

    def serve(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self._ma_cleaned: dict[str, Any] | None = None
        response = super().serve(request, *args, **kwargs)  # type: ignore[misc]
        if self._ma_cleaned is not None:
            named = {
                ours: self._ma_cleaned.get(theirs)
                for ours, theirs in self.ma_fields.items()
                if self._ma_cleaned.get(theirs)
            }
            email = str(named.pop("email", "") or self._ma_first_address() or "")
            identify_visitor(
                request,
                response,
                email=email,
                evidence={"page": self.pk, "form": self.title},  # type: ignore[attr-defined]
                activity="form_submit",
                **named,
            )
        return response

    def process_form_submission(self, form: Any) -> Any:
        submission = super().process_form_submission(form)  # type: ignore[misc]
        self._ma_cleaned = dict(form.cleaned_data)
        return submission

    def _ma_first_address(self) -> str | None:
        for field in self.get_form_fields():  # type: ignore[attr-defined]
            if field.field_type == "email" and self._ma_cleaned:
                return self._ma_cleaned.get(field.clean_name)
        return None
