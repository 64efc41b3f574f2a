"""What made somebody enter or leave a segment, where it was no act of their own: a merge, its undoing,
scores under other rules, an import. Such changes start a scenario only where it says so.

A visitor who is merged into another leaves a note of each segment (a :class:`PastMembership` that ended
by the merge): what the other one enters because of it is told from what they enter by an act of the
same moment, and an undo puts people back into their segments since when they had been in them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from wagtail_ma.people.causes import Cause, weightiest
from wagtail_ma.segments.models import Membership, PastMembership, Segment, Source

# Visitor id → the causes among their news; the empty one among them for an ordinary reason.
NewsCauses = Mapping[int, Collection[str]]


@dataclass(frozen=True)
class Change:
    """A visitor entered or left a segment.

    ``cause``: a :class:`Cause`, or empty for an act of their own, time or a decision.
    ``source``: what keeps them in it, of those who entered.
    ``since``: when the membership really began, where it is given back or carried along.
    """

    segment_id: int
    visitor_id: int
    entered: bool
    cause: str = ""
    source: str = Source.RULE
    since: datetime | None = None


@dataclass
class Causes:
    """The causes of one round of deciding."""

    by_visitor: NewsCauses
    # Segment id → why its stored members are behind its rule.
    pending: Mapping[int, str]
    # (segment, visitor) → (note, since when): of those merged into them, and their own before a merge.
    carried: dict[tuple[int, int], tuple[int, datetime]] = field(default_factory=dict)
    before: dict[tuple[int, int], tuple[int, datetime]] = field(default_factory=dict)

    @classmethod
    def read(cls, by_visitor: NewsCauses, segments: Iterable[Segment]) -> Causes:
        """What must be known to explain changes (a statement more only after merges and undoings)."""
        found = cls(by_visitor, {each.pk: each.pending_cause for each in segments if each.pending_cause})
        moved = [pk for pk, causes in by_visitor.items() if {Cause.MERGE, Cause.UNDO} & set(causes)]
        if moved:
            notes = PastMembership.objects.filter(visitor_id__in=moved, cause=Cause.MERGE).order_by("left_at")
            for note in notes:
                is_own = note.born_visitor_id == note.visitor_id
                kept = found.before if is_own else found.carried
                kept[note.segment_id, note.visitor_id] = note.pk, note.entered_at
        return found

    def explain(self, changes: Sequence[Change]) -> list[Change]:
        """The same changes, each with its cause."""
        return [self._explained(change) for change in changes]

    def forget(self, changes: Iterable[Change]) -> None:
        """Take away the notes of memberships that an undo has given back."""
        done = [
            self.before[change.segment_id, change.visitor_id][0]
            for change in changes
            if change.cause == Cause.UNDO and change.since
        ]
        if done:
            PastMembership.objects.filter(pk__in=done).delete()

    def _explained(self, change: Change) -> Change:
        causes = self.by_visitor.get(change.visitor_id, ())
        cause = weightiest(causes) or self.pending.get(change.segment_id, "")
        if cause not in (Cause.MERGE, Cause.UNDO):
            return replace(change, cause=cause) if cause else change
        notes = self.before if cause == Cause.UNDO else self.carried
        note = notes.get((change.segment_id, change.visitor_id)) if change.entered else None
        if note is not None:
            return replace(change, cause=cause, since=note[1])
        # Somebody has also done something: what nobody was in before is entered by that.
        return change if change.entered and "" in causes else replace(change, cause=cause)


def keep_note(loser_id: int, winner_id: int, now: datetime) -> None:
    """Note the segments of somebody who is about to be merged into another."""
    PastMembership.objects.bulk_create(
        PastMembership(
            segment_id=row.segment_id,
            visitor_id=loser_id,
            born_visitor_id=loser_id,
            entered_at=row.entered_at,
            left_at=now,
            source=row.source,
            cause=Cause.MERGE,
        )
        for row in Membership.objects.filter(visitor_id=loser_id)
    )


def expect(segment_ids: Collection[int], cause: Cause) -> None:
    """Note why the stored members of these segments are behind their rules, and have everybody decided
    anew in the next round."""
    Segment.objects.filter(pk__in=segment_ids).update(pending_cause=cause, next_refresh_at=None)
