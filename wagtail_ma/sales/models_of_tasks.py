"""Tasks for people."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from wagtail_ma.conf import conf
from wagtail_ma.people.models import Visitor


class Task(models.Model):
    """Decision: a person is to do something for a visitor until a time."""

    visitor = models.ForeignKey(Visitor, on_delete=models.CASCADE, related_name="tasks")
    born_visitor = models.ForeignKey(Visitor, null=True, on_delete=models.SET_NULL, related_name="+")
    text = models.CharField(_("what to do"), max_length=200)
    due_at = models.DateTimeField(_("due"))
    assignee = models.ForeignKey(
        conf.user_model(),
        verbose_name=_("who does it"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    # What made it, e.g. the step of a scenario: the same one makes one task.
    source_key = models.CharField(max_length=120, unique=True)
    created_at = models.DateTimeField()
    done_at = models.DateTimeField(_("done"), null=True, blank=True)
    done_by = models.ForeignKey(conf.user_model(), null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        verbose_name = _("task")
        verbose_name_plural = _("tasks")
        indexes = [
            # The list of tasks: what is open, the most urgent first.
            models.Index(
                fields=["due_at", "id"], condition=models.Q(done_at__isnull=True), name="ma_task_open"
            ),
        ]

    def __str__(self) -> str:
        return self.text
