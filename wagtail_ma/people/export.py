"""Everything that is known of one person, as plain data for JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import ForeignKey, Model
from django.utils.encoding import force_str

from wagtail_ma.core.belongings import Belonging, Person, belongings
from wagtail_ma.core.spreadsheets import BYTE_ORDER_MARK, guard
from wagtail_ma.people import persons
from wagtail_ma.people.models import Identity

# Keys of cookies and links, and what only our machinery needs.
LEFT_OUT = frozenset(
    """
    id key nonce network public_id view_id bucket source_key lease_until claims attempts message_id
    identity visitor born_visitor lead browser kept other version merged_into is_settled is_new
    email_hash claimed_by revision fingerprint
    """.split()  # noqa: SIM905
)


def collect(person: Person, *, for_themselves: bool = False) -> dict[str, list[dict[str, Any]]]:
    """Rows by table, oldest first.

    :param person: from ``persons.gather``.
    :param for_themselves: what the person gets: what they told us, did and were sent. Else also what
        was computed and decided about them.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for belonging in belongings:
        if for_themselves and not _is_told(belonging):
            continue
        theirs = persons.rows(belonging, person)
        if for_themselves:
            theirs = theirs.filter(belonging.told_if)
        rows = [_plain(row, for_themselves) for row in theirs.order_by("pk").iterator()]
        if rows:
            found[belonging.model.rpartition(".")[2]] = rows
    return found


def as_json(person: Person, *, for_themselves: bool = False) -> str:
    """:func:`collect` as JSON text."""
    content = collect(person, for_themselves=for_themselves)
    return json.dumps(content, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1)


def as_csv(person: Person, *, for_themselves: bool = False) -> str:
    """:func:`collect` as one table: ``table, row, field, value``, guarded against formulas."""
    out = io.StringIO()
    out.write(BYTE_ORDER_MARK)
    writer = csv.writer(out)
    writer.writerow(["table", "row", "field", "value"])
    for line in _lines(collect(person, for_themselves=for_themselves)):
        writer.writerow(line)
    return out.getvalue()


def _lines(content: dict[str, list[dict[str, Any]]]) -> Iterator[list[Any]]:
    for table, rows in content.items():
        for number, row in enumerate(rows, 1):
            for name, value in row.items():
                text = value
                if isinstance(value, dict | list):
                    text = json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)
                yield [table, number, name, guard(text)]


def _is_told(belonging: Belonging) -> bool:
    if belonging.is_told is not None:
        return belonging.is_told
    return belonging.role in ("fact", "root")


def _plain(row: Model, for_themselves: bool) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in row._meta.concrete_fields:
        if field.name in LEFT_OUT or (
            for_themselves and field.name in ("evidence", "excluded_reason", "owner")
        ):
            continue
        value = getattr(row, field.attname)
        if value in (None, "", {}, []):
            continue
        if isinstance(field, ForeignKey):
            value = force_str(getattr(row, field.name))
        values[field.name] = value
    if isinstance(row, Identity) and row.kind == Identity.Kind.EMAIL:
        values["address"] = row.key
    return values
