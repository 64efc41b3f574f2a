"""From the editor's steps to an immutable version."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from wagtail_ma.core.errors import MarketingError
from wagtail_ma.rules.fields import stored
from wagtail_ma.rules.tree import Broken, is_live, parse
from wagtail_ma.scenarios import entry_rule
from wagtail_ma.scenarios.kinds import Role, step_kinds
from wagtail_ma.scenarios.models import Scenario, ScenarioVersion
from wagtail_ma.scenarios.plan import Flow, flow_of

Tree = list[dict[str, Any]]


class NotReady(MarketingError):
    """A scenario that cannot run was to be published; ``problems`` says why."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


def tree_of(scenario: Scenario) -> Tree:
    """The steps of the editor as plain data, ids instead of objects.

    :returns: ``[{"id", "kind", "params", "branches": {name: tree}}, …]``, the block's own id as
        the id of the step, so that counts stay with their step when steps are moved.
    """
    tree = _read(scenario.steps, [])
    places = {step["params"]["name"]: step["id"] for step in walk(tree) if step["kind"] == "place"}
    for step in walk(tree):
        if step["kind"] == "go_to":
            step["params"]["target"] = places.get(step["params"]["place"])
    return tree


def _read(stream: Any, earlier: Sequence[Mapping[str, Any]]) -> Tree:
    tree: Tree = []
    for child in stream:
        kind = step_kinds.get(child.block_type)
        if kind is None:
            continue
        before = [*earlier, *tree]
        step = {
            "id": child.id or str(uuid.uuid4()),
            "kind": kind.key,
            "params": kind.read(child.value, before),
        }
        if kind.exits:
            step["branches"] = {
                name: _read(child.value.get(name) or [], [*before, step]) for name in kind.exits
            }
        tree.append(step)
    return tree


def problems(scenario: Scenario) -> list[str]:
    """Why a scenario cannot be published, in words; empty when it can."""
    found: list[str] = []
    if scenario.entry == Scenario.Entry.ACTIVITY and not scenario.activity_kind:
        found.append(_("Say which activity starts the scenario."))
    if scenario.entry == Scenario.Entry.SEGMENT and scenario.segment_id is None:
        found.append(_("Choose the segment whose new members start the scenario."))
    if scenario.entry == Scenario.Entry.SEGMENT_LEFT and scenario.segment_id is None:
        found.append(_("Choose the segment that people leave."))
    found.extend(_entry_problems(scenario))
    tree = tree_of(scenario)
    if not tree:
        found.append(_("Add at least one step."))
    for step in walk(tree):
        found.extend(step_kinds.get(step["kind"]).problems(step["params"]))  # type: ignore[union-attr]
    found.extend(_band_problems(scenario, tree))
    if _has_unreachable(tree):
        found.append(_("Steps below an “End” are never reached; remove them."))
    found.extend(_broken_jumps(tree))
    return list(dict.fromkeys(found))


def _entry_problems(scenario: Scenario) -> list[str]:
    """What is missing where conditions or a date let people in."""
    if scenario.entry == Scenario.Entry.DATE and scenario.date_field_id is None:
        return [_("Choose the lead field with the date that starts the scenario.")]
    if scenario.entry != Scenario.Entry.RULE:
        return []
    conditions = stored(scenario.rule)
    if not conditions:
        return [_("Add the conditions that start the scenario.")]
    if is_live(conditions):
        return [_("Conditions about the page request cannot start a scenario: nobody's are known later.")]
    tree = parse(scenario.match, conditions)
    return [tree.reason] if isinstance(tree, Broken) else []


def _band_problems(scenario: Scenario, tree: Tree) -> list[str]:
    """A band that nobody can be in, and a way on that is not there."""
    low, high, found = scenario.band_from, scenario.band_to, []
    if low is not None and high is not None and low > high:
        found.append(_("The score can never be in the band: its end is below its beginning."))
    places = {step["params"].get("name") for step in walk(tree) if step["kind"] == "place"}
    if scenario.has_band and scenario.band_place and scenario.band_place not in places:
        words = {"place": scenario.band_place}
        found.append(_("There is no step “Place” with the name “%(place)s”, to go on at.") % words)
    if scenario.pk and scenario.band_scenario_id == scenario.pk:
        found.append(_("Whoever leaves the band cannot go into the same scenario; choose another."))
    return found


def walk(tree: Sequence[Any]) -> Iterator[Any]:
    """All steps of a tree, as read from top to bottom."""
    for step in tree:
        yield step
        for branch in step.get("branches", {}).values():
            yield from walk(branch)


def _always_ends(tree: Sequence[Mapping[str, Any]]) -> bool:
    """Whether nobody comes out at the bottom of these steps."""
    for step in tree:
        kind = step_kinds.get(step["kind"])
        if kind is not None and kind.role in (Role.END, Role.GO_TO):
            return True
        branches = step.get("branches", {})
        if branches and all(_always_ends(branch) for branch in branches.values()):
            return True
    return False


def _has_unreachable(tree: Sequence[Mapping[str, Any]]) -> bool:
    if any(_always_ends(tree[:place]) for place in range(1, len(tree))):
        return True
    return any(_has_unreachable(branch) for step in tree for branch in step.get("branches", {}).values())


def _broken_jumps(tree: Tree) -> list[str]:
    """Jumps that lead nowhere, places of the same name, and loops in which nobody ever waits."""
    found: list[str] = []
    names = [step["params"]["name"] for step in walk(tree) if step["kind"] == "place"]
    jumps = [step for step in walk(tree) if step["kind"] == "go_to"]
    for name in sorted({name for name in names if names.count(name) > 1}):
        found.append(_("Two places are called “%(place)s”; give each its own name.") % {"place": name})
    for step in jumps:
        if not step["params"].get("target"):
            place = step["params"].get("place") or "?"
            found.append(_("“Go to” leads to a place that is not there: “%(place)s”.") % {"place": place})
    if not found and jumps and _loops_without_wait(flow_of(tree)):
        found.append(_("People would go round without waiting; put a step “Wait” into each loop."))
    return found


def _loops_without_wait(flow: Flow) -> bool:
    """Whether somebody could come back to a step without passing one that waits for a time."""
    done: set[str] = set()

    def visit(step_id: str | None, path: frozenset[str]) -> bool:
        if step_id is None or step_id in done:
            return False
        if step_id in path:
            return True
        step = flow.steps[step_id]
        kind = step_kinds.get(step.kind)
        if kind is not None and kind.role is Role.GO_TO:
            ways: set[str | None] = {step.params["target"]}
        elif kind is None or kind.role in (Role.WAIT, Role.END):
            ways = set()
        else:
            ways = {step.next, *step.exits.values()}
        is_endless = any(visit(way, path | {step_id}) for way in ways)
        done.add(step_id)
        return is_endless

    return any(visit(step_id, frozenset()) for step_id in flow.steps)


def check(scenario: Scenario) -> None:
    """:raises NotReady: when there are :func:`problems`."""
    if found := problems(scenario):
        raise NotReady(found)


def publish(scenario: Scenario, *, now: datetime, begins_anew: bool = False) -> ScenarioVersion:
    """Keep the steps of a live scenario as a version; those inside stay with theirs.

    Publishing the same steps again changes nothing.

    :param scenario: as saved, with the steps that are in force.
    :param now: of the first publication, what happened earlier does not let anybody in.
    :param begins_anew: it was not in force, or had another way in: as at the first publication.
    :raises NotReady: the scenario cannot run.
    """
    check(scenario)
    definition = tree_of(scenario)
    with transaction.atomic():
        # One publisher at a time: the number is counted.
        Scenario.objects.select_for_update().filter(pk=scenario.pk).first()
        if begins_anew or scenario.active_since is None:
            _begin_anew(scenario, now=now)
        entry_rule.keep(scenario)
        latest = scenario.versions.order_by("-number").first()
        if latest is not None and latest.definition == definition:
            return latest
        return ScenarioVersion.objects.create(
            scenario=scenario,
            number=latest.number + 1 if latest else 1,
            definition=definition,
            published_at=now,
        )


def _begin_anew(scenario: Scenario, *, now: datetime) -> None:
    """Only what happens from now on lets anybody in; and, where asked for, those who are there already."""
    takes_in = scenario.includes_existing and scenario.entry in (Scenario.Entry.SEGMENT, Scenario.Entry.RULE)
    scenario.active_since = now
    scenario.existing_after = 0 if takes_in else None
    scenario.swept_on = None
    names = ("active_since", "existing_after", "swept_on")
    Scenario.objects.filter(pk=scenario.pk).update(**{name: getattr(scenario, name) for name in names})
