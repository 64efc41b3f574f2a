"""Everything scored again: after a change of the rules or of the half-life.

A new scoring model is filled beside the current one, visitor by visitor, and switched by one row
when it is complete; meanwhile ``react`` keeps both up to date. Interrupted work goes on where it
stopped.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import transaction

from wagtail_ma.people.causes import Cause
from wagtail_ma.people.models import Visitor
from wagtail_ma.rules.fields import stored
from wagtail_ma.scoring.award import fill
from wagtail_ma.scoring.current import current_model, settings_of_model
from wagtail_ma.scoring.fit import asks_for_scores
from wagtail_ma.scoring.models import Interest, ScoreEntry, ScoringModel, Standing
from wagtail_ma.segments import causes
from wagtail_ma.segments.models import Segment

# Visitors per transaction: less than a second of work where other things wait.
CHUNK = 300
# Rows deleted per statement.
PURGE = 5_000

Progress = Callable[[int, int], None]


def request(*, now: datetime) -> ScoringModel:
    """Ask for everything to be scored again under the rules as they are now.

    A model that is still being filled is given up: it holds scores under older rules.
    """
    with transaction.atomic():
        current_model(now, with_default_rules=False)
        _filling_models().update(retired_at=now)
        return ScoringModel.objects.create(**settings_of_model(), epoch=now, created_at=now)


def is_running() -> bool:
    """Whether scores are being computed again; lists still show the old ones."""
    return _filling_models().exists()


def percent() -> int:
    """How far computing the scores again has come, 0–100; 100 when nothing is being computed."""
    model = _filling_models().first()
    if model is None:
        return 100
    last = Visitor.objects.order_by("-pk").values_list("pk", flat=True).first()
    # By number rather than by count, which would read the whole table.
    return min(99, 100 * model.filled_to_id // last) if last else 99


def rescore_due(*, now: datetime, limit: int = 2_000) -> int:
    """One bounded portion of the work that is waiting, if any: what ``flow.run_due`` calls.

    :param limit: at most so many visitors.
    :returns: how many visitors were scored.
    """
    model = _filling_models().first()
    if model is None:
        current = current_model(now)
        if any(getattr(current, name) != value for name, value in settings_of_model().items()):
            model = request(now=now)
        else:
            _purge_retired()
            return 0
    done = 0
    while done < limit:
        count = _fill_next(model, now=now)
        if count == 0:
            _switch(model, now=now)
            break
        done += count
    return done


def rescore(*, now: datetime, progress: Progress | None = None) -> int:
    """Score everybody again, to the end, or finish what was begun.

    :param progress: called as ``progress(done, total)`` in visitors.
    :returns: how many visitors were scored.
    """
    model = _filling_models().first() or request(now=now)
    waiting = Visitor.objects.filter(merged_into__isnull=True)
    total = waiting.count()
    done = waiting.filter(pk__lte=model.filled_to_id).count()
    scored = 0
    while count := _fill_next(model, now=now):
        scored += count
        if progress:
            progress(min(done + scored, total), total)
    _switch(model, now=now)
    while _purge_retired():
        pass
    return scored


def _filling_models():  # type: ignore[no-untyped-def]
    return ScoringModel.objects.filter(is_current=False, retired_at__isnull=True)


def _fill_next(model: ScoringModel, *, now: datetime) -> int:
    """Score the next visitors into ``model``; 0 when there are none left."""
    with transaction.atomic():
        ids = list(
            Visitor.objects.filter(pk__gt=model.filled_to_id, merged_into__isnull=True)
            .order_by("pk")
            .values_list("pk", flat=True)[:CHUNK]
        )
        if ids:
            fill(ids, [model], now=now)
            model.filled_to_id = ids[-1]
            model.save(update_fields=["filled_to_id"])
    return len(ids)


def _switch(model: ScoringModel, *, now: datetime) -> None:
    """Put a filled model in force. Nothing happens when it was given up meanwhile."""
    with transaction.atomic():
        still_wanted = _filling_models().select_for_update().filter(pk=model.pk).exists()
        if not still_wanted:
            return
        ScoringModel.objects.filter(is_current=True).update(is_current=False, retired_at=now)
        ScoringModel.objects.filter(pk=model.pk).update(is_current=True)
        # Who enters or leaves them now does so because the rules are other ones.
        scored = [one.pk for one in Segment.objects.only("rule") if asks_for_scores(stored(one.rule))]
        causes.expect(scored, Cause.RESCORE)


def _purge_retired() -> bool:
    """Delete a portion of the rows of retired models; False when there are none."""
    model = ScoringModel.objects.filter(retired_at__isnull=False).order_by("pk").first()
    if model is None:
        return False
    for table in (ScoreEntry, Interest, Standing):
        ids = list(table.objects.filter(model=model).values_list("pk", flat=True)[:PURGE])
        if ids:
            table.objects.filter(pk__in=ids).delete()
            return True
    model.delete()
    return True
