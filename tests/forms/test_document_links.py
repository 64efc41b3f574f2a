"""Other ways to a gated document: old links, the media directory, remote storages."""

from __future__ import annotations

import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import path, re_path, reverse
from django.views.static import serve

from tests import factories
from tests.forms.test_form_page import send, url_of
from tests.urls import urlpatterns as usual
from wagtail_ma.forms import checks
from wagtail_ma.forms.models import GatedDocument
from wagtail_ma.tracking.models import Activity

pytestmark = pytest.mark.django_db
MIDDLEWARE = "wagtail_ma.web.document_links.DocumentMiddleware"


@pytest.fixture
def document(site, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, MIDDLEWARE]
    return factories.document()


@pytest.fixture
def form(document):
    form = factories.lead_form()
    GatedDocument.objects.create(document_id=document.pk, form=form)
    return form


def rename(document):
    old = document.url
    document.file.save("paper-2027.pdf", ContentFile(b"%PDF-1.4 newer"), save=True)
    assert old != document.url
    return old


@pytest.mark.parametrize("headers", [{}, {"Range": "bytes=0-3"}])
def test_old_link__file_renamed__leads_to_the_form_and_then_to_the_file(client, document, form, headers):
    old = rename(document)
    response = client.get(old, headers=headers)
    assert response["Location"] == f"{url_of(form)}?document={document.pk}"
    send(client, form, query=f"?document={document.pk}")
    response = client.get(old, follow=True, headers=headers)
    assert response.redirect_chain == [(document.url, 302)]
    assert b"".join(response.streaming_content) == b"%PDF-1.4 newer"
    assert Activity.objects.filter(kind="download").count() == 1


def test_old_link__not_gated_or_unknown__404_as_ever(client, document, form):
    GatedDocument.objects.all().delete()
    assert client.get(rename(document)).status_code == 404
    assert client.get(reverse("wagtaildocs_serve", args=[10**18, "x.pdf"])).status_code == 404
    assert client.get("/no/such/page/").status_code == 404


def test_old_link__fault_inside__404(client, document, form, monkeypatch):
    old = rename(document)
    monkeypatch.setattr("wagtail_ma.web.document_links.gates.gate_of", lambda pk: 1 / 0)
    assert client.get(old).status_code == 404


@pytest.fixture
def media(document, settings, tmp_path):
    class OpenMedia:
        urlpatterns = [re_path(r"^media/(?P<path>.*)$", serve, {"document_root": tmp_path}), *usual]

    settings.ROOT_URLCONF = OpenMedia
    assert not checks.check_media(None)
    return document.file.url


@pytest.mark.parametrize("spelling", ["{}", "//{}", "./{}", "x/../{}"])
def test_media_path__served_by_django__leads_to_the_form(client, document, form, media, spelling):
    address = "/media/" + spelling.format(document.file.name)
    for headers in ({}, {"Range": "bytes=0-3"}):
        response = client.get(address, headers=headers)
        assert response["Location"] == f"{url_of(form)}?document={document.pk}"
    send(client, form, query=f"?document={document.pk}")
    assert client.get(address).status_code == 200
    assert Client().get(address).status_code == 302


def test_media_path__not_gated_or_another_directory__served(client, document, media, tmp_path, settings):
    assert client.get(media).status_code == 200

    class OtherFiles:
        urlpatterns = [path("media/<path:path>", serve, {"document_root": str(tmp_path / "documents")})]

    GatedDocument.objects.create(document_id=document.pk, form=factories.lead_form())
    assert client.get(media).status_code == 302
    settings.ROOT_URLCONF = OtherFiles
    assert client.get(f"/media/{document.filename}").status_code == 200


def store(settings, name):
    backends = {**settings.STORAGES, "default": {"BACKEND": f"tests.testapp.storages.{name}"}}
    settings.STORAGES = backends


def test_remote_storage__signed_addresses__only_behind_the_form(client, site, settings):
    store(settings, "SignedStorage")
    settings.WAGTAILDOCS_SERVE_METHOD = "redirect"
    document, form = factories.document(), factories.lead_form()
    GatedDocument.objects.create(document_id=document.pk, form=form)
    address = reverse("wagtaildocs_serve", args=[document.pk, document.filename])
    assert client.get(address)["Location"] == f"{url_of(form)}?document={document.pk}"
    thanks = client.get(send(client, form, query=f"?document={document.pk}")["Location"])
    assert "files.example" not in thanks.content.decode()
    for link in (thanks.context["download_url"], address):
        response = client.get(link)
        assert response["Location"].startswith("https://files.example/documents/")
        assert "signature=" in response["Location"]
    assert "no-store" in client.get(thanks.context["download_url"])["Cache-Control"]
    assert Activity.objects.filter(kind="download").count() == 1


def test_remote_storage__served_by_the_site__file_itself(client, site, settings):
    store(settings, "MuteStorage")
    document, form = factories.document(), factories.lead_form()
    GatedDocument.objects.create(document_id=document.pk, form=form)
    thanks = client.get(send(client, form, query=f"?document={document.pk}")["Location"])
    response = client.get(thanks.context["download_url"])
    assert b"".join(response.streaming_content) == b"%PDF-1.4 whitepaper"


@pytest.mark.parametrize(
    ("name", "ids"), [("PublicStorage", ["wagtail_ma.W033"]), ("SignedStorage", []), ("MuteStorage", [])]
)
def test_check_storage__addresses_for_everybody__warned_with_the_cure(settings, name, ids):
    store(settings, name)
    found = checks.check_storage(None)
    assert [message.id for message in found] == ids
    assert all("querystring_auth" in message.hint for message in found)


@pytest.mark.parametrize(
    ("attributes", "is_signed"),
    [
        ({"querystring_auth": True, "custom_domain": None}, True),
        ({"querystring_auth": False}, False),
        ({"querystring_auth": True, "custom_domain": "cdn.example", "cloudfront_signer": None}, False),
        ({"querystring_auth": True, "custom_domain": "cdn.example", "cloudfront_signer": object()}, True),
        ({"expiration_secs": None}, False),
        ({"expiration_secs": 60}, True),
    ],
)
def test_signs_addresses__storages_of_django_storages__by_their_settings(attributes, is_signed):
    class Remote:
        def url(self, name):
            raise AssertionError("might ask the network")

    storage = Remote()
    storage.__dict__.update(attributes)
    assert checks.signs_addresses(storage) is is_signed
