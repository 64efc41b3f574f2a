"""The steps of a scenario as a drawing: where each box and line goes.

Pure layout; ``wagtail_ma/scenarios/diagram.html`` turns it into SVG with classes only (no style
attribute, no script). All coordinates are whole view-box units, as text, so that no locale puts
separators into them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from wagtail_ma.scenarios.kinds import Role, StepKind, step_kinds

BOX_WIDTH = 200
BOX_HEIGHT = 64
GAP_X = 24
GAP_Y = 60
MARGIN = 16
END_RADIUS = 8
# Half-width characters that fit on a line of a box.
LINE_UNITS = 26


@dataclass(frozen=True)
class Box:
    """One step."""

    step_id: str
    x: str
    y: str
    title: str
    lines: list[tuple[str, str]]
    role: str
    # People at this step now, how often it was executed, and how many left there; None: not counted.
    waiting: int | None
    passed: int | None
    left: int | None


@dataclass(frozen=True)
class Line:
    """A way from one step to the next; ``labels`` name the branch and count who went it, as (y, text)."""

    path: str
    label_x: str
    labels: list[tuple[str, str]]


@dataclass
class Diagram:
    """Everything to draw, in a view box of ``width`` × ``height``."""

    width: str = "0"
    height: str = "0"
    boxes: list[Box] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    # Centres of the dots where the scenario is over.
    ends: list[tuple[str, str]] = field(default_factory=list)
    box_width: str = str(BOX_WIDTH)
    box_height: str = str(BOX_HEIGHT)
    end_radius: str = str(END_RADIUS)


@dataclass(frozen=True)
class _Loose:
    """An end of a line that has not reached its next step: from where, the branch it begins, and how many
    went this way. What belongs to a branch is written where it arrives, in a column of its own; any other
    count where the line begins, as many lines may arrive at one place."""

    x: int
    y: int
    branch: str = ""
    count: str = ""


def draw(
    tree: Sequence[Mapping[str, Any]],
    *,
    waiting: Mapping[str, int] | None = None,
    outcomes: Mapping[str, Mapping[str, int]] | None = None,
    stopped: Mapping[str, int] | None = None,
) -> Diagram:
    """Lay out a tree of steps (``publish.tree_of`` or a version's definition).

    :param waiting: people now at each step; None draws no counts.
    :param outcomes: by step, how often it was executed with which outcome. Each way on then says how
        many went it, and of how many per cent of those who came to the step.
    :param stopped: by step, how many left the scenario there.
    """
    pen = _Pen(None if outcomes is None else _Counts(waiting or {}, outcomes, stopped or {}))
    width = _width(tree)
    bottom, loose = pen.steps(tree, MARGIN + width // 2, MARGIN, [])
    if loose:
        bottom = pen.end(loose, bottom)
    pen.diagram.width = str(width + 2 * MARGIN)
    pen.diagram.height = str(bottom + MARGIN)
    return pen.diagram


def _width(tree: Sequence[Mapping[str, Any]]) -> int:
    """Units that these steps need side by side."""
    widest = BOX_WIDTH
    for step in tree:
        branches = step.get("branches", {})
        if branches:
            inner = sum(_width(branch) for branch in branches.values()) + GAP_X * (len(branches) - 1)
            widest = max(widest, inner)
    return widest


@dataclass(frozen=True)
class _Counts:
    waiting: Mapping[str, int]
    outcomes: Mapping[str, Mapping[str, int]]
    stopped: Mapping[str, int]

    def passed(self, step_id: str) -> int:
        return sum(self.outcomes.get(step_id, {}).values())

    def share(self, step_id: str, count: int) -> str:
        """``"12 (40 %)"``: of all who came to the step."""
        came = self.passed(step_id) + self.waiting.get(step_id, 0) + self.stopped.get(step_id, 0)
        percent = round(100 * count / came) if came else 0
        return _("%(count)d (%(percent)d %%)") % {"count": count, "percent": percent}


class _Pen:
    """Draws from top to bottom."""

    def __init__(self, counts: _Counts | None) -> None:
        self.diagram = Diagram()
        self.counts = counts

    def steps(
        self, tree: Sequence[Mapping[str, Any]], x: int, y: int, loose: list[_Loose]
    ) -> tuple[int, list[_Loose]]:
        """Draw steps centred on ``x`` from ``y`` on. Returns where they end and what is loose."""
        for step in tree:
            self._join(loose, x, y)
            kind = step_kinds.get(step["kind"])
            self._box(step, kind, x, y)
            y += BOX_HEIGHT
            if step.get("branches"):
                y, loose = self._branches(step, kind, x, y)
            elif kind is not None and kind.role in (Role.END, Role.GO_TO):
                loose = []
            else:
                loose = [_Loose(x, y, count=self._count(step["id"], ""))]
            y += GAP_Y
        return (y - GAP_Y if tree else y), loose

    def _branches(
        self, step: Mapping[str, Any], kind: StepKind | None, x: int, y: int
    ) -> tuple[int, list[_Loose]]:
        branches = step["branches"]
        left = x - (sum(_width(branch) for branch in branches.values()) + GAP_X * (len(branches) - 1)) // 2
        bottom = y + GAP_Y
        loose: list[_Loose] = []
        for name, branch in branches.items():
            width = _width(branch)
            centre = left + width // 2
            label = str(kind.exits.get(name, name)) if kind else name
            start = _Loose(x, y, label, self._count(step["id"], name))
            if branch:
                low, out = self.steps(branch, centre, y + GAP_Y, [start])
                bottom = max(bottom, low)
                loose += out
            else:
                # Straight on: a line down the empty column, so that its label has a place.
                self._line(start, centre, y + GAP_Y)
                loose.append(_Loose(centre, y + GAP_Y))
            left += width + GAP_X
        return bottom, loose

    def _count(self, step_id: str, exit_name: str) -> str:
        """How many went this way; "" for the exit: straight on."""
        if self.counts is None:
            return ""
        count = (
            self.counts.outcomes.get(step_id, {}).get(exit_name, 0)
            if exit_name
            else self.counts.passed(step_id)
        )
        return self.counts.share(step_id, count)

    def _box(self, step: Mapping[str, Any], kind: StepKind | None, x: int, y: int) -> None:
        title = kind.describe(step["params"]) if kind else _("Unknown step: %(kind)s") % step
        left = x - BOX_WIDTH // 2
        lines = wrapped(title)
        first = y + (24 if len(lines) == 1 else 20)
        counts, step_id = self.counts, step["id"]
        self.diagram.boxes.append(
            Box(
                step_id=step_id,
                x=str(left),
                y=str(y),
                title=title,
                lines=[(str(first + 16 * place), line) for place, line in enumerate(lines)],
                role=kind.role.value if kind and not kind.exits else "branch" if kind else "broken",
                waiting=counts.waiting.get(step_id, 0) if counts else None,
                passed=counts.passed(step_id) if counts else None,
                left=counts.stopped.get(step_id, 0) if counts else None,
            )
        )

    def _join(self, loose: Sequence[_Loose], x: int, y: int) -> None:
        for each in loose:
            self._line(each, x, y)

    def _line(self, start: _Loose, x: int, y: int) -> None:
        middle = y - GAP_Y // 2
        path = f"M{start.x} {start.y}V{middle}H{x}V{y}"
        if start.branch:
            label_x, texts = x + 6, [(y - 18, start.branch), (y - 4, start.count)]
        else:
            label_x, texts = start.x + 6, [(start.y + 17, start.count)]
        labels = [(str(label_y), text) for label_y, text in texts if text]
        self.diagram.lines.append(Line(path, str(label_x), labels))

    def end(self, loose: Sequence[_Loose], y: int) -> int:
        """One dot where everything that is left comes together."""
        x = sum(each.x for each in loose) // len(loose)
        self._join(loose, x, y + GAP_Y)
        self.diagram.ends.append((str(x), str(y + GAP_Y + END_RADIUS)))
        return y + GAP_Y + 2 * END_RADIUS


def wrapped(text: str, *, units: int = LINE_UNITS, lines: int = 2) -> list[str]:
    """A text on at most ``lines`` lines; full-width characters count double."""
    found: list[str] = [""]
    for word in _pieces(text):
        if _units(found[-1] + word.rstrip()) > units and found[-1]:
            found[-1] = found[-1].rstrip()
            found.append("")
        found[-1] += word
    found = [line.rstrip() for line in found]
    if len(found) > lines:
        found = [*found[: lines - 1], _cut(" ".join(found[lines - 1 :]), units)]
    return [line if _units(line) <= units else _cut(line, units) for line in found]


# What may not begin a line in Japanese, and what may not end one.
_NOT_FIRST = frozenset("」』）】〕］｝〉》、。，．・：；！？ー…々ぁぃぅぇぉっゃゅょァィゥェォッャュョ")
_NOT_LAST = frozenset("「『（【〔［｛〈《")


def _pieces(text: str) -> list[str]:
    """Words with their space; each full-width character by itself, as Japanese breaks anywhere but before
    closing and after opening brackets and the like."""
    pieces: list[str] = []
    for character in text:
        last = pieces[-1][-1] if pieces else " "
        is_wide = 2 in (_units(character), _units(last))
        is_bound = character in _NOT_FIRST or last in _NOT_LAST
        is_same = character.isspace() or (not last.isspace() and (is_bound or not is_wide))
        if pieces and is_same:
            pieces[-1] += character
        else:
            pieces.append(character)
    return pieces


def _units(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _cut(text: str, units: int) -> str:
    while text and _units(text) > units - 1:
        text = text[:-1]
    return text + "…"
