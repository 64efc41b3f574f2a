"""A rule tree as SQL, in two shapes from one description of each condition.

* :func:`everyone`: a set, for segment refresh, audiences and live counts. What must be there becomes
  a semi-join, what must not an anti-join or EXCEPT: ``NOT IN (subquery)`` falls back to a scan per
  visitor as soon as the set outgrows the database's working memory.
* :func:`these`: one boolean per rule for given visitors, by correlated EXISTS. (Pushing
  ``IN (ids)`` into the set shape makes PostgreSQL choose the index of the page, not of the
  visitor.) Compiled once per version of the rules, executed many times.

* :func:`one`: the same for one visitor now, who may be somebody of whom we have no row. Only here
  can a rule ask for facts of the request.

Every leaf is two-valued (never NULL), so that "none of" means the same in both shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce
from operator import and_, or_
from typing import Any

from django.db import connections
from django.db.models import Case, Count, Exists, IntegerField, OuterRef, Q, QuerySet, Value, When

from wagtail_ma.core.conditions import Asks, Rows, Scope, Where
from wagtail_ma.core.placeholders import (
    AskedNow,
    IsNobody,
    NoRequest,
    OneOfThese,
    Statement,
    VisitorSlot,
    compile_statement,
)
from wagtail_ma.rules.tree import Group, Leaf, Node

# When a row of a fact table came to be: the first of these that it has.
TIMES = ("at", "started_at", "sent_at", "entered_at", "created_at")


def everyone(
    tree: Group,
    population: QuerySet[Any],
    *,
    now: datetime,
    until: datetime | None = None,
    outside: QuerySet[Any] | None = None,
) -> QuerySet[Any]:
    """The keys of all visitors of the population that fulfil the rule.

    :param population: the visitors that may be found at all.
    :param until: look only at rows that there were at that moment. Which visit was then the last one,
        and how long a page was read by then, is not known any more: an estimate.
    :param outside: everybody who is not of the population, if they are few: with it, a rule that asks
        for rows of facts need not look up each visitor it finds in the population (two to three times
        faster where few are found).
    :returns: a queryset of one column without doubles, to be counted or used in ``pk__in=``. It
        may be a combined query (UNION, EXCEPT): it cannot be filtered further.
    """
    return _set(tree, _People(population, outside), Scope(now, until=until))


def these(trees: Sequence[Group], population: QuerySet[Any]) -> Statement:
    """One statement that decides several rules for given visitors.

    Its rows are ``(visitor id, 0 or 1 for the first rule, 0 or 1 for the second, …)``; visitors
    outside the population have no row.
    """
    columns = _columns(trees, _leaf_exists)
    asked = population.filter(OneOfThese("pk")).order_by()
    return compile_statement(asked.annotate(**columns).values_list("pk", *columns))


def one(trees: Sequence[Group], visitors: QuerySet[Any]) -> Statement:
    """One statement that decides several rules for one visitor, who may be nobody we know.

    Execute it with ``visitor_id`` (or None) and ``facts``. Its only row is ``(0 or 1 for the first
    rule, 0 or 1 for the second, …)``.

    :param visitors: all rows of the table of visitors, unfiltered.
    """
    columns = _columns(trees, _leaf_of_one)
    found = compile_statement(visitors.order_by().annotate(**columns).values_list(*columns))
    connection = connections[found.using]
    table, key = (connection.ops.quote_name(name) for name in (visitors.model._meta.db_table, "id"))
    beginning = found.sql.removesuffix(f" FROM {table}")
    if beginning == found.sql:
        raise ValueError("a condition on the visitor's own row must not join other tables")
    # Instead of the visitors themselves: one row, to which the visitor is joined if there is one.
    sql = (
        f"{beginning} FROM (SELECT CAST(%s AS bigint) AS asked) AS asker "
        f"LEFT OUTER JOIN {table} ON {table}.{key} = asker.asked"
    )
    return Statement(sql, (*found.parameters, VisitorSlot()), found.using)


def _columns(trees: Sequence[Group], leaf: Callable[[Any], Q]) -> dict[str, Case]:
    scope = Scope(None)
    return {
        f"rule_{number}": Case(
            When(_exists(tree, scope, leaf), then=Value(1)), default=Value(0), output_field=IntegerField()
        )
        for number, tree in enumerate(trees)
    }


def stranger(tree: Group) -> bool:
    """Whether somebody of whom we have no row (no cookie yet, or no consent) fulfils the rule."""
    return _stranger(tree, Scope(None))


@dataclass(frozen=True)
class _People:
    """Who may be found at all: the population, and if given those outside of it."""

    population: QuerySet[Any]
    outside: QuerySet[Any] | None


def _set(node: Node, people: _People, scope: Scope) -> QuerySet[Any]:
    if isinstance(node, Leaf):
        return _conjunction([node], people, scope, negated=False)
    if node.match != "any":
        return _conjunction(node.children, people, scope, negated=node.match == "none")
    sets = [_set(child, people, scope) for child in node.children]
    return sets[0] if len(sets) == 1 else sets[0].union(*sets[1:])


def _conjunction(children: Sequence[Node], people: _People, scope: Scope, *, negated: bool) -> QuerySet[Any]:
    """Those who fulfil all of the children, or (``negated``) none of them."""
    tests = [_test(child, scope) for child in children]
    if people.outside is not None and not any(isinstance(test, Where) for test in tests):
        required: list[QuerySet[Any]] = []
        without = [people.outside.order_by().values("pk")]
        for child, test in zip(children, tests, strict=True):
            found = _visitors(test) if isinstance(test, Rows) else _set(child, people, scope)
            is_required = (isinstance(test, Rows) and test.negated) == negated
            (required if is_required else without).append(found)
        if required:
            first, *others = required
            return (first.intersection(*others) if others else first).difference(*without)
    return _within_population(children, tests, people, scope, negated=negated)


def _test(child: Node, scope: Scope) -> Rows | Where | None:
    """The test of a condition; None for a group."""
    if not isinstance(child, Leaf):
        return None
    test = child.condition.test(child.values, scope)
    if isinstance(test, Asks):
        raise NoRequest("a condition about the request finds nobody by itself")
    return _as_of(test, scope.until) if isinstance(test, Rows) and scope.until is not None else test


def _within_population(
    children: Sequence[Node],
    tests: Sequence[Rows | Where | None],
    people: _People,
    scope: Scope,
    *,
    negated: bool,
) -> QuerySet[Any]:
    found = people.population.order_by()
    without: list[QuerySet[Any]] = []
    for child, test in zip(children, tests, strict=True):
        if isinstance(test, Where):
            found = found.filter(~test.q if negated else test.q)
        elif test is None and negated:
            without.append(_set(child, people, scope))
        elif test is None:
            found = found.filter(pk__in=_set(child, people, scope))
        elif test.negated == negated:
            found = found.filter(pk__in=_visitors(test))
        elif test.having is None:
            # An anti-join; only where nothing is counted can the database make one of it.
            found = found.filter(~Exists(test.queryset.order_by().filter(**{test.visitor: OuterRef("pk")})))
        else:
            without.append(_visitors(test))
    return found.values("pk").difference(*without) if without else found.values("pk")


def _as_of(test: Rows, until: datetime) -> Rows:
    columns = {field.name for field in test.queryset.model._meta.get_fields()}
    at = next((name for name in TIMES if name in columns), None)
    return test if at is None else replace(test, queryset=test.queryset.filter(**{f"{at}__lte": until}))


def _visitors(test: Rows) -> QuerySet[Any]:
    """The visitors that have such rows, ``negated`` not applied."""
    rows = test.queryset.order_by().values(test.visitor)
    if test.having is None:
        return rows
    return rows.annotate(**test.aggregates).filter(test.having).values(test.visitor)


def _exists(node: Node, scope: Scope, leaf: Callable[[Any], Q]) -> Q:
    if isinstance(node, Leaf):
        return leaf(node.condition.test(node.values, scope))
    parts = [_exists(child, scope, leaf) for child in node.children]
    if node.match == "all":
        return reduce(and_, parts)
    either = reduce(or_, parts)
    return ~either if node.match == "none" else either


def _leaf_of_one(test: Rows | Where | Asks) -> Q:
    """As :func:`_leaf_exists`, in a row whose visitor may be NULL."""
    if isinstance(test, Asks):
        return Q(AskedNow(test.holds))
    found = _leaf_exists(test)
    if isinstance(test, Rows) and (test.stranger is None or test.stranger == test.negated):
        # No row has a NULL visitor: two-valued already, and true for nobody only where negated.
        return found
    known = Q(IsNobody(negated=True)) & found
    return known | Q(IsNobody()) if test.stranger else known


def _leaf_exists(test: Rows | Where | Asks) -> Q:
    if isinstance(test, Where):
        return test.q
    if isinstance(test, Asks):
        raise NoRequest("a condition about the request cannot be decided for given visitors")
    # Grouped and counted even where one row is enough: PostgreSQL would turn a plain EXISTS into a
    # hash of everybody's rows (1.3 s for 500 visitors and a popular page; so it takes 30 ms).
    aggregates, having = test.aggregates, test.having
    if having is None:
        aggregates, having = {"n": Count("*")}, Q(n__gte=1)
    rows = test.queryset.order_by().filter(**{test.visitor: OuterRef("pk")}).values(test.visitor)
    rows = rows.annotate(**aggregates).filter(having).values(test.visitor)
    found = Q(Exists(rows))
    return ~found if test.negated else found


def _stranger(node: Node, scope: Scope) -> bool:
    if isinstance(node, Leaf):
        test = node.condition.test(node.values, scope)
        if isinstance(test, Asks):
            raise NoRequest("a condition about the request has no verdict by itself")
        if isinstance(test, Where):
            return test.stranger
        return test.negated if test.stranger is None else test.stranger
    verdicts = [_stranger(child, scope) for child in node.children]
    if node.match == "all":
        return all(verdicts)
    return any(verdicts) if node.match == "any" else not any(verdicts)
