"""The personalised block: variants for segments, and a default for everybody else."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.template.loader import render_to_string
from django.utils.functional import cached_property
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.blocks.list_block import ListValue

from wagtail_ma.core.current_request import current_request
from wagtail_ma.personalisation import http, offers, slots
from wagtail_ma.personalisation.choose import Audience, asker, choose
from wagtail_ma.personalisation.places import segments_of
from wagtail_ma.segments.blocks import SegmentChooserBlock

logger = logging.getLogger(__name__)

Children = Iterable[tuple[str, blocks.Block]]


ANY, NONE = "any", "none"
MATCHES = [(ANY, _("in at least one of these segments")), (NONE, _("in none of these segments"))]


@dataclass(frozen=True)
class Picked:
    """A variant that was chosen.

    :param id: of the item in the list of variants, "" where it has none.
    """

    id: str
    content: Any
    segment_ids: Sequence[int]


class VariantBlock(blocks.StructBlock):
    """What people in these segments see.

    Values are made one by one and not in bulk: Wagtail's own way would load the images and pages
    of all variants, chosen or not.
    """

    def bulk_to_python(self, values: Iterable[Any]) -> list[Any]:
        return [self.to_python(value) for value in values]

    class Meta:
        icon = "group"
        label = _("Variant")
        label_format = "{match}: {segments}"


class LazyVariants(ListValue):
    """The variants of a block as stored: made into values only when somebody asks for them.

    A page with 50 variants shows one; making the other 49 costs a third of its rendering.
    """

    def __init__(self, list_block: blocks.ListBlock, raw: Any) -> None:
        # Not ListValue's own: it would set bound_blocks.
        self.list_block = list_block
        self.raw = raw if isinstance(raw, list) else []

    @cached_property
    def bound_blocks(self) -> list[Any]:
        made: list[Any] = self.list_block.to_python(self.raw).bound_blocks
        return made

    @property
    def is_as_stored(self) -> bool:
        """Whether nobody has asked for (and perhaps changed) the values yet."""
        return "bound_blocks" not in vars(self)


class PersonalisedBlock(blocks.StructBlock):
    """Shows the first variant made for a segment of the visitor, or else the default. Without
    variants it is a plain block.

    :param child_blocks: the site's own blocks, that variants and the default are made of: a list
        of (name, block) pairs, or a StreamBlock.

    :param segment_block: chooses a segment; default any.

    A ``template`` of the host gets the chosen content as ``value``.

    Search, the API and whatever else renders without a request see the default only. Either the
    server chooses, and the page is not kept in shared caches; or the page holds the default in a
    slot, which a script fills (see ``PERSONALISATION`` in the settings).
    """

    def __init__(
        self,
        child_blocks: Children | blocks.StreamBlock = (),
        *,
        segment_block: SegmentChooserBlock | None = None,
        **kwargs: Any,
    ) -> None:
        if isinstance(child_blocks, blocks.StreamBlock):
            child_blocks = list(child_blocks.child_blocks.items())
        children = list(child_blocks)
        # A re-made block (a copy, a migration) brings our own two children.
        ours = dict(children) if {name for name, _block in children} == {"variants", "default"} else None
        super().__init__(list(ours.items()) if ours else _fields(children, segment_block), **kwargs)

    def bulk_to_python(self, values: Iterable[Any]) -> list[Any]:
        return [self.to_python(value) for value in values]

    def to_python(self, value: Any) -> Any:
        made = super().to_python({**value, "variants": []})
        made["variants"] = LazyVariants(self.child_blocks["variants"], value.get("variants"))
        return made

    def pick(self, value: Any, request: Any) -> Picked | None:
        """The variant for whoever sent the request; None stands for the default."""
        variants = value["variants"]
        if isinstance(variants, LazyVariants) and variants.is_as_stored:
            item = choose([(_stored_audience(raw), raw) for raw in variants.raw], request)
            if item is None:
                return None
            block = self.child_blocks["variants"].child_block.child_blocks["content"]
            content = block.to_python(item.get("value", item).get("content") or [])
            return Picked(str(item.get("id") or ""), content, segments_of(item))
        made = [(_audience(item.value), item) for item in variants.bound_blocks]
        chosen = choose(made, request)
        if chosen is None:
            return None
        ids = _audience(chosen.value).segment_ids
        return Picked(str(chosen.id or ""), chosen.value["content"], ids)

    def show_picked(self, picked: Picked, request: Any, context: Any = None) -> Any:
        """Render a variant; what a scenario offers is marked, so that the browser can prove it was seen."""
        html = self.show(picked.content, context)
        try:
            is_offer = asker(request).has_offer(picked.segment_ids)
            return offers.mark(request, picked.id, html) if is_offer else html
        except Exception:
            logger.exception("an offer could not be marked")
            return html

    def show(self, content: Any, context: Any = None) -> SafeString:
        """Render the content of a variant or of the default."""
        template = self.get_template(content, context=context)
        if not template:
            return content.stream_block.render(content, context=context)
        return render_to_string(template, {**(context or {}), "self": content, "value": content})

    def render(self, value: Any, context: Any = None) -> SafeString:
        request = (context.get("request") if context else None) or current_request()
        default = value["default"]
        if request is None or not _has_variants(value):
            return self.show(default, context)
        try:
            place = slots.slot_of(request, getattr(value["variants"], "raw", None))
        except Exception:
            logger.exception("a slot could not be made; the server chooses")
            place = None
        if place is not None:
            return slots.wrap(request, place, self.show(default, context))
        http.mark(request)
        picked = None
        try:
            picked = self.pick(value, request)
        except Exception:
            logger.exception("no variant could be chosen; the default is shown")
        return self.show(default, context) if picked is None else self.show_picked(picked, request, context)

    def get_searchable_content(self, value: Any) -> list[Any]:
        default = value.get("default") if value else None
        return self.child_blocks["default"].get_searchable_content(default) if default else []

    def get_api_representation(self, value: Any, context: Any = None) -> Any:
        """The content of the default, as a StreamBlock's: no segment and no variant is told."""
        return self.child_blocks["default"].get_api_representation(value["default"], context=context)

    class Meta:
        icon = "group"
        label = _("Personalised")
        description = _("Different content for people in different segments")
        preview_template = "wagtail_ma/blocks/personalised_preview.html"


def _has_variants(value: Any) -> bool:
    variants = value["variants"]
    is_as_stored = isinstance(variants, LazyVariants) and variants.is_as_stored
    return bool(variants.raw if is_as_stored else variants)


def _stored_audience(item: Any) -> Audience:
    """The audience of a variant as it lies in the database."""
    return Audience(segments_of(item), item.get("value", item).get("match") == NONE)


def _audience(variant: Any) -> Audience:
    ids = [segment.pk for segment in variant["segments"] if segment is not None]
    return Audience(ids, variant.get("match") == NONE)


def personalised_block(child_blocks: Children | blocks.StreamBlock, **kwargs: Any) -> PersonalisedBlock:
    """A :class:`PersonalisedBlock` made of the site's own blocks.

    :param kwargs: options of a Wagtail block, such as ``label``.
    """
    return PersonalisedBlock(child_blocks, **kwargs)


def _fields(
    children: list[tuple[str, blocks.Block]], segment_block: SegmentChooserBlock | None = None
) -> list[tuple[str, blocks.Block]]:
    segments = blocks.ListBlock(
        segment_block or SegmentChooserBlock(),
        label=_("Segments"),
        min_num=1,
        collapsed=False,
    )
    content = blocks.StreamBlock(children, label=_("Content"), required=False)
    match = blocks.ChoiceBlock(choices=MATCHES, default=ANY, label=_("For people"))
    variant = VariantBlock([("match", match), ("segments", segments), ("content", content)])
    return [
        (
            "variants",
            blocks.ListBlock(
                variant,
                label=_("Variants"),
                help_text=_("The first one that fits is shown."),
                default=[],
            ),
        ),
        (
            "default",
            blocks.StreamBlock(
                children,
                label=_("For everybody else"),
                help_text=_("Also what search engines see."),
                required=False,
            ),
        ),
    ]
