"""Which forms speak for whoever sits at a browser.

A typed address is a claim: until it is proven there, only what was typed in this very browser counts. A
log-in proves it, and so does the button of a mail that asked this browser to confirm. A link of a mail
proves it where the address had been typed before; elsewhere the mail may have been handed on.
"""

from __future__ import annotations

from django.db.models import Q

from wagtail_ma.forms.models import Submission
from wagtail_ma.people import browsers
from wagtail_ma.people.visitors import BrowserVisitor

ENOUGH = frozenset({"login", "confirmation"})
WHERE_TYPED = "mail_link"


def spoken_for(browser: BrowserVisitor) -> Q:
    """The submissions whose answers may be shown, and which open gates, in a browser."""
    mine = Q(browser_id=browser.identity_id)
    return mine | Q(visitor_id=browser.visitor_id) if is_proven(browser) else mine


def is_proven(browser: BrowserVisitor) -> bool:
    """Whether the person whom a browser belongs to has shown, there, to be that person."""
    steps = list(browsers.proofs(browser.identity_id, browser.visitor_id).values_list("method", "at"))
    if any(method in ENOUGH for method, _at in steps):
        return True
    typed = Submission.objects.filter(browser_id=browser.identity_id, visitor_id=browser.visitor_id)
    links = [at for method, at in steps if method == WHERE_TYPED]
    return bool(links) and typed.filter(at__lte=max(links)).exists()
