"""What other systems are to be told: the queue of record of webhooks."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from wagtail_ma.scenarios.models import Enrolment


class WebhookCall(models.Model):
    """One call of another system, for one step of one person.

    waiting → done, or failed after the last attempt. A call is taken by moving ``due_at`` (a lease), so
    that after a crash it is made again: the receiver knows it by its key.
    """

    class State(models.TextChoices):
        WAITING = "waiting", pgettext_lazy("webhook", "waiting")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    enrolment = models.ForeignKey(Enrolment, on_delete=models.CASCADE, related_name="webhook_calls")
    # Sent as Idempotency-Key: names the step run.
    key = models.CharField(max_length=120, unique=True)
    url = models.CharField(max_length=500)
    # What the call tells; names and addresses are read at the moment of sending.
    data = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    due_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    # What went wrong last.
    reason = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("webhook call")
        verbose_name_plural = _("webhook calls")
        indexes = [
            # The sender: what is due.
            models.Index(fields=["due_at", "id"], condition=models.Q(state="waiting"), name="ma_webhook_due"),
        ]

    def __str__(self) -> str:
        return f"{self.key} → {self.url}"
