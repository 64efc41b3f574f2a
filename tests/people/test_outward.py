"""What left the house while two were taken for one is listed where the merge is undone."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from tests import factories
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people import merge, outward, proposals
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import IdentityLink, MergeProposal
from wagtail_ma.sales.models_of_tasks import Task

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]
NAME = {"family_name": "Ito", "given_name": "Ann"}


def delivery(lead, at, *, state="sent", subject="Your slides"):
    return Delivery.objects.create(
        lead=lead,
        visitor_id=lead.visitor_id,
        born_visitor_id=lead.visitor_id,
        email=lead.email,
        builtin="download_link",
        state=state,
        send_after=at,
        created_at=at,
        sending_at=at if state in ("sent", "unknown") else None,
        extra={"subject": subject},
    )


@pytest.fixture
def now():
    # The undo of the screens is dated by the clock.
    return timezone.now() - timedelta(days=3)


@pytest.fixture
def joined(now):
    """A browser joined Ann; a mail went out before, two since, one waits, and a task was made."""
    lead = identify(None, email="ann@example.com", now=now, method="import")
    delivery(lead, now - timedelta(hours=1), subject="Before the merge")
    browser = factories.browser(now)
    identify(browser, email="ann@example.com", now=now, method="form")
    later = now + timedelta(hours=1)
    delivery(lead, later, subject="Slides & more")
    delivery(lead, later + timedelta(hours=1), state="unknown", subject="Perhaps sent")
    delivery(lead, later, state="ready", subject="Still waiting")
    Task.objects.create(
        visitor=lead.visitor,
        born_visitor=lead.visitor,
        text="Call Ann",
        due_at=later,
        created_at=later + timedelta(hours=2),
        source_key="step:1",
    )
    return IdentityLink.objects.get(identity=browser)


def texts(rows):
    return [row.text for row in rows]


def test_outward__of_a_merge__what_went_out_meanwhile_in_its_order(joined, now):
    found = texts(outward.of_link(joined).outward(now=now + timedelta(days=1)))
    assert found == [
        "Mail “Slides & more” to ann@example.com: sent",
        "Mail “Perhaps sent” to ann@example.com: unknown",
        "Task “Call Ann” for anybody",
    ]


def test_outward__after_the_undoing__later_mails_are_not_among_it(joined, now):
    merge.undo(joined, now=now + timedelta(days=1))
    delivery(joined.to_visitor.lead, now + timedelta(days=2), subject="Long after")
    assert len(outward.of_link(joined).outward(now=now + timedelta(days=3))) == 3


def test_screen__undo__lists_it_before_and_after_and_on_both_pages(admin_client, joined):
    url = reverse("wagtail_ma_identifications:undo", args=[joined.pk])
    before = admin_client.get(url).content.decode()
    response = admin_client.post(url, follow=True)
    after = response.content.decode()
    pages = [
        admin_client.get(reverse("wagtail_ma_visitors:visitor", args=[pk])).content.decode()
        for pk in (joined.to_visitor_id, joined.from_visitor_id)
    ]
    for html in (before, after, *pages):
        assert "Slides &amp; more" in html
        assert "Perhaps sent" in html
        assert "Call Ann" in html
    assert "Before the merge" not in before + after
    assert "Taken away from" in after
    assert 'method="post"' not in after.split('id="main"')[1].split("outward")[0]
    # A second click finds it done.
    assert "undo those first" in admin_client.post(url, follow=True).content.decode()
    assert "What stayed" in admin_client.get(reverse("wagtail_ma_identifications:index")).content.decode()


def test_screen__anonymous_visitor_seen_without_leave_to_see_leads__no_address(
    client, django_user_model, joined
):
    user = django_user_model.objects.create_user("reader", password="x")
    user.user_permissions.set(Permission.objects.filter(codename__in=["access_admin", "view_visitor"]))
    client.force_login(user)
    merge.undo(joined, now=timezone.now())
    html = client.get(reverse("wagtail_ma_visitors:visitor", args=[joined.from_visitor_id])).content.decode()
    assert "Anonymous #" in html
    assert "ann@example.com" not in html


def test_screen__two_persons_merged_and_undone__listed_where_it_was_decided(admin_client, now):
    one, other = (
        identify(None, email=email, now=now, method="form", **NAME)
        for email in ("ann@acme.example", "a.ito@acme.example")
    )
    proposal = MergeProposal.objects.get()
    url = reverse("wagtail_ma_proposals:decide", args=[proposal.pk])
    assert "went out" not in admin_client.get(url).content.decode()
    proposals.accept(proposal, user_id=None, now=now)
    delivery(one, now + timedelta(hours=1))
    assert "Your slides" in admin_client.get(url).content.decode()
    html = admin_client.post(url, {"do": "undo"}, follow=True).content.decode()
    assert "Your slides" in html
    assert "while they were one" in html
    page = admin_client.get(reverse("wagtail_ma_visitors:visitor", args=[other.visitor_id])).content.decode()
    assert "Your slides" in page
