"""The whole story: read → download → wait a day → mail → clicked? → end, by a stepped clock."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core import mail as outgoing

from tests import factories
from tests.scenarios.stories import a_draft, end, send, step, wait
from wagtail_ma import flow
from wagtail_ma.forms import downloads
from wagtail_ma.forms.submit import submit
from wagtail_ma.messaging.clicks import RequestFacts, record_click
from wagtail_ma.people.models import Identity, News, Visitor
from wagtail_ma.scenarios.models import Enrolment, Scenario, StepRun
from wagtail_ma.scoring.queries import breakdown, current_score, ranked

pytestmark = pytest.mark.django_db(transaction=True)

ANSWERS = {
    "family_name": "Yamada",
    "company_name": "Example",
    "email": "yamada@example.com",
    "consent": True,
}


class Story:
    """One visitor, one scenario, and a clock that only this test moves."""

    def __init__(self, home, now):
        self.home = home
        self.now = now
        self.mail = factories.make_mail(
            name="What to read next", text='<p>Read <a href="https://example.com/next">this</a></p>'
        )
        self.form = factories.lead_form(consent_text="I agree to get mail.")
        self.document = factories.document()
        self.form.gated.create(document_id=self.document.pk)
        clicked = step(
            "clicked",
            {"amount": 2, "unit": "days", "yes": [], "no": [wait(3, key="pause"), end(key="cold")]},
            key="clicked",
        )
        scenario = a_draft([wait(), send(self.mail), clicked, end()])
        scenario.save_revision().publish()
        Scenario.objects.update(active_since=now)
        self.browser_key = None

    def pass_time(self, **span):
        """Let time pass and the background do its work."""
        self.now += timedelta(**span)
        flow.react(now=self.now)
        flow.run_due(now=self.now)
        assert not News.objects.filter(attempts__gt=0).exists()

    def read_a_page(self):
        hit = factories.page_hit(self.home, browser_key=self.browser_key)
        self.browser_key = flow.record_hit(hit, now=self.now).browser_key

    def download(self):
        sent = submit(
            self.form,
            ANSWERS,
            browser_identity=Identity.objects.get(key=self.browser_key),
            now=self.now,
            nonce="n",
            document_id=self.document.pk,
        )
        downloads.record(self.document.pk, sent.submission, title="Whitepaper", now=self.now)

    def click_in(self, message):
        token = re.search(r"/ma/m/c/([\w-]+)", message.body)[1]
        facts = RequestFacts(user_agent=factories.CHROME)
        assert record_click(token, now=self.now, request_facts=facts).target_url == "https://example.com/next"

    def mails(self):
        return [message for message in outgoing.outbox if message.subject == self.mail.subject]

    def steps(self):
        return list(StepRun.objects.order_by("pk").values_list("step_id", "outcome"))


@pytest.fixture
def story(home, now):
    return Story(home, now)


def test_download_to_nurture__link_followed__ends_the_warm_way(story):
    story.read_a_page()
    story.pass_time(seconds=5)
    (anonymous,) = ranked()
    assert current_score(anonymous, now=story.now) == pytest.approx(1, rel=1e-3)

    story.download()
    story.pass_time(seconds=5)
    (named,) = ranked()
    assert str(named.visitor.lead) == "Yamada"
    why = breakdown(named.visitor_id, now=story.now)
    # The anonymous page view counts for the name.
    assert {row.fact_kind for row in why.rows} == {"view", "activity"}
    assert why.score == pytest.approx(current_score(named, now=story.now), rel=1e-9)
    assert why.score == pytest.approx(1 + 25 + 50, rel=1e-3)
    assert Enrolment.objects.get().visitor_id == named.visitor_id
    assert not story.mails()

    story.pass_time(hours=23)
    assert not story.mails()
    story.pass_time(hours=1)
    (message,) = story.mails()
    assert message.to == ["yamada@example.com"]
    story.pass_time(minutes=5)
    assert len(story.mails()) == 1

    story.click_in(message)
    # A minute goes by until it is known that it was no scanner.
    story.pass_time(seconds=61)
    story.pass_time(seconds=5)
    assert story.steps() == [("wait", "waited"), ("send", "queued"), ("clicked", "yes"), ("end", "ended")]
    assert Enrolment.objects.get().status == "finished"
    clicks = [row for row in breakdown(named.visitor_id, now=story.now).rows if row.earned == 5]
    assert len(clicks) == 1


def test_download_to_nurture__link_not_followed__goes_the_cold_way_and_sends_nothing_more(story):
    story.read_a_page()
    story.download()
    story.pass_time(seconds=5)
    story.pass_time(days=1)
    story.pass_time(days=2)
    assert story.steps()[-1] == ("clicked", "no")
    story.pass_time(days=3)
    assert story.steps()[-2:] == [("pause", "waited"), ("cold", "ended")]
    assert len(story.mails()) == 1
    assert Enrolment.objects.get().status == "finished"
    assert Visitor.objects.filter(merged_into__isnull=True).count() == 1
