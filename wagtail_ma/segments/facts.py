"""The condition about segments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from wagtail_ma.core.conditions import (
    Condition,
    ReferenceKind,
    Referent,
    Rows,
    Scope,
    Test,
    reference_kinds,
    register,
)
from wagtail_ma.core.parameters import Reference
from wagtail_ma.core.usual_parameters import days_back, either
from wagtail_ma.people.causes import Cause
from wagtail_ma.segments.blocks import StoredSegmentChooserBlock
from wagtail_ma.segments.models import Membership, PastMembership, Segment


def find_segments(pks: Iterable[int]) -> dict[int, Referent]:
    """The segments that still exist; ``data`` is whether strangers belong to them.

    Not the live ones: nobody is stored as their member.
    """
    found = Segment.objects.filter(pk__in=list(pks), is_live=False)
    rows = found.values_list("pk", "name", "includes_strangers")
    return {pk: Referent(pk, name, strangers) for pk, name, strangers in rows}


reference_kinds.register("segment", ReferenceKind(find=find_segments, make_block=StoredSegmentChooserBlock))


@register
class InSegment(Condition):
    key = "in_segment"
    label = gettext_lazy("Segment")
    group = gettext_lazy("Segments")
    changes_alone = True
    icon = "group"
    parameters = (
        either(("in", gettext_lazy("is in")), ("out", gettext_lazy("is not in"))),
        Reference(name="segment", kind="segment", label=gettext_lazy("Segment")),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        # The stored members, not the other rule inlined: a broken segment keeps its members here too.
        segment = values["segment"]
        is_out = values["is"] == "out"
        return Rows(
            Membership.objects.filter(segment_id=segment.pk),
            negated=is_out,
            stranger=bool(segment.data) != is_out,
        )

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {"segment": values["segment"].label}
        if values["is"] == "out":
            return _("is not in the segment “%(segment)s”") % words
        return _("is in the segment “%(segment)s”") % words


@register
class LeftSegment(Condition):
    key = "left_segment"
    label = gettext_lazy("Segment left")
    group = gettext_lazy("Segments")
    icon = "group"
    parameters = (
        Reference(name="segment", kind="segment", label=gettext_lazy("Segment")),
        days_back(30),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        since = scope.ago(days=values["days"])
        # Whoever was merged, or taken apart again, has left nothing.
        left = PastMembership.objects.exclude(cause__in=(Cause.MERGE, Cause.UNDO))
        return Rows(left.filter(segment_id=values["segment"].pk, left_at__gte=since))

    def sentence(self, values: Mapping[str, Any]) -> str:
        return ngettext(
            "has left the segment “%(segment)s” in the last %(days)d day",
            "has left the segment “%(segment)s” in the last %(days)d days",
            values["days"],
        ) % {"segment": values["segment"].label, "days": values["days"]}
