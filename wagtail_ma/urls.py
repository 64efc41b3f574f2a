"""The public endpoints: ``path("ma/", include("wagtail_ma.urls"))``."""

from __future__ import annotations

from django.urls import path

from wagtail_ma.web import confirmations, downloads, forms, hits, mail, mail_archive, privacy, recorded, slots

app_name = "wagtail_ma"

urlpatterns = [
    # What the tracker posts.
    path("e/", hits.hit, name="hit"),
    # What is recorded here, and the visitor's choice.
    path("recorded/", recorded.recorded, name="recorded"),
    # What a visitor sees in the personalised blocks of a page that caches keep.
    path("v/", slots.slots, name="slots"),
    # A form as a page of its own (also the gate of documents), and where it is posted.
    path("form/<int:form_id>/", forms.form_page, name="form"),
    # The button by which the sender of a form confirms the address.
    path("form/confirm/<str:token>/", confirmations.confirm, name="form_confirm"),
    # A gated document by signed link.
    path("download/<str:token>/", downloads.download, name="download"),
    # What is known of oneself: asked for by mail, then shown, taken along or erased.
    path("privacy/", privacy.ask, name="privacy"),
    path("privacy/<str:token>/", privacy.mine, name="privacy_mine"),
    # Mail: a tracked link, unsubscribing.
    path("m/c/<str:token>", mail.click, name="mail_click"),
    path("m/t/", mail.follow, name="mail_follow"),
    path("m/o/<str:token>", mail.opened, name="mail_open"),
    path("m/u/<str:token>", mail.unsubscribe, name="mail_unsubscribe"),
    # A newsletter to read on the site.
    path("m/a/<str:token>", mail_archive.newsletter, name="mail_archive"),
]
