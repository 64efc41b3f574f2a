"""What is common to all exports."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from wagtail.users.models import UserProfile

from tests.factories import browser, page_hit
from wagtail_ma import flow
from wagtail_ma.people.identify import identify
from wagtail_ma.tracking import pages

pytestmark = pytest.mark.django_db


@pytest.fixture
def colleague(client: Client) -> Client:
    """Reads the admin in Japanese, in Tokyo; the site itself is English."""
    user = User.objects.create_superuser("colleague", "colleague@example.com", "x")
    profile = UserProfile.get_for_user(user)
    profile.preferred_language, profile.current_time_zone = "ja", "Asia/Tokyo"
    profile.save()
    client.force_login(user)
    return client


def test_export__streamed_as_csv__speaks_the_language_and_time_of_who_asked(
    colleague: Client, home: Any
) -> None:
    pages.forget()
    now = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
    ann = browser(now)
    flow.record_hit(page_hit(home, browser_key=ann.key), now=now)
    identify(ann, email="ann@example.com", now=now, method="form", family_name="=Ann", company_name="見本")
    flow.react(now=now)
    answer = colleague.get(f"{reverse('wagtail_ma_visitors:index')}?list=all&export=csv")
    content = b"".join(answer.streaming_content)
    # Excel knows UTF-8 by its mark only.
    assert content.startswith(b"\xef\xbb\xbf")
    heading, row = csv.reader(io.StringIO(content.decode("utf-8-sig")))
    assert heading[0] == "名前"
    assert row[0] == "'=Ann"
    assert row[1] == "見本"
    assert row[-1] == "2026-03-03 10:00:00"
