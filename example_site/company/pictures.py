"""The pictures of the example site, drawn from plain shapes: no photograph, no licence to mind."""

from __future__ import annotations

import math
from collections.abc import Callable
from io import BytesIO

from PIL import Image, ImageDraw

WIDTH, HEIGHT = 1280, 720
SMOOTH = 2  # drawn larger and shrunk, which rounds the edges

INK, TEAL, DEEP = "#20393f", "#0f766e", "#0b4f4a"
MINT, PALE, WHITE, GREY, AMBER, CORAL = (
    "#7fd1c7",
    "#d5eeea",
    "#ffffff",
    "#c9d6d8",
    "#f2b04c",
    "#e4745b",
)
GROUNDS = (("#e6f4f2", "#bfe3de"), ("#eef1f8", "#c9d3ea"), ("#fbf2e4", "#f0d9b5"))


class Sketch:
    """Shapes on a ground, measured in pixels of the finished picture."""

    def __init__(self, ground: tuple[str, str]) -> None:
        """Start with a ground that runs from one colour at the top to another at the bottom."""
        size = (WIDTH * SMOOTH, HEIGHT * SMOOTH)
        mask = Image.linear_gradient("L").resize(size)
        self.image = Image.composite(
            Image.new("RGB", size, ground[1]), Image.new("RGB", size, ground[0]), mask
        )
        self.pen = ImageDraw.Draw(self.image)

    def box(self, x: float, y: float, w: float, h: float, fill: str, round_by: int = 10) -> None:
        """A rectangle with rounded corners."""
        corners = [v * SMOOTH for v in (x, y, x + w, y + h)]
        self.pen.rounded_rectangle(corners, round_by * SMOOTH, fill=fill)

    def dot(self, x: float, y: float, radius: float, fill: str) -> None:
        """A disc."""
        corners = [v * SMOOTH for v in (x - radius, y - radius, x + radius, y + radius)]
        self.pen.ellipse(corners, fill=fill)

    def path(self, points: list[tuple[float, float]], fill: str, width: int = 6) -> None:
        """A line through points."""
        scaled = [(x * SMOOTH, y * SMOOTH) for x, y in points]
        self.pen.line(scaled, fill=fill, width=width * SMOOTH, joint="curve")

    def shape(self, points: list[tuple[float, float]], fill: str) -> None:
        """A filled polygon."""
        self.pen.polygon([(x * SMOOTH, y * SMOOTH) for x, y in points], fill=fill)

    def arrow(self, x1: float, y1: float, x2: float, y2: float, fill: str = INK) -> None:
        """A straight arrow."""
        self.path([(x1, y1), (x2, y2)], fill)
        turn = math.atan2(y2 - y1, x2 - x1)
        tips = [(x2 - 24 * math.cos(turn + side), y2 - 24 * math.sin(turn + side)) for side in (-0.5, 0.5)]
        self.shape([(x2, y2), *tips], fill)

    def sheet(self, x: float, y: float, w: float = 150, h: float = 200, mark: str = TEAL) -> None:
        """A page with lines of writing."""
        self.box(x + 6, y + 8, w, h, GREY)
        self.box(x, y, w, h, WHITE)
        self.box(x + 18, y + 20, w * 0.5, 14, mark, 5)
        for row in range(int((h - 70) // 26)):
            self.box(x + 18, y + 52 + row * 26, w - 36 - (row % 3) * 18, 9, GREY, 4)

    def window(self, x: float, y: float, w: float, h: float) -> None:
        """A program's window with an empty inside."""
        self.box(x + 10, y + 14, w, h, GREY, 18)
        self.box(x, y, w, h, WHITE, 18)
        self.box(x, y, w, 46, TEAL, 18)
        self.box(x, y + 26, w, 22, TEAL, 0)
        for place, colour in enumerate((AMBER, MINT, PALE)):
            self.dot(x + 28 + place * 26, y + 24, 8, colour)

    def tick(self, x: float, y: float, radius: float, fill: str = TEAL) -> None:
        """A disc with a tick."""
        self.dot(x, y, radius, fill)
        points = [(-0.42, 0.02), (-0.1, 0.34), (0.45, -0.3)]
        self.path([(x + a * radius, y + b * radius) for a, b in points], WHITE, int(radius / 5))

    def person(self, x: float, y: float, size: float, fill: str) -> None:
        """Head and shoulders."""
        self.dot(x, y, size * 0.36, fill)
        self.pen.pieslice(
            [v * SMOOTH for v in (x - size * 0.7, y + size * 0.45, x + size * 0.7, y + size * 1.9)],
            180,
            360,
            fill=fill,
        )

    def png(self) -> bytes:
        """The finished picture."""
        small = self.image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        target = BytesIO()
        small.quantize(128).save(target, "PNG", optimize=True)
        return target.getvalue()


def _desk(s: Sketch) -> None:
    s.window(150, 110, 820, 500)
    s.box(176, 186, 170, 396, PALE)
    for row in range(6):
        s.box(198, 212 + row * 58, 126 - (row % 2) * 30, 18, MINT if row == 1 else GREY, 8)
    for place in range(3):
        s.sheet(388 + place * 188, 204, 150, 190, (TEAL, AMBER, CORAL)[place])
    s.box(388, 430, 526, 60, PALE)
    s.box(388, 510, 400, 60, PALE)
    s.tick(1010, 500, 90)


def _blocks(s: Sketch) -> None:
    s.window(120, 90, 620, 420)
    for row in range(3):
        for place in range(3):
            s.sheet(160 + place * 190, 160 + row * 112, 150, 92, (TEAL, AMBER, MINT)[row])
    s.window(560, 270, 590, 360)
    s.arrow(680, 470, 790, 470)
    s.arrow(880, 470, 990, 470)
    for place, colour in enumerate((MINT, AMBER, TEAL)):
        s.dot(640 + place * 200, 470, 44, colour)


def _cabinet(s: Sketch) -> None:
    s.box(390, 80, 500, 560, DEEP, 22)
    for row in range(3):
        s.box(416, 106 + row * 178, 448, 158, TEAL, 14)
        s.box(570, 170 + row * 178, 140, 26, PALE, 12)
    s.box(416, 330, 448, 130, WHITE, 14)
    for place in range(4):
        s.sheet(440 + place * 104, 250 - place % 2 * 22, 92, 130, (TEAL, AMBER, CORAL, MINT)[place])
    s.box(400, 350, 470, 112, MINT, 14)
    s.box(570, 394, 140, 26, WHITE, 12)


def _flow(s: Sketch) -> None:
    s.sheet(110, 250, 170, 220)
    s.arrow(310, 360, 420, 360)
    for place, colour in enumerate((AMBER, MINT)):
        s.dot(520 + place * 270, 360, 90, WHITE)
        s.person(520 + place * 270, 335, 70, colour)
        s.arrow(630 + place * 270, 360, 690 + place * 270, 360)
    s.tick(1050, 360, 90)
    s.path([(790, 470), (790, 560), (520, 560), (520, 480)], GREY, 8)


def _works(s: Sketch) -> None:
    for x, y, radius, colour in ((430, 380, 150, TEAL), (690, 270, 105, AMBER)):
        for tooth in range(12):
            turn = tooth * math.tau / 12
            s.dot(x + radius * math.cos(turn), y + radius * math.sin(turn), radius * 0.16, colour)
        s.dot(x, y, radius, colour)
        s.dot(x, y, radius * 0.42, WHITE)
    s.sheet(860, 230, 220, 290)


def _logistics(s: Sketch) -> None:
    s.shape([(120, 300), (420, 160), (720, 300)], DEEP)
    s.box(140, 296, 560, 290, WHITE, 0)
    for row in range(3):
        for place in range(4 - row):
            colour = (AMBER, MINT, CORAL)[(row + place) % 3]
            s.box(190 + place * 118 + row * 59, 486 - row * 92, 104, 84, colour, 8)
    s.box(780, 400, 230, 160, TEAL)
    s.box(1020, 450, 110, 110, DEEP)
    s.box(1060, 470, 50, 40, PALE, 6)
    for x in (840, 950, 1080):
        s.dot(x, 570, 34, INK)
        s.dot(x, 570, 14, GREY)


def _foods(s: Sketch) -> None:
    s.window(160, 110, 640, 480)
    s.box(200, 270, 560, 150, PALE)
    values = (340, 320, 350, 330, 300, 335, 360, 330, 345)
    s.path([(220 + i * 65, y) for i, y in enumerate(values)], TEAL, 8)
    s.dot(480, 300, 14, AMBER)
    s.box(880, 340, 250, 210, INK, 30)
    s.box(850, 320, 310, 36, DEEP, 16)
    for place in range(3):
        x = 930 + place * 70
        s.path([(x, 290), (x + 18, 250), (x - 6, 210), (x + 12, 170)], GREY, 9)


def _paper(s: Sketch) -> None:
    s.sheet(360, 150, 330, 440, AMBER)
    s.sheet(440, 120, 330, 440, CORAL)
    s.sheet(520, 90, 340, 470)
    s.tick(880, 540, 84)


def _queue(s: Sketch) -> None:
    for place in range(5):
        s.sheet(110 + place * 130, 260, 104, 140, AMBER if place == 4 else TEAL)
    s.arrow(790, 330, 880, 330)
    s.dot(1020, 330, 120, WHITE)
    s.dot(1020, 330, 104, PALE)
    s.path([(1020, 330), (1020, 256)], INK, 10)
    s.path([(1020, 330), (1076, 360)], CORAL, 10)


def _ledger(s: Sketch) -> None:
    s.box(220, 110, 840, 500, WHITE, 18)
    s.box(220, 110, 840, 66, TEAL, 18)
    for row in range(6):
        y = 204 + row * 66
        s.box(250, y, 780, 48, PALE if row != 2 else "#fbe3bb", 8)
        for x, w in ((274, 120), (450, 260), (800, 180)):
            s.box(x, y + 17, w - row % 3 * 20, 14, GREY if row != 2 else AMBER, 6)


def _steps(s: Sketch) -> None:
    for place in range(4):
        height = 110 + place * 105
        s.box(220 + place * 215, 610 - height, 180, height, (MINT, AMBER, CORAL, TEAL)[place])
    s.path([(310, 440), (525, 335), (740, 230), (955, 125)], INK, 6)
    s.tick(955, 110, 56, DEEP)


def _keys(s: Sketch) -> None:
    s.pen.arc([v * SMOOTH for v in (490, 110, 790, 450)], 180, 360, fill=INK, width=44 * SMOOTH)
    s.box(430, 280, 420, 320, TEAL, 36)
    s.dot(640, 410, 46, WHITE)
    s.box(622, 420, 36, 100, WHITE, 14)
    for place, colour in enumerate((MINT, AMBER, CORAL)):
        s.person(180 + place % 2 * 90, 200 + place * 130, 70, colour)
        s.tick(1050, 200 + place * 150, 46, (TEAL, TEAL, GREY)[place])


def _team(s: Sketch) -> None:
    for place, colour in enumerate((MINT, AMBER, TEAL, CORAL, DEEP)):
        s.person(240 + place * 200, 270 + place % 2 * 50, 150, colour)
    s.box(140, 520, 1000, 60, WHITE, 24)
    s.box(560, 450, 170, 80, INK, 12)


def _search(s: Sketch) -> None:
    s.window(140, 70, 1000, 580)
    s.box(190, 150, 760, 62, PALE, 30)
    s.path([(224, 180), (246, 202)], INK, 7)
    s.dot(216, 174, 16, INK)
    s.dot(216, 174, 9, PALE)
    for row in range(4):
        y = 244 + row * 98
        s.box(190, y, 900, 80, "#f4f8f8", 12)
        s.sheet(212, y + 10, 50, 58, (TEAL, AMBER, CORAL, TEAL)[row])
        s.box(292, y + 18, 420 - row * 50, 16, INK, 7)
        s.box(292, y + 46, 300, 12, GREY, 6)
        s.box(920, y + 26, 140, 28, (MINT, MINT, "#fbe3bb", MINT)[row], 14)


def _route(s: Sketch) -> None:
    s.window(110, 80, 1060, 560)
    s.sheet(160, 260, 140, 180)
    s.arrow(324, 350, 410, 350)
    for place, colour in enumerate((AMBER, TEAL)):
        s.box(420 + place * 280, 270, 180, 160, PALE, 20)
        s.person(510 + place * 280, 325, 66, colour)
        s.arrow(612 + place * 280, 350, 690 + place * 280, 350)
    s.tick(1050, 350, 62)
    s.box(700, 490, 180, 120, "#fbe3bb", 20)
    s.person(790, 520, 52, CORAL)
    s.arrow(790, 436, 790, 484)


def _office(s: Sketch) -> None:
    s.box(120, 90, 1040, 300, WHITE, 18)
    for place in range(5):
        s.sheet(170 + place * 200, 130, 140, 190, (TEAL, AMBER, MINT, CORAL, TEAL)[place])
    s.person(420, 400, 130, DEEP)
    s.person(640, 380, 130, AMBER)
    s.person(860, 400, 130, TEAL)
    s.box(200, 590, 880, 50, INK, 22)


DRAWINGS: dict[str, Callable[[Sketch], None]] = {
    "desk": _desk,
    "blocks": _blocks,
    "cabinet": _cabinet,
    "flow": _flow,
    "works": _works,
    "logistics": _logistics,
    "foods": _foods,
    "paper": _paper,
    "queue": _queue,
    "ledger": _ledger,
    "steps": _steps,
    "keys": _keys,
    "team": _team,
    "search": _search,
    "route": _route,
    "office": _office,
}

# What the pictures show, for people who cannot see them.
DESCRIPTIONS = {
    "search": {
        "en": "A list of search results, each with its kind and a coloured retention mark",
        "ja": "検索結果の一覧。文書の種類と、色分けされた保存期限の印が並ぶ",
    },
    "route": {
        "en": "A request on its way past two approvers to the decision, with a deputy beside it",
        "ja": "申請が二人の承認者を経て決裁に至る図。二人目の横に代理者がいる",
    },
    "office": {
        "en": "Three people at a table before a wall of documents",
        "ja": "文書の並ぶ壁の前で、三人が机を囲んでいる",
    },
}


def draw(name: str) -> bytes:
    """One picture as PNG, 1280 by 720 pixels.

    :raises KeyError: when there is no picture of that name.
    """
    sketch = Sketch(GROUNDS[list(DRAWINGS).index(name) % len(GROUNDS)])
    DRAWINGS[name](sketch)
    return sketch.png()
