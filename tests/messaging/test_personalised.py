"""A mail whose blocks differ from segment to segment."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.core import mail as django_mail

from tests import factories
from wagtail_ma.messaging import fill, merge_fields, queue, sending
from wagtail_ma.messaging.compile import compile_mail
from wagtail_ma.people.models import Lead
from wagtail_ma.segments.models import Membership

pytestmark = pytest.mark.django_db


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "value": f"<p>{words}</p>"}


def variant(words: str, *ids: int, match: str = "any") -> dict[str, Any]:
    link = {
        "type": "button",
        "value": {"label": f"Go {words}", "page": None, "url": f"https://x.example/{words}"},
    }
    return {
        "type": "item",
        "id": str(uuid4()),
        "value": {
            "match": match,
            "segments": [{"type": "item", "id": str(uuid4()), "value": pk} for pk in ids],
            "content": [text(words + ' for {{ lead.full_name|default:"you" }}'), link],
        },
    }


def personalised(*variants: Any, default: str = "") -> dict[str, Any]:
    return {
        "type": "personalised",
        "value": {"variants": list(variants), "default": [text(default)] if default else []},
    }


@pytest.fixture
def read() -> Any:
    """What somebody in these segments reads: HTML and text."""

    def reading(body: list[Any], *segments: int) -> tuple[str, str]:
        compiled = compile_mail(factories.make_mail(body=body))
        values = merge_fields.values_of(Lead(email="ann@example.com", given_name="Ann"), "en")
        filled = fill.fill(compiled.parts, values, public_id=7, segments=segments)
        return filled.html, filled.text

    return reading


def test_variant__of_a_segment_of_the_reader__alone_is_in_the_mail(read: Any) -> None:
    body = [text("Before"), personalised(variant("ONE", 1), variant("TWO", 2), default="ELSE"), text("After")]
    for segments, wanted in (((1,), "ONE"), ((2,), "TWO"), ((1, 2), "ONE"), ((), "ELSE"), ((9,), "ELSE")):
        for part in read(body, *segments):
            seen = [word for word in ("ONE", "TWO", "ELSE") if word in part]
            assert seen == [wanted]
            assert part.index("Before") < part.index(wanted) < part.index("After")
    assert "ONE for Ann" in read(body, 1)[1]


def test_variant__for_people_in_none_of_the_segments__shown_to_the_others(read: Any) -> None:
    body = [personalised(variant("OTHERS", 1, 2, match="none"), default="MINE")]
    assert "OTHERS" in read(body, 3)[1] and "MINE" in read(body, 2)[1]


def test_block__without_variants__is_its_default(read: Any) -> None:
    html, plain = read([personalised(default="PLAIN")])
    assert "PLAIN" in html and "PLAIN" in plain


def test_block__nobody_fits_and_no_default__leaves_no_trace(read: Any) -> None:
    html, plain = read([text("Before"), personalised(variant("ONE", 1)), text("After")])
    assert "ONE" not in html + plain and "Before" in plain and "After" in plain
    assert "<mj-" not in html


def test_every_choice__is_well_formed(read: Any) -> None:
    """Tables opened are closed, whichever variant is chosen."""
    body = [text("Before"), personalised(variant("ONE", 1), default="ELSE"), personalised(variant("X", 2))]
    for segments in ((), (1,), (2,), (1, 2)):
        html = read(body, *segments)[0]
        for tag in ("table", "tbody", "tr", "td", "div"):
            assert html.count(f"<{tag}") == html.count(f"</{tag}>"), tag


def test_segments__that_a_mail_asks_for__are_known_without_reading_it_again() -> None:
    body = [personalised(variant("ONE", 5, 3), variant("TWO", 4, match="none")), text("After")]
    assert compile_mail(factories.make_mail(body=body)).parts["segments"] == [3, 4, 5]


def test_delivery__at_the_moment_of_sending__has_what_is_for_the_segments_of_its_reader(now: Any) -> None:
    segment = factories.make_segment("Readers")
    inside = factories.make_lead("in@example.com", now=now)
    outside = factories.make_lead("out@example.com", now=now)
    mail = factories.make_mail(body=[personalised(variant("ONE", segment.pk), default="ELSE")])
    for lead in (inside, outside):
        factories.make_consent(lead, now=now)
        queue.enqueue(mail, lead, occurrence="", now=now)
    # After it was planned: what counts is the moment of sending.
    Membership.objects.create(segment=segment, visitor=inside.visitor, entered_at=now)
    sending.drain(now=now)
    bodies = {message.to[0]: message.body for message in django_mail.outbox}
    assert "ONE" in bodies["in@example.com"] and "ELSE" not in bodies["in@example.com"]
    assert "ELSE" in bodies["out@example.com"] and "ONE" not in bodies["out@example.com"]
