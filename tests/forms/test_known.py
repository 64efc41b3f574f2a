"""Asking only what is not known yet: from this browser, never from the lead's record."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client, RequestFactory
from django.utils import timezone
from wagtail.blocks import StreamBlock

from tests import factories
from tests.forms.test_form_page import send, state_in, url_of
from wagtail_ma.blocks import LeadFormBlock
from wagtail_ma.forms.known import known_answers
from wagtail_ma.forms.models import Submission
from wagtail_ma.people import merge
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Identity, IdentityLink, Lead
from wagtail_ma.people.visitors import BrowserVisitor
from wagtail_ma.personalisation.http import is_marked

pytestmark = pytest.mark.django_db

QUESTIONS = ("email", "family_name", "company_name", "title", "phone")


def asked(response) -> list[str]:
    return [
        name for name in (*QUESTIONS, "message", "budget") if f'name="{name}"' in response.content.decode()
    ]


@pytest.fixture
def form(site):
    return factories.lead_form(*QUESTIONS, asks_only_unknown=True, max_questions=2)


def test_page__stranger__asked_the_first_ones(client, form):
    assert asked(client.get(url_of(form))) == ["email", "family_name", "company_name"]


def test_page__second_time__asked_the_next_ones_and_nothing_is_lost(client, form):
    assert send(client, form).status_code == 303
    response = client.get(url_of(form))
    assert asked(response) == ["email", "title", "phone"]
    assert 'value="ann@example.com"' in response.content.decode()
    state = state_in(response)
    answers = {"email": "ann@example.com", "title": "CEO", "phone": "03-1234-5678", "ma_state": state}
    assert client.post(url_of(form), answers).status_code == 303
    assert asked(client.get(url_of(form))) == ["email"]
    lead = Lead.objects.get()
    assert (lead.family_name, lead.title) == ("Suzuki", "CEO")


def test_page__other_browser_of_the_same_person__asked_everything_anew(client, form):
    send(client, form)
    other = Client()
    send(other, factories.lead_form("email"))
    assert Lead.objects.count() == 1
    response = other.get(url_of(form))
    assert asked(response) == ["email", "family_name", "company_name"]
    assert "Suzuki" not in response.content.decode()


def latest_browser() -> Identity:
    return Identity.objects.filter(kind="browser").latest("pk")


@pytest.mark.parametrize(
    ("methods", "has_typed", "is_shown"),
    [
        ([], True, False),
        # A link of a mail proves an address that was typed here before; else it may have been handed on.
        (["mail_link"], True, True),
        (["mail_link"], False, False),
        (["login"], True, True),
        (["login"], False, True),
    ],
)
def test_page__other_browser_once_the_address_is_proven_there__filled_in(
    client, form, methods, has_typed, is_shown
):
    send(client, form)
    other = Client()
    if has_typed:
        send(other, factories.lead_form("email"))
    else:
        send(other, factories.lead_form("email"), {"email": "ann@example.com"})
        Submission.objects.exclude(form=form).delete()
        IdentityLink.objects.filter(identity=latest_browser()).update(strength="claimed")
    for method in methods:
        identify(latest_browser(), email="ann@example.com", now=timezone.now(), method=method)
    response = other.get(url_of(form))
    expected = ["email", "title", "phone"] if is_shown else ["email", "family_name", "company_name"]
    assert asked(response) == expected
    assert ('value="ann@example.com"' in response.content.decode()) == (is_shown or has_typed)


def test_page__address_typed_only_after_the_link_of_a_mail__not_filled_in(client, form):
    send(client, form)
    other = Client()
    send(other, factories.lead_form("email"))
    earlier = timezone.now() - timedelta(days=1)
    identify(latest_browser(), email="ann@example.com", now=earlier, method="mail_link")
    assert asked(other.get(url_of(form))) == ["email", "family_name", "company_name"]


def test_page__proven_and_then_taken_apart__nothing_shown(client, form, now):
    send(client, form)
    browser = factories.browser(now)
    identify(browser, email="ann@example.com", now=now, method="login")
    shown = BrowserVisitor(browser.pk, browser.visitor_id)
    assert known_answers(form, shown)["family_name"] == "Suzuki"
    link = IdentityLink.objects.get(identity=browser, from_visitor__isnull=False)
    merge.undo(link, now=now)
    browser.refresh_from_db()
    assert known_answers(form, BrowserVisitor(browser.pk, browser.visitor_id)) == {}


def test_page__shared_computer__nothing_of_the_first_person(client, form):
    send(client, form)
    send(client, factories.lead_form("email"), {"email": "bob@example.com"})
    response = client.get(url_of(form))
    assert asked(response) == ["email", "family_name", "company_name"]
    text = response.content.decode()
    assert "Suzuki" not in text and "ann@example.com" not in text
    assert 'value="bob@example.com"' in text


def test_page__browser_that_refuses_to_be_known__asked_as_a_stranger(client, form):
    send(client, form)
    response = client.get(url_of(form), headers={"DNT": "1"})
    assert "ann@example.com" not in response.content.decode()


def test_page__usual_form__prefilled_but_all_is_asked(client, site):
    form = factories.lead_form("email", "family_name", "message")
    send(client, form, {"message": "Secret"})
    text = client.get(url_of(form)).content.decode()
    assert 'value="Suzuki"' in text
    assert "Secret" not in text


def test_page__another_form_s_own_question__not_taken_over(client, site):
    forms = []
    for _number in range(2):
        form = factories.lead_form("email", asks_only_unknown=True)
        form.fields.add(form.fields.model(maps_to="question", key="budget", label="Budget", sort_order=1))
        form.save()
        forms.append(form)
    send(client, forms[0], {"budget": "100"})
    assert asked(client.get(url_of(forms[0]))) == ["email"]
    assert asked(client.get(url_of(forms[1]))) == ["email", "budget"]


def test_post__question_that_was_not_shown__not_taken(client, form):
    response = send(client, form, {"title": "Boss"})
    assert response.status_code == 303
    assert "title" not in Submission.objects.get().data


def test_page__question_depends_on_a_known_one__asked_only_if_it_fits(client, site):
    for answer, expected in (("venue", ["email", "budget"]), ("online", ["email"])):
        form = factories.lead_form("email", asks_only_unknown=True)
        question = form.fields.model
        form.fields.add(question(maps_to="question", key="way", label="W", is_required=False, sort_order=1))
        form.save()
        browser = Client()
        send(browser, form, {"way": answer})
        form.fields.add(
            question(
                maps_to="question",
                key="budget",
                label="B",
                show_if="way",
                show_if_values="venue",
                sort_order=2,
            )
        )
        form.save()
        assert asked(browser.get(url_of(form))) == expected


def render(form, client, **value):
    block = StreamBlock([("lead_form", LeadFormBlock())])
    stream = block.to_python([{"type": "lead_form", "value": {"form": form.pk, **value}}])
    request = RequestFactory().get("/")
    request.COOKIES = {name: cookie.value for name, cookie in client.cookies.items()}
    return stream[0].render({"request": request}), request


def test_block__usual__full_form_and_cacheable(client, form, django_assert_max_num_queries):
    send(client, form)
    html, request = render(form, client)
    assert 'name="title"' in html and 'name="family_name"' in html
    assert "ann@example.com" not in html
    assert not is_marked(request)


def test_block__adapted_to_the_visitor__known_left_out_and_page_private(client, form):
    send(client, form)
    html, request = render(form, client, is_personal=True)
    assert 'name="title"' in html and 'name="family_name"' not in html
    assert 'value="ann@example.com"' in html
    assert is_marked(request)
