"""Several lines to the mail server, each in a thread of its own.

The threads talk SMTP and nothing else: the database belongs to the one who fills the pool. With one
line everything happens in the caller's thread.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import Any, NamedTuple

from wagtail_ma.messaging.transport import Fate, Line, NoConnection, Outcome

# Additive increase, multiplicative decrease: one line more after so many mails without a complaint.
CALM = 100


class Result(NamedTuple):
    """What became of a message."""

    key: Any
    outcome: Outcome


class Pool:
    """Hands messages to the lines and collects what became of them.

    :param size: the most lines at once; fewer are used while the server complains.
    """

    def __init__(self, size: int) -> None:
        self.size = self._limit = max(size, 1)
        self._calm = 0
        self._todo: queue.SimpleQueue[tuple[Any, Any] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Result] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._line = Line()
        self._lines: list[Line] = []
        self.in_flight: dict[Any, Any] = {}

    def open(self) -> None:
        """Make sure that the server can be reached.

        :raises NoConnection: it cannot.
        """
        if self.size == 1 or not self._threads:
            self._line.open()

    @property
    def speaks_smtp(self) -> bool:
        """Whether messages go to Django's own SMTP backend (known once it is open)."""
        return self._line.speaks_smtp

    @property
    def room(self) -> int:
        """How many messages it takes now."""
        return max(self._limit - len(self.in_flight), 0)

    def submit(self, key: Any, message: Any) -> None:
        """Hand over a message; ``key`` comes back with the result."""
        self.in_flight[key] = message
        if self.size == 1:
            self._done.put(Result(key, _send(self._line, message)))
            return
        if len(self._threads) < min(self.size, len(self.in_flight)):
            # The first thread takes the line that is open already.
            line = Line() if self._threads else self._line
            self._lines.append(line)
            thread = threading.Thread(target=self._work, args=(line,), daemon=True)
            self._threads.append(thread)
            thread.start()
        self._todo.put((key, message))

    def collect(self, timeout: float) -> list[Result]:
        """What is finished; waits for the first, at most so many seconds."""
        found: list[Result] = []
        try:
            is_waiting = self.in_flight and self.size > 1
            found.append(self._done.get(timeout=max(timeout, 0)) if is_waiting else self._done.get_nowait())
            while True:
                found.append(self._done.get_nowait())
        except queue.Empty:
            pass
        for result in found:
            self.in_flight.pop(result.key, None)
            self._learn(result.outcome)
        return found

    def close(self, *, grace: float = 2.0) -> None:
        """Hang up all lines; those that do not end in time are left to their time-outs."""
        for _thread in self._threads:
            self._todo.put(None)
        until = time.monotonic() + grace
        for thread in self._threads:
            thread.join(max(until - time.monotonic(), 0))
        if not self._threads:
            self._line.close()

    def _learn(self, outcome: Outcome) -> None:
        if outcome.is_crowded:
            self._limit, self._calm = max(self._limit // 2, 1), 0
        else:
            self._calm += 1
            if self._calm >= CALM:
                self._limit, self._calm = min(self._limit + 1, self.size), 0

    def _work(self, line: Line) -> None:
        while (job := self._todo.get()) is not None:
            key, message = job
            self._done.put(Result(key, _send(line, message)))
        line.close()


def _send(line: Line, message: Any) -> Outcome:
    try:
        line.open()
    except NoConnection as error:
        return Outcome(Fate.UNSAID, str(error), is_crowded=True)
    return line.send(message)
