"""Previewing a page as somebody in a segment."""

from __future__ import annotations

from functools import wraps
from typing import Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from wagtail import blocks
from wagtail.fields import StreamField

from wagtail_ma.core.current_request import set_request
from wagtail_ma.segments.models import Segment

PREFIX = "wagtail_ma_segment_"
# A menu of more than this is of no use to anybody.
MAX_SEGMENTS = 100
INSTALLED = "_wagtail_ma_previews"


def previewed_segment(request: HttpRequest) -> int | None:
    """The segment as whose member the editor previews the page; None: as everybody else."""
    mode = getattr(request, "wagtail_ma_preview_mode", None) or getattr(request, "preview_mode", None)
    return segment_of_mode(mode)


def segment_of_mode(mode: str | None) -> int | None:
    """The segment that a preview mode of ours stands for."""
    if not mode or not mode.startswith(PREFIX):
        return None
    number = mode.removeprefix(PREFIX)
    return int(number) if number.isascii() and number.isdigit() else None


def segment_modes() -> list[tuple[str, str]]:
    """One preview mode per segment (one statement)."""
    rows = Segment.objects.filter(is_internal=False).order_by("name").values_list("pk", "name")[:MAX_SEGMENTS]
    return [(f"{PREFIX}{pk}", _("Segment: %(name)s") % {"name": name}) for pk, name in rows]


class PreviewSegmentsMixin:
    """Adds "preview as segment" to a page type or snippet, before its other base classes.

    Page types whose StreamFields hold a personalised block have it without this
    (:func:`install_on_all_pages`).
    """

    @property
    def preview_modes(self) -> list[tuple[str, Any]]:
        return [*super().preview_modes, *segment_modes()]  # type: ignore[misc]

    def serve_preview(self, request: HttpRequest, mode_name: str) -> Any:
        own_mode = _take_mode(super(), request, mode_name)
        return super().serve_preview(request, own_mode)  # type: ignore[misc]


def install_on_all_pages() -> None:
    """Give "preview as segment" to every page type that can hold a personalised block.

    Wagtail has no hook for preview modes, so the two methods of the class are wrapped; a page
    type's own modes stay, and come first.
    """
    from wagtail.models import get_page_models

    for model in get_page_models():
        # Not twice: a page type inherits it from its parent.
        has_it = hasattr(model, INSTALLED) or issubclass(model, PreviewSegmentsMixin)
        if not has_it and is_personalised(model):
            _install(model)


def is_personalised(model: Any) -> bool:
    """Whether a StreamField of this model can hold a personalised block."""
    from wagtail_ma.personalisation.blocks import PersonalisedBlock

    seen: set[int] = set()
    return any(
        _holds(field.stream_block, PersonalisedBlock, seen)
        for field in model._meta.get_fields()
        if isinstance(field, StreamField)
    )


def _holds(block: blocks.Block, wanted: type[blocks.Block], seen: set[int]) -> bool:
    if isinstance(block, wanted):
        return True
    if id(block) in seen:
        return False
    seen.add(id(block))
    children = list(getattr(block, "child_blocks", {}).values())
    child = getattr(block, "child_block", None)
    return any(_holds(each, wanted, seen) for each in [*children, *([child] if child else [])])


def _install(model: Any) -> None:
    modes = model.preview_modes  # a property, or a list as on form pages
    serve_preview = model.serve_preview

    def own_modes(page: Any) -> list[tuple[str, Any]]:
        return list(modes.__get__(page) if hasattr(modes, "__get__") else modes)

    def preview_modes(page: Any) -> list[tuple[str, Any]]:
        return [*own_modes(page), *segment_modes()]

    @wraps(serve_preview)
    def serve(page: Any, request: HttpRequest, mode_name: str) -> Any:
        set_request(request)
        if segment_of_mode(mode_name) is not None:
            # The page type knows nothing of our modes: it is asked for its first one.
            request.wagtail_ma_preview_mode = mode_name  # type: ignore[attr-defined]
            request.preview_mode = mode_name = own_modes(page)[0][0]  # type: ignore[attr-defined]
        return serve_preview(page, request, mode_name)

    model.preview_modes = property(preview_modes)
    model.serve_preview = serve
    setattr(model, INSTALLED, True)


def _take_mode(parent: Any, request: Any, mode_name: str) -> str:
    set_request(request)
    if segment_of_mode(mode_name) is None:
        return mode_name
    request.wagtail_ma_preview_mode = mode_name
    own_modes = parent.preview_modes
    request.preview_mode = own_modes[0][0] if own_modes else ""
    return str(request.preview_mode)
