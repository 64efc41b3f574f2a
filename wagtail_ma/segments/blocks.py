"""Choosing a segment within a StreamField."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.admin.widgets import BaseChooser
from wagtail.blocks import ChooserBlock

from wagtail_ma.segments.models import Segment


class SegmentChooser(BaseChooser):
    """The pop-up that chooses a segment (its views: ``admin/segments.py``)."""

    model = Segment
    icon = "group"
    choose_one_text = _("Choose a segment")
    choose_another_text = _("Choose another segment")
    link_to_chosen_text = _("Edit this segment")
    chooser_modal_url_name = "wagtail_ma_segment_chooser:choose"


class StoredSegmentChooser(SegmentChooser):
    """The same without live segments, whose members nobody knows."""

    chooser_modal_url_name = "wagtail_ma_stored_segment_chooser:choose"


class SegmentChooserBlock(ChooserBlock):
    """One segment.

    Its value is a Segment of which only the key is known: nothing is read from the database until
    another field is asked for, because a page that shows variants needs no more than the keys.
    """

    @cached_property
    def target_model(self) -> type[Segment]:
        return Segment

    @cached_property
    def widget(self) -> SegmentChooser:
        return SegmentChooser()

    def to_python(self, value: Any) -> Segment | None:
        try:
            return Segment.from_db(None, ["id"], [int(value)])
        except (TypeError, ValueError):
            return None

    def bulk_to_python(self, values: Iterable[Any]) -> list[Segment | None]:
        return [self.to_python(value) for value in values]

    def get_form_state(self, value: Any) -> Any:
        # By key: the segment may have been deleted, which the editor shows as an empty choice.
        return self.widget.get_value_data(getattr(value, "pk", value))

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """As a plain Wagtail block: the host's migrations must not need our package for ever."""
        return "wagtail.blocks.IntegerBlock", [], {"required": self._required}

    def deconstruct_with_lookup(self, lookup: Any) -> tuple[str, list[Any], dict[str, Any]]:
        return self.deconstruct()

    class Meta:
        icon = "group"
        label = _("Segment")


class StoredSegmentChooserBlock(SegmentChooserBlock):
    """One segment that is no live one."""

    @cached_property
    def widget(self) -> SegmentChooser:
        return StoredSegmentChooser()
