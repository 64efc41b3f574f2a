"""What a browser has told us before, and what is therefore not asked again.

Only answers typed in this very browser, until its owner has proven there to be who they say
(:mod:`wagtail_ma.forms.proof`): an address is a claim, so nothing of the lead's record, and nothing typed
elsewhere, is shown to whoever names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wagtail_ma.forms.answers import Kind, MapsTo
from wagtail_ma.forms.models import LeadForm, LeadFormField, Submission
from wagtail_ma.forms.proof import spoken_for
from wagtail_ma.forms.public_form import CONSENT, as_text, questions_of
from wagtail_ma.people.visitors import BrowserVisitor

# Enough to cover what one person answers; bounds the read for a browser of many.
LATEST = 30
# Asked anew each time: what they say belongs to the occasion.
NEVER_KNOWN = (MapsTo.MESSAGE.value, CONSENT)
ABOUT_THE_PERSON = frozenset(set(MapsTo.values) - {MapsTo.QUESTION, MapsTo.ATTRIBUTE})


def known_answers(form: LeadForm, browser: BrowserVisitor | None) -> dict[str, Any]:
    """The latest answers of a browser by the names of the questions.

    A form's own questions are known only from that form: another may mean something else by the
    same short name.

    :param browser: None for an unknown one.
    """
    if browser is None:
        return {}
    sent = (
        Submission.objects.filter(spoken_for(browser))
        .exclude(state=Submission.State.SUSPECT)
        .order_by("-at", "-pk")
        .values_list("form_id", "data")[:LATEST]
    )
    known: dict[str, Any] = {}
    for form_id, data in sent:
        for name, value in data.items():
            is_shared = name in ABOUT_THE_PERSON or name.startswith("attribute_")
            if name not in NEVER_KNOWN and (is_shared or form_id == form.pk):
                known.setdefault(name, value)
    return known


def next_questions(form: LeadForm, known: Mapping[str, Any]) -> tuple[str, ...] | None:
    """The names of the questions to ask now; None for all of them.

    The e-mail address is always asked (and prefilled), and so is a question that depends on one
    that is asked now.
    """
    if not form.asks_only_unknown:
        return None
    asked: list[str] = []
    count = 0
    for row in questions_of(form):
        if row.maps_to == MapsTo.EMAIL or row.kind == Kind.HIDDEN or row.name in known:
            continue
        if row.show_if in asked:
            asked.append(row.name)
        elif _is_due(row, known) and (form.max_questions is None or count < form.max_questions):
            asked.append(row.name)
            count += 1
    return tuple(asked)


def _is_due(row: LeadFormField, known: Mapping[str, Any]) -> bool:
    """Whether a question may be asked although the one it depends on is not asked now."""
    if not row.show_if:
        return True
    given = known.get(row.show_if)
    answers = given if isinstance(given, list) else [given]
    return any(as_text(answer) in row.wanted_values for answer in answers)
