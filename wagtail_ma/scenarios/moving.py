"""Taking people who are inside a scenario over to its present version, step by step as somebody chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, F, QuerySet

from wagtail_ma.core.errors import MarketingError
from wagtail_ma.scenarios.exits import abandon
from wagtail_ma.scenarios.kinds import StepKind, step_kinds
from wagtail_ma.scenarios.models import Enrolment, Scenario, ScenarioVersion
from wagtail_ma.scenarios.plan import flow_of
from wagtail_ma.scenarios.publish import walk

ACTIVE = Enrolment.Status.ACTIVE


class NoSuchStep(MarketingError):
    """People were to be moved to a step that the present version has not."""


@dataclass(frozen=True)
class Group:
    """Those who are at one step of one older version.

    :param target: the step of the present version with the same block id; "" when it is gone: somebody
        has to say where these people go on, or leave them.
    """

    version_id: int
    number: int
    step_id: str
    title: str
    count: int
    target: str

    @property
    def key(self) -> str:
        """Names the group in a form."""
        return f"{self.version_id}:{self.step_id}"


def title_of(step: Mapping[str, Any]) -> str:
    """A step of a definition in a few words."""
    kind = step_kinds.get(step["kind"])
    return kind.describe(step["params"]) if kind else str(step["kind"])


def targets(version: ScenarioVersion) -> list[tuple[str, str]]:
    """The steps people can go on at, as (id, words), from top to bottom."""
    return [(step["id"], title_of(step)) for step in walk(version.definition)]


def groups(scenario: Scenario, latest: ScenarioVersion) -> list[Group]:
    """Everybody who is inside with an older version, by version and step (two statements)."""
    rows = (
        Enrolment.objects.filter(scenario=scenario, status=ACTIVE)
        .exclude(version=latest)
        .values_list("version_id", "step_id")
        .annotate(count=Count("pk"))
    )
    counts = {(version_id, step_id): count for version_id, step_id, count in rows}
    versions = ScenarioVersion.objects.filter(pk__in={version_id for version_id, _step in counts})
    present = {step["id"] for step in walk(latest.definition)}
    found = []
    for version in versions.order_by("number"):
        titles = {step["id"]: title_of(step) for step in walk(version.definition)}
        # From top to bottom; what a version has lost (it never should) comes last.
        order = [*titles, *(step for pk, step in counts if pk == version.pk and step not in titles)]
        found += [
            Group(
                version_id=version.pk,
                number=version.number,
                step_id=step_id,
                title=titles.get(step_id, step_id),
                count=counts[version.pk, step_id],
                target=step_id if step_id in present else "",
            )
            for step_id in order
            if (version.pk, step_id) in counts
        ]
    return found


def move(
    scenario: Scenario, latest: ScenarioVersion, chosen: Mapping[tuple[int, str], str], *, now: datetime
) -> int:
    """Let these groups go on in the present version.

    Who stays at the same step keeps the time since when they are there; who goes to another begins there
    now. Whoever has moved on or left meanwhile is left alone. A new round begins for all: steps may be
    taken again.

    :param chosen: (version id, step id) → the step of ``latest`` where they go on.
    :returns: how many were moved.
    :raises NoSuchStep: ``latest`` has no such step; nothing was done.
    """
    steps = flow_of(latest.definition).steps
    if unknown := set(chosen.values()).difference(steps):
        raise NoSuchStep(", ".join(sorted(unknown)))
    moved = 0
    with transaction.atomic():
        for (version_id, step_id), target in chosen.items():
            group = Enrolment.objects.filter(
                scenario=scenario, version_id=version_id, step_id=step_id, status=ACTIVE
            ).exclude(version=latest)
            # Holds the rows: the runner comes before or after, not in between.
            group.update(revision=F("revision") + 1)
            _end_what_lasts(group, version_id, step_id, target, steps, now=now)
            changes: dict[str, Any] = {} if target == step_id else {"step_entered_at": now}
            moved += group.update(
                **changes,
                version=latest,
                step_id=target,
                round=F("round") + 1,
                # The runner looks how long this step takes by now.
                due_at=now,
                is_listening=False,
                attempts=0,
                error="",
            )
    return moved


def _end_what_lasts(
    group: QuerySet[Enrolment],
    version_id: int,
    step_id: str,
    target: str,
    steps: Mapping[str, Any],
    *,
    now: datetime,
) -> None:
    """An offer on the site ends, unless the same goes on."""
    flow = flow_of(ScenarioVersion.objects.get(pk=version_id).definition)
    old = flow.steps.get(step_id)
    kind = step_kinds.get(old.kind) if old else None
    if old is None or kind is None or type(kind).abandon is StepKind.abandon:
        return
    new = steps[target]
    if target == step_id and new.kind == old.kind and new.params == old.params:
        return
    for enrolment in group.iterator(chunk_size=500):
        abandon(enrolment, flow, now=now)
