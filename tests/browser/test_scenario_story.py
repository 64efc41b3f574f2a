"""Identification over three visits, in a browser, with a moved clock.

Somebody reads the same article three times. At the next visit they are offered a comparison, at the one
after it a form; they send it, and a colleague has something to do on the next business day after a holiday.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.mail_sink import MailSink
from tests.browser.moved_clock import MovedSite
from tests.browser.people import Watched, editor, visitor

pytestmark = pytest.mark.browser

ARTICLE = "blog/approval-bottlenecks"
CALL_A, CALL_B = "三つの進め方を比べてみませんか。", "御社の業務を無料で診断します。"
EMAIL = "kakuu@shindan.example"


def tokyo(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=ZoneInfo("Asia/Tokyo"))  # type: ignore[arg-type, misc]


# Monday, 20 July 2026 is Marine Day.
VISITS = [tokyo(2026, 7, day, 10) for day in (13, 14, 15)]
OFFER_A, OFFER_B = tokyo(2026, 7, 16, 10), tokyo(2026, 7, 17, 15)
DUE = tokyo(2026, 7, 21, 9)

# What an editor does: the ready-made scenario, its segment for one article, and two variants at home.
SET_UP = f"""
from company.marketing import block, pages_by_path, viewed
from company.personalise import _call
from wagtail_ma.scenarios import starters
from wagtail_ma.segments.models import Segment
pages = pages_by_path()
scenario = starters.make(starters.find("article"), language="ja")
segment = Segment.objects.get(pk=scenario.segment_id)
condition = viewed(pages["ja", "{ARTICLE}"], count=3, days=30)
condition["value"]["count"] = "visits"
segment.rule = [condition]
segment.save()
scenario.get_latest_revision().publish()
steps = scenario.steps
compare, diagnosis = steps[0].value["segment"], steps[0].value["yes"][0].value["segment"]
home = pages["ja", ""]
calls = [
    (diagnosis, ("{CALL_B}", "診断を申し込む"), pages["ja", "contact"]),
    (compare, ("{CALL_A}", "比較する"), pages["ja", "products"]),
]
variants = [
    block("item", {{"segments": [block("item", seg.pk)], "content": [_call(words, page)]}})
    for seg, words, page in calls
]
default = [_call(("いつでもご覧ください。", "製品を見る"), pages["ja", "products"])]
home.body = [
    *home.body.get_prep_value(), block("personalised", {{"variants": variants, "default": default}})
]
home.save_revision().publish()
"""

ENDED = """
from wagtail_ma.people.models import Lead
from wagtail_ma.sales.models_of_tasks import Task
from wagtail_ma.scenarios.models import Enrolment, StepRun
lead = Lead.objects.get(email="kakuu@shindan.example")
enrolment = Enrolment.objects.get(visitor=lead.visitor)
task = Task.objects.get(visitor=lead.visitor)
runs = StepRun.objects.filter(enrolment=enrolment).order_by("pk").values_list("kind", "outcome")
print(enrolment.status, Enrolment.objects.count(), task.due_at.isoformat(), task.text, *runs, sep="|")
"""


@pytest.fixture(scope="module")
def story_site(
    tmp_path_factory: pytest.TempPathFactory, bare_site: Path, sink: MailSink
) -> Iterator[MovedSite]:
    """The example site on the morning of the first visit, with the scenario in force."""
    var = tmp_path_factory.mktemp("story") / "var"
    shutil.copytree(bare_site, var)
    site = MovedSite(var, sink)
    site.move_to(VISITS[0] - timedelta(hours=2))
    site.manage("ma_demo", "--visitors", "1", "--days", "1")
    site.shell(SET_UP)
    try:
        site.start()
        yield site
    finally:
        site.stop()


def look_at(somebody: Watched, url: str, *, seconds: float = 2) -> None:
    """Open a page and stay until the tracker has told of it."""
    with somebody.page.expect_response("**/ma/e/"):
        somebody.page.goto(url)
    somebody.page.mouse.move(300, 300)
    somebody.page.wait_for_timeout(seconds * 1000)


def see(somebody: Watched, text: str) -> None:
    """Scroll to an offer and look at it for more than a second."""
    somebody.page.get_by_text(text).scroll_into_view_if_needed()
    somebody.page.wait_for_timeout(2_500)


def offers(somebody: Watched) -> list[bool]:
    """Whether the page shows the comparison, and the form."""
    return [somebody.page.get_by_text(text).count() == 1 for text in (CALL_A, CALL_B)]


def test_story__same_article_three_times__two_offers_a_form_a_name_and_a_task_after_the_holiday(
    story_site: MovedSite, playing: Browser
) -> None:
    reader, stranger = visitor(playing), visitor(playing)
    site, home = story_site, f"{story_site.url}/ja/"

    for moment in VISITS:
        site.move_to(moment)
        look_at(reader, home)
        assert offers(reader) == [False, False]
        look_at(reader, f"{home}{ARTICLE}/")
        site.work(moment + timedelta(minutes=2))
    # Inside now, but the visit goes on: nothing appears in the middle of it.
    look_at(reader, home)
    assert offers(reader) == [False, False]
    site.work(VISITS[-1] + timedelta(hours=1))

    site.move_to(OFFER_A)
    look_at(reader, home)
    assert offers(reader) == [True, False]
    see(reader, CALL_A)
    reader.shot("story-offer-a")
    reader.page.get_by_role("link", name="比較する").click()
    expect(reader.page).to_have_url(f"{home}products/")
    look_at(stranger, home)
    assert offers(stranger) == [False, False]
    site.work(OFFER_A + timedelta(minutes=2))
    look_at(reader, home)
    # Seen, so over; and the form waits for the next visit.
    assert offers(reader) == [False, False]
    site.work(OFFER_A + timedelta(hours=1))

    site.move_to(OFFER_B)
    look_at(reader, home)
    assert offers(reader) == [False, True]
    see(reader, CALL_B)
    reader.shot("story-offer-b")
    reader.page.get_by_role("link", name="診断を申し込む").click()
    expect(reader.page).to_have_url(f"{home}contact/")
    form = "form[data-ma-form]"
    for name, value in (("email", EMAIL), ("company_name", "架空商事株式会社"), ("family_name", "架空")):
        reader.page.fill(f"{form} [name={name}]", value)
    reader.page.wait_for_timeout(3_500)
    reader.page.click(f"{form} button[type=submit]")
    expect(reader.page.get_by_text("お問い合わせを受け付けました")).to_be_visible()
    site.work(OFFER_B + timedelta(minutes=2))

    status, people, due_at, text, *runs = site.shell(ENDED).splitlines()[-1].split("|")
    assert (status, people) == ("finished", "1")
    assert datetime.fromisoformat(due_at) == DUE
    assert runs == ["('offer', 'yes')", "('offer', 'yes')", "('wait_segment', 'yes')", "('task', 'created')"]
    colleague = editor(playing, site.admin, "ja")
    colleague.page.goto(f"{site.admin}marketing/tasks/")
    expect(colleague.page.get_by_text(text)).to_be_visible()
    colleague.shot("story-task")
    assert reader.problems == stranger.problems == colleague.problems == []
