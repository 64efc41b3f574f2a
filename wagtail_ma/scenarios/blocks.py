"""The steps of a scenario as StreamField blocks, made from the registered kinds."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.db.models import Model
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext_lazy as _
from wagtail import blocks

from wagtail_ma.messaging.models import Mail
from wagtail_ma.scenarios.kinds import StepKind, step_kinds
from wagtail_ma.segments.models import Segment

# Branches within branches within branches; each level adds to what the editor loads.
DEPTH = 3


class _SelectBlock(blocks.ChooserBlock):
    """A chooser as a plain drop-down: known to the reference index, no modal needed."""

    @cached_property
    def widget(self) -> forms.Select:
        return forms.Select()

    def value_from_form(self, value: Any) -> Any:
        """Nothing chosen is nothing: the drop-down sends an empty text."""
        return super().value_from_form(value or None)

    def get_form_state(self, value: Any) -> Any:
        """What the drop-down shows as chosen: a list of option values, as text."""
        key = value.pk if isinstance(value, Model) else value
        return [] if key is None else [str(key)]


class MailBlock(_SelectBlock):
    """Chooses a mail."""

    @cached_property
    def target_model(self) -> type[Mail]:
        return Mail


class SegmentBlock(_SelectBlock):
    """Chooses a segment; not a live one, of which nobody is a member."""

    @cached_property
    def target_model(self) -> type[Segment]:
        return Segment

    @cached_property
    def field(self) -> forms.ModelChoiceField[Segment]:
        return forms.ModelChoiceField(
            queryset=Segment.objects.filter(is_live=False, is_internal=False),
            widget=self.widget,
            required=self._required,
            validators=self._validators,
            help_text=self._help_text,
        )


class ScenarioBlock(_SelectBlock):
    """Chooses a scenario."""

    @cached_property
    def target_model(self) -> type[Model]:
        from wagtail_ma.scenarios.models import Scenario

        return Scenario


class UserBlock(_SelectBlock):
    """Chooses one of the staff."""

    @cached_property
    def target_model(self) -> type[Model]:
        return get_user_model()

    @cached_property
    def field(self) -> forms.ModelChoiceField[Any]:
        return forms.ModelChoiceField(
            queryset=get_user_model().objects.filter(is_active=True),
            widget=self.widget,
            required=self._required,
            validators=self._validators,
            help_text=self._help_text,
        )


def segment_block() -> SegmentBlock:
    """Asks for a segment."""
    return SegmentBlock(label=_("Segment"))


def duration_fields(label: str | Promise) -> list[tuple[str, blocks.Block]]:
    """Amount and unit of a duration; ``label`` asks for the amount."""
    units = [("minutes", _("minutes")), ("hours", _("hours")), ("days", _("days"))]
    return [
        ("amount", blocks.IntegerBlock(label=label, min_value=1, default=1)),
        ("unit", blocks.ChoiceBlock(label=_("Unit"), choices=units, default="days")),
    ]


def without_address_fields(choices: list[Any], default: str) -> list[tuple[str, blocks.Block]]:
    """What becomes of a mail for somebody whom it cannot reach."""
    otherwise = blocks.ChoiceBlock(
        label=_("To whom it cannot be sent"),
        help_text=_("Because no address is known, or (for an offer on the site) without consent to mail."),
        choices=choices,
        default=default,
    )
    patience = blocks.IntegerBlock(
        label=_("For so many days at most"),
        help_text=_("As soon as an address is known, the mail goes out. 0: go on at once."),
        min_value=0,
        max_value=365,
        default=0,
    )
    offer = SegmentBlock(
        label=_("Offer: shown to the segment"),
        help_text=_("Only for an offer instead. Make variants for it in personalised blocks."),
        required=False,
    )
    return [("otherwise", otherwise), ("patience_days", patience), ("offer", offer)]


def steps_block() -> blocks.StreamBlock:
    """All kinds of step, branches nested :data:`DEPTH` deep.

    Block instances are shared between the levels: with one instance per place the editor would
    load megabytes of definitions.
    """
    plain = [(kind.key, _struct(kind)) for kind in step_kinds if not kind.exits]
    children = plain
    for _level in range(DEPTH):
        inner = children
        children = plain + [(kind.key, _struct(kind, inner)) for kind in step_kinds if kind.exits]
    return blocks.StreamBlock(children)


def _struct(kind: StepKind, inner: list[tuple[str, blocks.Block]] | None = None) -> blocks.StructBlock:
    """The block of one kind; ``inner`` are the steps offered in its branches."""
    branches = [
        (name, blocks.StreamBlock(inner or [], label=label, required=False))
        for name, label in kind.exits.items()
    ]
    return blocks.StructBlock(
        [*kind.fields(), *branches],
        label=kind.label,
        icon=kind.icon,
        label_format=kind.label_format or None,
        form_classname="struct-block ma-step",
    )
