"""Scenarios, their published versions, and who is where in them."""

from __future__ import annotations

import logging
from typing import Any

from django.db import models, transaction
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from wagtail.models import DraftStateMixin, PreviewableMixin, RevisionMixin

from wagtail_ma.people.models import Visitor
from wagtail_ma.rules.fields import LazyStreamField
from wagtail_ma.scenarios import reasons

logger = logging.getLogger(__name__)

# Wagtail's name for what its command "publish_scheduled" does.
SCHEDULED = "wagtail.publish.scheduled"
# What decides who may enter: when it changes, only what happens from then on lets anybody in.
ENTRANCE = ("live", "entry", "activity_kind", "segment_id")


class StepsField(LazyStreamField):
    """The steps of a scenario, as blocks made from the registered step kinds."""

    def build_block(self):  # type: ignore[no-untyped-def]
        from wagtail_ma.scenarios.blocks import steps_block

        return steps_block()


class Scenario(PreviewableMixin, DraftStateMixin, RevisionMixin, models.Model):
    """What happens by itself after something happened: steps, waits, branches."""

    class Entry(models.TextChoices):
        ACTIVITY = "activity", _("An activity happens")
        SEGMENT = "segment", _("Somebody enters a segment")
        SEGMENT_LEFT = "left", _("Somebody leaves a segment")
        BY_HAND = "hand", _("Only by hand, or by a step of another scenario")

    class Again(models.TextChoices):
        ONCE = "once", _("Once per person")
        AFTER_DAYS = "after_days", _("Again after some days")
        EACH_TIME = "each_time", _("Each time, when the last run is over")

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
        limit_choices_to={"is_live": False},
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
        limit_choices_to={"is_live": False},
        help_text=_("For example customers, or people handed to sales. Asked before every step."),
    )
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
    steps = StepsField(_("steps"), blank=True)
    # Switched without publishing, within seconds.
    is_paused = models.BooleanField(_("paused"), default=False, editable=False)
    # What happened before does not let anybody in: publication with this way in, or the end of a pause.
    active_since = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("scenario")
        verbose_name_plural = _("scenarios")

    def __str__(self) -> str:
        return self.name

    def with_content_json(self, content: dict[str, Any]) -> Scenario:
        """A revision as an object. It never carries back the switches of its day."""
        found = super().with_content_json(content)
        found.is_paused = self.is_paused
        found.active_since = self.active_since
        return found

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
        before = Scenario.objects.filter(pk=self.pk).values(*ENTRANCE).first()
        with transaction.atomic():
            result = super().publish(revision, *args, **kwargs)
            published = Scenario.objects.get(pk=self.pk)
            # Not live: the revision waits for its day, and comes through here again then.
            if published.live:
                begins_anew = before != {name: getattr(published, name) for name in ENTRANCE}
                publish(published, now=published.last_published_at, begins_anew=begins_anew)
        return result

    @property
    def default_preview_size(self) -> str:
        """Branches need room."""
        return "desktop"

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

    def __str__(self) -> str:
        return f"{self.enrolment_id} {self.kind}"
