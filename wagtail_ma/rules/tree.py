"""The rule as a tree, read from what the editor stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from wagtail_ma.core.conditions import Condition, Referent, facts, reference_kinds
from wagtail_ma.core.parameters import BadValue, Reference

MATCHES = ("all", "any", "none")
GROUP = "group"
# A rule, a group in it, a group in that.
MAX_DEPTH = 3
MAX_CONDITIONS = 100

Raw = list[dict[str, Any]]
Referents = Mapping[tuple[str, int], Referent]


@dataclass(frozen=True)
class Leaf:
    """One condition with its values (references resolved to :class:`Referent`)."""

    condition: Condition
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Group:
    """All, any or none of its children; never empty."""

    match: str
    children: tuple[Node, ...]

    def leaves(self) -> Iterator[Leaf]:
        """Every condition below, in order."""
        for child in self.children:
            if isinstance(child, Leaf):
                yield child
            else:
                yield from child.leaves()


Node = Leaf | Group


@dataclass(frozen=True)
class Broken:
    """The rule cannot be evaluated, and why (for people). It matches nobody."""

    reason: str


class _CannotRead(Exception):
    """Carries the reason up to :func:`parse`."""


@dataclass
class _Reader:
    referents: Referents
    count: int = field(default=0)

    def group(self, match: str, raw: Any, depth: int) -> Group:
        if match not in MATCHES:
            raise _CannotRead(_("It is not said how the conditions go together."))
        if depth > MAX_DEPTH:
            raise _CannotRead(_("Groups are nested too deeply."))
        if not isinstance(raw, list) or not raw:
            raise _CannotRead(_("There is no condition in it."))
        return Group(match, tuple(self.node(item, depth) for item in raw))

    def node(self, item: Any, depth: int) -> Node:
        if not isinstance(item, dict) or not isinstance(item.get("value"), dict):
            raise _CannotRead(_("A condition is damaged."))
        key, value = str(item.get("type")), item["value"]
        if key == GROUP:
            return self.group(str(value.get("match")), value.get("conditions"), depth + 1)
        condition = facts.get(key)
        if condition is None:
            raise _CannotRead(_("The condition “%(key)s” does not exist any more.") % {"key": key})
        self.count += 1
        if self.count > MAX_CONDITIONS:
            raise _CannotRead(_("There are too many conditions."))
        return Leaf(condition, self.values(condition, value))

    def values(self, condition: Condition, raw: Mapping[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for parameter in condition.parameters:
            try:
                value = parameter.read(raw.get(parameter.name, parameter.default))
            except BadValue as error:
                raise _CannotRead(f"{condition.label}: {error}") from error
            if isinstance(parameter, Reference) and value is not None:
                value = self.referents.get((parameter.kind, value))
                if value is None:
                    raise _CannotRead(
                        _("%(condition)s: what “%(label)s” names does not exist any more.")
                        % {"condition": condition.label, "label": parameter.label}
                    )
            values[parameter.name] = value
        try:
            condition.check(values)
        except BadValue as error:
            raise _CannotRead(f"{condition.label}: {error}") from error
        return values


def parse(match: str, raw: Raw, *, referents: Referents | None = None) -> Group | Broken:
    """Read a stored rule.

    :param match: how the conditions at the top go together: ``all``, ``any``, ``none``.
    :param raw: stored conditions: ``{"type": key, "value": {parameter: value}}``; a group has type
        ``group`` and value ``{"match": …, "conditions": [...]}``.
    :param referents: the objects that rules name (:func:`find_referents`); None: look them up.
    """
    if referents is None:
        referents = find_referents([raw])
    try:
        return _Reader(referents).group(match, raw, 1)
    except _CannotRead as error:
        return Broken(str(error))


def find_referents(raws: Iterable[Raw]) -> dict[tuple[str, int], Referent]:
    """The objects that these rules name and that still exist: one statement per kind."""
    wanted: dict[str, set[int]] = defaultdict(set)
    for raw in raws:
        for kind, pk in references(raw):
            wanted[kind].add(pk)
    found: dict[tuple[str, int], Referent] = {}
    for kind, pks in wanted.items():
        entry = reference_kinds.get(kind)
        if entry is not None:
            found.update({(kind, pk): referent for pk, referent in entry.find(pks).items()})
    return found


def conditions(raw: Any) -> Iterator[str]:
    """The keys of all conditions of a stored rule; damaged parts are passed over."""
    for item in raw if isinstance(raw, list) else ():
        value = item.get("value") if isinstance(item, dict) else None
        if not isinstance(value, dict):
            continue
        if item.get("type") == GROUP:
            yield from conditions(value.get("conditions"))
        else:
            yield str(item.get("type"))


def is_live(raw: Any) -> bool:
    """Whether a stored rule asks for facts of the request, and so can only be decided in one."""
    found = (facts.get(key) for key in conditions(raw))
    return any(condition is not None and condition.is_live for condition in found)


def references(raw: Any) -> Iterator[tuple[str, int]]:
    """(kind, id) of every object that a stored rule names; damaged parts are passed over."""
    for item in raw if isinstance(raw, list) else ():
        value = item.get("value") if isinstance(item, dict) else None
        if not isinstance(value, dict):
            continue
        if item.get("type") == GROUP:
            yield from references(value.get("conditions"))
            continue
        condition = facts.get(str(item.get("type")))
        for parameter in condition.parameters if condition else ():
            if isinstance(parameter, Reference):
                try:
                    pk = parameter.read(value.get(parameter.name))
                except BadValue:
                    continue
                if pk is not None:
                    yield parameter.kind, pk
