"""Reading a log file: plain or compressed, from any line on, whatever is in it."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self, cast

from wagtail_ma.core.errors import MarketingError
from wagtail_ma.tracking.access_log import MAX_LENGTH, parse

GZIP = b"\x1f\x8b"
# The beginning by which a log is known again.
HEAD_BYTES = 4096
# What reading can fail with: the disk, an incomplete or a damaged archive.
FAULTS = (OSError, EOFError, zlib.error)


class BadLog(MarketingError):
    """The file cannot be read, or not to its end."""


@dataclass(frozen=True)
class Batch:
    """Some lines.

    :param end: where the text goes on after them (uncompressed bytes).
    :param position: how much of the file has been read (its own bytes), for the progress bar.
    """

    lines: list[str]
    end: int
    position: int


class LogFile:
    """A log file, to be used as a context manager.

    :raises BadLog: from any method.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.size = path.stat().st_size
            self._raw = path.open("rb")
        except OSError as error:
            raise BadLog(f"{path}: {error.strerror}") from error
        self._name = path.name
        is_packed = self._raw.read(2) == GZIP
        self._raw.seek(0)
        self._text = cast("IO[bytes]", gzip.GzipFile(fileobj=self._raw) if is_packed else self._raw)
        try:
            self.head = self._read_head()
        except BadLog:
            self._raw.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def batches(self, offset: int, size: int) -> Iterator[Batch]:
        """The lines from ``offset`` on, ``size`` at a time; what could be read before an error too."""
        self._fault: Exception | None = None
        end = offset
        lines: list[str] = []
        for line, length in self._lines(offset):
            end += length
            lines.append(line)
            if len(lines) == size:
                yield Batch(lines, end, self._raw.tell())
                lines = []
        if lines:
            yield Batch(lines, end, self._raw.tell())
        if self._fault:
            raise BadLog(f"{self._name}: {self._fault}") from self._fault

    def _lines(self, offset: int) -> Iterator[tuple[str, int]]:
        """Each line with its length in bytes; of one that is far too long only a part.

        A last line without its end is taken if it is complete; else the server is still writing it,
        and it is left for the next run.
        """
        try:
            self._text.seek(offset)
            while piece := self._text.readline(MAX_LENGTH + 2):
                length, last = len(piece), piece
                while last and not last.endswith(b"\n"):
                    last = self._text.readline(MAX_LENGTH)
                    length += len(last)
                line = piece.decode("utf-8", "replace")
                if last or parse(line) is not None:
                    yield line, length
        except FAULTS as error:
            self._fault = error

    def _read_head(self) -> bytes:
        try:
            return self._text.read(HEAD_BYTES)
        except FAULTS as error:
            raise BadLog(f"{self._name}: {error}") from error
