"""The blocks of a mail's body."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from wagtail.blocks import (
    BooleanBlock,
    CharBlock,
    ChoiceBlock,
    IntegerBlock,
    PageChooserBlock,
    RawHTMLBlock,
    RichTextBlock,
    StaticBlock,
    StreamBlock,
    StructBlock,
    TextBlock,
    URLBlock,
)
from wagtail.documents.blocks import DocumentChooserBlock
from wagtail.images.blocks import ImageChooserBlock

from wagtail_ma.messaging import archive
from wagtail_ma.personalisation.blocks import PersonalisedBlock
from wagtail_ma.segments.blocks import StoredSegmentChooserBlock

logger = logging.getLogger(__name__)

MERGE_HELP = _("Type {{ for what is filled in for each reader.")


class LinkBlock(StructBlock):
    """Base of what leads somewhere: to a page of the site, or to an address."""

    page = PageChooserBlock(label=_("Leads to the page"), required=False)
    url = URLBlock(label=_("Or to the address"), required=False)

    def clean(self, value: Any) -> Any:
        cleaned = super().clean(value)
        has_page, has_url = bool(cleaned.get("page")), bool(cleaned.get("url"))
        if has_page and has_url:
            raise ValidationError(_("Choose a page or give an address, not both."))
        # A draft may still be without; a mail without is not sent (see ready.py).
        return cleaned


class ButtonBlock(LinkBlock):
    """A button."""

    label = CharBlock(label=_("Label"), max_length=80)

    class Meta:
        icon = "link"
        form_layout = ["label", "page", "url"]
        label = _("Button")
        label_format = "{label}"


class MailImageBlock(LinkBlock):
    """A picture from the site's library, perhaps a link."""

    image = ImageChooserBlock(label=_("Image"))
    alt = CharBlock(
        label=_("Description"),
        required=False,
        max_length=200,
        help_text=_("Shown while pictures are not loaded, and read aloud."),
    )

    class Meta:
        icon = "image"
        form_layout = ["image", "alt", "page", "url"]
        label = _("Image")


class TeaserBlock(StructBlock):
    """A page of the site: title, a sentence or two, a link."""

    page = PageChooserBlock(label=_("Page"))
    text = TextBlock(label=_("Text"), required=False, rows=3, help_text=_("Empty: the page's description."))
    link_label = CharBlock(label=_("Label of the link"), required=False, max_length=60)

    class Meta:
        icon = "doc-full"
        label = _("Page teaser")


class DocumentBlock(StructBlock):
    """A link to a document."""

    document = DocumentChooserBlock(label=_("Document"))
    label = CharBlock(
        label=_("Label"), required=False, max_length=80, help_text=_("Empty: the document's title.")
    )

    class Meta:
        icon = "doc-full-inverse"
        label = _("Document")


class HeadingBlock(StructBlock):
    """A heading."""

    text = CharBlock(label=_("Text"), max_length=160)
    size = ChoiceBlock(
        label=_("Size"),
        choices=[("large", _("Large")), ("medium", _("Medium")), ("small", _("Small"))],
        default="medium",
    )

    class Meta:
        icon = "title"
        label = _("Heading")
        label_format = "{text}"


def _simple_blocks() -> list[tuple[str, Any]]:
    return [
        ("heading", HeadingBlock()),
        (
            "text",
            RichTextBlock(
                label=_("Text"),
                features=["bold", "italic", "link", "document-link", "ol", "ul"],
                help_text=MERGE_HELP,
            ),
        ),
        ("image", MailImageBlock()),
        ("button", ButtonBlock()),
        ("teaser", TeaserBlock()),
        ("document", DocumentBlock()),
        ("divider", StaticBlock(label=_("Divider"), icon="minus", admin_text=_("A thin line."))),
        (
            "html",
            RawHTMLBlock(
                label=_("HTML"), help_text=_("Scripts, styles and forms are taken out: mail has none.")
            ),
        ),
    ]


class NewsletterListBlock(StructBlock):
    """The newsletters that went out, to read on the site."""

    heading = CharBlock(label=_("Heading"), required=False, max_length=120)
    count = IntegerBlock(label=_("How many at most"), default=20, min_value=1, max_value=200)
    same_language = BooleanBlock(
        label=_("Only those in the language of the page"), required=False, default=True
    )

    def get_context(self, value: Any, parent_context: dict[str, Any] | None = None) -> dict[str, Any]:
        """``issues``, newest first."""
        context: dict[str, Any] = super().get_context(value, parent_context=parent_context)
        language = (get_language() or "") if value.get("same_language") else ""
        return context | {"issues": archive.issues(language=language, limit=value.get("count") or 20)}

    def render(self, value: Any, context: dict[str, Any] | None = None) -> SafeString:
        """The list; nothing when it cannot be made: never a broken page."""
        try:
            return super().render(value, context=context)
        except Exception:
            logger.exception("the newsletters could not be listed")
            return mark_safe("")

    class Meta:
        icon = "mail"
        label = _("Newsletters")
        template = "wagtail_ma/mail/newsletters.html"


@cache
def mail_body_block() -> StreamBlock:
    """The body of a mail.

    Everywhere the same instances of the simple blocks, so that the editor's payload holds them
    once; the two columns are two blocks, because a block has one name.
    """
    simple = _simple_blocks()
    columns = StructBlock(
        [
            ("left", StreamBlock(simple, label=_("Left"), required=False)),
            ("right", StreamBlock(simple, label=_("Right"), required=False)),
        ],
        icon="table",
        label=_("Two columns"),
        help_text=_("Below each other on a phone."),
    )
    personalised = PersonalisedBlock(
        [*simple, ("columns", columns)],
        segment_block=StoredSegmentChooserBlock(),
        label=_("Personalised"),
        help_text=_("Readers get what is meant for their segment at the moment of sending."),
    )
    return StreamBlock([*simple, ("columns", columns), ("personalised", personalised)])
