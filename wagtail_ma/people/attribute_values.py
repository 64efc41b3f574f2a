"""The values of the editor's own lead fields, in the database."""

from __future__ import annotations

from typing import Any

from django.db.models import BooleanField, CharField, F, FloatField, Func

from wagtail_ma.core.folding import ascii_lower


class _Attribute(Func):
    """A value of ``Lead.attributes`` if it is of one JSON type, else ``otherwise``."""

    json_types: tuple[str, str] = ("", "")
    cast = ""
    otherwise = "NULL"

    def __init__(self, key: str, **extra: Any) -> None:
        super().__init__(F("attributes"), **extra)
        self.key = key

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        column, parameters = compiler.compile(self.get_source_expressions()[0])
        sql = (
            f"CASE WHEN jsonb_typeof({column} -> %s) = '{self.json_types[0]}' "
            f"THEN ({column} ->> %s){self.cast} ELSE {self.otherwise} END"
        )
        return sql, [*parameters, self.key, *parameters, self.key]

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        column, parameters = compiler.compile(self.get_source_expressions()[0])
        path = f'$."{self.key}"'
        sql = (
            f"CASE WHEN JSON_TYPE({column}, %s) IN ({self.json_types[1]}) "
            f"THEN JSON_EXTRACT({column}, %s) ELSE {self.otherwise} END"
        )
        return sql, [*parameters, path, *parameters, path]


class AttributeNumber(_Attribute):
    """A number that an editor's own field holds; NULL for everything else."""

    output_field = FloatField()
    json_types = ("number", "'integer', 'real'")
    cast = "::double precision"


class AttributeText(_Attribute):
    """A text that an editor's own field holds; empty for everything else."""

    output_field = CharField()
    json_types = ("string", "'text'")
    otherwise = "''"


class AttributeSays(Func):
    """Whether an editor's own field holds this text, alone or among several; A–Z and a–z are the same.

    :param is_whole: the text itself, not one that contains it.
    """

    output_field = BooleanField()
    conditional = True

    def __init__(self, key: str, text: str, *, is_whole: bool, **extra: Any) -> None:
        super().__init__(F("attributes"), **extra)
        self.key = key
        self.text = ascii_lower(text)
        self.is_whole = is_whole

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        column, parameters = compiler.compile(self.get_source_expressions()[0])
        # Not LIKE: what the databases take for equal letters differs.
        folded = "LOWER((one.value #>> '{}') COLLATE \"C\")"
        test = f"{folded} = %s" if self.is_whole else f"STRPOS({folded}, %s) > 0"
        sql = (
            f"EXISTS (SELECT 1 FROM jsonb_array_elements(CASE jsonb_typeof({column} -> %s) "  # noqa: S608
            f"WHEN 'array' THEN {column} -> %s ELSE jsonb_build_array({column} -> %s) END) AS one(value) "
            f"WHERE jsonb_typeof(one.value) = 'string' AND {test})"
        )
        return sql, [*[*parameters, self.key] * 3, self.text]

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        column, parameters = compiler.compile(self.get_source_expressions()[0])
        test = "LOWER(one.value) = %s" if self.is_whole else "INSTR(LOWER(one.value), %s) > 0"
        # Of a value that is no list it makes one row.
        sql = f"EXISTS (SELECT 1 FROM json_each({column}, %s) AS one WHERE one.type = 'text' AND {test})"  # noqa: S608
        return sql, [*parameters, f'$."{self.key}"', self.text]
