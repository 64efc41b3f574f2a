"""The public form, as a browser without JavaScript meets it."""

from __future__ import annotations

import html
import re

import pytest
from django.urls import reverse

from tests import factories
from wagtail_ma.conf import conf
from wagtail_ma.forms import limits
from wagtail_ma.forms.models import GatedDocument, Submission
from wagtail_ma.messaging.models import Consent, Delivery
from wagtail_ma.people.models import Identity, Lead, Visitor
from wagtail_ma.tracking.models import Activity

pytestmark = pytest.mark.django_db

ANSWERS = {"family_name": "Suzuki", "company_name": "Example Ltd", "email": "ann@example.com"}


def url_of(form):
    return reverse("wagtail_ma:form", args=[form.pk])


def state_in(response) -> str:
    return html.unescape(re.search(r'name="ma_state" value="([^"]+)"', response.content.decode())[1])


def send(client, form, answers=None, *, query="", **extra):
    state = state_in(client.get(url_of(form) + query))
    return client.post(url_of(form), {**ANSWERS, **(answers or {}), "ma_state": state}, **extra)


def test_get__form__shows_labelled_questions_and_sets_no_cookie(client, site):
    form = factories.lead_form("family_name", "email", "message", consent_text="You may write to me.")
    response = client.get(url_of(form))
    text = response.content.decode()
    assert response.status_code == 200
    assert not response.cookies
    for name in ("family_name", "email", "message", "consent"):
        assert f'for="ma-form-{form.pk}-{name}"' in text
        assert f'id="ma-form-{form.pk}-{name}"' in text
    assert "You may write to me." in text
    assert f'data-ma-form="{form.pk}"' in text
    assert not re.search(r'\son\w+="|style="|<script>', text)
    assert not Visitor.objects.exists()


def test_post__good_answers__named_lead_with_fact_and_cookie(client, site):
    form = factories.lead_form(thanks="Many thanks!")
    response = send(client, form)
    assert response.status_code == 303
    lead = Lead.objects.get()
    assert (lead.email, lead.family_name, lead.company_name) == ("ann@example.com", "Suzuki", "Example Ltd")
    activity = Activity.objects.get()
    assert (activity.kind, activity.object_key, activity.visitor_id) == (
        "form_submit",
        str(form.pk),
        lead.visitor_id,
    )
    cookie = response.cookies[conf.COOKIE_NAME]
    assert cookie["httponly"] and cookie["samesite"] == "Lax"
    assert "ann" not in cookie.value
    thanks = client.get(response["Location"]).content.decode()
    assert "Many thanks!" in thanks
    assert "ann@example.com" not in thanks
    assert "Suzuki" not in thanks


def test_post__same_answers_twice__one_submission(client, site):
    form = factories.lead_form()
    state = state_in(client.get(url_of(form)))
    answers = {**ANSWERS, "ma_state": state}
    assert [client.post(url_of(form), answers).status_code for _again in range(3)] == [303] * 3
    assert Submission.objects.count() == Activity.objects.count() == 1


def test_post__cached_page__two_people_are_two_submissions(client, site):
    form = factories.lead_form()
    state = state_in(client.get(url_of(form)))
    client.post(url_of(form), {**ANSWERS, "ma_state": state})
    client.cookies.clear()
    client.post(url_of(form), {**ANSWERS, "email": "bob@example.com", "ma_state": state})
    assert Submission.objects.count() == Lead.objects.count() == 2


def test_post__full_width__repaired(client, site):
    form = factories.lead_form("email", "phone")
    response = send(
        client, form, {"email": "ａｎｎ＠ｅｘａｍｐｌｅ．ｃｏｍ", "phone": "０３ー１２３４−５６７８"}
    )
    assert response.status_code == 303
    lead = Lead.objects.get()
    assert (lead.email, lead.phone) == ("ann@example.com", "03-1234-5678")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nonsense"),
        ("email", ""),
        ("email", "ann@example.com\r\nBcc: victim@example.com"),
        ("family_name", "Ann\nBcc: victim@example.com"),
        ("company_name", "x\x00y"),
        ("company_name", "x" * 161),
        ("company_name", ""),
    ],
)
def test_post__bad_value__says_so_beside_the_field_and_keeps_the_rest(client, site, field, value):
    form = factories.lead_form()
    response = send(client, form, {field: value})
    text = response.content.decode()
    assert response.status_code == 422
    assert f'id="ma-form-{form.pk}-{field}_error"' in text
    assert f'aria-describedby="ma-form-{form.pk}-{field}_error"' in text
    assert 'aria-invalid="true"' in text
    kept = "company_name" if field == "family_name" else "family_name"
    assert f'value="{ANSWERS[kept]}"' in text
    assert not Visitor.objects.exists()
    assert not Delivery.objects.exists()


def test_post__script_in_a_value__escaped(client, site):
    form = factories.lead_form()
    text = send(client, form, {"email": "no", "company_name": '"><script>alert(1)</script>'}).content.decode()
    assert "<script>alert" not in text


def test_post__trap_filled__thanks_and_nothing_else(client, site):
    form = factories.lead_form()
    response = send(client, form, {"ma_homepage": "https://spam.example"})
    assert response.status_code == 200
    assert "Thank you" in response.content.decode()
    assert not Submission.objects.exists()
    assert not Delivery.objects.exists()


def test_post__too_quick__asked_to_send_again(client, site, settings):
    settings.WAGTAIL_MA = {"FORM_MIN_SECONDS": 60}
    form = factories.lead_form()
    response = send(client, form)
    assert response.status_code == 422
    assert 'value="Suzuki"' in response.content.decode()
    assert not Submission.objects.exists()


@pytest.mark.parametrize("state", ["", "x", "é", "A" * 5000])
def test_post__forged_state__shown_again_with_the_entries(client, site, state):
    form = factories.lead_form()
    response = client.post(url_of(form), {**ANSWERS, "ma_state": state})
    assert response.status_code == 422
    assert 'value="Suzuki"' in response.content.decode()
    fresh = state_in(response)
    assert client.post(url_of(form), {**ANSWERS, "ma_state": fresh}).status_code == 303


def test_post__state_of_another_form__refused(client, site):
    one, other = factories.lead_form(), factories.lead_form()
    state = state_in(client.get(url_of(one)))
    assert client.post(url_of(other), {**ANSWERS, "ma_state": state}).status_code == 422


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "null", "Sec-Fetch-Site": "same-origin"}, 303),
        ({"Origin": "http://testserver"}, 303),
    ],
)
def test_post__origin__only_our_own_site(client, site, headers, status):
    form = factories.lead_form()
    assert send(client, form, headers=headers).status_code == status
    assert Lead.objects.exists() == (status == 303)


def test_post__consent_ticked__recorded_with_its_text(client, site):
    form = factories.lead_form("email", consent_text="You may write to me.")
    send(client, form, {"consent": "on"})
    consent = Consent.objects.get()
    assert consent.is_granted
    assert (consent.text, consent.email, consent.source_kind) == (
        "You may write to me.",
        "ann@example.com",
        "form",
    )


def test_post__consent_not_ticked__nothing_recorded(client, site):
    send(client, factories.lead_form("email", consent_text="You may write to me."))
    assert not Consent.objects.exists()


@pytest.mark.parametrize("header", ["DNT", "Sec-GPC"])
def test_post__browser_refuses_to_be_known__lead_without_cookie_or_browser(client, site, header):
    response = send(client, factories.lead_form(), headers={header: "1"})
    assert response.status_code == 303
    assert conf.COOKIE_NAME not in response.cookies
    assert Lead.objects.count() == 1
    assert not Identity.objects.filter(kind="browser").exists()


def test_post__second_person_at_the_same_computer__cookie_changes(client, site):
    form = factories.lead_form()
    send(client, form)
    before = client.cookies[conf.COOKIE_NAME].value
    send(client, form, {"email": "bob@example.com"})
    assert client.cookies[conf.COOKIE_NAME].value != before
    assert Lead.objects.count() == 2
    assert Identity.objects.filter(kind="browser").values("visitor_id").distinct().count() == 2


def test_post__role_address__browser_keeps_its_cookie_and_stays_anonymous(client, site):
    response = send(client, factories.lead_form(), {"email": "info@example.com"})
    assert response.status_code == 303
    browser = Identity.objects.get(kind="browser")
    assert not Lead.objects.filter(visitor_id=browser.visitor_id).exists()
    assert Submission.objects.get().browser == browser


def test_post__many_from_one_network__told_to_wait(client, site, monkeypatch):
    monkeypatch.setattr(limits, "PER_NETWORK", 2)
    form = factories.lead_form()
    codes = [
        send(client, form, {"email": f"a{number}@example.com"}, REMOTE_ADDR=f"203.0.114.{number}").status_code
        for number in range(3)
    ]
    assert codes == [303, 303, 429]
    other = send(client, form, {"email": "b@example.com"}, REMOTE_ADDR="198.52.101.7")
    assert other.status_code == 303


def test_post__many_for_one_address__told_to_wait(client, site, monkeypatch):
    monkeypatch.setattr(limits, "PER_ADDRESS", 2)
    form = factories.lead_form()
    assert [send(client, form).status_code for _time in range(3)] == [303, 303, 429]


def network(remote, forwarded=""):
    return limits.network_of({"REMOTE_ADDR": remote, "HTTP_X_FORWARDED_FOR": forwarded})


@pytest.mark.parametrize(
    ("remote", "forwarded", "same_as"),
    [
        ("203.0.114.9", "", "203.0.114.200"),
        ("10.0.0.1", "1.2.3.4, 203.0.114.9", "203.0.114.1"),
        ("2606:4700:1:2::3", "", "2606:4700:1:ffff::1"),
        ("::ffff:203.0.114.9", "", "203.0.114.1"),
    ],
)
def test_network_of__address__one_value_per_network(settings, remote, forwarded, same_as):
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "TRUSTED_PROXIES": ["10.0.0.0/8"]}
    assert network(remote, forwarded) == network(same_as) != ""


@pytest.mark.parametrize(
    ("remote", "forwarded"), [("", ""), ("127.0.0.1", ""), ("10.0.0.1", "nonsense"), ("unix:", "x")]
)
def test_network_of__unknown__not_limited(settings, remote, forwarded):
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "TRUSTED_PROXIES": ["10.0.0.0/8"]}
    assert network(remote, forwarded) == ""


def test_network_of__proxy_that_nobody_named__said_once_in_the_log(caplog):
    limits._warn_of_proxy.cache_clear()
    assert [network("10.0.0.1", "203.0.114.9") for _again in range(3)] == [""] * 3
    assert [record.message for record in caplog.records if "TRUSTED_PROXIES" in record.message] != []
    assert len(caplog.records) == 1


@pytest.mark.parametrize("proxies", [[], ["10.0.0.0/8"]])
def test_post__forged_forwarded_for__limited_all_the_same(client, site, settings, monkeypatch, proxies):
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "TRUSTED_PROXIES": proxies}
    monkeypatch.setattr(limits, "PER_NETWORK", 2)
    form = factories.lead_form()
    # Straight from the net; and through our proxy, which adds the true address at the end.
    direct = {"REMOTE_ADDR": "203.0.114.9", "HTTP_X_FORWARDED_FOR": "198.52.{}.7"}
    proxied = {"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "198.52.{}.7, 203.0.114.9"}
    codes = []
    for number in range(3):
        extra = {key: text.format(number) for key, text in (proxied if proxies else direct).items()}
        codes.append(send(client, form, {"email": f"a{number}@example.com"}, **extra).status_code)
    assert codes == [303, 303, 429]


def test_post__in_the_language_of_the_page__errors_and_lead_in_it(client, site):
    form = factories.lead_form()
    state = state_in(client.get(url_of(form), headers={"Accept-Language": "ja"}))
    client.post(url_of(form), {**ANSWERS, "ma_state": state}, headers={"Accept-Language": "en"})
    assert Lead.objects.get().language == "ja"


def test_get__document_of_another_form__not_mentioned(client, site):
    form, other = factories.lead_form(), factories.lead_form()
    document = factories.document("Secret plan")
    GatedDocument.objects.create(document_id=document.pk, form=other)
    assert "Secret plan" not in client.get(f"{url_of(form)}?document={document.pk}").content.decode()
    assert "Secret plan" in client.get(f"{url_of(other)}?document={document.pk}").content.decode()


@pytest.mark.parametrize(
    "query", ["?document=x", "?document=" + "9" * 40, "?document=-1", "?sent=x", "?sent=", "?document=²"]
)
def test_get__odd_query__plain_form(client, site, query):
    assert client.get(url_of(factories.lead_form()) + query).status_code == 200


def test_get__unknown_form__404(client, site):
    assert client.get(reverse("wagtail_ma:form", args=[999])).status_code == 404
