"""A site that knows nothing of wagtail_ma but its tag and its block."""

from __future__ import annotations

from django.db import models
from modelcluster.fields import ParentalKey
from wagtail import blocks
from wagtail.admin.panels import FieldPanel
from wagtail.contrib.forms.models import AbstractForm, AbstractFormField
from wagtail.fields import StreamField
from wagtail.models import Page

from wagtail_ma.blocks import PersonalisedBlock
from wagtail_ma.web.host import IdentifyingFormMixin


class ContentPage(Page):
    body = StreamField(
        [
            ("text", blocks.CharBlock()),
            ("personalised", PersonalisedBlock([("text", blocks.CharBlock())])),
        ],
        blank=True,
    )
    content_panels = [*Page.content_panels, FieldPanel("body")]
    template = "testapp/content_page.html"


class OtherPage(Page):
    """Another type, with nothing of its own."""

    template = "testapp/content_page.html"


class EnquiryField(AbstractFormField):
    """A question of the site's own form."""

    page = ParentalKey("testapp.EnquiryPage", on_delete=models.CASCADE, related_name="form_fields")


class EnquiryPage(IdentifyingFormMixin, AbstractForm):
    """A form that the site had before."""

    ma_fields = {"company_name": "firm"}
    template = "testapp/enquiry_page.html"
    landing_page_template = "testapp/enquiry_page.html"
