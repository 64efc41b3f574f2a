"""The funnel of a form: seen → started → sent → confirmed, and where people stopped."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, QuerySet, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce

from wagtail_ma.forms.models import LeadForm, Submission
from wagtail_ma.tracking.models import Activity

PERIODS = (30, 90, 365)
USUAL_DAYS = 90


@dataclass(frozen=True)
class Funnel:
    """People (not acts) who reached each stage of a form within the period.

    Whoever reached a stage counts in all before it: browsers without JavaScript send forms that
    they never reported as seen. ``confirmed`` is None when the form asks for no confirmation.
    ``stopped``: (name of the question, people who left the form there and never sent it), the
    commonest first; "" stands for none.
    """

    seen: int
    started: int
    sent: int
    confirmed: int | None
    stopped: list[tuple[str, int]]

    @property
    def share_sent(self) -> float | None:
        """Of those who saw the form, 0–1; None when nobody did."""
        return self.sent / self.seen if self.seen else None


def period(text: str | None) -> int:
    """The days of a period as the address says it, else the usual ones."""
    return int(text) if text in {str(days) for days in PERIODS} else USUAL_DAYS


def funnel(form: LeadForm, *, now: datetime, days: int = USUAL_DAYS) -> Funnel:
    """The funnel of one form over the last ``days`` days (seven statements)."""
    since = now - timedelta(days=days)
    acts = Activity.objects.filter(object_kind="form", object_key=str(form.pk), at__gte=since, at__lte=now)
    sent = _senders(form, since, now)
    started = _people(acts, "form_start").union(sent)
    seen = _people(acts, "form_view").union(_people(acts, "form_start"), sent)
    confirmed = None
    if form.asks_confirmation or sent_and_asked(form, since, now).exists():
        confirmed = _senders(form, since, now).filter(confirmed_at__isnull=False).count()
    return Funnel(
        seen=seen.count(),
        started=started.count(),
        sent=sent.count(),
        confirmed=confirmed,
        stopped=_stopped(acts, sent),
    )


def sent_and_asked(form: LeadForm, since: datetime, now: datetime) -> QuerySet[Submission]:
    """Submissions whose senders were asked to confirm the address."""
    return Submission.objects.filter(form=form, at__gte=since, at__lte=now, asked_at__isnull=False)


def _people(acts: QuerySet[Activity], kind: str) -> QuerySet[Activity, int]:
    return acts.filter(kind=kind).order_by().values_list("visitor_id", flat=True).distinct()


def _senders(form: LeadForm, since: datetime, now: datetime) -> QuerySet[Submission]:
    """Who sent it, as the browser that saw the form (a role address is another person's)."""
    sent = Submission.objects.filter(form=form, at__gte=since, at__lte=now)
    real = sent.exclude(state=Submission.State.SUSPECT).order_by()
    return real.values_list(Coalesce("browser__visitor_id", "visitor_id"), flat=True).distinct()


def _stopped(acts: QuerySet[Activity], sent: QuerySet[Submission]) -> list[tuple[str, int]]:
    left = (
        acts.filter(kind="form_abandon")
        .exclude(visitor_id__in=sent)
        .annotate(field=Coalesce(KeyTextTransform("field", "data"), Value(""), output_field=TextField()))
        .order_by()
        .values("field")
        .annotate(people=Count("visitor_id", distinct=True))
        .order_by("-people", "field")
    )
    return [(row["field"], row["people"]) for row in left[:20]]
