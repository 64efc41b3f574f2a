"""A small notation for page bodies, so that the words can be written as words.

Blank lines part the pieces. ``## heading``, ``? question`` with the answer on the lines below,
``> words -- speaker``, ``!! sentence | button | path``, ``[[picture | caption]]``,
``* title | text | path`` for cards, ``- item`` for a list; all else is a paragraph.
``**strong**`` works in paragraphs, lists and answers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from wagtail.models import Page

Piece = dict[str, Any]


@dataclass(frozen=True)
class Links:
    """What a body may point to.

    :param pages: the pages of the same language, by path.
    :param pictures: primary keys of images, by name.
    :param descriptions: what those pictures show, by name.
    """

    pages: dict[str, Page]
    pictures: dict[str, int]
    descriptions: dict[str, str]


def to_stream(text: str, links: Links) -> list[Piece]:
    """Turn a text into raw stream field data.

    :raises KeyError: when it points to a page or picture that does not exist.
    """
    return list(_merge_text(_pieces(text, links)))


def _pieces(text: str, links: Links) -> Iterator[Piece]:
    for chunk in re.split(r"\n\s*\n", text.strip()):
        lines = [line.strip() for line in chunk.splitlines()]
        for mark, read in READERS.items():
            if lines[0].startswith(mark):
                yield read(lines, links)
                break
        else:
            yield {"type": "text", "value": f"<p>{_inline(_join(lines))}</p>"}


def _merge_text(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Put paragraphs and lists that follow each other into one text block."""
    waiting = ""
    for piece in pieces:
        if piece["type"] == "text":
            waiting += piece["value"]
            continue
        if waiting:
            yield {"type": "text", "value": waiting}
            waiting = ""
        yield piece
    if waiting:
        yield {"type": "text", "value": waiting}


def _join(lines: list[str]) -> str:
    """Join lines as a reader would: with a space, but not next to a Japanese character."""
    text = ""
    for line in lines:
        wide = text and (_is_wide(text[-1]) or (line and _is_wide(line[0])))
        text += line if not text or wide else f" {line}"
    return text


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in "WF"


def _inline(text: str) -> str:
    return re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", escape(text, quote=False))


def _items(lines: list[str], mark: str) -> list[str]:
    """Join the lines of each item; a line without the mark continues the item above."""
    items: list[list[str]] = []
    for line in lines:
        if line.startswith(mark):
            items.append([line.removeprefix(mark).strip()])
        else:
            items[-1].append(line)
    return [_join(item) for item in items]


def _cells(text: str, count: int) -> list[str]:
    cells = [cell.strip() for cell in text.split("|")]
    return cells + [""] * (count - len(cells))


def _heading(lines: list[str], links: Links) -> Piece:
    return {"type": "heading", "value": _join(lines).removeprefix("##").strip()}


def _question(lines: list[str], links: Links) -> Piece:
    question, *answer = lines
    value = {"question": question[1:].strip(), "answer": f"<p>{_inline(_join(answer))}</p>"}
    return {"type": "question", "value": value}


def _quote(lines: list[str], links: Links) -> Piece:
    words, _, speaker = _join(lines).removeprefix(">").partition("--")
    return {"type": "quote", "value": {"text": words.strip(), "speaker": speaker.strip()}}


def _call(lines: list[str], links: Links) -> Piece:
    sentence, button, path = _cells(_join(lines).removeprefix("!!"), 3)
    value = {"text": sentence, "button": button, "page": links.pages[path].pk}
    return {"type": "call_to_action", "value": value}


def _picture(lines: list[str], links: Links) -> Piece:
    name, caption = _cells(_join(lines).removeprefix("[[").removesuffix("]]"), 2)
    value = {
        "image": links.pictures[name],
        "description": links.descriptions[name],
        "caption": caption,
    }
    return {"type": "picture", "value": value}


def _cards(lines: list[str], links: Links) -> Piece:
    cards = []
    for item in _items(lines, "* "):
        title, text, path = _cells(item, 3)
        page = links.pages[path].pk if path else None
        cards.append({"title": title, "text": text, "page": page})
    return {"type": "cards", "value": cards}


def _list(lines: list[str], links: Links) -> Piece:
    items = "".join(f"<li>{_inline(item)}</li>" for item in _items(lines, "- "))
    return {"type": "text", "value": f"<ul>{items}</ul>"}


READERS: dict[str, Callable[[list[str], Links], Piece]] = {
    "##": _heading,
    "?": _question,
    ">": _quote,
    "!!": _call,
    "[[": _picture,
    "* ": _cards,
    "- ": _list,
}
