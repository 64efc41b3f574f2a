"""The site's own forms, views and log-ins."""

from __future__ import annotations

import pytest
from django.contrib.auth.views import LoginView
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import path

from tests import factories
from tests.testapp.models import EnquiryField, EnquiryPage
from tests.urls import urlpatterns as usual
from wagtail_ma.conf import conf
from wagtail_ma.core import tokens
from wagtail_ma.people import cookies
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Identity, IdentityLink, Lead
from wagtail_ma.tracking.models import Activity
from wagtail_ma.web import host

pytestmark = pytest.mark.django_db


def signed(key: str) -> str:
    return tokens.dumps(cookies.PURPOSE, key.encode())


def request_of(browser=None):
    request = RequestFactory().post("/", HTTP_USER_AGENT=factories.CHROME)
    if browser is not None:
        request.COOKIES[conf.COOKIE_NAME] = signed(browser.key)
    return request


def key_in(response) -> str:
    payload, _at = tokens.read(cookies.PURPOSE, response.cookies[conf.COOKIE_NAME].value)
    return payload.decode()


@pytest.fixture
def page(site):
    page = EnquiryPage(title="Ask us", slug="ask-us")
    site.root_page.add_child(instance=page)
    for label, kind in (("Your address", "email"), ("Firm", "singleline")):
        EnquiryField.objects.create(page=page, label=label, field_type=kind, required=True)
    return EnquiryPage.objects.get(pk=page.pk)


def test_form_page__sent__names_the_browser_and_keeps_the_page(client, page, now):
    browser = factories.browser(now)
    client.cookies[conf.COOKIE_NAME] = signed(browser.key)
    assert client.get(page.url).status_code == 200
    response = client.post(page.url, {"your_address": "ANN@Acme.example", "firm": "ACME"})
    assert response.status_code == 200
    lead = Lead.objects.get()
    assert (lead.email, lead.company_name, lead.visitor_id) == (
        "ann@acme.example",
        "ACME",
        browser.visitor_id,
    )
    assert page.get_submission_class().objects.count() == 1
    act = Activity.objects.get(kind="form_submit")
    assert (act.object_kind, act.object_key) == ("page", str(page.pk))
    assert IdentityLink.objects.get().evidence["page"] == page.pk


def test_form_page__not_valid__names_nobody(client, page):
    client.post(page.url, {"your_address": "nonsense", "firm": ""})
    assert not Lead.objects.exists()


def test_identify_visitor__shared_computer__cookie_changes(site, now):
    browser = factories.browser(now)
    identify(browser, email="ann@example.com", now=now, method="form")
    response = HttpResponse()
    lead = host.identify_visitor(request_of(browser), response, email="bob@example.com")
    assert lead.email == "bob@example.com"
    fresh = Identity.objects.get(key=key_in(response))
    assert fresh.pk != browser.pk
    assert fresh.visitor_id == lead.visitor_id


def test_identify_visitor__no_address_or_a_fault__returns_none_and_breaks_nothing(site, monkeypatch):
    assert host.identify_visitor(request_of(), email="") is None
    assert host.identify_visitor(request_of(), email="not an address") is None
    assert host.identify_visitor(request_of(), email="ann@example.com", nonsense="x") is None
    assert not Lead.objects.exists()


def test_identify_visitor__browser_that_refuses__lead_without_browser(site):
    request = request_of()
    request.META["HTTP_DNT"] = "1"
    response = HttpResponse()
    assert host.identify_visitor(request, response, email="ann@example.com") is not None
    assert not Identity.objects.filter(kind="browser").exists()
    assert not response.cookies


def test_signal__sent__identifies_and_middleware_sets_the_cookie(site):
    request = request_of()

    def view(request):
        host.address_given.send("the site", request=request, email="ann@example.com", fields={"title": "CEO"})
        return HttpResponse()

    response = host.IdentityMiddleware(view)(request)
    assert Lead.objects.get().rank == 1
    assert Identity.objects.get(key=key_in(response)).visitor_id == Lead.objects.get().visitor_id


def test_log_in__by_setting__proves_the_address(client, site, settings, now, django_user_model):
    user = django_user_model.objects.create_user(
        "ann", email="ann@example.com", password="x", last_name="Ito"
    )
    browser = factories.browser(now)
    client.cookies[conf.COOKIE_NAME] = signed(browser.key)
    client.force_login(user)
    assert not Lead.objects.exists()
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "IDENTIFY_LOGINS": True}
    host.on_logged_in(None, request=request_of(browser), user=user)
    lead = Lead.objects.get()
    assert (lead.visitor_id, lead.family_name) == (browser.visitor_id, "Ito")
    assert set(IdentityLink.objects.values_list("strength", flat=True)) == {"verified"}


class WithLogIn:
    """A URLconf with a page to log in, as Django has it."""

    urlpatterns = [
        path("members/", LoginView.as_view(next_page="/", template_name="wagtail_ma/base.html")),
        *usual,
    ]


def log_in(client, name):
    """Through the page itself, from form to answer."""
    return client.post("/members/", {"username": name, "password": "x"})


@pytest.fixture
def members(site, settings, django_user_model):
    settings.ROOT_URLCONF = WithLogIn
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "IDENTIFY_LOGINS": True}
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "wagtail_ma.web.host.IdentityMiddleware"]
    make = django_user_model.objects.create_user
    for name in ("ann", "bob"):
        make(name, email=f"{name}@example.com", password="x", last_name=name.title())
    make("nameless", email="", password="x")


def test_log_in__through_the_real_page__names_the_browser_and_proves_the_address(client, members, now):
    browser = factories.browser(now)
    client.cookies[conf.COOKIE_NAME] = signed(browser.key)
    response = log_in(client, "ann")
    assert response.status_code == 302
    assert key_in(response) == browser.key
    lead = Lead.objects.get()
    assert (lead.email, lead.visitor_id, lead.family_name) == ("ann@example.com", browser.visitor_id, "Ann")
    log_in(client, "ann")
    assert set(IdentityLink.objects.values_list("method", "strength")) == {("login", "verified")}


def test_log_in__second_member_at_the_same_computer__another_cookie(client, members, now):
    browser = factories.browser(now)
    client.cookies[conf.COOKIE_NAME] = signed(browser.key)
    log_in(client, "ann")
    client.post("/admin/logout/")
    response = log_in(client, "bob")
    assert key_in(response) != browser.key
    bob = Lead.objects.get(email="bob@example.com")
    assert Identity.objects.get(key=key_in(response)).visitor_id == bob.visitor_id
    browser.refresh_from_db()
    assert browser.visitor_id == Lead.objects.get(email="ann@example.com").visitor_id


def test_log_in__wrong_password_or_no_address__nobody(client, members):
    client.post("/members/", {"username": "ann", "password": "wrong"})
    assert log_in(client, "nameless").status_code == 302
    assert not Lead.objects.exists()


def test_log_in__fault_of_ours__still_logged_in(client, members, monkeypatch):
    monkeypatch.setattr(host, "identify_browser", lambda *args, **kwargs: 1 / 0)
    assert log_in(client, "ann").status_code == 302
    assert "_auth_user_id" in client.session


def test_form_page__sent_twice_by_a_double_click__one_act(client, page, now, monkeypatch):
    monkeypatch.setattr(host.timezone, "now", lambda: now)
    for _again in range(2):
        client.post(page.url, {"your_address": "ann@acme.example", "firm": "ACME"})
    assert Lead.objects.count() == Activity.objects.filter(kind="form_submit").count() == 1
    # The site's own record is the site's own matter.
    assert page.get_submission_class().objects.count() == 2
    client.post(page.url, {"your_address": "bob@acme.example", "firm": "ACME"})
    assert Activity.objects.filter(kind="form_submit").count() == 2


def test_form_page__hostile_values__page_and_lead_stay_whole(client, page):
    answers = {"your_address": "ann@acme.example", "firm": "<script>\u2028{{ x }}" + "x" * 200}
    assert client.post(page.url, answers).status_code == 200
    assert len(Lead.objects.get().company_name) <= 160


def test_form_page__fault_of_ours__page_as_ever(client, page, monkeypatch):
    monkeypatch.setattr(host, "identify_browser", lambda *args, **kwargs: 1 / 0)
    response = client.post(page.url, {"your_address": "ann@acme.example", "firm": "ACME"})
    assert response.status_code == 200
    assert page.get_submission_class().objects.count() == 1


def test_check__ma_fields_with_a_wrong_name__says_which(monkeypatch):
    assert not [one for one in EnquiryPage.check() if one.id == "wagtail_ma.E016"]
    wrong = {"email": "a", "company": "firm", "attributes.budget": "b"}
    monkeypatch.setattr(EnquiryPage, "ma_fields", wrong)
    (found,) = [one for one in EnquiryPage.check() if one.id == "wagtail_ma.E016"]
    assert "'company'" in found.msg
    assert "company_name" in found.hint


def test_log_in__of_staff__is_left_out(admin_user, site, settings):
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "IDENTIFY_LOGINS": True}
    host.on_logged_in(None, request=request_of(), user=admin_user)
    assert not Lead.objects.exists()
