"""What a condition is: said once, read as a database test, as a form and as a sentence.

A condition describes itself as rows of a fact table with filters and, if need be, a test of an
aggregate (:class:`Rows`), or as a test of the visitor's own row (:class:`Where`). From that one
description ``rules.compile`` makes both shapes: a set for everyone, and a correlated EXISTS for
given visitors. Each domain registers its conditions in its ``facts.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, ClassVar

from django.db.models import Aggregate, Count, Q, QuerySet, Sum

from wagtail_ma.core.parameters import Parameter
from wagtail_ma.core.registry import Registry
from wagtail_ma.core.request_facts import RequestFacts


class Scope:
    """What a condition may ask about the moment of evaluation.

    With a real time the expressions hold it; without one they hold placeholders, so that one
    compiled statement serves every call.

    :param until: rows younger than this are not looked at: how it was at an earlier moment.
    """

    def __init__(self, now: datetime | None, *, until: datetime | None = None) -> None:
        self._now = now
        self.until = until

    def ago(self, *, days: int = 0) -> Any:
        """The moment ``days`` × 24 hours before now, usable on the right of any date look-up."""
        from wagtail_ma.core.placeholders import Moment

        delta = timedelta(days=days)
        return Moment(delta) if self._now is None else self._now - delta

    def today(self, text_of: Callable[[date], str]) -> Any:
        """A text made of today's date in the time zone of the project, for look-ups of text."""
        from wagtail_ma.core.placeholders import Today, today

        return Today(text_of) if self._now is None else text_of(today(self._now))


@dataclass(frozen=True)
class Rows:
    """True for visitors who have such rows (or, ``negated``, for those who have not).

    :param queryset: rows of a fact table, filtered.
    :param visitor: the column that names the visitor.
    :param aggregates: annotations per visitor that ``having`` tests; empty: one row is enough.
    :param negated: true for everybody who does *not* fulfil it, people without any row included.
    :param stranger: the verdict for somebody we have no row of; None: as for a visitor without
        such rows.
    """

    queryset: QuerySet[Any]
    visitor: str = "visitor"
    aggregates: Mapping[str, Aggregate] = field(default_factory=dict)
    having: Q | None = None
    negated: bool = False
    stranger: bool | None = None


@dataclass(frozen=True)
class Where:
    """True for visitors whose own row fulfils ``q``; ``q`` must never be NULL.

    :param stranger: the verdict for somebody we have no row of.
    """

    q: Q
    stranger: bool = False


@dataclass(frozen=True)
class Asks:
    """True for whoever sends a request that ``holds``, whether or not we have a row of them.

    Only for conditions marked ``is_live``.
    """

    holds: Callable[[RequestFacts], bool]


Test = Rows | Where | Asks


@dataclass(frozen=True)
class Dated:
    """A condition that counts what somebody did: each of these rows has its moment, so that the verdict
    of any past moment follows from the rows up to it.

    Whether a row counts must depend neither on the time nor on other rows.

    :param rows: the rows that count, of any time.
    :param days: only those of so many days before the moment; None: all.
    :param number: how many there must be (by ``comparison``, as for :func:`counted`).
    :param of: what is counted: ``rows``, the ``visits`` they belong to, or the ``seconds`` that pages
        were read.
    :param moment: the column that says when.
    """

    rows: QuerySet[Any]
    days: int | None = None
    comparison: str = "at_least"
    number: float = 1
    of: str = "rows"
    moment: str = "at"

    def test(self, scope: Scope) -> Rows:
        """The same as a database test of now."""
        rows = self.rows
        if self.days is not None:
            rows = rows.filter(**{f"{self.moment}__gte": scope.ago(days=self.days)})
        if self.of == "seconds":
            total = {"total": Sum("engaged_seconds")}
            return Rows(rows, aggregates=total, having=Q(total__gte=self.number))
        visits = Count("visit_id", distinct=True) if self.of == "visits" else None
        return counted(rows, self.comparison, int(self.number), of=visits)


class Condition:
    """One kind of condition. Subclass it, register an instance: that is all.

    :cvar key: stored in rules for ever; never rename it.
    :cvar is_live: asks for facts of the request: can only be decided while a page is rendered.
    :cvar changes_alone: the verdict on somebody may change without them doing anything, because of
        others. Conditions on scores do so anyway.
    :cvar is_scored: depends on scores (or on what follows from them): scoring rules cannot ask for it.
    :cvar parameters: declared once: the form, the validation and the sentence come from them.
    """

    key: ClassVar[str]
    label: ClassVar[Any]
    group: ClassVar[Any] = ""
    icon: ClassVar[str] = "placeholder"
    is_live: ClassVar[bool] = False
    changes_alone: ClassVar[bool] = False
    is_scored: ClassVar[bool] = False
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        """The database test for these parameter values; default: as :meth:`dated` says, as of now."""
        dated = self.dated(values)
        if dated is None:
            raise NotImplementedError
        return dated.test(scope)

    def dated(self, values: Mapping[str, Any]) -> Dated | None:
        """How it is decided for a past moment; None: it cannot be, it says how somebody is and not since
        when."""
        return None

    @property
    def may_be_dated(self) -> bool:
        """Whether it can be decided for a past moment, with some values at least."""
        return type(self).dated is not Condition.dated

    def check(self, values: Mapping[str, Any]) -> None:
        """Whether the values go together; each of them alone is good.

        :raises wagtail_ma.core.parameters.BadValue: they do not; the rule is broken.
        """

    def window(self, values: Mapping[str, Any]) -> timedelta | None:
        """The shortest time after which the verdict on somebody who does nothing may change; zero: any
        moment; None: never. Default: the smallest number of days that the condition asks for."""
        if self.changes_alone or self.is_scored:
            return timedelta(0)
        asked = [values[name] for name in ("days", "silence") if values.get(name)]
        return timedelta(days=min(asked)) if asked else None

    def sentence(self, values: Mapping[str, Any]) -> str:
        """How it reads, in the active language; ``values`` as for :meth:`test`."""
        raise NotImplementedError


@dataclass(frozen=True)
class Referent:
    """An object that a condition names: how it is called, and what its test needs to know of it."""

    pk: Any
    label: str
    data: Any = None


@dataclass(frozen=True)
class ReferenceKind:
    """A kind of object that conditions may name.

    :param find: ids → the objects that still exist, by id (at most one statement).
    :param make_block: a Wagtail chooser block, called as ``make_block(required=…, label=…)``.
    """

    find: Callable[[Iterable[int]], dict[int, Referent]]
    make_block: Callable[..., Any]


facts: Registry[Condition] = Registry("facts")
reference_kinds: Registry[ReferenceKind] = Registry("reference kinds")


def register(condition: type[Condition]) -> type[Condition]:
    """Class decorator: add an instance of the condition to the registry of facts."""
    facts.register(condition.key, condition())
    return condition


def counted(queryset: QuerySet[Any], comparison: str, number: int, *, of: Aggregate | None = None) -> Rows:
    """Rows of which a visitor must have at least / at most / exactly so many.

    :param comparison: ``at_least``, ``at_most`` or ``exactly``. Nobody's count is 0, so "at most"
        and "exactly 0" include people without any such row.
    :param of: what is counted; default: the rows.
    """
    # The rows and not their keys: an index alone can be read for it.
    count = {"n": of or Count("*")}
    if comparison == "at_least":
        if number <= 0:
            return Rows(queryset.none(), negated=True)
        return Rows(queryset) if number == 1 else Rows(queryset, aggregates=count, having=Q(n__gte=number))
    if comparison == "at_most":
        if number <= 0:
            return Rows(queryset, negated=True)
        return Rows(queryset, aggregates=count, having=Q(n__gt=number), negated=True)
    if number <= 0:
        return Rows(queryset, negated=True)
    return Rows(queryset, aggregates=count, having=Q(n=number))
