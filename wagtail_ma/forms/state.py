"""What a form remembers between being shown and being sent: a signed hidden field.

No session and no cookie: a page with a form stays cacheable. The state says when and where the
form was shown, so that a robot's haste can be told, and it is where the way back comes from: no
address is ever taken from the URL.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from wagtail_ma.core import tokens

PURPOSE = "form"
# Forms on cached pages and in tabs left open must still work.
MAX_AGE_SECONDS = 30 * 86_400
NONCE_BYTES = 12
# Stands for all questions. (Names of questions have no such character.)
EVERY = "*"


@dataclass(frozen=True)
class FormState:
    """Circumstances of one showing of a form.

    ``document_id``: the document to be handed out, or None. ``page_id``: the page that the form
    stands on, or None. ``language``: of that page, so that errors and thanks come in it. ``asked``: the
    names of the questions that were shown, None for all.
    """

    form_id: int
    shown_at: datetime
    nonce: str
    document_id: int | None = None
    page_id: int | None = None
    language: str = ""
    asked: tuple[str, ...] | None = None

    def seal(self) -> str:
        """The state as a signed text."""
        return tokens.dumps(
            PURPOSE,
            (
                self.form_id,
                int(self.shown_at.timestamp()),
                self.nonce,
                self.document_id or 0,
                self.page_id or 0,
                self.language,
                EVERY if self.asked is None else " ".join(self.asked),
            ),
            now=self.shown_at,
        )


def new_state(
    form_id: int,
    *,
    now: datetime,
    document_id: int | None = None,
    page_id: int | None = None,
    language: str = "",
    asked: tuple[str, ...] | None = None,
) -> FormState:
    """A state for a form about to be shown, with a fresh nonce."""
    nonce = secrets.token_urlsafe(NONCE_BYTES)
    return FormState(form_id, now, nonce, document_id, page_id, language, asked)


def read_state(token: str, *, form_id: int, now: datetime) -> FormState:
    """The state that :meth:`FormState.seal` wrote.

    :raises wagtail_ma.core.tokens.BadToken: forged, of another form, or older than 30 days.
    """
    payload = tokens.loads(PURPOSE, token, now=now, max_age_seconds=MAX_AGE_SECONDS)
    match payload:
        case (
            int(form),
            int(at),
            str(nonce),
            int(document),
            int(page),
            str(language),
            str(names),
        ) if form == form_id:
            asked = None if names == EVERY else tuple(names.split())
            shown_at = datetime.fromtimestamp(at, UTC)
            return FormState(form, shown_at, nonce, document or None, page or None, language, asked)
    raise tokens.BadToken("the state of another form")
