"""What a segment is used by: it cannot be deleted as long as there is something."""

from __future__ import annotations

import swapper
from wagtail.models import ReferenceIndex

from wagtail_ma.segments.models import Segment


def of(segment: Segment, *, but_pages: bool = False) -> list[str]:
    """The names of pages, segments, scenarios and other objects that name the segment, as Wagtail's
    reference index knows them.

    :param but_pages: leave out pages, which may use any segment.
    """
    page_model = swapper.load_model("wagtailcore", "Page")
    names = []
    for user, _references in ReferenceIndex.get_references_to(segment).group_by_source_object():
        if user is None or (isinstance(user, Segment) and user.pk == segment.pk):
            continue
        if not (but_pages and isinstance(user, page_model)):
            names.append(str(user))
    return sorted(names)
