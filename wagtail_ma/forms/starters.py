"""Ready-made forms to begin with, one per purpose, in the language of the site that needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override, pgettext_lazy
from wagtail.coreutils import get_content_languages

from wagtail_ma.forms.answers import Kind, MapsTo
from wagtail_ma.forms.models import LeadForm, LeadFormField

Purpose = LeadForm.Purpose
Words = Any


@dataclass(frozen=True)
class Starter:
    """A form to begin with.

    :param questions: fields of :class:`LeadFormField`; texts are lazy, so that they come out in the
        form's language and not in the editor's.
    """

    purpose: str
    description: Words
    heading: Words
    submit_label: Words
    thanks: Words
    intro: Words = ""
    questions: tuple[dict[str, Any], ...] = ()
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The purpose in words."""
        return str(Purpose(self.purpose).label)


def _ask(maps_to: str, **more: Any) -> dict[str, Any]:
    return {"maps_to": maps_to, **more}


def _choices(*words: Words) -> tuple[Words, ...]:
    return words


CONSENT = gettext_lazy("I would like to get news and offers by e-mail. I can unsubscribe at any time.")
NEWSLETTER_CONSENT = gettext_lazy(
    "I would like to get the newsletter by e-mail. I can unsubscribe at any time."
)
PERSON = (_ask(MapsTo.FAMILY_NAME), _ask(MapsTo.GIVEN_NAME))
# Only where readers write names that others cannot read.
KANA = (_ask(MapsTo.FAMILY_NAME_KANA, is_required=False), _ask(MapsTo.GIVEN_NAME_KANA, is_required=False))
AGREE_OR_NOT = _choices(
    gettext_lazy("Yes"), gettext_lazy("Partly"), gettext_lazy("No"), gettext_lazy("I do not know")
)


def _rated(key: str, label: Words) -> dict[str, Any]:
    return _ask(MapsTo.QUESTION, key=key, kind=Kind.RADIO, label=label, choices=AGREE_OR_NOT)


STARTERS = (
    Starter(
        Purpose.CONTACT,
        gettext_lazy("For enquiries: what it is about, and who asks."),
        heading=gettext_lazy("Contact"),
        submit_label=gettext_lazy("Send the enquiry"),
        thanks=gettext_lazy("We have received your enquiry and will answer within two working days."),
        questions=(
            _ask(
                MapsTo.QUESTION,
                key="topic",
                kind=Kind.SELECT,
                label=gettext_lazy("What is it about?"),
                choices=_choices(
                    gettext_lazy("Products and prices"),
                    gettext_lazy("A quotation"),
                    gettext_lazy("Support"),
                    gettext_lazy("Something else"),
                ),
            ),
            _ask(MapsTo.MESSAGE),
            *PERSON,
            _ask(MapsTo.COMPANY),
            _ask(MapsTo.EMAIL),
            _ask(MapsTo.PHONE, is_required=False),
        ),
        options={"consent_text": CONSENT},
    ),
    Starter(
        Purpose.WHITEPAPER,
        gettext_lazy("In front of a document: company and job, and the next time only what is missing."),
        heading=gettext_lazy("Download the document"),
        submit_label=gettext_lazy("Download"),
        thanks=gettext_lazy("Thank you for your interest."),
        questions=(
            _ask(MapsTo.EMAIL),
            _ask(MapsTo.COMPANY),
            *PERSON,
            _ask(MapsTo.DEPARTMENT, is_required=False),
            _ask(MapsTo.TITLE, is_required=False),
            _ask(
                MapsTo.QUESTION,
                key="timing",
                kind=Kind.RADIO,
                is_required=False,
                label=gettext_lazy("When do you plan to introduce it?"),
                choices=_choices(
                    gettext_lazy("Within three months"),
                    gettext_lazy("Within a year"),
                    gettext_lazy("Just gathering information"),
                ),
            ),
        ),
        options={"consent_text": CONSENT, "asks_only_unknown": True, "max_questions": 4},
    ),
    Starter(
        Purpose.NEWSLETTER,
        gettext_lazy("The address and nothing else, confirmed by mail (double opt-in)."),
        heading=gettext_lazy("Newsletter"),
        submit_label=gettext_lazy("Subscribe"),
        thanks=gettext_lazy("Thank you for subscribing."),
        questions=(_ask(MapsTo.EMAIL), _ask(MapsTo.FAMILY_NAME, is_required=False)),
        options={"consent_text": NEWSLETTER_CONSENT, "asks_confirmation": True},
    ),
    Starter(
        Purpose.SEMINAR,
        gettext_lazy("To sign up for an event: how somebody takes part, and questions beforehand."),
        heading=gettext_lazy("Sign up for the seminar"),
        submit_label=gettext_lazy("Sign up"),
        thanks=gettext_lazy("You are signed up. Details follow by mail."),
        questions=(
            _ask(
                MapsTo.QUESTION,
                key="attendance",
                kind=Kind.RADIO,
                label=gettext_lazy("How will you take part?"),
                choices=_choices(gettext_lazy("At the venue"), gettext_lazy("Online")),
            ),
            _ask(
                MapsTo.QUESTION,
                key="companions",
                kind=Kind.NUMBER,
                is_required=False,
                label=gettext_lazy("How many people come with you?"),
                show_if="attendance",
                show_if_values=_choices(gettext_lazy("At the venue")),
            ),
            *PERSON,
            _ask(MapsTo.COMPANY),
            _ask(MapsTo.TITLE, is_required=False),
            _ask(MapsTo.EMAIL),
            _ask(MapsTo.MESSAGE, is_required=False, label=gettext_lazy("Questions to the speaker")),
        ),
        options={"consent_text": CONSENT},
    ),
    Starter(
        Purpose.DIAGNOSIS,
        gettext_lazy("A few questions about where a company stands; a person answers with advice."),
        heading=gettext_lazy("Free diagnosis"),
        submit_label=gettext_lazy("Ask for the diagnosis"),
        thanks=gettext_lazy("Thank you. We will look at your answers and write to you."),
        questions=(
            _rated("has_goals", gettext_lazy("Do you have written goals for this year?")),
            _rated("has_numbers", gettext_lazy("Do you know the numbers by which you measure them?")),
            _rated("has_owner", gettext_lazy("Is there somebody who is responsible?")),
            _ask(
                MapsTo.QUESTION,
                key="concerns",
                kind=Kind.CHECKBOXES,
                is_required=False,
                label=gettext_lazy("What keeps you busy most?"),
                choices=_choices(
                    gettext_lazy("Cost"),
                    pgettext_lazy("what a company lacks", "Time"),
                    pgettext_lazy("what a company lacks", "People"),
                    gettext_lazy("Quality"),
                ),
            ),
            _ask(MapsTo.COMPANY),
            _ask(MapsTo.FAMILY_NAME),
            _ask(MapsTo.EMAIL),
        ),
        options={"consent_text": CONSENT},
    ),
)


def find(purpose: str | None) -> Starter | None:
    """The starter of a purpose, or None."""
    return next((starter for starter in STARTERS if starter.purpose == purpose), None)


def new_form(starter: Starter, *, language: str) -> LeadForm:
    """An unsaved form with its questions, in a language.

    :param language: of the form's texts, a code of ``LANGUAGES``.
    """
    with override(language):
        form = LeadForm(
            name=_("%(purpose)s (%(language)s)") % {"purpose": starter.name, "language": language},
            purpose=starter.purpose,
            language=language if language in get_content_languages() else "",
            heading=str(starter.heading),
            intro=str(starter.intro),
            submit_label=str(starter.submit_label),
            thanks=str(starter.thanks),
            **{name: _plain(value) for name, value in starter.options.items()},
        )
        questions = list(starter.questions)
        if language.split("-")[0] == "ja":
            questions = _with_kana(questions)
        for order, question in enumerate(questions):
            values = {name: _plain(value) for name, value in question.items()}
            form.fields.add(LeadFormField(sort_order=order, **values))
    return form


def _with_kana(questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    names = [question["maps_to"] for question in questions]
    if MapsTo.GIVEN_NAME not in names:
        return questions
    after = names.index(MapsTo.GIVEN_NAME) + 1
    return [*questions[:after], *KANA, *questions[after:]]


def _plain(value: Any) -> Any:
    """A lazy text, or a list of them, as it is written into the form."""
    if isinstance(value, tuple):
        return "\n".join(str(line) for line in value)
    return value if isinstance(value, bool | int) else str(value)
