"""How the tables of this domain follow a person."""

from __future__ import annotations

from django.db.models import Q

from wagtail_ma.core.belongings import Belonging, Person, declare
from wagtail_ma.forms.models import Submission


def erase_submissions(person: Person) -> None:
    """What they sent, and what was sent under their address from elsewhere; what others sent from
    their browser stays with those."""
    Submission.objects.filter(
        Q(identity__in=person.identity_ids)
        | Q(visitor__in=person.visitor_ids)
        | Q(data__email__in=person.emails)
    ).delete()


declare(
    Belonging(
        "wagtail_ma.Submission",
        "fact",
        fields=("identity", "visitor", "browser"),
        owners=("identity", "visitor"),
        erase=erase_submissions,
        active_at="at",
    )
)
