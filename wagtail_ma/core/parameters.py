"""What a condition asks for: numbers, choices, texts, objects. Declared once per condition."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from wagtail_ma.core.errors import MarketingError

Choices = Iterable[tuple[str, Any]]


class BadValue(MarketingError):
    """A stored or typed value does not fit its parameter; the message is for people."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One value of a condition.

    :param name: the stored name; never rename it.
    :param default: used when a rule was stored before the parameter existed.
    """

    name: str
    label: Any
    help_text: Any = ""
    required: bool = True
    default: Any = None

    def read(self, raw: Any) -> Any:
        """The value from its stored form.

        :raises BadValue: it is missing although required, or of the wrong kind.
        """
        if raw is None or raw == "":
            if self.required:
                raise BadValue(_("“%(label)s” is missing.") % {"label": self.label})
            return None
        return self.convert(raw)

    def convert(self, raw: Any) -> Any:
        """The value from a stored form that is neither missing nor empty."""
        return raw

    def bad(self) -> BadValue:
        """The error for a value of the wrong kind."""
        return BadValue(_("“%(label)s” has a value that cannot be used.") % {"label": self.label})


@dataclass(frozen=True, kw_only=True)
class Number(Parameter):
    """A whole number within bounds."""

    minimum: int = 0
    maximum: int = 1_000_000

    def convert(self, raw: Any) -> int:
        if isinstance(raw, bool) or not isinstance(raw, (int, str)):
            raise self.bad()
        try:
            number = int(raw)
        except ValueError as error:
            raise self.bad() from error
        if not self.minimum <= number <= self.maximum:
            raise self.bad()
        return number


@dataclass(frozen=True, kw_only=True)
class Choice(Parameter):
    """One of a few words."""

    choices: Choices | Callable[[], Choices] = ()

    def options(self) -> list[tuple[str, Any]]:
        """The words and their labels."""
        return list(self.choices() if callable(self.choices) else self.choices)

    def convert(self, raw: Any) -> str:
        if raw not in dict(self.options()):
            raise self.bad()
        return str(raw)

    def label_of(self, value: str) -> str:
        """How the choice is shown."""
        return str(dict(self.options()).get(value, value))


@dataclass(frozen=True, kw_only=True)
class Text(Parameter):
    """A short text, without surrounding blanks."""

    max_length: int = 200

    def convert(self, raw: Any) -> str:
        if not isinstance(raw, str) or not raw.strip() or len(raw) > self.max_length or "\x00" in raw:
            raise self.bad()
        return raw.strip()


@dataclass(frozen=True, kw_only=True)
class ZoneName(Text):
    """The name of a time zone, such as ``Asia/Tokyo``."""

    max_length: int = 64

    def convert(self, raw: Any) -> str:
        name = super().convert(raw)
        try:
            ZoneInfo(name)
        except (ValueError, OSError, KeyError) as error:
            raise self.bad() from error
        return name


@dataclass(frozen=True, kw_only=True)
class Flag(Parameter):
    """Yes or no."""

    required: bool = False
    default: Any = False

    def read(self, raw: Any) -> bool:
        return bool(raw)


@dataclass(frozen=True, kw_only=True)
class Reference(Parameter):
    """An object, stored by id; read as a :class:`wagtail_ma.core.conditions.Referent`.

    :param kind: a key of ``core.conditions.reference_kinds``.
    """

    kind: str = ""

    def convert(self, raw: Any) -> int:
        if isinstance(raw, bool):
            raise self.bad()
        try:
            return int(raw)
        except (TypeError, ValueError) as error:
            raise self.bad() from error
