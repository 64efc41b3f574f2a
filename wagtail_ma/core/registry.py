"""A registry: key → entry. Loud on doubles, quiet (None) on unknown stored keys.

The extension points of wagtail_ma (facts, step kinds, delivery channels, reports) and the
internal list of belongings are instances of this one class. Host projects register theirs in a
module ``wagtail_ma_plugins`` of any installed app, imported when Django is ready.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

Entry = TypeVar("Entry")


class AlreadyRegistered(ValueError):
    """Two entries claim the same key."""


class Registry(Generic[Entry]):
    """Entries by key, in the order of registration."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._entries: dict[str, Entry] = {}

    def register(self, key: str, entry: Entry) -> Entry:
        """Add ``entry`` under ``key``.

        Registering the same object again is harmless (module reloads in tests).

        :raises AlreadyRegistered: another entry already has the key.
        """
        present = self._entries.get(key)
        if present is not None and present is not entry:
            raise AlreadyRegistered(f"{self.name}: {key!r} is registered twice")
        self._entries[key] = entry
        return entry

    def get(self, key: str) -> Entry | None:
        """The entry, or None: a stored key may outlive the code that knew it."""
        return self._entries.get(key)

    def unregister(self, key: str) -> None:
        """Take an entry out again (tests of plug-ins)."""
        self._entries.pop(key, None)

    def __iter__(self) -> Iterator[Entry]:
        return iter(list(self._entries.values()))

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def keys(self) -> list[str]:
        """All keys, in the order of registration."""
        return list(self._entries)
