"""The screens of mails and senders."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core import mail as django_mail
from django.urls import reverse
from django.utils import timezone
from wagtail.models import Locale, ModelLogEntry

from tests import factories
from wagtail_ma.core.tokens import mail_token
from wagtail_ma.messaging import clicks, dispatches, fill, instance, opens, preview, queue, rates, sending
from wagtail_ma.messaging.models import Delivery, Dispatch, Mail, MailTopic, SenderProfile
from wagtail_ma.messaging.models_of_sending import SendingRules
from wagtail_ma.segments.models import Membership

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor(client, site):
    user = User.objects.create_superuser("editor", "editor@example.com", "x")
    client.force_login(user)
    return user


def login_with(client, *codenames):
    Locale.objects.get_or_create(language_code="en")
    user = User.objects.create_user("limited", "limited@example.com", "x")
    user.user_permissions.add(
        Permission.objects.get(codename="access_admin"), *Permission.objects.filter(codename__in=codenames)
    )
    client.force_login(user)
    return user


def url(name, *args):
    return reverse(f"wagtail_ma_mails:{name}", args=args)


def post_data(mail, **changes):
    return {
        "name": mail.name,
        "kind": mail.kind,
        "language": mail.language,
        "sender": mail.sender_id,
        "subject": "Changed",
        "tracking": mail.tracking,
        "timing": mail.timing,
        "latest_hours": "24",
        "trigger_delay_minutes": "0",
        "preheader": "",
        "body-count": "1",
        "body-0-deleted": "",
        "body-0-order": "0",
        "body-0-type": "heading",
        "body-0-id": "",
        "body-0-value-text": "Big news",
        "body-0-value-size": "large",
        **changes,
    }


def test_mail_list__no_sender__says_what_to_do_first(client, editor):
    content = client.get(url("list")).content.decode()
    assert reverse("wagtail_ma_senders:add") in content


def test_mail_list__with_mails__counts_what_was_sent(client, editor, now, mailoutbox):
    mail = factories.make_mail()
    lead = factories.make_lead(now=now)
    factories.make_consent(lead, now=now)
    queue.enqueue(mail, lead, occurrence="", now=now)
    sending.drain(now=now)
    content = client.get(url("list")).content.decode()
    assert f'<a href="{url("results", mail.pk)}">1</a>' in content
    assert client.get(url("list") + "?q=welc").content.decode().count("Welcome") >= 1


def test_mail_editor__draft_then_publish__live_content_changes_only_then(client, editor):
    mail = factories.make_mail()
    assert client.get(url("edit", mail.pk)).status_code == 200
    client.post(url("edit", mail.pk), post_data(mail))
    mail.refresh_from_db()
    assert mail.subject == "Hello"
    client.post(url("edit", mail.pk), post_data(mail, **{"action-publish": "1"}))
    mail.refresh_from_db()
    assert mail.subject == "Changed"
    assert mail.body[0].value["text"] == "Big news"


def test_mail_editor__something_missing__listed(client, editor):
    mail = factories.make_mail(text="<p>{{ lead.nothing }}</p>", publish=False)
    content = client.get(url("edit", mail.pk)).content.decode()
    assert "It is not published." in content
    assert "{{ lead.nothing }}” is no merge field" in content


def test_mail_add__page__opens(client, editor):
    factories.make_sender()
    assert client.get(url("add")).status_code == 200


@pytest.mark.parametrize(("mode", "expected"), [("html", "<h2"), ("plain", "Subject: Changed")])
def test_mail_preview__both_modes__show_the_form_as_it_stands(client, editor, mode, expected):
    mail = factories.make_mail()
    where = url("preview_on_edit", mail.pk)
    assert client.post(where, post_data(mail)).json()["is_valid"]
    content = client.get(where, {"mode": mode}).content.decode()
    assert expected in content and "Big news" in content
    assert "/ma/m/c/" not in content


def test_send_test__to_oneself__newest_draft_filled_for_a_lead(client, editor, now, mailoutbox):
    mail = factories.make_mail(text="<p>Dear {{ lead.full_name }}</p>")
    factories.make_lead(now=now, family_name="Smith", given_name="Ann")
    draft = mail.get_latest_revision_as_object()
    draft.subject = "Draft"
    draft.save_revision()
    assert client.get(url("test", mail.pk)).status_code == 200
    assert mailoutbox == []
    response = client.post(url("test", mail.pk), {"lead_email": "ann@example.com"})
    assert response.status_code == 302
    (message,) = mailoutbox
    assert message.to == ["editor@example.com"]
    assert message.subject == "[Test] Draft"
    assert "Dear Ann Smith" in message.body
    assert not Delivery.objects.exists()


def test_send_test__no_permission__refused(client, now, mailoutbox):
    mail = factories.make_mail()
    login_with(client, "view_mail")
    assert client.post(url("test", mail.pk)).status_code == 302
    assert mailoutbox == []


def test_results__numbers_and_people__agree(client, editor, now, mailoutbox):
    body = [{"type": "button", "value": {"label": "Go", "page": None, "url": "https://example.com/a"}}]
    mail = factories.make_mail(body=body)
    for number in range(3):
        lead = factories.make_lead(f"p{number}@example.com", now=now)
        if number:
            factories.make_consent(lead, now=now)
        queue.enqueue(mail, lead, occurrence="", now=now)
    sending.drain(now=now)
    sent = Delivery.objects.filter(state="sent").first()
    client.get(f"/ma/m/c/{mail_token(fill.CLICK, sent.public_id, 0)}", HTTP_USER_AGENT=factories.CHROME)
    client.get(f"/ma/m/c/{mail_token(fill.CLICK, sent.public_id, 0)}", HTTP_USER_AGENT="curl/8")
    clicks.settle(now=timezone.now() + timedelta(seconds=61))
    client.post(f"/ma/m/u/{mail_token(fill.UNSUBSCRIBE, sent.public_id)}")
    response = client.get(url("results", mail.pk))
    found = response.context["results"]
    assert {state.state: state.count for state in found.states} == {"sent": 2, "skipped": 1}
    assert (found.people_clicked, found.unsubscribed) == (1, 1)
    assert [(link.label, link.people, link.machine) for link in found.links] == [("Go", 1, 1)]
    listed = client.get(url("results", mail.pk) + "?clicked=true").context["object_list"]
    assert [delivery.pk for delivery in listed] == [sent.pk]
    opens.record_open(
        mail_token(fill.OPEN, sent.public_id), method="GET", user_agent=factories.CHROME, now=now
    )
    # The people behind each number.
    for query, number in {
        "opened=true": 1,
        "unsubscribed=true": 1,
        "link=https%3A//example.com/a": 1,
        "link=https%3A//example.com/b": 0,
        "reason=no_consent": 1,
    }.items():
        page = client.get(f"{url('results', mail.pk)}?{query}")
        assert len(page.context["object_list"]) == number, query
    assert page.context["results"].opened == 1
    skipped = client.get(url("results_list", mail.pk) + "?state=skipped").content.decode()
    assert "p0@example.com" in skipped and "has not agreed" in skipped


def test_results__no_permission_for_leads__people_hidden(client, now, mailoutbox):
    mail = factories.make_mail()
    queue.enqueue(mail, factories.make_lead(now=now), occurrence="", now=now)
    login_with(client, "view_delivery")
    response = client.get(url("results", mail.pk))
    assert response.status_code == 200
    assert "ann@example.com" not in response.content.decode()
    # Searching would tell whether an address is there.
    assert client.get(url("results", mail.pk) + "?q=nobody").context["object_list"]


def test_send_again__unknown__goes_out_after_confirmation(client, editor, now, mailoutbox):
    mail = factories.make_mail()
    lead = factories.make_lead(now=now)
    factories.make_consent(lead, now=now)
    delivery = queue.enqueue(mail, lead, occurrence="", now=now)
    Delivery.objects.update(state="unknown")
    assert url("send_again", delivery.pk) in client.get(url("results", mail.pk)).content.decode()
    client.get(url("send_again", delivery.pk))
    delivery.refresh_from_db()
    assert delivery.state == "unknown"
    client.post(url("send_again", delivery.pk))
    delivery.refresh_from_db()
    assert delivery.state == "ready"
    Delivery.objects.update(state="sent")
    client.post(url("send_again", delivery.pk))
    delivery.refresh_from_db()
    assert delivery.state == "sent"


def test_senders__add__stored(client, editor):
    data = {
        "name": "N",
        "email": "n@example.com",
        "legal_name": "L",
        "postal_address": "P",
        "contact": "C",
    }
    assert client.get(reverse("wagtail_ma_senders:index")).status_code == 200
    client.post(reverse("wagtail_ma_senders:add"), data)
    assert SenderProfile.objects.get().legal_name == "L"
    assert not Mail.objects.exists()


def test_for_lead__filled_in__shows_three_views_and_is_logged(client, editor, now):
    lead = factories.make_lead(now=now, given_name="Ann")
    mail = factories.make_mail(text='<p>Dear {{ lead.full_name|default:"you" }}</p>')
    answer = client.get(reverse("wagtail_ma_mails:for_lead", args=[mail.pk]), {"lead_email": lead.email})
    page = answer.content.decode()
    assert page.count("Dear Ann") == 3
    assert page.count("sandbox") == 2
    assert "Subject: Hello\n\nDear Ann" in page, "as it is, with nothing before its lines"
    assert ModelLogEntry.objects.filter(action="wagtail_ma.view_lead", object_id=str(lead.pk)).count() == 1


@pytest.mark.parametrize("codenames", [[], ["change_mail"], ["view_lead"]])
def test_for_lead__without_both_permissions__forbidden(client, now, codenames):
    mail = factories.make_mail()
    factories.make_lead("secret@example.com", now=now)
    login_with(client, "access_admin", *codenames)
    url = reverse("wagtail_ma_mails:for_lead", args=[mail.pk])
    answer = client.get(url, {"lead_email": "secret@example.com"})
    assert answer.status_code in (302, 403)
    assert b"secret@example.com" not in answer.content


# --- sending to an audience ---------------------------------------------------------------------------


@pytest.fixture
def readers(now):
    """A segment of three people: one agreed, one did not, one has unsubscribed."""
    segment = factories.make_segment("Readers")
    for name, agreed in (("ann", True), ("bob", None), ("cy", False)):
        lead = factories.make_lead(f"{name}@example.com", now=now)
        Membership.objects.create(segment=segment, visitor=lead.visitor, entered_at=now)
        if agreed is not None:
            factories.make_consent(lead, now=now, is_granted=agreed)
    return segment


@pytest.fixture
def tested(editor):
    mail = factories.make_mail()
    preview.note_test(mail, editor)
    return mail


def send(client, mail, segment, **data):
    return client.post(url("send", mail.pk), {"include": [segment.pk], **data})


def test_send__not_tested__says_so_and_plans_nothing(client, editor, readers):
    mail = factories.make_mail()
    answer = send(client, mail, readers, send="1", counted="1")
    assert "No test of the published content" in answer.content.decode()
    assert not Dispatch.objects.exists()


def test_send__counted_then_confirmed__is_planned_once_and_goes_out(
    client, tested, readers, now, django_capture_on_commit_callbacks
):
    page = send(client, tested, readers, count="1")
    assert "1 person gets this mail" in page.content.decode()
    assert not Dispatch.objects.exists()
    answer = send(client, tested, readers, send="1", counted="1")
    sending_row = Dispatch.objects.get()
    assert answer["Location"] == url("dispatch", sending_row.pk)
    assert (sending_row.expected_count, list(sending_row.include.all())) == (1, [readers])
    # A second click, in another tab.
    assert send(client, tested, readers, send="1", counted="1")["Location"] == answer["Location"]
    assert Dispatch.objects.count() == 1
    later = timezone.now() + timedelta(minutes=2)
    Mail.objects.update(timing="any")
    for _round in range(3):
        dispatches.advance(now=later)
        sending.drain(now=later)
    assert [message.to for message in django_mail.outbox] == [["ann@example.com"]]
    page = client.get(url("dispatch_results", sending_row.pk)).content.decode()
    assert "<html" not in page and "(100 %)" in page
    # Asked again with the stamp of what is known: nothing has changed.
    known = re.search(r'data-ma-live-stamp="([^"]+)"', page)[1]
    assert client.get(url("dispatch_results", sending_row.pk), {"stamp": known}).status_code == 204


def test_send__number_changed_meanwhile__asks_again(client, tested, readers, now):
    answer = send(client, tested, readers, send="1", counted="2")
    assert "has changed meanwhile" in answer.content.decode()
    assert not Dispatch.objects.exists()
    # The new number is in the form.
    assert 'name="counted" value="1"' in answer.content.decode()


def test_send__many_people__number_is_typed(client, tested, readers, monkeypatch):
    monkeypatch.setattr("wagtail_ma.admin.mail_sending.TYPED_FROM", 1)
    for typed in ("", "5"):
        answer = send(client, tested, readers, send="1", counted="1", typed=typed)
        assert "This is not the number" in answer.content.decode()
    assert not Dispatch.objects.exists()
    send(client, tested, readers, send="1", counted="1", typed="1")
    assert Dispatch.objects.count() == 1


def test_send__time_that_is_over__refused(client, tested, readers):
    answer = send(client, tested, readers, send="1", counted="1", scheduled_at="2020-01-01 10:00")
    assert "This time is over" in answer.content.decode()
    assert not Dispatch.objects.exists()


def test_send__mail_of_a_scenario__leads_back(client, editor, readers):
    mail = factories.make_mail(kind=Mail.Kind.STEP)
    assert send(client, mail, readers, send="1")["Location"] == url("edit", mail.pk)


def test_sending__paused_gone_on_cancelled__by_buttons(client, tested, readers):
    send(client, tested, readers, send="1", counted="1")
    row = Dispatch.objects.get()
    Dispatch.objects.update(state=Dispatch.State.RUNNING)
    for act, state in (("pause", "paused"), ("resume", "preparing"), ("cancel", "cancelled")):
        page = client.get(url("dispatch", row.pk)).content.decode()
        assert f'value="{act}"' in page
        client.post(url("dispatch", row.pk), {"act": act})
        row.refresh_from_db()
        assert row.state == state
    assert 'name="act"' not in client.get(url("dispatch", row.pk)).content.decode()
    client.post(url("dispatch", row.pk), {"act": "resume"})
    client.post(url("dispatch", row.pk), {"act": "nonsense"})
    row.refresh_from_db()
    assert row.state == "cancelled"


@pytest.mark.parametrize("codenames", [[], ["change_mail"], ["view_mail"]])
def test_sending__without_permission_to_publish__forbidden(client, readers, now, codenames):
    mail = factories.make_mail()
    row = Dispatch.objects.create(mail=mail, scheduled_at=now, created_at=now, state="running")
    login_with(client, *codenames)
    assert client.get(url("send", mail.pk)).status_code in (302, 403)
    client.post(url("send", mail.pk), {"send": "1"})
    client.post(url("dispatch", row.pk), {"act": "cancel"})
    row.refresh_from_db()
    assert row.state == "running"
    assert Dispatch.objects.count() == 1


# --- subscriptions and the rules of sending -----------------------------------------------------------


def test_rules_of_sending__opened_and_saved__are_the_one_row(client, editor):
    answer = client.get(reverse("wagtail_ma_sending_rules:index"), follow=True)
    assert answer.status_code == 200
    row = SendingRules.objects.get()
    data = {
        **{field.name: getattr(row, field.name) or "" for field in row._meta.fields if field.editable},
        "per_minute": "30",
        "quiet_from": "22:00",
    }
    data.pop("is_stopped")
    answer = client.post(reverse("wagtail_ma_sending_rules:edit", args=[row.pk]), data)
    assert answer["Location"] == reverse("wagtail_ma_sending_rules:index")
    row.refresh_from_db()
    assert (row.per_minute, row.quiet_from.hour, SendingRules.objects.count()) == (30, 22, 1)


def test_rules_of_sending__without_permission__forbidden(client, now):
    login_with(client, "change_mail")
    row = rates.rules_now()
    client.post(reverse("wagtail_ma_sending_rules:edit", args=[row.pk]), {"is_stopped": "on"})
    row.refresh_from_db()
    assert row.is_stopped is False


def test_subscriptions__none_yet__list_says_what_they_are_for(client, editor):
    content = client.get(reverse("wagtail_ma_mail_topics:index")).content.decode()
    assert "There are no subscriptions yet" in content
    client.post(reverse("wagtail_ma_mail_topics:add"), {"name": "Seminars", "description": ""})
    assert MailTopic.objects.get().name == "Seminars"


def test_rules_of_sending__copied_database__says_so_until_confirmed(client, editor, mailoutbox, now):
    rules = rates.rules_now()
    page = reverse("wagtail_ma_sending_rules:edit", args=[rules.pk])
    assert "copy" not in client.get(page).content.decode()
    SendingRules.objects.update(fingerprint="of the original")
    assert "Send mail from here" in client.get(page).content.decode()
    adopt = reverse("wagtail_ma_sending_rules:adopt")
    assert client.get(adopt).status_code == 405
    client.post(adopt)
    rules.refresh_from_db()
    assert rules.fingerprint == instance.fingerprint()
    assert "Send mail from here" not in client.get(page).content.decode()
    login_with(client, "view_sendingrules")
    SendingRules.objects.update(fingerprint="of the original")
    client.post(adopt)
    rules.refresh_from_db()
    assert rules.fingerprint == "of the original"
