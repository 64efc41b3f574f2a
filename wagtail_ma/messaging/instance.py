"""Which database this is: a copy restored elsewhere holds the same queue and must not send it.

The first sending writes down where it happens; where that is another place now, nothing leaves until
somebody says that mail is to be sent from here.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from django.db import connection

from wagtail_ma.conf import conf
from wagtail_ma.messaging.models_of_sending import SendingRules


def fingerprint() -> str:
    """A hash of what tells this database from its copies: on SQLite the very file, on PostgreSQL the
    database and its number (which a restored dump does not keep); and the site's own address."""
    settings = connection.settings_dict
    parts = [connection.vendor, str(settings["NAME"]), conf.BASE_URL]
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT oid FROM pg_database WHERE datname = current_database()")
            parts += [str(settings.get("HOST")), str(settings.get("PORT")), str(cursor.fetchone()[0])]
    elif Path(str(settings["NAME"])).is_file():
        parts += [str(Path(str(settings["NAME"])).resolve()), str(Path(str(settings["NAME"])).stat().st_ino)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def is_ours(rules: SendingRules) -> bool:
    """Whether this database may send: it always has from here, or never has at all."""
    present = fingerprint()
    if rules.fingerprint:
        return rules.fingerprint == present
    # Guarded: two processes on two copies cannot both be first.
    SendingRules.objects.filter(pk=rules.pk, fingerprint="").update(fingerprint=present)
    return SendingRules.objects.filter(pk=rules.pk, fingerprint=present).exists()


def is_copy(rules: SendingRules) -> bool:
    """Whether mail was sent from another place before: nothing leaves from here."""
    return bool(rules.fingerprint) and rules.fingerprint != fingerprint()


def adopt(rules: SendingRules) -> None:
    """Somebody has said that mail is sent from here."""
    SendingRules.objects.filter(pk=rules.pk).update(fingerprint=fingerprint())
