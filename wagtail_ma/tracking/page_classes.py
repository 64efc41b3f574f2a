"""Which class and which topics a page has: said by editors on the page tree, kept on TrackedPage.

Views point to TrackedPage, so what is said today counts for all views of the past. Everything is
resolved in memory from three short lists (labels, where they are in the tree, where the tracked
pages are): a handful of statements for two thousand pages.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import swapper
from django.db import DatabaseError, transaction
from django.db.models import F, Q, QuerySet

from wagtail_ma.tracking.models import PageClass, PageLabel, TrackedPage

logger = logging.getLogger(__name__)

# Pages per transaction.
CHUNK = 2_000
# All pages are looked at again after this: whatever moved pages without telling us (a script, an
# import, a new translation) counts by then.
REVIEW = timedelta(hours=1)


@dataclass(frozen=True)
class _Said:
    """What one label says; None and empty mean "as above"."""

    page_class_id: int | None = None
    topic_ids: frozenset[int] = frozenset()


@dataclass
class _Tree:
    """The labels by where they are in the page tree."""

    step_length: int
    here: dict[str, _Said] = field(default_factory=dict)
    below: dict[str, _Said] = field(default_factory=dict)

    def of(self, path: str) -> _Said:
        """What holds for the page at ``path``: the nearest label, class and topics each on its own."""
        ends = range(len(path), 0, -self.step_length)
        found = [self.here.get(path), *(self.below.get(path[:end]) for end in ends)]
        said = [each for each in found if each is not None]
        return _Said(
            next((each.page_class_id for each in said if each.page_class_id), None),
            next((each.topic_ids for each in said if each.topic_ids), frozenset()),
        )


def ensure_built_in() -> None:
    """Make the built-in classes if there is no class at all (one statement otherwise)."""
    if not PageClass.objects.exists():
        PageClass.objects.bulk_create(
            [PageClass(key=key) for key in PageClass.BuiltIn.values], ignore_conflicts=True
        )


def mark(page: Any | None = None) -> None:
    """Have pages resolved again in the next round of work: after a label or the tree changed.

    :param page: a Wagtail page: only it, its translations and what is below them now; None: all.
    """
    tracked = TrackedPage.objects.filter(labelled_at__isnull=False)
    if page is not None:
        found = Q(translation_key=page.translation_key)
        for path in _paths_of([page.translation_key]):
            found |= Q(page__path__startswith=path)
        tracked = TrackedPage.objects.filter(pk__in=tracked.filter(found).values("pk"))
    tracked.update(labelled_at=None)


def resolve_due(*, now: datetime, limit: int = CHUNK) -> int:
    """Resolve the pages that wait, and those that have not been looked at for an hour.

    What ``flow.run_due`` calls; bounded and repeatable.

    :param limit: at most so many pages.
    :returns: how many pages got another class or other topics.
    """
    due = Q(labelled_at__isnull=True) | Q(labelled_at__lte=now - REVIEW)
    waiting = TrackedPage.objects.filter(due).order_by(F("labelled_at").asc(nulls_first=True), "pk")
    ids = list(waiting.values_list("pk", flat=True)[:limit])
    return resolve(TrackedPage.objects.filter(pk__in=ids), now=now) if ids else 0


def resolve(tracked_pages: QuerySet[TrackedPage] | None = None, *, now: datetime) -> int:
    """Bring class and topics of tracked pages up to date with the labels.

    A page that is no longer in the tree keeps what it had.

    :param tracked_pages: None: all.
    :returns: how many pages changed.
    """
    pages = TrackedPage.objects.all() if tracked_pages is None else tracked_pages
    with transaction.atomic():
        rows = list(pages.order_by("pk").values_list("pk", "page__path", "page_class_id"))
        in_tree = [(pk, path, class_id) for pk, path, class_id in rows if path]
        tree = _read_tree() if in_tree else None
        wanted = {pk: tree.of(path) for pk, path, _class_id in in_tree} if tree else {}
        changed = _write_classes(wanted, {pk: class_id for pk, _path, class_id in in_tree})
        changed |= _write_topics(wanted)
        ids = [pk for pk, _path, _class_id in rows]
        for start in range(0, len(ids), CHUNK):
            TrackedPage.objects.filter(pk__in=ids[start : start + CHUNK]).update(labelled_at=now)
    return len(changed)


def resolve_new(tracked: TrackedPage, *, now: datetime) -> None:
    """Resolve a tracked page that was just made, so that already its first view counts.

    Never raises: what cannot be done while the page is being recorded is done by the job.
    """
    try:
        resolve(TrackedPage.objects.filter(pk=tracked.pk), now=now)
    except DatabaseError:
        logger.warning("tracked page %s could not be labelled yet", tracked.pk, exc_info=True)


def _read_tree() -> _Tree:
    """The labels and where their pages are: three statements."""
    labels = list(PageLabel.objects.prefetch_related("topics"))
    said: dict[tuple[UUID, bool], _Said] = {
        (label.translation_key, label.with_descendants): _Said(
            label.page_class_id, frozenset(topic.pk for topic in label.topics.all())
        )
        for label in labels
    }
    pages = swapper.load_model("wagtailcore", "Page")
    tree = _Tree(pages.steplen)
    for key, path in _places(label.translation_key for label in labels):
        if below := said.get((key, True)):
            tree.below[path] = below
        if here := said.get((key, False)):
            tree.here[path] = here
    return tree


def _places(keys: Iterable[UUID]) -> list[tuple[UUID, str]]:
    """Where in the tree the pages with these keys are: every language, and aliases of them."""
    wanted = set(keys)
    pages = swapper.load_model("wagtailcore", "Page").objects
    rows = pages.filter(Q(translation_key__in=wanted) | Q(alias_of__translation_key__in=wanted)).values_list(
        "translation_key", "alias_of__translation_key", "path"
    )
    # An alias that was labelled itself comes last, so that its own label wins.
    places = [(original, path) for _own, original, path in rows if original in wanted]
    return places + [(own, path) for own, _original, path in rows if own in wanted]


def _paths_of(keys: Iterable[UUID]) -> list[str]:
    return [path for _key, path in _places(keys)]


def _write_classes(wanted: Mapping[int, _Said], stored: Mapping[int, int | None]) -> set[int]:
    by_class: dict[int | None, list[int]] = {}
    for pk, said in wanted.items():
        if said.page_class_id != stored[pk]:
            by_class.setdefault(said.page_class_id, []).append(pk)
    for class_id, ids in by_class.items():
        for part in _parts(ids):
            TrackedPage.objects.filter(pk__in=part).update(page_class_id=class_id)
    return {pk for ids in by_class.values() for pk in ids}


def _write_topics(wanted: Mapping[int, _Said]) -> set[int]:
    through = TrackedPage.topics.through
    stored: dict[tuple[int, int], int] = {}
    for part in _parts(list(wanted)):
        rows = through.objects.filter(trackedpage_id__in=part)
        for pk, page_id, topic_id in rows.values_list("pk", "trackedpage_id", "topic_id"):
            stored[page_id, topic_id] = pk
    target = {(pk, topic_id) for pk, said in wanted.items() for topic_id in said.topic_ids}
    for part in _parts([pk for pair, pk in stored.items() if pair not in target]):
        through.objects.filter(pk__in=part).delete()
    missing = target - stored.keys()
    through.objects.bulk_create(
        [through(trackedpage_id=page_id, topic_id=topic_id) for page_id, topic_id in sorted(missing)],
        ignore_conflicts=True,
        batch_size=CHUNK,
    )
    return {page_id for page_id, _topic_id in target ^ stored.keys()}


def _parts(ids: Sequence[int]) -> list[Sequence[int]]:
    return [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]
