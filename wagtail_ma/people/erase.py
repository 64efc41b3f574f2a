"""Erase a person: what names them, what they did, what was decided about them.

What stays says nobody: counts by day, a mail's numbers of deliveries, and the keyed hash that keeps
an address from being mailed again.
"""

from __future__ import annotations

import json
import re
from typing import Any

from django.apps import apps
from django.db import transaction
from django.db.models import Q
from wagtail.models import ModelLogEntry, Revision

from wagtail_ma.core.belongings import Person, belongings
from wagtail_ma.people import merge, persons
from wagtail_ma.people.models import Visitor

# Of each table in one statement: bounds memory where Django has to look at the rows.
CHUNK = 5_000


def erase(person: Person) -> None:
    """Take somebody out of all tables, in one transaction; harmless when repeated.

    Their browsers become strangers: a cookie whose key is unknown is never adopted.

    :param person: from ``persons.gather``.
    """
    with transaction.atomic():
        # No hit in flight may write a fact for somebody who is going.
        merge.lock(person.identity_ids)
        # What stands on other rows goes first: domains are declared from the bottom up.
        for belonging in reversed(list(belongings)):
            if belonging.role == "root":
                continue
            if belonging.erase is not None:
                belonging.erase(person)
            else:
                _delete(persons.rows(belonging, person))
        scrub_log(person)
        scrub_revisions(person)
        Visitor.objects.filter(pk__in=person.visitor_ids).delete()


def scrub_log(person: Person) -> None:
    """Take names and addresses out of Wagtail's log; who did what and when stays."""
    entries = ModelLogEntry.objects
    mentions = Q(pk__in=[])
    for model, ids in ((apps.get_model("wagtail_ma.Lead"), person.lead_ids), (Visitor, person.visitor_ids)):
        mentions |= Q(content_type__app_label="wagtail_ma", content_type__model=model._meta.model_name) & Q(
            object_id__in=[str(pk) for pk in ids]
        )
    for email in person.emails:
        mentions |= Q(label__icontains=email) | Q(data__icontains=email)
    entries.filter(mentions).update(label="", data={})


def scrub_revisions(person: Person) -> None:
    """Take addresses out of the former versions of our own objects: an editor may have written one into a
    mail or a scenario. (Of the host's pages we know nothing.)"""
    ours = Revision.objects.filter(content_type__app_label="wagtail_ma")
    for email in person.emails:
        pattern = re.compile(re.escape(email), re.IGNORECASE)
        for revision in ours.filter(Q(content__icontains=email) | Q(object_str__icontains=email)):
            text = json.dumps(revision.content, ensure_ascii=False)
            Revision.objects.filter(pk=revision.pk).update(
                content=json.loads(pattern.sub("", text)), object_str=pattern.sub("", revision.object_str)
            )


def _delete(rows: Any) -> None:
    while ids := list(rows.values_list("pk", flat=True)[:CHUNK]):
        rows.model._default_manager.filter(pk__in=ids).delete()
