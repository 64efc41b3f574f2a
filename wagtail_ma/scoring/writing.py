"""Many entries in one statement: the largest part of computing scores is writing them down.

(With the ORM's ``bulk_create`` more than half of the time went into making objects and
placeholders.)
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db import connections, router

from wagtail_ma.scoring.ledger import Award, Key
from wagtail_ma.scoring.models import ScoreEntry, ScoringModel

_COLUMNS = "model_id, rule_id, visitor_id, fact_kind, fact_id, points, at"
_ON_CONFLICT = (
    "ON CONFLICT (model_id, rule_id, fact_kind, fact_id) DO UPDATE SET "
    "visitor_id = excluded.visitor_id, points = excluded.points, at = excluded.at"
)
_ARRAYS = (
    "%s::bigint, unnest(%s::bigint[]), unnest(%s::bigint[]), unnest(%s::text[]), unnest(%s::bigint[]), "
    "unnest(%s::float8[]), unnest(%s::timestamptz[])"
)


def write_entries(model: ScoringModel, earned: Mapping[Key, Award]) -> None:
    """Insert these entries, or bring those that are there up to date: one statement.

    An entry of a fact that has just come from another visitor is still filed under that one.
    """
    if not earned:
        return
    using = router.db_for_write(ScoreEntry)
    connection = connections[using]
    table = connection.ops.quote_name(ScoreEntry._meta.db_table)
    # In the order of the unique index: two writers never wait for each other in a circle.
    rows = sorted(earned.items())
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                f"INSERT INTO {table} ({_COLUMNS}) SELECT {_ARRAYS} {_ON_CONFLICT}",
                [
                    model.pk,
                    [key.rule_id for key, _award in rows],
                    [award.visitor_id for _key, award in rows],
                    [key.fact_kind for key, _award in rows],
                    [key.fact_id for key, _award in rows],
                    [award.points for _key, award in rows],
                    [award.at for _key, award in rows],
                ],
            )
            return
        adapt = connection.ops.adapt_datetimefield_value
        cursor.executemany(
            f"INSERT INTO {table} ({_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s) {_ON_CONFLICT}",  # noqa: S608
            [
                (
                    model.pk,
                    key.rule_id,
                    award.visitor_id,
                    key.fact_kind,
                    key.fact_id,
                    award.points,
                    adapt(award.at),
                )
                for key, award in rows
            ],
        )
