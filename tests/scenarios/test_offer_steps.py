"""Offers on the site, over several visits."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.factories import condition, make_browser, make_segment, make_view
from tests.scenarios.stories import a_scenario, an_enrolment, end, step, wait
from tests.scoring.history import an_activity
from tests.testapp.models import ContentPage
from wagtail_ma import flow
from wagtail_ma.core import business_time
from wagtail_ma.people import news
from wagtail_ma.people.identify import identify
from wagtail_ma.personalisation.models import Goal
from wagtail_ma.personalisation.offers import variants_for
from wagtail_ma.personalisation.places import places
from wagtail_ma.sales.models_of_tasks import Task
from wagtail_ma.scenarios import runner, switch
from wagtail_ma.scenarios.models import Enrolment, StepRun
from wagtail_ma.segments.models import Membership, Segment, SegmentDecision
from wagtail_ma.tracking.models import Visit

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]

DAY = timedelta(days=1)


def offered(segment, *, key, proof="displayed", page=None, **branches):
    value = {"segment": segment.pk, "page": page.pk if page else None, "proof": proof, "seconds": 15}
    return step("offer", {**value, "amount": 30, "unit": "days", "yes": [], "no": [], **branches}, key=key)


def tick(visitor, at):
    """What happens in the background after something happened."""
    news.mark([visitor.pk], now=at)
    flow.react(now=at)
    runner.run_due(now=at)
    flow.react(now=at)


def proves(browser, page, segment, at, *, kind="offer_shown"):
    """What the script in the page tells when the variant for the segment is in sight, or clicked."""
    view = make_view(browser, page, at=at)
    variant = next(iter(variants_for(places(page), segment.pk)), "of another page")
    fields = {"visit": view.visit, "tracked_page": view.tracked_page, "object_kind": "offer"}
    an_activity(browser, at, kind=kind, object_key=variant, **fields)


def is_shown(segment, visitor):
    found = Membership.objects.filter(segment=segment, visitor=visitor).first()
    assert found is None or found.source == "scenario"
    return found is not None


@pytest.fixture
def offer():
    return Segment.objects.create(name="Offer", is_static=True)


@pytest.fixture
def shows_it(home, offer):
    """A page with a personalised block for the offer's segment."""
    content = [{"type": "text", "value": "FOR YOU", "id": str(uuid.uuid4())}]
    chosen = [{"type": "item", "value": offer.pk, "id": str(uuid.uuid4())}]
    value = {"match": "any", "segments": chosen, "content": content}
    variant = {"type": "item", "value": value, "id": str(uuid.uuid4())}
    body = [
        {
            "type": "personalised",
            "id": str(uuid.uuid4()),
            "value": {"variants": [variant], "default": []},
        }
    ]
    return home.add_child(instance=ContentPage(title="Shows it", slug="shows-it", body=json.dumps(body)))


def test_offer__in_the_middle_of_a_visit__shown_from_the_next_one_until_seen(now, offer, shows_it):
    browser = make_browser(now=now)
    visitor = browser.visitor
    make_view(browser, shows_it, at=now)
    steps = [offered(offer, key="offer", yes=[wait(key="seen")])]
    enrolment = an_enrolment(a_scenario(now, steps), visitor, now)
    tick(visitor, now)
    assert not is_shown(offer, visitor)
    make_view(browser, shows_it, at=now + timedelta(minutes=10))
    tick(visitor, now + timedelta(minutes=10))
    enrolment.refresh_from_db()
    over_at = now + timedelta(minutes=40)
    assert (enrolment.due_at, enrolment.step_id) == (over_at, "offer")
    # Nothing happens: the end of the visit alone is enough.
    tick(visitor, over_at)
    assert is_shown(offer, visitor)
    tick(visitor, over_at + DAY)
    enrolment.refresh_from_db()
    assert (enrolment.step_id, enrolment.due_at) == ("offer", now + 30 * DAY)
    # Opened, but never scrolled to.
    make_view(browser, shows_it, at=over_at + 2 * DAY)
    tick(visitor, over_at + 2 * DAY)
    assert is_shown(offer, visitor)
    proves(browser, shows_it, offer, over_at + 2 * DAY)
    tick(visitor, over_at + 2 * DAY)
    enrolment.refresh_from_db()
    assert enrolment.step_id == "seen"
    assert not is_shown(offer, visitor)


def test_offer__another_variant_or_a_robot__does_not_count(now, offer, shows_it):
    browser = make_browser(now=now)
    enrolment = an_enrolment(a_scenario(now, [offered(offer, key="offer")]), browser.visitor, now)
    tick(browser.visitor, now)
    proves(browser, shows_it, Segment.objects.create(name="Other", is_static=True), now + DAY)
    view = make_view(browser, shows_it, at=now + DAY)
    Visit.objects.filter(pk=view.visit_id).update(is_bot=True)
    variant = next(iter(variants_for(places(shows_it), offer.pk)))
    an_activity(
        browser,
        now + DAY,
        kind="offer_shown",
        object_kind="offer",
        object_key=variant,
        visit=view.visit,
        tracked_page=view.tracked_page,
    )
    tick(browser.visitor, now + DAY)
    enrolment.refresh_from_db()
    assert enrolment.status == "active"


@pytest.mark.parametrize(
    ("asked", "told", "is_enough"),
    [
        ("displayed", "offer_shown", True),
        ("displayed", "offer_click", True),
        ("clicked", "offer_shown", False),
        ("clicked", "offer_click", True),
    ],
)
def test_offer__in_sight_or_clicked__as_the_step_asks(now, offer, shows_it, asked, told, is_enough):
    browser = make_browser(now=now)
    steps = [offered(offer, key="offer", proof=asked)]
    enrolment = an_enrolment(a_scenario(now, steps), browser.visitor, now)
    tick(browser.visitor, now)
    proves(browser, shows_it, offer, now + DAY, kind=told)
    tick(browser.visitor, now + DAY)
    enrolment.refresh_from_db()
    assert (enrolment.status == "finished") is is_enough


@pytest.mark.parametrize(
    ("proof", "seconds", "source", "is_seen"),
    [
        ("opened", 0, "script", True),
        ("opened", 0, "server", False),
        ("read", 15, "script", True),
        ("read", 14, "script", False),
    ],
)
def test_offer__page_it_leads_to__proved_by_the_tracker(now, offer, home, proof, seconds, source, is_seen):
    target = home.add_child(instance=ContentPage(title="Compare", slug="compare"))
    browser = make_browser(now=now)
    steps = [offered(offer, key="offer", proof=proof, page=target)]
    enrolment = an_enrolment(a_scenario(now, steps), browser.visitor, now)
    tick(browser.visitor, now)
    view = make_view(browser, target, at=now + DAY, seconds=seconds)
    type(view).objects.filter(pk=view.pk).update(source=source)
    tick(browser.visitor, now + DAY)
    enrolment.refresh_from_db()
    assert (enrolment.status == "finished") is is_seen


def test_offer__never_seen__taken_back_when_its_time_is_over(now, offer):
    browser = make_browser(now=now)
    enrolment = an_enrolment(a_scenario(now, [offered(offer, key="offer")]), browser.visitor, now)
    tick(browser.visitor, now)
    assert is_shown(offer, browser.visitor)
    tick(browser.visitor, now + 30 * DAY)
    enrolment.refresh_from_db()
    assert enrolment.status == "finished"
    assert StepRun.objects.get().outcome == "no"
    assert not is_shown(offer, browser.visitor)


@pytest.mark.parametrize("how", ["goal", "stopped"])
def test_offer__leaves_the_scenario__taken_back(now, offer, how):
    goal = Goal.objects.create(name="Enquiry", activity_kind="form_submit")
    browser = make_browser(now=now)
    scenario = a_scenario(now, [offered(offer, key="offer")], goal=goal)
    an_enrolment(scenario, browser.visitor, now)
    tick(browser.visitor, now)
    later = now + DAY
    if how == "goal":
        an_activity(browser, later, kind="form_submit")
    else:
        switch.stop(scenario, now=later, reason="stopped")
    tick(browser.visitor, later)
    assert not is_shown(offer, browser.visitor)
    assert not SegmentDecision.objects.get().is_member


def test_story__same_article_three_times__two_offers_on_two_visits_then_named_and_a_task(now, home):
    """Page A at the next visit, page B at the one after, the form there, then a call on a business day."""
    article, first, second = (
        home.add_child(instance=ContentPage(title=title, slug=title)) for title in ("article", "a", "b")
    )
    readers = make_segment(
        "Readers",
        condition(
            "page_viewed",
            page=article.pk,
            subtree=False,
            comparison="at_least",
            number=3,
            count="views",
            days=30,
            seconds=None,
        ),
    )
    compare, diagnose = (Segment.objects.create(name=name, is_static=True) for name in ("A", "B"))
    inner = offered(diagnose, key="second", proof="read", page=second)
    known = make_segment("Known", condition("identified", **{"is": "yes"}))
    a_scenario(
        now,
        [
            offered(compare, key="first", proof="opened", page=first, yes=[inner], no=[end()]),
            step(
                "wait_segment",
                {"segment": known.pk, "amount": 14, "unit": "days", "yes": [], "no": [end(key="e2")]},
                key="named",
            ),
            step("task", {"text": "Call", "days": 1, "user": None}, key="task"),
        ],
        entry="segment",
        activity_kind="",
        segment=readers,
    )
    flow.run_due(now=now)
    browser = make_browser(now=now)
    visitor = browser.visitor
    for number in range(3):
        make_view(browser, article, at=now + timedelta(minutes=number))
    at = now + timedelta(minutes=5)
    tick(visitor, at)
    assert Enrolment.objects.get().step_id == "first"
    assert not is_shown(compare, visitor)
    tick(visitor, now + timedelta(minutes=40))
    assert is_shown(compare, visitor)
    # Second visit.
    at = now + 3 * DAY
    make_view(browser, first, at=at)
    tick(visitor, at)
    assert Enrolment.objects.get().step_id == "second"
    assert not is_shown(compare, visitor)
    assert not is_shown(diagnose, visitor)
    tick(visitor, at + timedelta(minutes=31))
    assert is_shown(diagnose, visitor)
    # Third visit, the Friday before three days off: read, the form sent, a name.
    friday = datetime(2026, 3, 19, 9, tzinfo=UTC)
    make_view(browser, second, at=friday, seconds=20)
    tick(visitor, friday)
    assert Enrolment.objects.get().step_id == "named"
    lead = identify(browser, email="reader@example.com", now=friday, method="form")
    tick(lead.visitor, friday)
    task = Task.objects.get()
    assert task.visitor_id == lead.visitor_id
    # Friday is the vernal equinox: the next business day is Monday, one on from there Tuesday or Monday.
    local = task.due_at.astimezone(ZoneInfo("Asia/Tokyo"))
    assert business_time.is_business_day(local.date(), business_time.Hours())
    assert task.due_at > friday
    assert Enrolment.objects.get().status == "finished"
