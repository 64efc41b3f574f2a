"""The whitepaper as a PDF, written with nothing but the standard library.

One page for each phase, in the standard fonts every viewer has: nothing is embedded, so a paper
weighs a few kilobytes. Japanese uses Adobe's standard Japanese font names, for which viewers
substitute a font of their own.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

PAGE_WIDTH, PAGE_HEIGHT = 595, 842  # A4 in points
MARGIN = 64
TITLE_SIZE, TEXT_SIZE, LEADING = 22, 11.5, 19
# Widths in ems. The Latin glyphs of both fonts are proportional; these are safe averages.
WIDE, NARROW = 1.0, 0.52
FONTS = {
    "en": b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    "ja": (
        b"<< /Type /Font /Subtype /Type0 /BaseFont /HeiseiKakuGo-W5 /Encoding /UniJIS-UTF16-H"
        b" /DescendantFonts [<< /Type /Font /Subtype /CIDFontType0 /BaseFont /HeiseiKakuGo-W5"
        b" /CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >>"
        b" /DW 1000 /W [1 94 520] /FontDescriptor << /Type /FontDescriptor"
        b" /FontName /HeiseiKakuGo-W5 /Flags 4 /FontBBox [-92 -250 1010 922] /ItalicAngle 0"
        b" /Ascent 752 /Descent -221 /CapHeight 737 /StemV 114 >> >>] >>"
    ),
}


@dataclass(frozen=True)
class Sheet:
    """One page: a title and lines; a line that begins with "- " is a list item."""

    title: str
    lines: tuple[str, ...]


def write(title: str, language: str, sheets: tuple[Sheet, ...]) -> bytes:
    """The whole PDF file.

    :param title: for the document properties.
    :param language: ``en`` or ``ja``; decides the font.
    """
    first_page = 4
    kids = " ".join(f"{first_page + 2 * i} 0 R" for i in range(len(sheets)))
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R /Lang ({language}) >>".encode(),
        f"<< /Type /Pages /Count {len(sheets)} /Kids [{kids}] >>".encode(),
        FONTS[language],
    ]
    for number, sheet in enumerate(sheets):
        stream = _content(sheet, language, f"{number + 1} / {len(sheets)}")
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {PAGE_WIDTH} {PAGE_HEIGHT}]"
            f" /Resources << /Font << /F1 3 0 R >> >>"
            f" /Contents {first_page + 2 * number + 1} 0 R >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
    objects.append(b"<< /Title <%s> >>" % _hex("\ufeff" + title))
    return _assemble(objects)


def _assemble(objects: list[bytes]) -> bytes:
    """Number the objects and write the table of their positions; the last one is the info."""
    file = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    positions = []
    for number, content in enumerate(objects, start=1):
        positions.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    file += b"".join(b"%010d 00000 n \n" % position for position in positions)
    size = len(objects) + 1
    file += b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\n" % (size, size - 1)
    return bytes(file + b"startxref\n%d\n%%%%EOF\n" % table)


def _content(sheet: Sheet, language: str, foot: str) -> bytes:
    """The drawing instructions of one page."""
    top = PAGE_HEIGHT - MARGIN - TITLE_SIZE
    parts = [b"0.06 0.46 0.43 rg 0 %d %d 10 re f 0.09 0.15 0.17 rg" % (PAGE_HEIGHT - 10, PAGE_WIDTH)]
    for line in _wrap(sheet.title, TITLE_SIZE):
        parts.append(_line(line, MARGIN, top, TITLE_SIZE, language))
        top -= TITLE_SIZE * 1.4
    top -= LEADING * 0.5
    for paragraph in sheet.lines:
        item = paragraph.startswith("- ")
        indent = 18 if item else 0
        if item:
            parts.append(b"%d %.1f 4 4 re f" % (MARGIN + 4, top + 3))
        for line in _wrap(paragraph.removeprefix("- "), TEXT_SIZE, indent):
            parts.append(_line(line, MARGIN + indent, top, TEXT_SIZE, language))
            top -= LEADING
        top -= LEADING * 0.4
    parts.append(_line(foot, PAGE_WIDTH - MARGIN - 30, MARGIN / 2, 9, language))
    return b"\n".join(parts)


def _line(text: str, left: float, top: float, size: float, language: str) -> bytes:
    if language == "ja":
        shown = b"<%s>" % _hex(text)
    else:
        raw = text.encode("cp1252", "replace")
        for special in (b"\\", b"(", b")"):
            raw = raw.replace(special, b"\\" + special)
        shown = b"(%s)" % raw
    return b"BT /F1 %.1f Tf %.1f %.1f Td %s Tj ET" % (size, left, top, shown)


def _hex(text: str) -> bytes:
    return text.encode("utf-16-be").hex().encode()


def _wrap(text: str, size: float, indent: float = 0) -> list[str]:
    """Break a paragraph into lines that fit: at spaces, and between Japanese characters."""
    room = (PAGE_WIDTH - 2 * MARGIN - indent) / size
    lines, line, width = [], "", 0.0
    for word in _words(text):
        extent = sum(WIDE if _is_wide(character) else NARROW for character in word)
        # Closing marks may hang over the edge rather than begin a line.
        if line and width + extent > room and word[0] not in "、。）」』ー":
            lines.append(line.rstrip())
            line, width = "", 0.0
        line += word
        width += extent
    return [*lines, line.rstrip()]


def _words(text: str) -> list[str]:
    words: list[str] = []
    for character in text:
        apart = not words or _is_wide(character) or _is_wide(words[-1][-1]) or words[-1][-1] == " "
        if apart:
            words.append(character)
        else:
            words[-1] += character
    return words


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WFA"
