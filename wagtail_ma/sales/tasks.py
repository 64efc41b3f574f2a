"""Tasks: what people are to do for a visitor, until when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from wagtail_ma.core.many_rows import InsertRows
from wagtail_ma.sales.models_of_tasks import Task

# The unique key decides, in one statement; a scenario makes many. (Not ``ignore_conflicts``: on SQLite it
# hides everything else that a row may be refused for.)
_insert = InsertRows(Task, unique=("source_key",))


def create(
    visitor_id: int,
    *,
    text: str,
    due_at: datetime,
    assignee_id: int | None,
    source_key: str,
    now: datetime,
) -> None:
    """Give somebody something to do, once: the same ``source_key`` is the same task.

    :param assignee_id: None: whoever takes it.
    """
    task = Task(
        source_key=source_key,
        visitor_id=visitor_id,
        born_visitor_id=visitor_id,
        text=text[:200],
        due_at=due_at,
        assignee_id=assignee_id,
        created_at=now,
    )
    _insert.run([task])


def finish(task_id: int, *, by: Any, now: datetime) -> bool:
    """The task is done. False when it was done before."""
    open_task = Task.objects.filter(pk=task_id, done_at__isnull=True)
    return open_task.update(done_at=now, done_by=by) == 1
