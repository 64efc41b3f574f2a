"""Every address of our admin against people who may not: nothing of a lead is told or changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db.models import Q
from django.test import Client
from django.urls import NoReverseMatch, URLResolver, get_resolver, reverse
from django.utils import timezone

from tests import factories
from wagtail_ma.forms.submit import submit
from wagtail_ma.people import proposals
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import IdentityLink, Lead
from wagtail_ma.people.models_of_companies import Company
from wagtail_ma.sales.models_of_tasks import Task
from wagtail_ma.tracking.models import TrackedPage

pytestmark = pytest.mark.django_db
ANN = "ann.secret@acme.example"
NAME = "Zzyzx"
SECRETS = (ANN, NAME, "03-9999-8888")
# Screens that only say what people of this right may see anyway; the rest refuses.
WITHOUT_PEOPLE = {
    "choose",
    "choose_results",
    "chosen",
    "chosen_multiple",
    # Of Wagtail itself: a question without any content of ours.
    "confirm_workflow_cancellation",
}


def addresses(resolver: Any = None, spaces: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """(name, pattern) of everything of ours in the URLconf of the admin."""
    for pattern in (resolver or get_resolver()).url_patterns:
        if isinstance(pattern, URLResolver):
            inner = (*spaces, pattern.namespace) if pattern.namespace else spaces
            yield from addresses(pattern, inner)
        elif spaces and "wagtail_ma_" in spaces[-1]:
            yield ":".join((*spaces, pattern.name or "")), pattern


@pytest.fixture
def rows(site: Any) -> dict[str, Any]:
    """A lead with something on every screen; returns the arguments of addresses by their names."""
    now = timezone.now()
    form = factories.lead_form("family_name", "phone", "email", consent_text="Yes?", name="Paper")
    answers = {"email": ANN, "family_name": NAME, "phone": "03-9999-8888", "consent": True}
    browser = factories.browser(now)
    sent = submit(form, answers, browser_identity=browser, now=now, nonce="1").submission
    lead = Lead.objects.get()
    other = identify(None, email=f"b{ANN}", now=now, method="import", family_name=NAME)
    proposal = proposals.propose(lead, other, reason=proposals.BY_HAND, now=now)
    task = Task.objects.create(
        visitor=lead.visitor, text=f"Call {NAME}", due_at=now, created_at=now, source_key="1"
    )
    segment = factories.make_segment("All")
    mail = factories.make_mail()
    page = TrackedPage.objects.create(key="x", url="http://localhost/", first_seen_at=now)
    return {
        "visitor_id": lead.visitor_id,
        "form_id": form.pk,
        "segment_id": segment.pk,
        "link_id": IdentityLink.objects.order_by("pk").values_list("pk", flat=True)[0],
        "tracked_page_id": page.pk,
        "wagtail_ma_leads": lead.pk,
        "wagtail_ma_companies": Company.objects.values_list("pk", flat=True)[0],
        "wagtail_ma_forms": form.pk,
        "wagtail_ma_forms:review": sent.pk,
        "wagtail_ma_proposals": proposal.pk,
        "wagtail_ma_proposals:propose": lead.pk,
        "wagtail_ma_tasks": task.pk,
        "wagtail_ma_segments": segment.pk,
        "wagtail_ma_mails": mail.pk,
        "wagtail_ma_mails:for_lead": lead.pk,
    }


def url_of(name: str, pattern: Any, rows: dict[str, Any]) -> str:
    space = name.partition(":")[0]
    names = list(pattern.pattern.converters)
    values = {key: rows.get(key, 1) for key in names}
    if "pk" in values:
        values["pk"] = rows.get(name, rows.get(space, 1))
    try:
        return reverse(name, kwargs=values)
    except NoReverseMatch:
        # (Two revisions compared: by a pattern of its own.)
        return reverse(name, args=[values.get("pk", 1), "live", "latest"])


def log_in(django_user_model: Any, permissions: Any) -> Client:
    user = django_user_model.objects.create_user("member", password="x")
    user.user_permissions.set([*permissions, Permission.objects.get(codename="access_admin")])
    client = Client(raise_request_exception=False)
    client.force_login(user)
    return client


def text_of(response: Any) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    return content.decode("utf-8", "replace")


def state() -> tuple[Any, ...]:
    return (
        list(Lead.objects.order_by("pk").values_list("pk", "email", "family_name", "company_id")),
        list(Task.objects.values_list("pk", "done_at")),
        list(IdentityLink.objects.order_by("pk").values_list("pk", "undone_at")),
    )


def calls(client: Client, rows: dict[str, Any]) -> Iterator[tuple[str, str, Any]]:
    for name, pattern in addresses():
        url = url_of(name, pattern, rows)
        yield name, "GET", client.get(url)
        yield name, "EXPORT", client.get(f"{url}?export=csv")
        yield name, "POST", client.post(url, {"do": "merge", "decision": "accept", "what": "erase"})


def test_addresses__walked__are_many() -> None:
    names = {name for name, _pattern in addresses()}
    assert len(names) > 150
    assert {"wagtail_ma_leads:edit", "wagtail_ma_forms:review", "wagtail_ma_visitors:visitor"} <= names


def test_every_address__stranger__is_sent_to_the_log_in(rows: Any) -> None:
    before = state()
    open_to_strangers = []
    for name, how, response in calls(Client(raise_request_exception=False), rows):
        if response.status_code != 302 or "/login/" not in response["Location"]:
            open_to_strangers.append((name, how, response.status_code))
    assert open_to_strangers == []
    assert state() == before


def test_every_address__member_without_any_right__tells_and_does_nothing(
    rows: Any, django_user_model: Any
) -> None:
    client, before, faults = log_in(django_user_model, []), state(), []
    for name, how, response in calls(client, rows):
        code = response.status_code
        is_listed = name.rpartition(":")[2] in WITHOUT_PEOPLE
        if code >= 500 or (code == 200 and not is_listed) or tells(response):
            faults.append((name, how, code))
    assert faults == []
    assert state() == before


def test_every_address__all_rights_but_those_on_people__tells_nothing_of_them(
    rows: Any, django_user_model: Any
) -> None:
    ours = Permission.objects.filter(content_type__app_label="wagtail_ma")
    people = ("lead", "visitor", "delivery", "task", "enrolment", "identity", "submission", "consent")
    without = ours.exclude(content_type__model__in=people).exclude(
        Q(codename="export_lead") | Q(codename="erase_lead")
    )
    client, before = log_in(django_user_model, without), state()
    faults = [
        (name, how, response.status_code)
        for name, how, response in calls(client, rows)
        if is_broken(how, response) or tells(response)
    ]
    assert faults == []
    assert state()[0][0][:3] == before[0][0][:3]


def test_every_address__who_may_only_look_at_people__changes_nothing(
    rows: Any, django_user_model: Any
) -> None:
    looking = Permission.objects.filter(content_type__app_label="wagtail_ma", codename__startswith="view_")
    client, before = log_in(django_user_model, looking), state()
    faults = []
    for name, how, response in calls(client, rows):
        is_file = "attachment" in response.headers.get("Content-Disposition", "")
        if is_broken(how, response) or (is_file and tells(response)):
            faults.append((name, how, response.status_code))
    assert faults == []
    assert state() == before


def is_broken(how: str, response: Any) -> bool:
    """(Wagtail's editors answer a post without any of their fields, which no editor sends, by an error.)"""
    return response.status_code >= 500 and how != "POST"


def tells(response: Any) -> bool:
    text = text_of(response)
    return any(secret in text for secret in SECRETS)
