"""Scenarios, their published versions, and who is where in them."""

from __future__ import annotations

import logging
from typing import Any

from django.contrib.contenttypes.fields import GenericRelation
from django.core.validators import MaxValueValidator
from django.db import models, transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from wagtail.models import DraftStateMixin, LockableMixin, PreviewableMixin, RevisionMixin, WorkflowMixin

from wagtail_ma.people.models import LeadField, Visitor
from wagtail_ma.rules.fields import LazyStreamField, RuleField, stored
from wagtail_ma.scenarios import reasons
from wagtail_ma.segments.models import Segment

logger = logging.getLogger(__name__)

# Wagtail's name for what its command "publish_scheduled" does.
SCHEDULED = "wagtail.publish.scheduled"
# What decides who may enter: when it changes, only what happens from then on lets anybody in.
ENTRANCE = (
    *("live", "entry", "activity_kind", "segment_id", "match", "includes_existing"),
    *("date_field_id", "date_days", "date_side"),
)
# What is switched without publishing.
SWITCHES = ("is_paused", "active_since", "own_segment_id", "existing_after", "swept_on", "band_swept_at")


def default_exits() -> list[str]:
    """Whoever unsubscribes wants no more of it."""
    return ["unsubscribed"]


class StepsField(LazyStreamField):
    """The steps of a scenario, as blocks made from the registered step kinds."""

    def build_block(self):  # type: ignore[no-untyped-def]
        from wagtail_ma.scenarios.blocks import steps_block

        return steps_block()


class Scenario(WorkflowMixin, DraftStateMixin, LockableMixin, RevisionMixin, PreviewableMixin, models.Model):
    """What happens by itself after something happened: steps, waits, branches."""

    class Entry(models.TextChoices):
        ACTIVITY = "activity", _("An activity happens")
        SEGMENT = "segment", _("Somebody enters a segment")
        SEGMENT_LEFT = "left", _("Somebody leaves a segment")
        RULE = "rule", _("Conditions become true")
        DATE = "date", _("A date of the lead is near, or past")
        BY_HAND = "hand", _("Only by hand, or by a step of another scenario")

    class Again(models.TextChoices):
        ONCE = "once", _("Once per person")
        AFTER_DAYS = "after_days", _("Again after some days")
        EACH_TIME = "each_time", _("Each time, when the last run is over")

    class Exit(models.TextChoices):
        UNSUBSCRIBED = "unsubscribed", _("they unsubscribe")
        ENQUIRY = "enquiry", _("they send a form")
        SALES = "sales", _("sales takes care of them (hot lead handled)")
        CUSTOMER = "customer", _("they are customers")

    class Side(models.TextChoices):
        BEFORE = "before", _("days before the date")
        AFTER = "after", _("days after the date")

    name = models.CharField(_("name"), max_length=120)
    entry = models.CharField(_("starts when"), max_length=10, choices=Entry.choices, default=Entry.ACTIVITY)
    activity_kind = models.CharField(_("activity"), max_length=64, blank=True)
    segment = models.ForeignKey(
        "wagtail_ma.Segment",
        verbose_name=_("segment"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        # Nobody enters a live one.
        limit_choices_to={"is_live": False, "is_internal": False},
    )
    # Of people.causes.Cause.
    entry_causes = models.JSONField(
        _("also when nobody did anything"),
        default=list,
        blank=True,
        help_text=_(
            "On these occasions people come into segments, or leave them, without an act of their own. "
            "Not ticked: the scenario then does not start for them."
        ),
    )
    match = models.CharField(
        _("match"), max_length=4, choices=Segment.Match.choices, default=Segment.Match.ALL
    )
    rule = RuleField(_("conditions"), blank=True)
    # What keeps the conditions (entry_rule.py).
    own_segment = models.ForeignKey(
        Segment, null=True, on_delete=models.SET_NULL, related_name="+", editable=False
    )
    includes_existing = models.BooleanField(
        _("also those who are in it already"),
        default=False,
        help_text=_(
            "Whoever is in the segment, or fulfils the conditions, when this is published starts, too. "
            "Otherwise only who comes later."
        ),
    )
    # Of those, this visitor and all before have been taken in; empty: nobody is waiting.
    existing_after = models.BigIntegerField(null=True, editable=False)
    date_field = models.ForeignKey(
        LeadField,
        verbose_name=_("date of the lead"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        limit_choices_to={"kind": LeadField.Kind.DATE},
        help_text=_("A lead field of the kind “date”, for example the end of a contract."),
    )
    date_days = models.PositiveSmallIntegerField(
        _("days"), default=0, help_text=_("0: on the day itself. It starts when business begins.")
    )
    date_side = models.CharField(
        _("before or after"), max_length=6, choices=Side.choices, default=Side.BEFORE
    )
    # The last day whose people have been looked for.
    swept_on = models.DateField(null=True, editable=False)
    again = models.CharField(_("who may enter"), max_length=10, choices=Again.choices, default=Again.ONCE)
    again_days = models.PositiveSmallIntegerField(
        _("again after so many days"), default=90, help_text=_("Counted from the end of the last run.")
    )
    goal = models.ForeignKey(
        "wagtail_ma.Goal",
        verbose_name=_("goal"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="scenarios",
        help_text=_("Whoever reaches it leaves the scenario as a success. Asked before every step."),
    )
    exit_segment = models.ForeignKey(
        "wagtail_ma.Segment",
        verbose_name=_("leave when in this segment"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        limit_choices_to={"is_live": False, "is_internal": False},
        help_text=_("For example customers, or people handed to sales. Asked before every step."),
    )
    # Of Exit.
    exits = models.JSONField(
        _("leave also when"),
        default=default_exits,
        blank=True,
        help_text=_("Asked before every step. What happened before somebody entered does not count."),
    )
    band_from = models.PositiveSmallIntegerField(
        _("score at least"), null=True, blank=True, help_text=_("Empty: any.")
    )
    band_to = models.PositiveSmallIntegerField(_("score at most"), null=True, blank=True)
    band_margin = models.PositiveSmallIntegerField(
        _("margin"),
        default=5,
        help_text=_("Out is who is further out than this; so a score at the edge moves nobody to and fro."),
    )
    # Letters of the fit.
    band_grades = models.JSONField(_("fit"), default=list, blank=True, help_text=_("None ticked: any."))
    band_scenario = models.ForeignKey(
        "self",
        verbose_name=_("then into the scenario"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    band_place = models.CharField(
        _("or go on at the place"),
        max_length=40,
        blank=True,
        help_text=_("The name of a step “Place”. Both empty: they leave the scenario."),
    )
    # When those who wait were last looked at for scores that have cooled.
    band_swept_at = models.DateTimeField(null=True, editable=False)
    group = models.CharField(
        _("group"),
        max_length=60,
        blank=True,
        help_text=_("Nobody is in two scenarios of the same group at once. Empty: in no group."),
    )
    priority = models.SmallIntegerField(
        _("priority"),
        default=0,
        help_text=_(
            "A higher number goes first: in its group it takes people over, and its mails are sent before "
            "those of others when somebody may get only one."
        ),
    )
    holdout_percent = models.PositiveSmallIntegerField(
        _("hold-out, percent"),
        default=0,
        validators=[MaxValueValidator(50)],
        help_text=_(
            "So many of those who would enter are left alone, always the same ones, so that the results "
            "show what the scenario brings. 0: everybody enters."
        ),
    )
    steps = StepsField(_("steps"), blank=True)
    # Switched without publishing, within seconds.
    is_paused = models.BooleanField(_("paused"), default=False, editable=False)
    # What happened before does not let anybody in: publication with this way in, or the end of a pause.
    active_since = models.DateTimeField(null=True, editable=False)

    # So that they go with the scenario.
    workflow_states = GenericRelation(
        "wagtailcore.WorkflowState", content_type_field="base_content_type", object_id_field="object_id"
    )
    revisions = GenericRelation(
        "wagtailcore.Revision", content_type_field="base_content_type", object_id_field="object_id"
    )

    class Meta:
        verbose_name = _("scenario")
        verbose_name_plural = _("scenarios")

    def __str__(self) -> str:
        return self.name

    def with_content_json(self, content: dict[str, Any]) -> Scenario:
        """A revision as an object. It never carries back the switches of its day."""
        found = super().with_content_json(content)
        # From the table and not from ``self``, which may have been read long ago.
        switches = Scenario.objects.filter(pk=self.pk).values(*SWITCHES).first() or {}
        for name, value in switches.items():
            setattr(found, name, value)
        return found

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """With the segment of its own conditions, which nobody else sees."""
        own = self.own_segment
        result = super().delete(*args, **kwargs)
        if own is not None:
            own.delete()
        return result

    @property
    def watched(self) -> Segment | None:
        """The segment whose changes let people in."""
        return self.own_segment if self.entry == self.Entry.RULE else self.segment

    @property
    def watched_id(self) -> int | None:
        """Its key."""
        return self.own_segment_id if self.entry == self.Entry.RULE else self.segment_id

    @property
    def has_band(self) -> bool:
        """Whether one may be in it only while score or fit is in a band."""
        return self.band_from is not None or self.band_to is not None or bool(self.band_grades)

    def entrance(self) -> tuple[Any, ...]:
        """What decides who may enter."""
        return (*(getattr(self, name) for name in ENTRANCE), stored(self.rule))

    def publish(self, revision: Any, *args: Any, **kwargs: Any) -> Any:
        """Put a revision in force: checked, then kept as an immutable :class:`ScenarioVersion`.

        Every way of publishing (admin, schedule, code) comes through here.

        :raises wagtail_ma.scenarios.publish.NotReady: the steps cannot run. Not on its scheduled day:
            the command that publishes would never come to the site's pages behind it. The revision
            then is a draft again.
        """
        from wagtail_ma.scenarios.publish import NotReady, check, publish

        try:
            check(revision.as_object())
        except NotReady:
            if kwargs.get("log_action") != SCHEDULED:
                raise
            logger.exception("scenario %s could not be published on its day", self.pk)
            revision.approved_go_live_at = None
            revision.save(update_fields=["approved_go_live_at"])
            return None
        before = Scenario.objects.filter(pk=self.pk).first()
        entrance = before.entrance() if before else None
        with transaction.atomic():
            result = super().publish(revision, *args, **kwargs)
            published = Scenario.objects.get(pk=self.pk)
            # Not live: the revision waits for its day, and comes through here again then.
            if published.live:
                begins_anew = entrance != published.entrance()
                publish(published, now=published.last_published_at, begins_anew=begins_anew)
        return result

    @property
    def default_preview_size(self) -> str:
        """As narrow as the panel beside the editor: legible there. Wide flows can be opened in a tab."""
        return "mobile"

    def get_preview_template(self, request: HttpRequest, mode_name: str) -> str:
        """The preview beside the editor is the diagram of the steps."""
        return "wagtail_ma/scenarios/preview.html"

    def get_preview_context(self, request: HttpRequest, mode_name: str) -> dict[str, Any]:
        from wagtail_ma.scenarios.diagram import draw
        from wagtail_ma.scenarios.publish import tree_of

        return {"scenario": self, "diagram": draw(tree_of(self))}


class ScenarioVersion(models.Model):
    """Immutable: the steps as published. People inside keep the version they entered with."""

    scenario = models.ForeignKey(Scenario, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    published_at = models.DateTimeField()

    class Meta:
        verbose_name = _("scenario version")
        verbose_name_plural = _("scenario versions")
        constraints = [
            models.UniqueConstraint(fields=["scenario", "number"], name="ma_scenario_version_once"),
        ]

    def __str__(self) -> str:
        return f"{self.scenario} v{self.number}"


class Enrolment(models.Model):
    """Decision: somebody is in a scenario, at a step, until due."""

    class Status(models.TextChoices):
        ACTIVE = "active", pgettext_lazy("state in a scenario", "active")
        FINISHED = "finished", _("finished")
        EXITED = "exited", _("left")
        FAILED = "failed", _("failed")
        # Would have entered, and is watched for comparison: no step is ever taken.
        HELD_OUT = "held_out", _("held out")

    scenario = models.ForeignKey(
        Scenario, on_delete=models.CASCADE, related_name="enrolments", db_index=False
    )
    # RESTRICT, not PROTECT: a scenario may be deleted with all that belongs to it.
    version = models.ForeignKey(ScenarioVersion, on_delete=models.RESTRICT, related_name="enrolments")
    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="enrolments")
    born_visitor = models.ForeignKey(Visitor, null=True, on_delete=models.SET_NULL, related_name="+")
    # What let them in, e.g. "activity:17": the same fact never enrols twice.
    trigger = models.CharField(max_length=80)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    step_id = models.CharField(max_length=40, blank=True)
    round = models.PositiveIntegerField(default=1)
    due_at = models.DateTimeField()
    # The step may end before due_at when the person does something; react then makes it due.
    is_listening = models.BooleanField(default=False)
    revision = models.PositiveIntegerField(default=0)
    # When the scenario's goal was reached, by somebody who was inside.
    goal_at = models.DateTimeField(null=True, blank=True)
    # Has crossed the edge of the scenario's band, and was moved because of it.
    is_outside = models.BooleanField(default=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    entered_at = models.DateTimeField()
    step_entered_at = models.DateTimeField()
    left_at = models.DateTimeField(null=True, blank=True)
    left_reason = models.CharField(max_length=120, blank=True)

    class Meta:
        verbose_name = _("enrolment")
        verbose_name_plural = _("enrolments")
        constraints = [
            models.UniqueConstraint(
                fields=["scenario", "visitor"],
                condition=models.Q(status="active"),
                name="ma_enrolment_one_active",
            ),
            # One fact lets one person in, whoever it belongs to after merges and their undoing.
            models.UniqueConstraint(fields=["scenario", "trigger"], name="ma_enrolment_trigger"),
        ]
        indexes = [
            # run_due takes what is due, and touches nothing else.
            models.Index(
                fields=["due_at", "id"], condition=models.Q(status="active"), name="ma_enrolment_due"
            ),
            # The log of automatic acts: the newest entries, and who left.
            models.Index(fields=["-entered_at", "-id"], name="ma_enrolment_entered"),
            models.Index(
                fields=["-left_at", "-id"],
                condition=models.Q(status__in=["exited", "failed"]),
                name="ma_enrolment_left",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_id} in {self.scenario_id}"

    @property
    def left_because(self) -> str:
        """Why this person left before the end, in words; empty for whoever did not."""
        return "" if self.status == self.Status.FINISHED else reasons.label(self.left_reason)


class StepRun(models.Model):
    """Append-only: a step was executed. The audit, the report and the guarantee of once in one."""

    enrolment = models.ForeignKey(Enrolment, on_delete=models.CASCADE, related_name="runs", db_index=False)
    step_id = models.CharField(max_length=40)
    round = models.PositiveIntegerField()
    kind = models.CharField(max_length=40)
    outcome = models.CharField(max_length=120, blank=True)
    at = models.DateTimeField()

    class Meta:
        verbose_name = _("step run")
        verbose_name_plural = _("step runs")
        constraints = [
            models.UniqueConstraint(fields=["enrolment", "step_id", "round"], name="ma_step_run_once"),
        ]
        indexes = [
            # The log of automatic acts: the newest.
            models.Index(fields=["-at", "-id"], name="ma_step_run_at"),
        ]

    def __str__(self) -> str:
        return f"{self.enrolment_id} {self.kind}"
