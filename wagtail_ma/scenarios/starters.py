"""Ready-made scenarios to begin with: a draft with its mails and segments, in the language chosen."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from wagtail_ma.messaging.models import Mail, SenderProfile
from wagtail_ma.personalisation.models import Goal
from wagtail_ma.scenarios.models import Scenario
from wagtail_ma.segments.models import Segment
from wagtail_ma.tracking.models import PageClass

Words = Any
Steps = list[dict[str, Any]]


@dataclass(frozen=True)
class Letter:
    """A mail that comes with a scenario, as a draft."""

    subject: Words
    text: Words


@dataclass(frozen=True)
class Audience:
    """A segment that comes with a scenario; one of the same name that is there already is used.

    :param conditions: ``(key, values)`` of a rule; none: fixed members.
    """

    name: Words
    conditions: tuple[tuple[str, dict[str, Any]], ...] = ()


@dataclass
class Made:
    """What was made for one scenario, by key."""

    mails: dict[str, Mail] = field(default_factory=dict)
    segments: dict[str, Segment] = field(default_factory=dict)

    def send(self, key: str, *, patience_days: int = 0) -> dict[str, Any]:
        """A step that sends one of the mails."""
        mail = self.mails.get(key)
        return step("send_mail", mail=mail.pk if mail else None, patience_days=patience_days)

    def ask(self, key: str, *, yes: Steps, no: Steps) -> dict[str, Any]:
        """A branch by one of the segments."""
        return step("branch", segment=self.segments[key].pk, yes=yes, no=no)

    def offer(self, key: str, *, yes: Steps, no: Steps) -> dict[str, Any]:
        """An offer on the site."""
        shown = {"segment": self.segments[key].pk, "page": None, "proof": "displayed", "seconds": 15}
        return step("offer", **shown, amount=30, unit="days", yes=yes, no=no)


@dataclass(frozen=True)
class Starter:
    """A scenario to begin with.

    :param entry: fields of the scenario; ``segment`` is the key of one of the audiences.
    """

    key: str
    name: Words
    description: Words
    entry: dict[str, Any]
    steps: Callable[[Made], Steps]
    letters: dict[str, Letter] = field(default_factory=dict)
    audiences: dict[str, Audience] = field(default_factory=dict)
    exit_segment: str = ""
    # False where sending a form is a step on the way, and not the end of it.
    ends_with_form: bool = True


def step(kind: str, **value: Any) -> dict[str, Any]:
    """One step as the StreamField stores it."""
    return {"type": kind, "id": str(uuid.uuid4()), "value": value}


def days(amount: int) -> dict[str, Any]:
    """A wait."""
    return step("wait", amount=amount, unit="days")


def morning() -> dict[str, Any]:
    """A wait until business begins."""
    return step("wait_until", day="business", at="09:00")


def task(text: Words, due: int = 1) -> dict[str, Any]:
    """A task for the person in charge."""
    return step("task", text=str(text), days=due, user=None)


def clicked(*, yes: Steps, no: Steps) -> dict[str, Any]:
    """Whether the mail before was clicked within three days."""
    return step("clicked", amount=3, unit="days", yes=yes, no=no)


def find(key: str | None) -> Starter | None:
    """The starter with this key."""
    return next((starter for starter in STARTERS if starter.key == key), None)


def make(starter: Starter, *, language: str) -> Scenario:
    """Make a draft of the scenario, its mails (drafts, where there is a sender) and its segments.

    :param language: of all the texts, as the language code of Django.
    """
    with transaction.atomic(), override(language):
        made = Made()
        sender = SenderProfile.objects.order_by("pk").first()
        for key, letter in starter.letters.items():
            if sender is not None:
                made.mails[key] = _mail(starter, letter, sender)
        for key, audience in starter.audiences.items():
            made.segments[key] = _segment(audience)
        fields = dict(starter.entry)
        if "segment" in fields:
            fields["segment"] = made.segments[fields["segment"]]
        scenario = Scenario(
            name=str(starter.name),
            live=False,
            goal=main_goal() if starter.ends_with_form else None,
            exit_segment=made.segments.get(starter.exit_segment),
            steps=json.dumps(starter.steps(made)),
            **fields,
        )
        scenario.save()
        scenario.save_revision()
        return scenario


def main_goal() -> Goal:
    """The goal of most scenarios: that somebody sends a form."""
    found = Goal.objects.filter(kind=Goal.Kind.ACTIVITY, activity_kind="form_submit", object_key="").first()
    if found is not None:
        return found
    return Goal.objects.get_or_create(name=str(_("Enquiry")), defaults={"activity_kind": "form_submit"})[0]


def _mail(starter: Starter, letter: Letter, sender: SenderProfile) -> Mail:
    text = "".join(f"<p>{line}</p>" for line in str(letter.text).split("\n"))
    mail = Mail(
        name=f"{starter.name}: {letter.subject}"[:120],
        sender=sender,
        kind=Mail.Kind.STEP,
        subject=str(letter.subject),
        body=json.dumps([{"type": "text", "value": text, "id": str(uuid.uuid4())}]),
        live=False,
    )
    mail.save()
    mail.save_revision()
    return mail


def _segment(audience: Audience) -> Segment:
    found = Segment.objects.filter(name=str(audience.name), is_live=False).first()
    if found is not None:
        return found
    rule = []
    for kind, values in audience.conditions:
        value = dict(values)
        if "page_class" in value:
            named = PageClass.objects.get_or_create(key=value["page_class"])[0]
            value["page_class"] = named.pk
        rule.append({"type": kind, "id": str(uuid.uuid4()), "value": value})
    return Segment.objects.create(
        name=str(audience.name), rule=json.dumps(rule), is_static=not audience.conditions
    )


def _viewed(page_class: str, number: int, within: int) -> tuple[str, dict[str, Any]]:
    asked = {"comparison": "at_least", "number": number, "count": "visits", "days": within}
    return "page_class_viewed", {"page_class": page_class, **asked}


HOT = Audience(_("Hot leads (scenario)"), (("hot", {"list": "any"}),))
CUSTOMERS = Audience(_("Customers (scenario)"), (("customer", {}),))
CALL = _("Call: what are they looking for?")

STARTERS = (
    Starter(
        "whitepaper",
        _("Whitepaper follow-up"),
        _("After a download: thanks the next morning, more for who clicks, a call for who is hot."),
        {"entry": "activity", "activity_kind": "download"},
        lambda made: [
            days(1),
            morning(),
            made.send("thanks"),
            clicked(
                yes=[made.ask("hot", yes=[task(CALL)], no=[days(3), made.send("more")])],
                no=[days(4), made.send("again")],
            ),
        ],
        {
            "thanks": Letter(_("Thank you for downloading"), _("Here is what others found useful next.")),
            "more": Letter(_("How others did it"), _("Three companies tell how they began.")),
            "again": Letter(_("Did the paper help?"), _("Tell us what you would like to know.")),
        },
        {"hot": HOT},
    ),
    Starter(
        "pricing",
        _("Pricing reader without an enquiry"),
        _("Reads the prices again and again but does not ask: an offer on the site, a mail, a call."),
        {"entry": "segment", "segment": "readers", "again": "after_days"},
        lambda made: [
            made.offer("offer", yes=[days(2)], no=[]),
            made.send("question", patience_days=14),
            days(3),
            made.ask("hot", yes=[task(CALL)], no=[]),
        ],
        {"question": Letter(_("Questions about our prices?"), _("We gladly make you an estimate."))},
        {
            "readers": Audience(_("Pricing readers (scenario)"), (_viewed("pricing", 2, 14),)),
            "offer": Audience(_("Offer: estimate (scenario)")),
            "hot": HOT,
        },
    ),
    Starter(
        "article",
        _("Same article three times: have it diagnosed"),
        _("Over three visits: a comparison page, then the form “have it diagnosed”, then a call."),
        {"entry": "segment", "segment": "readers", "again": "after_days"},
        lambda made: [
            made.offer(
                "compare",
                yes=[made.offer("diagnosis", yes=[], no=[])],
                no=[step("end")],
            ),
            step(
                "wait_segment",
                segment=made.segments["named"].pk,
                amount=14,
                unit="days",
                yes=[task(_("Call about the diagnosis"))],
                no=[],
            ),
        ],
        {},
        {
            "readers": Audience(_("Readers of articles (scenario)"), (_viewed("article", 3, 30),)),
            "compare": Audience(_("Offer: comparison (scenario)")),
            "diagnosis": Audience(_("Offer: diagnosis (scenario)")),
            "named": Audience(_("Known by name (scenario)"), (("identified", {"is": "yes"}),)),
        },
        ends_with_form=False,
    ),
    Starter(
        "abandoned",
        _("Form begun and left"),
        _("Somebody began a form and did not send it: a reminder on the site, and by mail if we may."),
        {"entry": "activity", "activity_kind": "form_start", "again": "after_days", "again_days": 30},
        lambda made: [
            step("wait", amount=2, unit="hours"),
            made.offer("reminder", yes=[], no=[]),
            made.send("help"),
        ],
        {"help": Letter(_("May we help?"), _("You can also reply to this mail."))},
        {"reminder": Audience(_("Offer: finish the form (scenario)"))},
    ),
    Starter(
        "dormant",
        _("Dormant for 90 days"),
        _("Who has not been here for 90 days: two mails, and who comes back is called when hot."),
        {"entry": "segment", "segment": "dormant", "again": "after_days", "again_days": 180},
        lambda made: [
            morning(),
            made.send("news"),
            step(
                "wait_visit",
                amount=14,
                unit="days",
                yes=[made.ask("hot", yes=[task(CALL)], no=[])],
                no=[made.send("last")],
            ),
        ],
        {
            "news": Letter(_("What is new"), _("A good deal has happened since your last visit.")),
            "last": Letter(_("Shall we stay in touch?"), _("If not, unsubscribing takes one click.")),
        },
        {
            "dormant": Audience(
                _("Dormant for 90 days (scenario)"), (("last_visit", {"comparison": "at_least", "days": 90}),)
            ),
            "hot": HOT,
        },
    ),
    Starter(
        "seminar",
        _("Seminar follow-up"),
        _("After a seminar: the slides, then a conversation for who clicks."),
        {"entry": "activity", "activity_kind": "seminar_attended", "again": "each_time"},
        lambda made: [
            morning(),
            made.send("slides"),
            clicked(yes=[task(_("Offer a conversation after the seminar"))], no=[days(4), made.send("more")]),
        ],
        {
            "slides": Letter(_("The slides of our seminar"), _("Thank you for taking part.")),
            "more": Letter(_("After the seminar"), _("What participants asked most often.")),
        },
    ),
    Starter(
        "newsletter",
        _("Newsletter welcome"),
        _("Three mails in the first two weeks after somebody subscribed by a form."),
        {"entry": "activity", "activity_kind": "form_submit"},
        lambda made: [made.send("welcome"), days(4), made.send("best"), days(7), made.send("about")],
        {
            "welcome": Letter(_("Welcome"), _("What you can expect from us, and how often.")),
            "best": Letter(_("Our three most read articles"), _("A good place to begin.")),
            "about": Letter(_("Who we are"), _("And what we could do for you.")),
        },
        ends_with_form=False,
    ),
    Starter(
        "hot",
        _("Hot: hand to sales, stop mails"),
        _("Who becomes hot gets a task for the person in charge, and leaves other scenarios of the group."),
        {"entry": "segment", "segment": "hot", "group": "nurturing", "priority": 100, "again": "after_days"},
        lambda made: [task(CALL), days(7), made.ask("hot", yes=[task(_("Still hot: call again"))], no=[])],
        {},
        {"hot": HOT, "customers": CUSTOMERS},
        "customers",
    ),
    Starter(
        "lost",
        _("Lost deal comes back"),
        _("Somebody whom you put into the segment after a lost deal visits again: a task and a mail."),
        {"entry": "segment", "segment": "lost", "again": "each_time"},
        lambda made: [
            days(30),
            step(
                "wait_visit",
                amount=300,
                unit="days",
                yes=[task(_("A lost deal is back: get in touch"), 0), days(3), made.send("news")],
                no=[],
            ),
        ],
        {"news": Letter(_("What has changed since we talked"), _("Perhaps it is worth another look."))},
        {"lost": Audience(_("Lost deals (scenario)"))},
    ),
    Starter(
        "onboarding",
        _("Customer onboarding"),
        _("New customers: a welcome, first steps, and a call after a month."),
        {"entry": "segment", "segment": "customers"},
        lambda made: [
            made.send("welcome"),
            days(3),
            made.send("steps"),
            days(27),
            morning(),
            task(_("How is it going? Call the new customer")),
        ],
        {
            "welcome": Letter(_("Welcome as a customer"), _("These are the people who look after you.")),
            "steps": Letter(_("Your first steps"), _("Three things that are worth doing first.")),
        },
        {"customers": CUSTOMERS},
    ),
)
