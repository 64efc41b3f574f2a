"""Everything that names a segment is found: on its usage page, and before it is deleted."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.admin.test_segments import editor  # noqa: F401  (a fixture)
from tests.factories import condition, make_mail, make_segment
from tests.personalisation.test_blocks import page, personalised, put, variant  # noqa: F401  (a fixture)
from wagtail_ma.scenarios.models import Scenario
from wagtail_ma.segments import usage
from wagtail_ma.segments.models import Segment

pytestmark = pytest.mark.django_db


def in_page(segment: Segment, page: Any) -> str:  # noqa: F811
    put(page, personalised(variant("OFFER", segment)))
    return "Offer"


def in_other_segment(segment: Segment, page: Any) -> str:  # noqa: F811
    return str(make_segment("Narrower", condition("in_segment", segment=segment.pk, **{"is": "in"})))


def in_scenario(segment: Segment, page: Any) -> str:  # noqa: F811
    return str(Scenario.objects.create(name="Welcome tour", entry="segment", segment=segment))


def in_exit_of_scenario(segment: Segment, page: Any) -> str:  # noqa: F811
    return str(Scenario.objects.create(name="Long tour", exit_segment=segment))


def in_trigger_of_mail(segment: Segment, page: Any) -> str:  # noqa: F811
    return str(make_mail(name="When they come", publish=False, trigger_segment=segment))


def in_exception_of_mail(segment: Segment, page: Any) -> str:  # noqa: F811
    return str(make_mail(name="But not to them", publish=False, unless_segment=segment))


def in_block_of_mail(segment: Segment, page: Any) -> str:  # noqa: F811
    body = [personalised(variant("OFFER", segment))]
    return str(make_mail(name="Different words", publish=False, body=body))


USERS = [
    in_page,
    in_other_segment,
    in_scenario,
    in_exit_of_scenario,
    in_trigger_of_mail,
    in_exception_of_mail,
    in_block_of_mail,
]


@pytest.mark.parametrize("use", USERS, ids=lambda use: use.__name__)
def test_segment__used__shown_on_its_usage_page_and_not_deleted(
    editor: Client,  # noqa: F811
    page: Any,  # noqa: F811
    use: Any,
) -> None:
    segment, other = make_segment("Readers"), make_segment("Others")
    name = use(segment, page)
    assert (usage.of(segment), usage.of(other)) == ([name], [])
    html = editor.get(reverse("wagtail_ma_segments:usage", args=[segment.pk])).content.decode()
    assert name in html
    delete = reverse("wagtail_ma_segments:delete", args=[segment.pk])
    asked = editor.get(delete).content.decode()
    assert name in asked and "Yes, delete" not in asked
    editor.post(delete)
    assert Segment.objects.filter(pk=segment.pk).exists()
    editor.post(reverse("wagtail_ma_segments:delete", args=[other.pk]))
    assert not Segment.objects.filter(pk=other.pk).exists()
