"""Kinds of acts that have a meaning here, and which of them a browser may tell.

A site's own scripts may tell acts of any other name (``ma.track``). But whoever opens the browser's
console can do the same, so what only the server or one of us can know is refused from there: it would be
a person's own word on how promising they are.
"""

from __future__ import annotations

from django.utils.translation import gettext_lazy

from wagtail_ma.tracking import offer_token

OWN_KIND = "own"
# What rules, goals and scenarios can ask for, as (kind, words).
ACTIVITY_KINDS = (
    ("download", gettext_lazy("downloaded a document")),
    ("form_view", gettext_lazy("saw a form")),
    ("form_start", gettext_lazy("began to fill in a form")),
    ("form_submit", gettext_lazy("sent a form")),
    ("form_confirm", gettext_lazy("confirmed an address by mail")),
    ("mail_click", gettext_lazy("followed a link in a mail")),
    ("seminar_booked", gettext_lazy("booked a seminar")),
    ("seminar_attended", gettext_lazy("attended a seminar")),
    ("card_exchanged", gettext_lazy("exchanged business cards")),
    ("phone_talk", gettext_lazy("talked on the phone")),
    (OWN_KIND, gettext_lazy("an activity of your own")),
)

# What the scripts that we ship tell.
SCRIPT_KINDS = frozenset(
    {
        *("form_view", "form_start", "form_abandon", "file_click", "outbound_click"),
        *offer_token.ACTS,
    }
)
# What nobody can ask for by this name, and what is kept free.
_UNASKED_KINDS = frozenset({"unsubscribe", "mail_sent", "mail_open", "mail_scan"})

# All the rest: a new kind is refused from browsers unless it is named above.
_KINDS = frozenset(kind for kind, _words in ACTIVITY_KINDS) | _UNASKED_KINDS
SERVER_KINDS = _KINDS - SCRIPT_KINDS - {OWN_KIND}
