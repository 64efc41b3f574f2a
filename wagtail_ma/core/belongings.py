"""What belongs to a visitor: each domain declares its tables here (in its ``belongings.py``).

Identification re-points identities and then walks this registry to carry the copies along; erasing
and exporting a person walk it too. A test walks every foreign key to Visitor, Lead and Identity
and fails when a table is not declared.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from django.db.models import Q

from wagtail_ma.core.registry import Registry

Role = Literal["fact", "derived", "decision", "root"]


@dataclass(frozen=True)
class Person:
    """Somebody with all rows that stand for them: the visitor and everybody merged into it."""

    visitor_ids: tuple[int, ...]
    identity_ids: tuple[int, ...]
    lead_ids: tuple[int, ...]
    emails: tuple[str, ...]
    now: datetime


@dataclass(frozen=True)
class Outward:
    """Something that left the house, or made somebody here act: undoing a merge does not take it back."""

    at: datetime
    icon: str
    text: str


# Of these visitors, from when until when (both included): what left the house.
FindOutward = Callable[[Collection[int], datetime, datetime], list[Outward]]
# Of this visitor (None: nobody is recognised), what is known of the occasion, now: more evidence.
FindLeading = Callable[[int | None, Mapping[str, Any], datetime], Mapping[str, Any]]


@dataclass(frozen=True)
class Belonging:
    """How the rows of one table follow a person.

    :param model: ``"wagtail_ma.PageView"``.
    :param role: ``fact`` rows follow their identity (``visitor`` is a copy, re-set with it);
        ``derived`` rows are thrown away and rebuilt; ``decision`` rows move to the new visitor and
        keep ``born_visitor``; ``root`` rows (Visitor, Identity, Lead, IdentityLink) are handled by
        identification itself.
    :param before_merge: called as ``before_merge(loser_id, winner_id, now)`` before derived rows are
        thrown away, and before decisions move: to give way where a unique constraint allows one row
        per visitor, or to note what was there.
    :param after_undo: called as ``after_undo(visitor_id, since, now)`` when somebody who was merged away
        at ``since`` stands for themselves again: to open again what gave way.
    :param fields: the foreign keys that this entry answers for.
    :param identity: the path by which a fact reaches its identity: ``"identity"``, or ``"visit__identity"``
        where another fact tells it.
    :param owners: those of the foreign keys that say whose a row is, where not all do: what somebody else
        typed in this person's browser is not theirs to take along. Empty: all of ``fields``.
    :param told_if: which rows are in the export that people get of themselves, where not all are.
    :param erase: called as ``erase(person)`` when a person is erased, instead of deleting the rows:
        for what must stay without saying who it was.
    :param outward: tells which of the rows left the house within a time; for the undoing of a merge.
    :param led_by: tells which of the rows led somebody to give their name, as evidence to be kept.
    :param active_at: the time in a row at which the person did something (or one of us for them): leads
        without any for long may be erased (``people.retention``). "" where rows say nothing of that.
    :param is_trace: what is left of facts that are gone: alone it keeps no anonymous visitor
        (``people.strangers``), but where ``active_at`` says that it is younger.
    :param is_told: rows are in the export that people get of themselves. Facts are; what we thought
        of them is for staff.
    """

    model: str
    role: Role
    fields: tuple[str, ...] = ("visitor",)
    before_merge: Callable[[int, int, datetime], Any] | None = None
    after_undo: Callable[[int, datetime, datetime], Any] | None = None
    erase: Callable[[Person], Any] | None = None
    is_told: bool | None = None
    outward: FindOutward | None = None
    led_by: FindLeading | None = None
    active_at: str = ""
    is_trace: bool = False
    owners: tuple[str, ...] = ()
    told_if: Q = field(default_factory=Q)
    identity: str = "identity"


belongings: Registry[Belonging] = Registry("belongings")


def declare(belonging: Belonging) -> Belonging:
    """Add a table to the registry (key: the model's label)."""
    return belongings.register(belonging.model, belonging)
