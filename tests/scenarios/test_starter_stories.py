"""Each ready-made scenario from its real entry to its end, on two paths or more: through the whole flow, with
a moved clock, and with mails that arrive at a mail server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.browser.mail_sink import MailSink, running_sink
from tests.scenarios.stories import a_lead, a_mail
from tests.scenarios.test_offer_steps import proves
from tests.scoring.history import a_browser, a_visit, a_visitor, an_activity
from tests.testapp.models import ContentPage
from wagtail_ma import flow
from wagtail_ma.messaging import consents
from wagtail_ma.messaging.models import Delivery, Mail
from wagtail_ma.people import news
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Identity, Visitor
from wagtail_ma.sales.models_of_tasks import Task
from wagtail_ma.scenarios import starters
from wagtail_ma.scenarios.models import Enrolment, Scenario, StepRun
from wagtail_ma.segments import decisions
from wagtail_ma.segments.models import Segment

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]

DAY = timedelta(days=1)
EMAIL = "reader@example.com"


@pytest.fixture(scope="module")
def server():
    with running_sink() as running:
        yield running


@pytest.fixture
def sink(server, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.port
    server.mails.clear()
    return server


@dataclass
class Story:
    """One person, one scenario, and a clock that jumps to whatever happens next."""

    scenario: Scenario
    segments: dict[str, Segment]
    visitor: Visitor
    browser: Identity
    now: datetime
    sink: MailSink
    planned: list[tuple[datetime, Callable[[], None]]] = field(default_factory=list)

    def act(self, days: float, what: Callable[..., None], *args: Any, **more: Any) -> None:
        """Plan that something happens so many days after the beginning."""
        self.planned.append((self.now + days * DAY, lambda: what(*args, **more)))

    # What people do.
    def does(self, kind: str, **fields: Any) -> None:
        an_activity(self.browser, self.now, kind=kind, **fields)

    def visits(self) -> None:
        a_visit(self.browser, self.now)

    def clicks(self) -> None:
        """A link of the mail that came last."""
        mail = Delivery.objects.filter(visitor_id=self.visitor.pk, state="sent").latest("pk")
        data = {"delivery": mail.pk}
        self.does("mail_click", object_kind="mail", object_key=str(mail.mail_id), data=data)

    def sees(self, key: str, page: ContentPage) -> None:
        """The browser tells that the variant for a segment was in sight."""
        proves(self.browser, page, self.segments[key], self.now)

    def unsubscribes(self) -> None:
        consents.record(
            self.visitor,
            email=EMAIL,
            is_granted=False,
            text="",
            source_kind="mail",
            source_key="x",
            now=self.now,
        )

    def gives_a_name(self) -> None:
        identify(self.browser, email="named@example.com", now=self.now, method="form")

    # What staff do.
    def is_in(self, key: str) -> None:
        decisions.decide(self.segments[key], [self.visitor.pk], is_member=True, by=None, now=self.now)

    def run(self, *, days: int) -> Story:
        """Live for so many days: every act, every step and every mail at its time."""
        over = self.now + days * DAY
        while True:
            self.planned.sort(key=lambda each: each[0])
            while self.planned and self.planned[0][0] <= self.now:
                self.planned.pop(0)[1]()
                news.mark([self.current().pk], now=self.now)
            for _round in range(2):
                while flow.react(now=self.now):
                    pass
                flow.run_due(now=self.now)
            following = self._next()
            if following is None or following > over:
                return self
            self.now = following

    def _next(self) -> datetime | None:
        moments = [when for when, _act in self.planned]
        moments += Enrolment.objects.filter(status="active").values_list("due_at", flat=True)
        moments += Delivery.objects.filter(state="ready").values_list("send_after", flat=True)
        ahead = [moment for moment in moments if moment > self.now]
        return min(ahead) if ahead else None

    def current(self) -> Visitor:
        """Who the browser belongs to by now."""
        return Visitor.objects.get(identities=self.browser)

    # What became of it.
    def outcomes(self) -> list[str]:
        return [f"{run.kind}: {run.outcome}" for run in StepRun.objects.order_by("pk")]

    def subjects(self) -> list[str]:
        """The subjects of the mails that arrived; and each is a delivery called sent."""
        sent = Delivery.objects.filter(state="sent").count()
        assert sent == len(self.sink.mails) == Delivery.objects.count()
        return [str(mail["Subject"]) for mail in self.sink.mails]

    def ended(self) -> tuple[str, str]:
        enrolment = Enrolment.objects.get()
        assert not enrolment.error
        return enrolment.status, enrolment.left_reason

    def tasks(self) -> int:
        return Task.objects.filter(visitor=self.current()).count()


@pytest.fixture
def begin(now, sink):
    """Makes a ready-made scenario, publishes it with its mails, and somebody who is not in it yet."""

    def begin(key: str, *, is_named: bool = True, agrees: bool = True) -> Story:
        a_mail().delete()
        scenario = starters.make(starters.find(key), language="en")
        for mail in Mail.objects.filter(live=False):
            mail.save_revision().publish()
        scenario.get_latest_revision().publish()
        Scenario.objects.update(active_since=now)
        scenario.refresh_from_db()
        if is_named:
            visitor = a_lead(now, email=EMAIL, consents_to_mail=agrees).visitor
            browser = visitor.identities.get(kind="browser")
        else:
            visitor = a_visitor(now)
            browser = a_browser(visitor, now)
        names = {str(a.name): key for key, a in starters.find(key).audiences.items()}
        segments = {names[s.name]: s for s in Segment.objects.filter(name__in=names)}
        return Story(scenario, segments, visitor, browser, now, sink)

    return begin


def shows(home, segment) -> ContentPage:
    """A page with a variant for those in the segment."""

    def item(kind: str, value: Any) -> dict[str, Any]:
        return {"type": kind, "id": str(uuid.uuid4()), "value": value}

    variant = {"match": "any", "segments": [item("item", segment.pk)], "content": [item("text", "FOR YOU")]}
    body = [item("personalised", {"variants": [item("item", variant)], "default": []})]
    slug = f"shows-{segment.pk}"
    return home.add_child(instance=ContentPage(title=slug, slug=slug, body=json.dumps(body)))


WAITS = ["wait: waited", "wait_until: waited"]
MAIL, CLICK, NO_CLICK = "send_mail: queued", "clicked: yes", "clicked: no"
THROUGH, GOAL = ("finished", "completed"), ("exited", "goal")
TASK = "task: created"


def test_whitepaper__clicks_and_is_hot__is_called(begin):
    story = begin("whitepaper")
    story.act(0, story.does, "download")
    story.act(1.5, story.is_in, "hot")
    story.act(2, story.clicks)
    story.run(days=30)
    assert story.outcomes() == [*WAITS, MAIL, CLICK, "branch: yes", TASK]
    assert story.subjects() == ["Thank you for downloading"]
    assert (story.ended(), story.tasks()) == (THROUGH, 1)


def test_whitepaper__clicks_and_is_not_hot__is_told_more(begin):
    story = begin("whitepaper")
    story.act(0, story.does, "download")
    story.act(2, story.clicks)
    story.run(days=30)
    assert story.outcomes() == [*WAITS, MAIL, CLICK, "branch: no", "wait: waited", MAIL]
    assert story.subjects() == ["Thank you for downloading", "How others did it"]
    assert (story.ended(), story.tasks()) == (THROUGH, 0)


def test_whitepaper__does_not_click__is_asked_again(begin):
    story = begin("whitepaper")
    story.act(0, story.does, "download")
    story.run(days=30)
    assert story.outcomes() == [*WAITS, MAIL, NO_CLICK, "wait: waited", MAIL]
    assert story.subjects() == ["Thank you for downloading", "Did the paper help?"]
    assert story.ended() == THROUGH


def test_whitepaper__asks_meanwhile__leaves_as_a_success(begin):
    story = begin("whitepaper")
    story.act(0, story.does, "download")
    story.act(2, story.does, "form_submit")
    story.run(days=30)
    assert story.ended() == GOAL
    assert story.subjects() == ["Thank you for downloading"]


def test_pricing__sees_the_offer_and_is_hot__mail_and_a_call(begin, home):
    story = begin("pricing")
    page = shows(home, story.segments["offer"])
    story.act(0, story.is_in, "readers")
    story.act(2, story.sees, "offer", page)
    story.act(3, story.is_in, "hot")
    story.run(days=60)
    assert story.outcomes() == ["offer: yes", "wait: waited", MAIL, "wait: waited", "branch: yes", TASK]
    assert story.subjects() == ["Questions about our prices?"]
    assert (story.ended(), story.tasks()) == (THROUGH, 1)


def test_pricing__anonymous_and_never_back__no_mail_no_call(begin):
    story = begin("pricing", is_named=False)
    story.act(0, story.is_in, "readers")
    story.run(days=90)
    assert story.outcomes() == ["offer: no", "send_mail: no_address", "wait: waited", "branch: no"]
    assert story.subjects() == []
    assert (story.ended(), story.tasks()) == (THROUGH, 0)


def test_pricing__gives_a_name_while_the_mail_waits__gets_it(begin):
    story = begin("pricing", is_named=False)
    story.act(0, story.is_in, "readers")
    story.act(35, story.gives_a_name)
    story.run(days=90)
    # Named, but nobody has agreed to mail.
    assert story.outcomes()[:2] == ["offer: no", "send_mail: not_allowed"]
    assert story.subjects() == []


def test_article__sees_both_offers_and_gives_a_name__a_call(begin, home):
    story = begin("article", is_named=False)
    compare, diagnosis = (shows(home, story.segments[key]) for key in ("compare", "diagnosis"))
    story.act(0, story.is_in, "readers")
    story.act(2, story.sees, "compare", compare)
    story.act(4, story.sees, "diagnosis", diagnosis)
    story.act(4.01, story.does, "form_submit")
    story.act(4.02, story.gives_a_name)
    story.run(days=60)
    assert story.outcomes() == ["offer: yes", "offer: yes", "wait_segment: yes", TASK]
    assert (story.ended(), story.tasks()) == (THROUGH, 1)


def test_article__never_back__ends_without_anything(begin):
    story = begin("article", is_named=False)
    story.act(0, story.is_in, "readers")
    story.run(days=60)
    assert story.outcomes() == ["offer: no", "end: ended"]
    assert (story.ended(), story.tasks()) == (THROUGH, 0)


def test_abandoned__comes_back_no_more__mail(begin):
    story = begin("abandoned")
    story.act(0, story.does, "form_start")
    story.run(days=60)
    assert story.outcomes() == ["wait: waited", "offer: no", MAIL]
    assert story.subjects() == ["May we help?"]
    assert story.ended() == THROUGH


def test_abandoned__sends_it_after_all__is_left_alone(begin):
    story = begin("abandoned")
    story.act(0, story.does, "form_start")
    story.act(0.05, story.does, "form_submit")
    story.run(days=60)
    assert story.subjects() == []
    assert story.ended() == GOAL


def test_dormant__comes_back_hot__is_called(begin):
    story = begin("dormant")
    story.act(0, story.is_in, "dormant")
    story.act(1, story.is_in, "hot")
    story.act(5, story.visits)
    story.run(days=60)
    assert story.outcomes() == ["wait_until: waited", MAIL, "wait_visit: yes", "branch: yes", TASK]
    assert story.subjects() == ["What is new"]
    assert (story.ended(), story.tasks()) == (THROUGH, 1)


def test_dormant__does_not_come_back__a_last_mail(begin):
    story = begin("dormant")
    story.act(0, story.is_in, "dormant")
    story.run(days=60)
    assert story.outcomes() == ["wait_until: waited", MAIL, "wait_visit: no", MAIL]
    assert story.subjects() == ["What is new", "Shall we stay in touch?"]


def test_seminar__clicks__a_conversation(begin):
    story = begin("seminar")
    story.act(0, story.does, "seminar_attended")
    story.act(1, story.clicks)
    story.run(days=30)
    assert story.outcomes() == ["wait_until: waited", MAIL, CLICK, TASK]
    assert story.subjects() == ["The slides of our seminar"]


def test_seminar__does_not_click__more(begin):
    story = begin("seminar")
    story.act(0, story.does, "seminar_attended")
    story.run(days=30)
    assert story.outcomes() == ["wait_until: waited", MAIL, NO_CLICK, "wait: waited", MAIL]
    assert story.subjects() == ["The slides of our seminar", "After the seminar"]


def test_newsletter__stays__three_mails(begin):
    story = begin("newsletter")
    story.act(0, story.does, "form_submit")
    story.run(days=30)
    assert story.outcomes() == [MAIL, "wait: waited", MAIL, "wait: waited", MAIL]
    assert story.subjects() == ["Welcome", "Our three most read articles", "Who we are"]


def test_newsletter__unsubscribes__nothing_more(begin):
    story = begin("newsletter")
    story.act(0, story.does, "form_submit")
    story.act(2, story.unsubscribes)
    story.run(days=30)
    assert story.outcomes() == ["send_mail: queued"]
    assert story.subjects() == ["Welcome"]
    assert story.ended() == ("exited", "unsubscribed")


def test_hot__still_hot__is_called_twice(begin):
    story = begin("hot")
    story.act(0, story.is_in, "hot")
    story.run(days=30)
    assert story.outcomes() == [TASK, "wait: waited", "branch: yes", TASK]
    assert (story.ended(), story.tasks()) == (THROUGH, 2)


def test_hot__becomes_a_customer__leaves(begin):
    story = begin("hot")
    story.act(0, story.is_in, "hot")
    story.act(3, story.is_in, "customers")
    story.run(days=30)
    assert (story.ended(), story.tasks()) == (("exited", "exit_segment"), 1)


def test_lost__comes_back_after_a_month__task_and_mail(begin):
    story = begin("lost")
    story.act(0, story.is_in, "lost")
    story.act(100, story.visits)
    story.run(days=200)
    assert story.outcomes() == ["wait: waited", "wait_visit: yes", TASK, "wait: waited", MAIL]
    assert story.subjects() == ["What has changed since we talked"]
    assert story.tasks() == 1


def test_lost__never_back__ends(begin):
    story = begin("lost")
    story.act(0, story.is_in, "lost")
    story.run(days=400)
    assert story.outcomes() == ["wait: waited", "wait_visit: no"]
    assert (story.ended(), story.tasks()) == (THROUGH, 0)


def test_onboarding__agrees_to_mail__two_mails_and_a_call(begin):
    story = begin("onboarding")
    story.act(0, story.is_in, "customers")
    story.run(days=60)
    assert story.outcomes() == [MAIL, "wait: waited", MAIL, *WAITS, TASK]
    assert story.subjects() == ["Welcome as a customer", "Your first steps"]
    assert story.tasks() == 1


def test_onboarding__no_consent__only_the_call(begin):
    story = begin("onboarding", agrees=False)
    story.act(0, story.is_in, "customers")
    story.run(days=60)
    assert story.outcomes().count("send_mail: not_allowed") == 2
    assert story.subjects() == []
    assert (story.ended(), story.tasks()) == (THROUGH, 1)


def test_stories__every_starter__is_told_twice_at_least():
    told = [name.removeprefix("test_").split("__")[0] for name in globals() if name.startswith("test_")]
    assert {starter.key for starter in starters.STARTERS if told.count(starter.key) < 2} == set()
