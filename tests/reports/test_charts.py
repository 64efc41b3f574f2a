from __future__ import annotations

import math
import re
from xml.etree import ElementTree

import pytest
from django.test import override_settings
from django.utils.safestring import SafeString
from django.utils.translation import override

from wagtail_ma.reports import svg
from wagtail_ma.reports.charts import (
    Series,
    bar_chart,
    data_table,
    funnel,
    horizontal_bars,
    line_chart,
    sparkline,
)

NS = "{http://www.w3.org/2000/svg}"
HOSTILE = '</title><script>alert("1")</script>&\'"\x00\x1b\u202e\ufffe]]>'
MONTHS = [("Jan", 120.0), ("Feb", 1500.5), ("Mar", 0.0), ("Apr", None)]

CHARTS = {
    "line": lambda rows, title="Visits": line_chart([Series("A", rows), Series("B", rows)], title=title),
    "bars": lambda rows, title="Visits": bar_chart(rows, title=title),
    "rows": lambda rows, title="Visits": horizontal_bars(rows, title=title),
    "funnel": lambda rows, title="Visits": funnel(rows, title=title),
    "sparkline": lambda rows, title="Visits": sparkline([value for _label, value in rows], title=title),
}
every_chart = pytest.mark.parametrize("draw", CHARTS.values(), ids=CHARTS.keys())


def titles(root: ElementTree.Element, tag: str) -> list[str]:
    return [
        mark.findtext(f"{NS}title") for mark in root.iter(f"{NS}{tag}") if mark.find(f"{NS}title") is not None
    ]


def coordinates(root: ElementTree.Element) -> list[str]:
    names = {"x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "width", "height"}
    plain = [value for mark in root.iter() for key, value in mark.attrib.items() if key in names]
    paths = " ".join(mark.get("d", "") + " " + mark.get("points", "") for mark in root.iter())
    return plain + re.findall(r"[^\sMLh,]+", paths) + root.get("viewBox").split()


@every_chart
def test_chart__any_rows__safe_named_picture(draw):
    drawn = draw(MONTHS)
    root = ElementTree.fromstring(drawn)
    assert isinstance(drawn, SafeString)
    assert (root.tag, root.get("role")) == (f"{NS}svg", "img")
    assert root.findtext(f"{NS}title") == root.get("aria-label") == "Visits"
    assert "ma-chart" in root.get("class").split()


@every_chart
def test_chart__hostile_labels__escaped_and_well_formed(draw):
    drawn = draw([(HOSTILE, 3.0), ("ok", 5.0)], HOSTILE)
    root = ElementTree.fromstring(drawn)
    assert "<script" not in drawn
    assert not [mark for mark in root.iter() if mark.tag.removeprefix(NS) in ("script", "style")]
    attributes = {key.lower() for mark in root.iter() for key in mark.attrib}
    assert not [name for name in attributes if name == "style" or name.startswith("on")]
    assert '<script>alert("1")' in root.findtext(f"{NS}title")


@every_chart
@override_settings(USE_THOUSAND_SEPARATOR=True)
def test_chart__german_with_grouping__coordinates_stay_plain_numbers(draw):
    with override("de"):
        root = ElementTree.fromstring(draw([("a", 1234567.891), ("b", 0.5)]))
    for value in coordinates(root):
        assert re.fullmatch(r"-?\d+(\.\d{1,2})?", value), value


@every_chart
@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("a", None)],
        [("a", 0.0), ("b", 0.0)],
        [("a", 1.0)],
        [("a", math.nan), ("b", math.inf)],
        [("a", 1e15)],
    ],
    ids=["none", "missing", "zeros", "one", "not numbers", "huge"],
)
def test_chart__degenerate_values__still_a_picture_inside_its_box(draw, rows):
    root = ElementTree.fromstring(draw(rows))
    for value in coordinates(root):
        assert math.isfinite(float(value))


@pytest.mark.parametrize("kind", ["line", "bars", "rows", "funnel"])
def test_chart__nothing_to_draw__says_so(kind):
    assert "No data yet" in CHARTS[kind]([])


def test_line_chart__points__a_title_each_and_gaps_cut_the_line():
    points = [("1 Sep", 10.0), ("2 Sep", None), ("3 Sep", 30.0), ("4 Sep", 40.0)]
    root = ElementTree.fromstring(line_chart([Series("Visits", points)], title="t"))
    assert titles(root, "circle") == ["1 Sep, Visits: 10", "3 Sep, Visits: 30", "4 Sep, Visits: 40"]
    path = next(mark.get("d") for mark in root.iter(f"{NS}path"))
    assert path.count("M") == 2


def test_line_chart__higher_value__drawn_higher_within_the_box():
    root = ElementTree.fromstring(line_chart([Series("a", [("x", -5.0), ("y", 20.0)])], title="t"))
    low, high = [float(mark.get("cy")) for mark in root.iter(f"{NS}circle")]
    height = float(root.get("viewBox").split()[3])
    assert 0 < high < low < height


def test_line_chart__many_points__dots_are_quiet_except_a_lonely_one():
    values = [float(at) for at in range(60)]
    values[20] = values[22] = None
    points = [(str(at), value) for at, value in enumerate(values)]
    root = ElementTree.fromstring(line_chart([Series("a", points)], title="t"))
    loud = [mark for mark in root.iter(f"{NS}circle") if "quiet" not in mark.get("class")]
    assert titles(root, "circle").count("21, a: 21") == 1
    assert [mark.findtext(f"{NS}title") for mark in loud] == ["21, a: 21"]


def test_line_chart__series_of_unequal_length__drawn_up_to_the_axis():
    series = [Series("a", [("x", 1.0), ("y", 2.0)]), Series("b", [("x", 1.0)] * 5)]
    root = ElementTree.fromstring(line_chart(series, title="t"))
    assert len(list(root.iter(f"{NS}circle"))) == 4


def test_line_chart__several_series__legend_names_them():
    drawn = line_chart([Series("New", MONTHS), Series("Returning", MONTHS)], title="t")
    assert ">New<" in drawn
    assert ">Returning<" in drawn


def test_bar_chart__negative_value__hangs_below_the_axis():
    root = ElementTree.fromstring(bar_chart([("a", 10.0), ("b", -10.0)], title="t"))
    up, down = root.iter(f"{NS}rect")
    assert float(up.get("y")) + float(up.get("height")) == pytest.approx(float(down.get("y")), abs=0.02)


def test_horizontal_bars__lengths__in_proportion():
    root = ElementTree.fromstring(horizontal_bars([("a", 100.0), ("b", 25.0)], title="t"))
    long, short = [float(mark.get("width")) for mark in root.iter(f"{NS}rect")]
    assert long == pytest.approx(4 * short, rel=0.01)


def test_horizontal_bars__long_label__cut_in_the_picture_and_whole_in_its_title():
    label = "とても長い製品ページの題名" * 5
    root = ElementTree.fromstring(horizontal_bars([(label, 1.0)], title="t"))
    text = next(mark for mark in root.iter(f"{NS}text") if mark.find(f"{NS}title") is not None)
    assert text.findtext(f"{NS}title") == label
    assert text.findtext(f"{NS}tspan").endswith("…")


def test_funnel__stages__share_of_the_stage_before():
    root = ElementTree.fromstring(funnel([("Visitors", 200.0), ("Leads", 50.0), ("Won", 0.0)], title="t"))
    assert titles(root, "rect") == [
        "Visitors: 200",
        "Leads: 50, 25.0 % of the stage before",
        "Won: 0, 0.0 % of the stage before",
    ]


def test_sparkline__values__name_tells_last_and_highest():
    root = ElementTree.fromstring(sparkline([1.0, 9.0, 4.0]))
    assert root.get("aria-label") == "Last value 4, highest 9"


def test_data_table__cells__escaped_localised_and_never_self_closed():
    with override("de"), override_settings(USE_THOUSAND_SEPARATOR=True):
        table = data_table(
            ["Day", HOSTILE], [["1 Sep", 1234.0], ["2 Sep", None], [HOSTILE, ""]], caption="Visits"
        )
    assert isinstance(table, SafeString)
    assert "<script" not in table
    assert "1.234" in table
    assert "–" in table
    assert "/>" not in table
    root = ElementTree.fromstring(table.replace("&nbsp;", " "))
    assert root.tag == "details"
    assert [cell.get("scope") for cell in root.iter("th")] == ["col", "col", "row", "row", "row"]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 5, 10]),
        (3, 97, [0, 50, 100]),
        (0, 0, [0, 0.5, 1]),
        (-5, 5, [-5, 0, 5]),
        (0, 3, [0, 1, 2, 3]),
    ],
)
def test_ticks__range__round_values_around_it(low, high, expected):
    assert svg.ticks(low, high, 2 if high > 3 or high == 0 else 4) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.0, "0"), (-0.001, "0"), (1.50, "1.5"), (100.0, "100"), (1e-9, "0"), (1 / 3, "0.33")],
)
def test_number__coordinate__short_and_plain(value, expected):
    assert svg.number(value) == expected
