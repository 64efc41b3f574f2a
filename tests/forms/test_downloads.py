"""The gate in front of documents, and every way round it that we know of."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import checks
from django.urls import reverse
from django.utils import timezone

from tests import factories
from tests.forms.test_form_page import ANSWERS, send, state_in, url_of
from wagtail_ma.core import tokens
from wagtail_ma.forms import downloads
from wagtail_ma.forms.models import GatedDocument, Submission
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Identity
from wagtail_ma.tracking.models import Activity

pytestmark = pytest.mark.django_db


@pytest.fixture
def document(site, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return factories.document()


@pytest.fixture
def form(document):
    form = factories.lead_form()
    GatedDocument.objects.create(document_id=document.pk, form=form)
    return form


def body(response) -> bytes:
    return b"".join(response.streaming_content) if response.streaming else response.content


def sent_link(client, form) -> str:
    """The link on the thank-you page after a form."""
    thanks = client.get(send(client, form)["Location"])
    return thanks.context["download_url"]


def test_direct_address__not_gated__served(client, document):
    assert body(client.get(document.url)) == b"%PDF-1.4 whitepaper"


@pytest.mark.parametrize(
    "extra", [{}, {"headers": {"Range": "bytes=0-9"}}, {"headers": {"If-None-Match": "*"}}]
)
@pytest.mark.parametrize("method", ["get", "head"])
def test_direct_address__gated__leads_to_the_form(client, document, form, method, extra):
    response = getattr(client, method)(document.url, **extra)
    assert response.status_code == 302
    assert response["Location"] == f"{url_of(form)}?document={document.pk}"
    assert response["Cache-Control"] == "private, no-store"


def test_form_of_a_gate__sent__download_starts_and_a_link_is_mailed(client, document, form):
    thanks = client.get(send(client, form, query=f"?document={document.pk}")["Location"])
    assert f'content="1; url={thanks.context["download_url"]}"' in thanks.content.decode()
    response = client.get(thanks.context["download_url"])
    assert body(response) == b"%PDF-1.4 whitepaper"
    assert response["Content-Disposition"].startswith("attachment")
    delivery = Delivery.objects.get()
    assert delivery.email == ANSWERS["email"]
    activity = Activity.objects.get(kind="download")
    assert (activity.object_kind, activity.object_key) == ("document", str(document.pk))


def test_form_in_a_page__gate_of_one_document__hands_it_out(client, document, form):
    assert sent_link(client, form)


def test_download__resumed_and_direct_and_by_mail__one_act(client, document, form):
    link = sent_link(client, form)
    client.get(link)
    client.get(link, headers={"Range": "bytes=5-"})
    client.get(document.url)
    client.post(downloads.make_link(Submission.objects.get(), now=timezone.now(), by_mail=True))
    assert Activity.objects.filter(kind="download").count() == 1


@pytest.fixture
def clock(monkeypatch):
    """Call it to let hours pass for the view of downloads."""
    moment = [timezone.now()]

    class Clock:
        now = staticmethod(lambda: moment[0])

    monkeypatch.setattr("wagtail_ma.web.downloads.timezone", Clock)

    def pass_by(hours):
        moment[0] += timedelta(hours=hours)

    return pass_by


def test_download__again_hours_later__counts_again(client, document, form, clock):
    link = sent_link(client, form)
    client.get(link)
    clock(3)
    client.get(link)
    client.get(link, headers={"Range": "bytes=0-"})
    assert Activity.objects.filter(kind="download").count() == 2
    clock(30)
    client.post(downloads.make_link(Submission.objects.get(), now=timezone.now(), by_mail=True))
    assert Activity.objects.filter(kind="download").count() == 3


@pytest.mark.parametrize("part", ["bytes=5-", "bytes=0005-9", "bytes=-5", " bytes = 7-"])
def test_download__resumed_hours_later__is_the_same_one(client, document, form, clock, part):
    client.get(link := sent_link(client, form))
    clock(5)
    client.get(link, headers={"Range": part})
    client.get(document.url, headers={"Range": part})
    assert Activity.objects.filter(kind="download").count() == 1


def test_download__nothing_but_parts_asked_for__counts_once(client, document, form, clock):
    link = sent_link(client, form)
    for start in (10, 20, 30):
        client.get(link, headers={"Range": f"bytes={start}-{start + 9}"})
        clock(1)
    assert Activity.objects.filter(kind="download").count() == 1


def test_direct_address__browser_that_sent_the_form__let_through(client, document, form):
    send(client, form)
    assert body(client.get(document.url)) == b"%PDF-1.4 whitepaper"
    assert Activity.objects.filter(kind="download").count() == 1


def test_direct_address__another_browser_of_the_same_person__asked(client, client_two, document, form):
    send(client, form)
    other_form = factories.lead_form()
    send(client_two, other_form)
    assert Identity.objects.filter(kind="browser").values("visitor_id").distinct().count() == 1
    assert client_two.get(document.url).status_code == 302


def test_direct_address__another_browser_where_the_address_is_proven__let_through(
    client, client_two, document, form
):
    send(client, form)
    send(client_two, factories.lead_form())
    other = Identity.objects.filter(kind="browser").latest("pk")
    identify(other, email="ann@example.com", now=timezone.now(), method="mail_link")
    assert client_two.get(document.url).status_code == 200


def test_direct_address__the_form_was_sent_for_another_document__asked(client, document, form):
    other = factories.document("Other")
    GatedDocument.objects.create(document_id=other.pk, form=form)
    send(client, form, query=f"?document={other.pk}")
    assert client.get(document.url).status_code == 302
    assert client.get(other.url).status_code == 200


def test_direct_address__long_after_the_form__asked_again(client, document, form):
    send(client, form)
    Submission.objects.update(at=timezone.now() - timedelta(days=8))
    assert client.get(document.url).status_code == 302


def test_direct_address__editor__let_through_and_not_recorded(admin_client, document, form):
    assert admin_client.get(document.url).status_code == 200
    assert not Activity.objects.exists()


def test_mailed_link__opened_by_a_scanner__acts_by_button_only(client, document, form):
    send(client, form)
    link = downloads.make_link(Submission.objects.get(), now=timezone.now(), by_mail=True)
    client.cookies.clear()
    page = client.get(link)
    assert page.status_code == 200
    assert b"%PDF" not in page.content
    assert b"tracker.js" not in page.content
    assert not Activity.objects.filter(kind="download").exists()
    assert body(client.post(link)) == b"%PDF-1.4 whitepaper"
    assert Activity.objects.filter(kind="download").count() == 1


def test_page_link__handed_to_another_browser__offers_the_form(client, client_two, document, form):
    link = sent_link(client, form)
    send(client_two, factories.lead_form(), {"email": "bob@example.com"})
    response = client_two.get(link)
    assert response.status_code == 403
    assert f"{url_of(form)}?document={document.pk}" in response.content.decode()


def test_link__expired__says_so_and_offers_the_form(client, document, form):
    send(client, form)
    long_ago = timezone.now() - timedelta(days=30)
    for by_mail in (False, True):
        response = client.get(downloads.make_link(Submission.objects.get(), now=long_ago, by_mail=by_mail))
        assert response.status_code == 410
        assert "This link has expired" in response.content.decode()
        assert f"{url_of(form)}?document={document.pk}" in response.content.decode()


def test_link__forged__says_so_and_offers_the_form(client, document, form):
    other = factories.document("Other")
    GatedDocument.objects.create(document_id=other.pk, form=factories.lead_form())
    link = sent_link(client, form)
    broken = link[:-3] + ("A" if link[-3] != "A" else "B") + link[-2:]
    response = client.get(broken)
    assert response.status_code == 403
    assert "This link is not valid" in response.content.decode()
    assert f"{url_of(form)}?document={document.pk}" in response.content.decode()


@pytest.mark.parametrize("token", ["x", "-", "é", "%00", "A" * 3000, "W10", "WzEsMl0"])
def test_link__rubbish__page_and_no_error(client, document, form, token):
    assert client.get(f"/ma/download/{token}/").status_code == 403


def test_link__for_another_document__not_accepted(client, document, form):
    other = factories.document("Other")
    send(client, form)
    submission = Submission.objects.get()
    token = tokens.dumps("download", (other.pk, submission.pk), now=timezone.now())
    assert client.get(reverse("wagtail_ma:download", args=[token])).status_code == 403


def test_link__of_another_purpose__not_accepted(client, document, form):
    send(client, form)
    token = tokens.dumps("form_sent", (document.pk, Submission.objects.get().pk), now=timezone.now())
    assert client.get(reverse("wagtail_ma:download", args=[token])).status_code == 403


def test_link__person_erased__not_accepted(client, document, form):
    link = sent_link(client, form)
    Submission.objects.all().delete()
    assert client.get(link).status_code == 403


def test_link__document_deleted__page(client, document, form):
    link = sent_link(client, form)
    document.delete()
    assert client.get(link).status_code == 403
    assert client.get(url_of(form)).status_code == 200


def test_link__role_address__person_gets_it_and_the_act_is_theirs(client, document, form):
    link = client.get(send(client, form, {"email": "info@example.com"})["Location"]).context["download_url"]
    assert client.get(link).status_code == 200
    activity = Activity.objects.get(kind="download")
    assert activity.identity.key == "info@example.com"


def test_collection_privacy__still_holds_behind_our_gate(client, document, form):
    from wagtail.models import CollectionViewRestriction

    link = sent_link(client, form)
    CollectionViewRestriction.objects.create(collection=document.collection, restriction_type="login")
    assert client.get(link).status_code == 302


@pytest.mark.parametrize(
    ("method", "ids"),
    [
        ("direct", ["wagtail_ma.W030"]),
        ("redirect", ["wagtail_ma.W031"]),
        ("serve_view", []),
    ],
)
def test_check_documents__serve_method__says_what_bypasses_the_gate(settings, method, ids):
    from wagtail_ma.forms.checks import check_documents

    settings.WAGTAILDOCS_SERVE_METHOD = method
    found = check_documents(None)
    assert [message.id for message in found] == ids
    assert all(isinstance(message, checks.Warning) and message.hint for message in found)


def test_state__read_back__is_what_was_sealed(now):
    from wagtail_ma.forms.state import new_state, read_state

    state = new_state(7, now=now, document_id=3, page_id=None, language="ja")
    assert read_state(state.seal(), form_id=7, now=now + timedelta(days=29)) == state
    with pytest.raises(tokens.BadToken):
        read_state(state.seal(), form_id=7, now=now + timedelta(days=31))
    assert state_in  # imported for the form's tests


@pytest.fixture
def client_two():
    from django.test import Client

    return Client()


class OpenMedia:
    """A URLconf that hands out everything below /media/."""

    from django.urls import re_path
    from django.views.static import serve

    urlpatterns = [re_path(r"^media/(?P<path>.*)$", serve, {"document_root": "/nowhere"})]


@pytest.mark.parametrize(("urlconf", "ids"), [(OpenMedia, ["wagtail_ma.W032"]), ("tests.urls", [])])
def test_check_media__all_files_handed_out__warned(settings, urlconf, ids):
    from wagtail_ma.forms.checks import check_media

    settings.ROOT_URLCONF = urlconf
    assert [message.id for message in check_media(None)] == ids
