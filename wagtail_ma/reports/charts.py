"""Charts as SVG, drawn on the server: no script, no style attribute, no chart library.

Colours and strokes come from ``wagtail_ma/admin/charts.css`` (load it with the screen). Every
chart is one ``<svg role="img">`` with a name, a description and a ``<title>`` per point, shown by
browsers as a tooltip; :func:`data_table` gives the same numbers as a table. All text is escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from .svg import (
    FONT_SIZE,
    element,
    every,
    finite,
    number,
    percent,
    shortened,
    shown,
    text,
    text_width,
    ticks,
)

WIDTH = 720
HEIGHT = 260
SERIES_STYLES = 6
MOST_DOTS = 31
ROW_HEIGHT = 30
LEGEND_LINE = 20

Row = tuple[str, float | None]


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its name and its points from left to right, ``(label, value)``. The labels of the
    first series are the axis; a value of None is a gap."""

    name: str
    points: Sequence[Row]


@dataclass(frozen=True, slots=True)
class _Plot:
    """The drawing area in view-box units and the values that its edges stand for."""

    left: float
    top: float
    right: float
    bottom: float
    low: float
    high: float

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return self.bottom - share * (self.bottom - self.top)


def sparkline(values: Sequence[float | None], *, title: str = "") -> SafeString:
    """A line of the size of a word, for a list's column.

    :param values: oldest first; None is a gap.
    :param title: its accessible name; default "Last value 5, highest 9".
    """
    numbers = [finite(value) for value in values]
    known = [value for value in numbers if value is not None]
    if not known:
        return _svg("sparkline", 100, 24, title or _("No data yet"), "", [])
    name = title or _("Last value %(last)s, highest %(highest)s") % {
        "last": shown(known[-1]),
        "highest": shown(max(known)),
    }
    plot = _Plot(3, 4, 97, 20, min(0.0, *known), max(*known, min(0.0, *known) + 1e-9, 0.0) or 1.0)
    xs = _spread(len(numbers), plot.left, plot.right)
    marks = [_path(_runs(xs, numbers, plot), "ma-chart__line ma-chart__line--1")]
    last, newest = max((index, value) for index, value in enumerate(numbers) if value is not None)
    marks.append(_dot(xs[last], plot.y(newest), 1, radius=2.5))
    return _svg("sparkline", 100, 24, name, "", marks)


def line_chart(
    series: Sequence[Series], *, title: str, description: str = "", height: int = HEIGHT
) -> SafeString:
    """Values over time, one line per series.

    :param series: their points share the labels of the first one by position.
    :param title: accessible name, not drawn: the screen has its own heading.
    """
    labels = [label for label, _value in series[0].points] if series else []
    values = [[finite(value) for _label, value in line.points][: len(labels)] for line in series]
    known = [value for line in values for value in line if value is not None]
    if not known:
        return _empty("line", title)
    legend = _legend([line.name for line in series]) if len(series) > 1 else []
    top = 12 + LEGEND_LINE * len(legend)
    plot, marks = _frame(known, top, height + LEGEND_LINE * max(0, len(legend) - 1))
    xs = _spread(len(labels), plot.left + 8, plot.right - 8)
    marks += _x_labels(labels, xs, plot)
    marks += [line for lines in legend for line in lines]
    for index, line in enumerate(values):
        style = index % SERIES_STYLES + 1
        path = _path(_runs(xs, line, plot), f"ma-chart__line ma-chart__line--{style}")
        dots = _dots(line, labels, series[index].name, xs, plot, style)
        marks.append(element("g", path, *dots, class_="ma-chart__series"))
    return _svg("line", WIDTH, plot.bottom + 28, title, description or _summary(known), marks)


def bar_chart(rows: Sequence[Row], *, title: str, description: str = "", height: int = HEIGHT) -> SafeString:
    """Upright bars, one per row; for short labels such as months. Negative values hang down."""
    known = [value for _label, raw in rows if (value := finite(raw)) is not None]
    if not known:
        return _empty("bars", title)
    plot, marks = _frame(known, 18, height)
    slot = (plot.right - plot.left) / len(rows)
    width = min(56.0, slot * 0.7)
    xs = [plot.left + slot * (index + 0.5) for index in range(len(rows))]
    marks += _x_labels([label for label, _value in rows], xs, plot)
    for (label, raw), x in zip(rows, xs, strict=True):
        value = finite(raw)
        if value is None:
            continue
        edge, zero = plot.y(value), plot.y(0)
        bar = _bar(x - width / 2, min(edge, zero), width, abs(edge - zero), label, value)
        marks.append(bar)
        if slot >= text_width(shown(value)) + 2:
            over = edge - 5 if value >= 0 else edge + FONT_SIZE + 2
            marks.append(_text(shown(value), x, over, "value", "middle"))
    return _svg("bars", WIDTH, plot.bottom + 28, title, description or _summary(known), marks)


def horizontal_bars(
    rows: Sequence[Row], *, title: str, description: str = "", width: float = WIDTH
) -> SafeString:
    """Lying bars for rankings: long labels on the left, the value behind the bar.

    :param rows: values of 0 and more; less counts as 0.
    :param width: less for charts that stand side by side, so that their words stay as large.
    """
    if not any(finite(value) is not None for _label, value in rows):
        return _empty("rows", title)
    highest = max(finite(value) or 0.0 for _label, value in rows) or 1.0
    widest = max(text_width(shown(value)) for _label, value in rows)
    labels = max(text_width(shortened(str(label), 208.0)) for label, _value in rows)
    left, right = labels + 14, width - widest - 12
    marks = []
    for index, (label, raw) in enumerate(rows):
        value = finite(raw)
        middle = index * ROW_HEIGHT + ROW_HEIGHT / 2
        length = max(0.0, value or 0.0) / highest * (right - left)
        marks.append(_row_label(label, left - 10, middle))
        marks.append(_bar(left, middle - 9, length, 18, label, value))
        marks.append(_text(shown(value), left + length + 6, middle + 4, "value"))
    name = description or _summary([finite(value) or 0.0 for _label, value in rows])
    return _svg("rows", width, len(rows) * ROW_HEIGHT + 4, title, name, marks)


def funnel(rows: Sequence[Row], *, title: str, description: str = "") -> SafeString:
    """Stages of a process: how many reached each, and which share of the stage before.

    :param rows: stages in their order with the number of people who reached them.
    """
    values = [max(0.0, finite(value) or 0.0) for _label, value in rows]
    if not any(values):
        return _empty("funnel", title)
    left, right, row = 220.0, WIDTH - 120.0, 44
    middle_x, highest = (left + right) / 2, max(values)
    widths = [value / highest * (right - left) for value in values]
    marks = []
    for index, ((label, _value), value, width) in enumerate(zip(rows, values, widths, strict=True)):
        top = index * row + 4.0
        share = value / values[index - 1] if index and values[index - 1] else None
        marks.append(_row_label(label, left - 10, top + 14))
        marks.append(_bar(middle_x - width / 2, top, width, 28, label, value, share))
        # Behind the widest stage, so that no number sits on a bar of unknown colour.
        caption = shown(value) if share is None else f"{shown(value)}  ({percent(share)})"
        marks.append(_text(caption, right + 8, top + 18, "value"))
        if index + 1 < len(rows):
            marks.append(_taper(middle_x, width, widths[index + 1], top + 28, row - 28))
    text_ = description or _("From %(first)s at the top to %(last)s at the end.") % {
        "first": shown(values[0]),
        "last": shown(values[-1]),
    }
    return _svg("funnel", WIDTH, len(rows) * row, title, text_, marks)


def data_table(headings: Sequence[str], rows: Sequence[Sequence[object]], *, caption: str) -> SafeString:
    """The numbers of a chart as a table that opens on request (HTML).

    :param headings: one per column; the first column names its row.
    :param rows: cells; numbers are localised and aligned to the end, None is shown as "–".
    :param caption: what the table shows, for screen readers.
    """
    head = "".join(element("th", text(heading), scope="col") for heading in headings)
    body = []
    for row in rows:
        cells = [element("th", _cell(row[0]), scope="row")] if row else []
        for cell in row[1:]:
            numeric = cell is None or isinstance(cell, int | float)
            cells.append(element("td", _cell(cell), class_="ma-chart-table__number" if numeric else None))
        body.append(element("tr", *cells))
    table = element(
        "table",
        element("caption", text(caption), class_="ma-chart-table__caption"),
        element("thead", element("tr", head)),
        element("tbody", *body) if body else "<tbody></tbody>",
        class_="ma-chart-table__table",
    )
    summary = element("summary", text(_("Show as a table")), class_="ma-chart-table__summary")
    return element("details", summary, table, class_="ma-chart-table")


def _cell(value: Any) -> SafeString:
    numeric = value is None or (isinstance(value, int | float) and not isinstance(value, bool))
    # A cell is never empty: element() would close it like XML does, which HTML ignores.
    return text(shown(value) if numeric else value) or mark_safe("&nbsp;")


def _svg(
    kind: str, width: float, height: float, title: str, description: str, marks: Sequence[str]
) -> SafeString:
    return element(
        "svg",
        element("title", text(title) or text(_("Chart"))),
        element("desc", text(description)) if description else "",
        *marks,
        xmlns="http://www.w3.org/2000/svg",
        class_=f"ma-chart ma-chart--{kind}",
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_label=title or _("Chart"),
    )


def _empty(kind: str, title: str) -> SafeString:
    message = _("No data yet")
    return _svg(kind, WIDTH, 80, title, message, [_text(message, WIDTH / 2, 44, "empty", "middle")])


def _frame(known: Sequence[float], top: float, height: float) -> tuple[_Plot, list[SafeString]]:
    """Axis and grid for these values: the plot, and the marks that lie below everything."""
    steps = ticks(min(known), max(known))
    left = max(text_width(shown(step)) for step in steps) + 12
    plot = _Plot(left, top, WIDTH - 4, height - 28, steps[0], steps[-1])
    marks = []
    for step in steps:
        y = plot.y(step)
        kind = "axis" if step == 0 else "grid"
        marks.append(element("line", x1=left, y1=y, x2=plot.right, y2=y, class_=f"ma-chart__{kind}"))
        marks.append(_text(shown(step), left - 6, y + 4, "tick", "end"))
    return plot, marks


def _x_labels(labels: Sequence[str], xs: Sequence[float], plot: _Plot) -> list[SafeString]:
    """As many labels as fit without touching."""
    if not labels:
        return []
    widest = min(110.0, max(text_width(shortened(label, 110)) for label in labels) + 14)
    shown_at = every(len(labels), int((plot.right - plot.left) // widest))
    marks = []
    for index in shown_at:
        label = shortened(labels[index], 110)
        half = text_width(label) / 2
        x = min(max(xs[index], half), WIDTH - half)  # the outer ones stay inside the picture
        marks.append(_text(label, x, plot.bottom + 18, "tick", "middle"))
    return marks


def _legend(names: Sequence[str]) -> list[list[SafeString]]:
    """Lines of legend entries, each entry a piece of its line and the name."""
    lines: list[list[SafeString]] = [[]]
    x = 4.0
    for index, name in enumerate(names):
        label = shortened(name, 200)
        needed = text_width(label) + 52
        if x + needed > WIDTH and lines[-1]:
            lines.append([])
            x = 4.0
        y = 10 + LEGEND_LINE * (len(lines) - 1)
        style = f"ma-chart__line ma-chart__line--{index % SERIES_STYLES + 1}"
        sample = element("path", d=f"M{number(x)} {number(y)}h24", class_=style)
        entry = [sample, _text(label, x + 30, y + 4, "legend")]
        lines[-1].append(element("g", *entry))
        x += needed
    return lines


def _spread(count: int, left: float, right: float) -> list[float]:
    if count == 1:
        return [(left + right) / 2]
    return [left + (right - left) * index / (count - 1) for index in range(count)]


def _runs(
    xs: Sequence[float], values: Sequence[float | None], plot: _Plot
) -> list[list[tuple[float, float]]]:
    """The line cut at its gaps."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, value in zip(xs, values, strict=False):
        if value is not None:
            runs[-1].append((x, plot.y(value)))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _path(runs: Sequence[Sequence[tuple[float, float]]], css: str) -> SafeString:
    d = "".join("M" + "L".join(f"{number(x)} {number(y)}" for x, y in run) for run in runs)
    return element("path", d=d, class_=css)


def _dots(
    line: Sequence[float | None],
    labels: Sequence[str],
    name: str,
    xs: Sequence[float],
    plot: _Plot,
    style: int,
) -> list[SafeString]:
    """A dot with its title per value. Many of them would hide the line: those show when pointed
    at. One between two gaps has no line, it always shows."""
    dots = []
    for at, value in enumerate(line):
        if value is None:
            continue
        alone = all(near is None for near in [*line[max(0, at - 1) : at], *line[at + 1 : at + 2]])
        quiet = len(line) > MOST_DOTS and not alone
        title = _point_title(labels[at], name, value)
        dots.append(_dot(xs[at], plot.y(value), style, title, quiet=quiet))
    return dots


def _dot(
    x: float, y: float, style: int, title: str = "", *, radius: float = 3.5, quiet: bool = False
) -> SafeString:
    inner = [element("title", text(title))] if title else []
    css = f"ma-chart__dot ma-chart__dot--{style}{' ma-chart__dot--quiet' if quiet else ''}"
    return element("circle", *inner, cx=x, cy=y, r=radius, class_=css)


def _bar(
    x: float,
    y: float,
    width: float,
    height: float,
    label: str,
    value: float | None,
    share: float | None = None,
) -> SafeString:
    # A sliver stays visible and can be pointed at where there is a value.
    if value:
        width, height = max(width, 1.0), max(height, 1.0)
    title = _point_title(label, "", value)
    if share is not None:
        title = _("%(point)s, %(share)s of the stage before") % {
            "point": title,
            "share": percent(share),
        }
    tip = element("title", text(title))
    return element("rect", tip, x=x, y=y, width=width, height=height, rx=2, class_="ma-chart__bar")


def _taper(middle: float, upper: float, lower: float, y: float, height: float) -> SafeString:
    corners = [(-upper / 2, y), (upper / 2, y), (lower / 2, y + height), (-lower / 2, y + height)]
    points = " ".join(f"{number(middle + dx)},{number(at)}" for dx, at in corners)
    return element("polygon", points=points, class_="ma-chart__taper")


def _row_label(label: str, x: float, middle: float) -> SafeString:
    full = element("title", text(label))
    inner = element("tspan", text(shortened(label, x - 2)))
    css = "ma-chart__text ma-chart__text--label"
    return element("text", full, inner, x=x, y=middle + 4, text_anchor="end", class_=css)


def _text(value: str, x: float, y: float, kind: str, anchor: str | None = None) -> SafeString:
    css = f"ma-chart__text ma-chart__text--{kind}"
    return element("text", text(value), x=x, y=y, text_anchor=anchor, class_=css)


def _point_title(label: str, series: str, value: float | None) -> str:
    parts = [part for part in (label, series) if part]
    return f"{', '.join(parts)}: {shown(value)}" if parts else shown(value)


def _summary(known: Sequence[float]) -> str:
    return _("Lowest %(lowest)s, highest %(highest)s, last %(last)s.") % {
        "lowest": shown(min(known)),
        "highest": shown(max(known)),
        "last": shown(known[-1]),
    }
