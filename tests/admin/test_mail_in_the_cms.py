"""A mail is content like any other of the CMS: approved, locked, translated, copied, taken back."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.urls import reverse
from wagtail.models import Locale, Workflow

from tests import factories
from tests.admin.approval import approval_by
from tests.admin.test_mails import post_data, url
from wagtail_ma.messaging import ready
from wagtail_ma.messaging.compile import CannotCompile, compile_mail, static_text
from wagtail_ma.messaging.models import Mail

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]


@pytest.fixture
def workflow(admin_user: User) -> Workflow:
    return approval_by(admin_user, Mail)


def log_in(client: Any, name: str) -> User:
    user = User.objects.create_superuser(name, f"{name}@example.com", "x")
    client.force_login(user)
    return user


def test_submit__waits_for_a_colleague__cannot_be_sent_until_approved(
    client: Any, admin_user: User, workflow: Workflow, now: Any
) -> None:
    log_in(client, "author")
    mail = factories.make_mail(publish=False)
    client.post(url("edit", mail.pk), post_data(mail, **{"action-submit": "1"}))
    mail.refresh_from_db()
    assert not mail.live and mail.workflow_in_progress
    with pytest.raises(CannotCompile):
        ready.version_to_send(mail, now=now)
    client.force_login(admin_user)
    state = mail.current_workflow_state.current_task_state
    client.post(url("workflow_action", mail.pk, "approve", state.pk), {"comment": ""})
    mail = Mail.objects.get()
    assert mail.live and mail.subject == "Changed"
    assert ready.version_to_send(mail, now=now).mail_id == mail.pk


def test_lock__by_a_colleague__nobody_else_changes_it(client: Any) -> None:
    log_in(client, "first")
    mail = factories.make_mail()
    client.post(url("lock", mail.pk))
    mail.refresh_from_db()
    assert mail.locked
    log_in(client, "second")
    client.post(url("edit", mail.pk), post_data(mail, **{"action-publish": "1"}))
    mail.refresh_from_db()
    assert mail.subject == "Hello"
    assert mail.get_latest_revision_as_object().subject == "Hello"


def test_translation__japanese__draft_of_its_own_with_a_japanese_footer() -> None:
    japanese = Locale.objects.get_or_create(language_code="ja")[0]
    mail = factories.make_mail(language="")
    translated = mail.copy_for_translation(japanese)
    translated.save()
    assert translated.translation_key == mail.translation_key
    assert mail.get_translation(japanese) == translated
    texts = {each.pk: static_text(compile_mail(each).parts["text"]) for each in (mail, translated)}
    assert "Unsubscribe" in texts[mail.pk]
    assert "配信を停止する" in texts[translated.pk] and "Unsubscribe" not in texts[translated.pk]


def test_older_revision__taken_back__is_what_goes_out(client: Any, now: Any) -> None:
    log_in(client, "author")
    mail = factories.make_mail()
    first = mail.save_revision()
    first.publish()
    mail.subject = "A mistake"
    mail.save_revision().publish()
    mail.refresh_from_db()
    wrong = ready.version_to_send(mail, now=now)
    old = url("revisions_revert", mail.pk, first.pk)
    assert "Hello" in client.get(old).content.decode()
    client.post(
        url("edit", mail.pk), post_data(mail, subject="Hello", revision=first.pk, **{"action-publish": "1"})
    )
    mail.refresh_from_db()
    assert mail.subject == "Hello"
    assert ready.version_to_send(mail, now=now) != wrong


def test_copy__of_a_mail_that_was_sent__is_a_draft_that_nobody_got(client: Any, now: Any) -> None:
    from wagtail_ma.messaging import queue

    log_in(client, "author")
    mail = factories.make_mail()
    queue.enqueue(mail, factories.make_lead(now=now), occurrence="", now=now)
    form = BeautifulSoup(client.get(url("copy", mail.pk)).content, "html.parser").select_one(
        "form#w-editor-form"
    )
    assert form is not None
    client.post(str(form["action"]), post_data(mail, name="Copy"))
    copy = Mail.objects.exclude(pk=mail.pk).get()
    assert (copy.name, copy.live, copy.deliveries.count()) == ("Copy", False, 0)
    assert copy.translation_key != mail.translation_key
    assert client.get(reverse("wagtail_ma_mails:edit", args=[copy.pk])).status_code == 200
