"""The widget of our large StreamFields: what the editor loads, made small.

Wagtail describes a block to the browser once for each *instance*. Fifty conditions each have their own
drop-down of comparisons, and each step that asks for a segment its own list of all segments, and so they
are sent fifty times. Here parts that are equal are sent once and referred to, in the format that the
browser reads anyway (telepath's ``_id`` and ``_ref``); and the whole is quoted so that its many quotation
marks need no escaping.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from wagtail.blocks import BlockWidget
from wagtail.blocks.base import get_error_json_data

# Of telepath's format: a dictionary with one of these is not just a dictionary.
MARKED = ("_type", "_args", "_dict", "_list", "_val", "_id", "_ref")
# A reference costs about so many characters, and the first place as many more.
WORTH = 30

# A part in its one form: what it is, then its own name or value, and its parts by number.
Part = tuple[Any, ...]


class CompactBlockWidget(BlockWidget):
    """Renders a block for the editor in a fraction of the bytes; what it means is the same."""

    _block_json: str

    def _build_block_json(self) -> None:
        super()._build_block_json()
        self._block_json = compact(shared(json.loads(self._block_json)))

    def render_with_errors(
        self, name: str, value: Any, attrs: Any = None, errors: Any = None, renderer: Any = None
    ) -> SafeString:
        error = get_error_json_data(errors.as_data()[0]) if errors else None
        return format_html(
            '<div id="{}" data-block data-controller="w-block" data-w-block-data-value={}'
            " data-w-block-arguments-value={}></div>",
            name,
            quoted(self.block_json),
            quoted(compact([self.block_def.get_form_state(value), error])),
        )


def compact(value: Any) -> str:
    """JSON without blanks, Japanese as it is."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def quoted(text: str) -> SafeString:
    """The value of an attribute, in single quotes: JSON is full of double ones."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#x27;")
    return mark_safe(f"'{escaped}'")


def shared(packed: Any) -> Any:
    """A packed value of telepath in which parts that occur more than once are sent once."""
    return _Parts(packed).emit()


class _Parts:
    """All different parts of a packed value, by number."""

    def __init__(self, packed: Any) -> None:
        self._by_id: dict[int, Any] = {}
        self._numbers: dict[Part, int] = {}
        self._parts: list[Part] = []
        self._find_ids(packed)
        self._of_id: dict[int, int] = {}
        self._root = self._number(packed)
        self._sizes: dict[int, int] = {}
        self._uses = Counter([child for part in self._parts for child in _children(part)])
        self._sent: dict[int, int] = {}

    def emit(self) -> Any:
        """The whole, each part that is used more than once with an id where it comes first."""
        return self._emit(self._root)

    def _find_ids(self, raw: Any) -> None:
        if isinstance(raw, list):
            for value in raw:
                self._find_ids(value)
        elif isinstance(raw, Mapping):
            if "_id" in raw:
                self._by_id[raw["_id"]] = raw
            # (What is in "_dict" may be called anything.)
            for value in raw.get("_dict", raw).values():
                self._find_ids(value)

    def _number(self, raw: Any) -> int:
        """The number of a part; equal parts have the same."""
        if isinstance(raw, Mapping) and "_ref" in raw:
            if raw["_ref"] not in self._of_id:
                self._of_id[raw["_ref"]] = self._number(self._by_id[raw["_ref"]])
            return self._of_id[raw["_ref"]]
        part = self._part(raw)
        if part not in self._numbers:
            self._numbers[part] = len(self._parts)
            self._parts.append(part)
        return self._numbers[part]

    def _part(self, raw: Any) -> Part:
        if isinstance(raw, Mapping) and "_type" in raw:
            return ("object", raw["_type"], *self._all(raw["_args"]))
        if isinstance(raw, Mapping) and "_val" in raw:
            raw = raw["_val"]
        elif isinstance(raw, Mapping) and "_list" in raw:
            raw = raw["_list"]
        elif isinstance(raw, Mapping):
            raw = raw.get("_dict", raw)
            return ("dict", tuple(raw), *self._all(raw.values()))
        if isinstance(raw, list):
            return ("list", None, *self._all(raw))
        # With its type: 1 and True are equal in Python.
        return ("value", (type(raw), raw))

    def _all(self, raw: Any) -> Sequence[int]:
        return [self._number(each) for each in raw]

    def _size(self, number: int) -> int:
        """How many characters a part takes, about."""
        if number not in self._sizes:
            part = self._parts[number]
            own = len(str(part[1][1])) if part[0] == "value" else len(str(part[1])) + 2
            self._sizes[number] = own + sum(self._size(child) + 1 for child in _children(part))
        return self._sizes[number]

    def _emit(self, number: int) -> Any:
        if number in self._sent:
            return {"_ref": self._sent[number]}
        part = self._parts[number]
        name = part[1]
        is_shared = self._uses[number] > 1 and self._size(number) >= WORTH
        if part[0] == "value":
            return self._named(number, "_val", name[1]) if is_shared else name[1]
        children = [self._emit(child) for child in _children(part)]
        if part[0] == "object":
            whole = {"_type": name, "_args": children}
            return whole | self._id(number) if is_shared else whole
        if part[0] == "list":
            return self._named(number, "_list", children) if is_shared else children
        found = dict(zip(name, children, strict=True))
        if is_shared or any(mark in found for mark in MARKED):
            return self._named(number, "_dict", found) if is_shared else {"_dict": found}
        return found

    def _named(self, number: int, kind: str, value: Any) -> dict[str, Any]:
        return {kind: value} | self._id(number)

    def _id(self, number: int) -> dict[str, int]:
        self._sent[number] = len(self._sent)
        return {"_id": self._sent[number]}


def _children(part: Part) -> Sequence[int]:
    return () if part[0] == "value" else part[2:]
