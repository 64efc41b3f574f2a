"""Where the personalised blocks of a page are: found in what is stored, without making values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wagtail import blocks
from wagtail.fields import StreamField


@dataclass(frozen=True)
class Place:
    """One personalised block of a page.

    :param id: the id of the stream or list item that it is or stands in, followed by the names of
        the fields on the way to it: the same in every rendering of a revision.
    :param raw: its value as stored: variants and default.
    :param is_inside_variant: only there for those who see that variant.
    """

    id: str
    block: Any
    raw: Mapping[str, Any]
    is_inside_variant: bool = False


def places(page: Any) -> list[Place]:
    """All personalised blocks in the StreamFields of a page, each after the one it stands in.

    Blocks whose items have no id, and blocks of kinds unknown here, are not found.
    """
    found: list[Place] = []
    for field in page._meta.get_fields():
        if isinstance(field, StreamField):
            value = getattr(page, field.name)
            found += _in_stream(field.stream_block, getattr(value, "raw_data", ()), inside=False)
    return found


def segments_in(place: Place) -> Iterator[int]:
    """The ids of the segments that the variants of a block are for."""
    for item in place.raw.get("variants") or ():
        yield from (pk for pk in segments_of(item) if isinstance(pk, int))


def segments_of(item: Any) -> list[Any]:
    """The segment ids of one stored variant."""
    variant = item.get("value", item)
    return [each["value"] if isinstance(each, dict) else each for each in variant.get("segments") or []]


def _in_stream(block: Any, raw: Any, *, inside: bool) -> Iterator[Place]:
    for item in raw or ():
        child = block.child_blocks.get(item.get("type")) if isinstance(item, Mapping) else None
        if child is not None and item.get("id"):
            yield from _walk(child, item.get("value"), str(item["id"]), inside=inside)


def _walk(block: Any, raw: Any, own_id: str, *, inside: bool) -> Iterator[Place]:
    from wagtail_ma.personalisation.blocks import PersonalisedBlock

    if isinstance(block, PersonalisedBlock):
        if isinstance(raw, Mapping):
            yield Place(own_id, block, raw, inside)
            yield from _in_personalised(block, raw, inside=inside)
    elif isinstance(block, blocks.BaseStreamBlock):
        yield from _in_stream(block, raw, inside=inside)
    elif isinstance(block, blocks.BaseStructBlock):
        if isinstance(raw, Mapping):
            for name, child in block.child_blocks.items():
                yield from _walk(child, raw.get(name), f"{own_id}.{name}", inside=inside)
    elif isinstance(block, blocks.ListBlock):
        for item in raw or ():
            if isinstance(item, Mapping) and item.get("type") == "item" and item.get("id"):
                yield from _walk(block.child_block, item.get("value"), str(item["id"]), inside=inside)


def _in_personalised(block: Any, raw: Mapping[str, Any], *, inside: bool) -> Iterator[Place]:
    yield from _in_stream(block.child_blocks["default"], raw.get("default"), inside=inside)
    content = block.child_blocks["variants"].child_block.child_blocks["content"]
    for item in raw.get("variants") or ():
        variant = item.get("value", item) if isinstance(item, Mapping) else {}
        yield from _in_stream(content, variant.get("content"), inside=True)
