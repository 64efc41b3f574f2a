"""A site that knows nothing of wagtail_ma but its tag and its block."""

from __future__ import annotations

from wagtail import blocks
from wagtail.admin.panels import FieldPanel
from wagtail.fields import StreamField
from wagtail.models import Page

from wagtail_ma.blocks import PersonalisedBlock


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
