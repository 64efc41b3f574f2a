"""What an editor may put into the body of a page."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.images.blocks import ImageChooserBlock

from wagtail_ma.blocks import LeadFormBlock, PersonalisedBlock

TEXT_FEATURES = ["bold", "italic", "ol", "ul", "link", "document-link"]


class PictureBlock(blocks.StructBlock):
    """A picture with an optional line below it."""

    image = ImageChooserBlock(label=_("Picture"))
    description = blocks.CharBlock(
        label=_("What it shows"),
        help_text=_("For people who cannot see it; leave empty if it only decorates."),
        required=False,
        max_length=200,
    )
    caption = blocks.CharBlock(label=_("Caption"), required=False, max_length=200)

    class Meta:
        icon = "image"
        label = _("Picture")
        template = "company/blocks/picture.html"


class QuoteBlock(blocks.StructBlock):
    """Words of a person."""

    text = blocks.TextBlock(label=_("Words"))
    speaker = blocks.CharBlock(label=_("Who says it"), required=False, max_length=120)

    class Meta:
        icon = "openquote"
        label = _("Quotation")
        template = "company/blocks/quote.html"


class CallToActionBlock(blocks.StructBlock):
    """One sentence and one button."""

    text = blocks.CharBlock(label=_("Sentence"), max_length=200)
    button = blocks.CharBlock(label=_("Words on the button"), max_length=60)
    page = blocks.PageChooserBlock(label=_("Leads to"))

    class Meta:
        icon = "link"
        label = _("Call to action")
        template = "company/blocks/call_to_action.html"


class CardBlock(blocks.StructBlock):
    """A short text with a title, and perhaps a page to read on."""

    title = blocks.CharBlock(label=_("Title"), max_length=80)
    text = blocks.TextBlock(label=_("Text"))
    page = blocks.PageChooserBlock(label=_("Leads to"), required=False)

    class Meta:
        icon = "doc-full"
        label = _("Card")


class CardsBlock(blocks.ListBlock):
    """Cards side by side."""

    def __init__(self, **kwargs: object) -> None:
        """Take the options of a list; the child is always a card."""
        super().__init__(CardBlock(), **kwargs)

    class Meta:
        icon = "grip"
        label = _("Cards")
        template = "company/blocks/cards.html"


class QuestionBlock(blocks.StructBlock):
    """A question and its answer, folded until asked for."""

    question = blocks.CharBlock(label=_("Question"), max_length=200)
    answer = blocks.RichTextBlock(label=_("Answer"), features=TEXT_FEATURES)

    class Meta:
        icon = "help"
        label = _("Question and answer")
        template = "company/blocks/question.html"


class FigureBlock(blocks.StructBlock):
    """A result in one number."""

    figure = blocks.CharBlock(label=_("Figure"), max_length=20)
    label = blocks.CharBlock(label=_("What it counts"), max_length=80)

    class Meta:
        icon = "order-up"
        label = _("Figure")


class PlanBlock(blocks.StructBlock):
    """One plan of the price list."""

    name = blocks.CharBlock(label=_("Name"), max_length=60)
    price = blocks.CharBlock(label=_("Price"), max_length=40)
    unit = blocks.CharBlock(label=_("Per what"), max_length=60, required=False)
    text = blocks.TextBlock(label=_("For whom"))
    features = blocks.ListBlock(blocks.CharBlock(max_length=120), label=_("Contains"))
    recommended = blocks.BooleanBlock(label=_("Recommended"), required=False)

    class Meta:
        icon = "tag"
        label = _("Plan")


class PositionBlock(blocks.StructBlock):
    """An open position."""

    title = blocks.CharBlock(label=_("Title"), max_length=80)
    place = blocks.CharBlock(label=_("Place"), max_length=80)
    terms = blocks.CharBlock(label=_("Terms"), max_length=80)
    text = blocks.TextBlock(label=_("What the work is"))

    class Meta:
        icon = "user"
        label = _("Position")


def own_blocks() -> list[tuple[str, blocks.Block]]:
    """The site's own blocks, which every body has."""
    return [
        (
            "heading",
            blocks.CharBlock(
                label=_("Heading"),
                icon="title",
                max_length=120,
                template="company/blocks/heading.html",
            ),
        ),
        (
            "text",
            blocks.RichTextBlock(
                label=_("Text"),
                icon="pilcrow",
                features=TEXT_FEATURES,
                template="company/blocks/text.html",
            ),
        ),
        ("picture", PictureBlock()),
        ("quote", QuoteBlock()),
        ("call_to_action", CallToActionBlock()),
        ("cards", CardsBlock()),
        ("question", QuestionBlock()),
    ]


# ---- The blocks of wagtail_ma join the site's own here, and only here. ----------------------


def body_blocks() -> list[tuple[str, blocks.Block]]:
    """The blocks of an ordinary body; the personalised one holds any of the site's own."""
    return [*own_blocks(), ("personalised", PersonalisedBlock(own_blocks()))]


def form_body_blocks() -> list[tuple[str, blocks.Block]]:
    """The blocks of a page that may ask who is reading: contact and whitepaper."""
    return [*body_blocks(), ("lead_form", LeadFormBlock())]
