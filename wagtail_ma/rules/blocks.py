"""The editor of a rule: StreamField blocks generated from the registered conditions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from wagtail import blocks
from wagtail.blocks.stream_block import StreamValue

from wagtail_ma.core.conditions import Condition, facts, reference_kinds
from wagtail_ma.core.parameters import Choice, Flag, Number, Parameter, Reference, Text
from wagtail_ma.rules.tree import GROUP

REMOVED = "removed"
# Cannot be added, and a rule that still holds one cannot be saved.
NONE_REMOVED = {REMOVED: {"max_num": 0}}

MATCH_CHOICES = [
    ("all", _("all of these")),
    ("any", _("any of these")),
    ("none", _("none of these")),
]


class RemovedConditionBlock(blocks.StaticBlock):
    """Stands for a stored condition that no code knows any more, and keeps it as it was.

    Without it the editor would drop the condition silently and the segment would mean something
    else. It is removed by the editor's own hand.
    """

    def value_from_datadict(self, data: Any, files: Any, prefix: str) -> Any:
        return None

    def get_prep_value(self, value: Any) -> Any:
        return value

    def to_python(self, value: Any) -> Any:
        return value

    def normalize(self, value: Any) -> Any:
        return value

    class Meta:
        icon = "warning"
        label = _("A condition that does not exist any more")
        admin_text = _(
            "The code that knew this condition has been removed. The rule matches nobody new until you "
            "delete this condition or bring the code back."
        )


class RuleStreamBlock(blocks.StreamBlock):
    """Conditions and groups. Stored conditions that nobody knows are kept, not dropped."""

    def to_python(self, value: Any) -> Any:
        return super().to_python(self._wrapped(value))

    def bulk_to_python(self, values: Any) -> Any:
        # One by one and lazily: Wagtail's own would load every object that a rule names.
        return [self.to_python(value) for value in values]

    def _wrapped(self, value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            return value
        return [self._known(item) for item in value]

    def _known(self, item: Any) -> Any:
        if not isinstance(item, dict) or item.get("type") in self.child_blocks:
            return item
        return {"type": REMOVED, "value": {"stored": item}, "id": item.get("id")}

    def get_prep_value(self, value: Any) -> list[dict[str, Any]]:
        return [_unwrapped(item) for item in super().get_prep_value(value)]

    def value_from_datadict(self, data: Any, files: Any, prefix: str) -> StreamValue:
        """From the form. A group that was folded away sends no conditions: they count as none."""
        if f"{prefix}-count" not in data:
            return self.empty_value()
        return super().value_from_datadict(data, files, prefix)

    class Meta:
        required = False
        collapsed = False


def _unwrapped(item: dict[str, Any]) -> dict[str, Any]:
    if item.get("type") != REMOVED:
        return item
    stored = (item.get("value") or {}).get("stored")
    # Sent back by the form: nothing is left of it but the fact that it was there.
    return stored or {"type": REMOVED, "value": {}, "id": item.get("id")}


class GroupBlock(blocks.StructBlock):
    """Conditions that belong together, within a rule."""

    def clean(self, value: Any) -> Any:
        cleaned = super().clean(value)
        if not cleaned["conditions"] and not self.is_deferred_validation:
            raise ValidationError(_("A group needs at least one condition."))
        return cleaned

    class Meta:
        icon = "list-ul"
        label = _("Group of conditions")
        group = _("Groups")


def rule_stream_block() -> blocks.StreamBlock:
    """The block of a rule: every registered condition, and groups nested two deep.

    The same block instances serve at each depth, so that their definitions are sent to the editor
    once and not three times.
    """
    conditions = [(fact.key, condition_block(fact)) for fact in facts]
    conditions.append((REMOVED, RemovedConditionBlock(group=_("Groups"))))
    level: list[tuple[str, blocks.Block]] = list(conditions)
    for _depth in range(2):
        level = [*conditions, (GROUP, _group_block(level))]
    return RuleStreamBlock(level, block_counts=NONE_REMOVED)


def _group_block(children: list[tuple[str, blocks.Block]]) -> GroupBlock:
    return GroupBlock(
        [
            ("match", blocks.ChoiceBlock(choices=MATCH_CHOICES, default="any", label=_("Match"))),
            ("conditions", RuleStreamBlock(children, block_counts=NONE_REMOVED, label=_("Conditions"))),
        ]
    )


def condition_block(condition: Condition) -> blocks.StructBlock:
    """The block of one condition."""
    return blocks.StructBlock(
        [(parameter.name, parameter_block(parameter)) for parameter in condition.parameters],
        label=condition.label,
        group=condition.group,
        icon=condition.icon,
        form_classname="struct-block ma-condition",
    )


def parameter_block(parameter: Parameter) -> blocks.Block:
    """The form field of one parameter."""
    common = {"label": parameter.label, "help_text": parameter.help_text, "required": parameter.required}
    if not isinstance(parameter, Reference):
        common["default"] = parameter.default
    kind = next(kind for kind in type(parameter).__mro__ if kind in _MAKERS)
    return _MAKERS[kind](parameter, common)


def _number(parameter: Any, common: dict[str, Any]) -> blocks.Block:
    return blocks.IntegerBlock(min_value=parameter.minimum, max_value=parameter.maximum, **common)


def _choice(parameter: Any, common: dict[str, Any]) -> blocks.Block:
    return blocks.ChoiceBlock(choices=parameter.options, **common)


def _text(parameter: Any, common: dict[str, Any]) -> blocks.Block:
    return blocks.CharBlock(max_length=parameter.max_length, **common)


def _flag(parameter: Any, common: dict[str, Any]) -> blocks.Block:
    return blocks.BooleanBlock(**{**common, "required": False})


def _reference(parameter: Any, common: dict[str, Any]) -> blocks.Block:
    kind = reference_kinds.get(parameter.kind)
    if kind is None:
        return blocks.IntegerBlock(**common)
    return kind.make_block(**common)


_MAKERS: dict[type, Callable[[Any, dict[str, Any]], blocks.Block]] = {
    Number: _number,
    Choice: _choice,
    Text: _text,
    Flag: _flag,
    Reference: _reference,
}
