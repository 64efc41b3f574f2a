"""What is known of oneself: a link by mail to the address, then one's data as a file, or erased; and
whether one is recorded from now on.

The first page answers the same whether an address is known or not. The second shows nothing that is known;
what it does, it does by POST (mail scanners open links).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods
from wagtail.log_actions import log

from wagtail_ma.conf import conf
from wagtail_ma.core import tokens
from wagtail_ma.core.belongings import Person
from wagtail_ma.core.text import normalise_email
from wagtail_ma.forms.limits import network_of
from wagtail_ma.jobs import queue
from wagtail_ma.messaging import mails
from wagtail_ma.people import cookies, erase, export, persons, unrecorded
from wagtail_ma.people.models import Identity, Lead
from wagtail_ma.web.limits import PerMinute

PURPOSE = "own data"
MAX_AGE_SECONDS = mails.LINK_HOURS * 3600
ASK = "wagtail_ma/privacy/ask.html"
MINE = "wagtail_ma/privacy/mine.html"
STOP, RESUME = "do-not-record", "record-again"
TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8"}
# Of one network; more is somebody who tries addresses out.
per_network = PerMinute(10)


# No CSRF token, as with forms: nothing but a mail to the address itself comes of it.
@csrf_exempt
@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """Ask for the address, and mail the link to it."""
    _only_where_wanted()
    if request.method != "POST":
        return _private(render(request, ASK))
    network = network_of(request.META)
    if network and per_network.is_over(network):
        problem = _("Too many requests. Please try again in a minute.")
        return _private(render(request, ASK, {"problem": problem}, status=429))
    try:
        address = normalise_email(request.POST.get("email", ""))
    except ValueError:
        problem = _("Enter a valid e-mail address, for example name@example.com.")
        return _private(render(request, ASK, {"problem": problem}, status=422))
    _send(address, now=timezone.now())
    return _private(render(request, ASK, {"is_sent": True}))


def _send(address: str, *, now: datetime) -> None:
    identity = Identity.objects.filter(kind=Identity.Kind.EMAIL, key=address).first()
    lead = Lead.objects.filter(visitor_id=identity.visitor_id).first() if identity else None
    if identity is None or lead is None:
        return
    token = tokens.dumps(PURPOSE, (identity.pk, address), now=now)
    url = reverse("wagtail_ma:privacy_mine", args=[token])
    mails.send_own_data_link(lead, url, email=address, now=now, language=translation.get_language() or "")
    queue.wake()


# By POST nothing but the signed token counts, and a foreign site gains nothing by sending it.
@csrf_exempt
@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def mine(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows buttons only; POST hands out a file, erases, or switches the recording off and on."""
    _only_where_wanted()
    now = timezone.now()
    try:
        identity = _identity_of(token, now=now)
    except tokens.ExpiredToken:
        return _private(render(request, MINE, {"state": "expired"}, status=410))
    except tokens.BadToken:
        return _private(render(request, MINE, {"state": "invalid"}, status=403))
    if request.method != "POST":
        return _private(_page(request, identity))
    return _private(_do(request, persons.gather(identity.visitor_id, now=now), identity))


def _do(request: HttpRequest, person: Person, identity: Identity) -> HttpResponse:
    wanted = request.POST.get("do", "")
    if wanted in TYPES:
        log(identity.visitor, "wagtail_ma.own_data", data={"what": wanted})
        make: Any = export.as_json if wanted == "json" else export.as_csv
        response = HttpResponse(make(person, for_themselves=True), content_type=TYPES[wanted])
        response["Content-Disposition"] = f'attachment; filename="my-data.{wanted}"'
        return response
    if wanted == "erase" and request.POST.get("sure") == "yes":
        log(identity.visitor, "wagtail_ma.own_erasure")
        erase.erase(person)
        queue.wake()
        response = render(request, MINE, {"state": "erased"})
        response.delete_cookie(conf.COOKIE_NAME, samesite="Lax")
        if identity.visitor.is_unrecorded:
            # The wish is erased with them; this browser keeps it.
            cookies.put(response, cookies.silencing(request=request))
        return response
    if wanted in (STOP, RESUME):
        return _switch(request, identity, is_off=wanted == STOP)
    problem = _("Please tick the box first.") if wanted == "erase" else ""
    return _page(request, identity, problem=problem, status=422)


def _switch(request: HttpRequest, identity: Identity, *, is_off: bool) -> HttpResponse:
    now = timezone.now()
    if is_off:
        unrecorded.start(identity.visitor_id, now=now)
        given = cookies.silencing(request=request)
    else:
        unrecorded.end(identity.visitor_id, now=now)
        given = cookies.allowing()
    log(identity.visitor, "wagtail_ma.do_not_record" if is_off else "wagtail_ma.record_again")
    identity.visitor.refresh_from_db()
    response = _page(request, identity, has_switched=True)
    cookies.put(response, given)
    return response


def _page(
    request: HttpRequest,
    identity: Identity,
    *,
    problem: str = "",
    has_switched: bool = False,
    status: int = 200,
) -> HttpResponse:
    context = {
        "state": "ready",
        "is_unrecorded": identity.visitor.is_unrecorded,
        "has_switched": has_switched,
        "problem": problem,
    }
    return render(request, MINE, context, status=status)


def _identity_of(token: str, *, now: datetime) -> Identity:
    """The address that a link stands for.

    :raises wagtail_ma.core.tokens.BadToken: forged, expired, or the person was erased.
    """
    match tokens.loads(PURPOSE, token, now=now, max_age_seconds=MAX_AGE_SECONDS):
        case (int(pk), str(address)):
            # Ids are used again by some databases: the address must be the same, too.
            rows = Identity.objects.select_related("visitor").filter(kind=Identity.Kind.EMAIL, key=address)
            if found := rows.filter(pk=pk).first():
                return found
    raise tokens.BadToken("nobody of this address")


def _only_where_wanted() -> None:
    if not conf.SELF_SERVICE:
        raise Http404


def _private(response: HttpResponse) -> HttpResponse:
    """Out of caches, search engines and referrers: the address stands for a person."""
    response["Cache-Control"] = "private, no-store"
    response["X-Robots-Tag"] = "noindex, nofollow"
    response["Referrer-Policy"] = "no-referrer"
    return response
