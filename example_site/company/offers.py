"""The second scenario of the example site: readers of the prices are offered an estimate on the site, then by
mail; some of them are left alone, for comparison."""

from __future__ import annotations

from datetime import datetime

from django.utils import translation
from wagtail.models import Page

from wagtail_ma.messaging.models import Mail
from wagtail_ma.scenarios.models import Scenario
from wagtail_ma.scenarios.publish import publish
from wagtail_ma.scenarios.starters import main_goal
from wagtail_ma.segments.models import Segment

from .content.marketing import OFFER_NAME, OFFER_SEGMENT, OFFER_TASK
from .marketing import block

HELD_OUT_PERCENT = 20


def load_offer_scenario(
    mails: dict[tuple[str, str], Mail], segments: dict[str, Segment], *, now: datetime
) -> Scenario:
    """Reads the prices again and again → an estimate on the site → a mail two days later → a call.

    :param now: what happened earlier lets nobody in.
    """
    shown = Segment.objects.create(name=OFFER_SEGMENT, is_static=True)
    offer = {"segment": shown.pk, "page": None, "proof": "displayed", "seconds": 15}
    ask = [
        block("wait", {"amount": 2, "unit": "days"}),
        block("wait_until", {"day": "business", "at": "10:00"}),
        block("send_mail", {"mail": mails["offer", "ja"].pk, "patience_days": 10}),
        block("task", {"text": OFFER_TASK, "days": 1, "user": None}),
    ]
    lasting = {"amount": 10, "unit": "days", "yes": ask, "no": [block("end", {})]}
    with translation.override("ja"):
        goal = main_goal()
    scenario = Scenario(
        name=OFFER_NAME,
        entry=Scenario.Entry.SEGMENT,
        segment=segments["pricing"],
        goal=goal,
        holdout_percent=HELD_OUT_PERCENT,
        steps=[block("offer", {**offer, **lasting})],
    )
    scenario.save()
    # In force since the first simulated day; Wagtail's own publication is dated today.
    publish(scenario, now=now)
    scenario.save_revision().publish()
    return scenario


def offer_block(words: tuple[str, str], page: Page) -> dict[str, object]:
    """A personalised block that shows the offer to those who are to see it, and nothing to others."""
    text, button = words
    call = block("call_to_action", {"text": text, "button": button, "page": page.pk})
    segment = Segment.objects.get(name=OFFER_SEGMENT)
    variant = {"segments": [block("item", segment.pk)], "content": [call]}
    return {"variants": [block("item", variant)], "default": []}
