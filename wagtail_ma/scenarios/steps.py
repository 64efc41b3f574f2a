"""The kinds of step that come with wagtail_ma: wait, send a mail, branch, clicked?, end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from wagtail_ma.core.errors import MarketingError
from wagtail_ma.messaging import caps, consents, queue, rates, ready
from wagtail_ma.messaging.models import Delivery, Mail, MailVersion
from wagtail_ma.messaging.models_of_sending import SendingRules
from wagtail_ma.people.models import Lead
from wagtail_ma.scenarios import offering
from wagtail_ma.scenarios.kinds import NOT_YET, Context, Role, StepKind, step_kinds
from wagtail_ma.segments.models import Segment
from wagtail_ma.segments.queries import is_member
from wagtail_ma.tracking.models import Activity

if TYPE_CHECKING:
    from wagtail.blocks import Block

    from wagtail_ma.scenarios.models import Enrolment

# What becomes of a mail that cannot reach somebody.
WAIT, SKIP, OFFER = "wait", "skip", "offer"
OTHERWISE = [
    (WAIT, gettext_lazy("wait for an address, then skip the mail")),
    (SKIP, gettext_lazy("skip the mail at once")),
    (OFFER, gettext_lazy("show an offer on the site instead")),
]

UNIT_SECONDS = {"minutes": 60, "hours": 3_600, "days": 86_400}


class MailGone(MarketingError):
    """The mail of a step was deleted or taken offline."""


class MailNotReady(MarketingError):
    """The mail of a step cannot be sent as it is."""


class SegmentGone(MarketingError):
    """The segment of a step was deleted."""


def spoken(amount: int, unit: str) -> str:
    """``(1, "days")`` → ``"1 day"``."""
    if unit == "minutes":
        return ngettext("%(n)d minute", "%(n)d minutes", amount) % {"n": amount}
    if unit == "hours":
        return ngettext("%(n)d hour", "%(n)d hours", amount) % {"n": amount}
    return ngettext("%(n)d day", "%(n)d days", amount) % {"n": amount}


class TimedStep(StepKind):
    """A kind with a duration: an amount and a unit."""

    question: ClassVar[str | Promise] = gettext_lazy("How long")
    label_format = "{amount} {unit}"

    def fields(self) -> list[tuple[str, Block]]:
        from wagtail_ma.scenarios.blocks import duration_fields

        return duration_fields(self.question)

    def duration(self, params: Mapping[str, Any]) -> timedelta:
        return timedelta(seconds=int(params["amount"]) * UNIT_SECONDS[params["unit"]])

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        if not params.get("amount") or params.get("unit") not in UNIT_SECONDS:
            return [_("Say how long to wait.")]
        return []

    def spoken(self, params: Mapping[str, Any]) -> str:
        """The duration in words."""
        return spoken(params.get("amount") or 0, params.get("unit") or "days")


def sending_rules(context: Context) -> SendingRules:
    """The rules of this installation, looked up once for all who are moved together."""
    return context.once(SendingRules, rates.rules_now)


class WaitStep(TimedStep):
    """Nothing happens for a time."""

    key = "wait"
    label = gettext_lazy("Wait")
    icon = "time"
    role = Role.WAIT
    outcomes = {"waited": gettext_lazy("waited")}

    def describe(self, params: Mapping[str, Any]) -> str:
        return _("Wait %(duration)s") % {"duration": self.spoken(params)}


class SendMailStep(StepKind):
    """A mail is put in the queue. Whom it cannot reach (no address, no consent) it does not fail: as the
    editor chose, an offer is shown on the site instead, an address is waited for, or it is skipped."""

    key = "send_mail"
    label = gettext_lazy("Send a mail")
    icon = "mail"
    late_outcome = "no_address"
    outcomes = {
        "queued": gettext_lazy("sent on its way"),
        "offered": gettext_lazy("seen as an offer on the site instead"),
        "no_address": gettext_lazy("skipped: no address known"),
        "not_allowed": gettext_lazy("skipped: no consent, or unsubscribed"),
        "excluded": gettext_lazy("skipped: excluded from marketing"),
        "enough": gettext_lazy("skipped: had enough mails already"),
    }

    def fields(self) -> list[tuple[str, Block]]:
        from wagtail_ma.scenarios import blocks

        return [
            ("mail", blocks.MailBlock(label=gettext_lazy("Mail"))),
            *blocks.without_address_fields(OTHERWISE, WAIT),
        ]

    def read(self, value: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        mail, segment = value.get("mail"), value.get("offer")
        otherwise = value.get("otherwise") or WAIT
        return {
            "mail_id": mail.pk if mail else None,
            "name": str(mail) if mail else "",
            "otherwise": otherwise,
            "patience_days": (value.get("patience_days") or 0) if otherwise != SKIP else 0,
            "segment_id": segment.pk if segment and otherwise == OFFER else None,
            "proof": offering.DISPLAYED,
        }

    def duration(self, params: Mapping[str, Any]) -> timedelta:
        return timedelta(days=params.get("patience_days", 0))

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        found = []
        if params.get("otherwise") == OFFER:
            if not Segment.objects.filter(pk=params.get("segment_id") or 0).exists():
                found.append(_("Choose the segment to which the offer is shown in place of the mail."))
            if not params.get("patience_days"):
                found.append(_("Say for how many days the offer is shown in place of the mail."))
        mail = Mail.objects.filter(pk=params.get("mail_id") or 0).first()
        if mail is None:
            return [_("Choose the mail to send."), *found]
        if not mail.live:
            return [_("The mail “%(mail)s” is not published.") % {"mail": mail}, *found]
        missing = [
            _("The mail “%(mail)s” is not ready: %(problem)s") % {"mail": mail, "problem": problem}
            for problem in ready.problems(mail)
        ]
        return [*missing, *found]

    def describe(self, params: Mapping[str, Any]) -> str:
        return _("Send “%(mail)s”") % {"mail": params.get("name") or "?"}

    def perform(self, context: Context) -> str:
        visitor = context.enrolment.visitor
        mail = self._mail(context)
        lead = getattr(visitor, "lead", None)
        if lead is None or not lead.email:
            return self._without(context, "no_address")
        if mail.is_marketing:
            if visitor.excluded_reason:
                return "excluded"
            if not consents.may_mail(lead.email):
                return self._without(context, "not_allowed")
            if self._has_enough(context, lead):
                return "enough"
        version = context.once((MailVersion, mail.pk), lambda: queue.version_of(mail, now=context.now))
        if version is None:
            # Tried again later, when somebody may have mended the mail.
            raise MailNotReady(f"mail {mail.pk} cannot be sent as it is")
        planned = queue.enqueue(mail, lead, occurrence=context.occurrence, now=context.now, version=version)
        if planned is None:
            return self._without(context, "no_address")
        self.abandon(context.enrolment, context.step.params, now=context.now)
        return "queued"

    def ask_again_at(self, context: Context) -> datetime | None:
        segment_id = context.step.params.get("segment_id")
        if not segment_id:
            return None
        return offering.visit_over_at(context.enrolment, segment_id, now=context.now)

    def abandon(self, enrolment: Enrolment, params: Mapping[str, Any], *, now: datetime) -> None:
        if params.get("segment_id"):
            offering.take_back(enrolment, params["segment_id"], now=now)

    def _without(self, context: Context, why: str) -> str:
        """What the editor chose for whom the mail cannot reach."""
        enrolment, params = context.enrolment, context.step.params
        if params.get("segment_id"):
            until = enrolment.step_entered_at + self.duration(params)
            if offering.go_on(enrolment, params, until=until, now=context.now):
                return "offered"
            return NOT_YET if context.now < until else why
        # Somebody who said no is not waited for.
        return NOT_YET if why == self.late_outcome else why

    def _has_enough(self, context: Context, lead: Lead) -> bool:
        rules = sending_rules(context)
        return caps.has_enough(lead, rules, occurrence=context.occurrence, now=context.now)

    def _mail(self, context: Context) -> Mail:
        mail_id = context.step.params["mail_id"]
        published = Mail.objects.select_related("sender").filter(pk=mail_id, live=True)
        mail = context.once((Mail, mail_id), published.first)
        if mail is None:
            raise MailGone(f"mail {mail_id} is deleted or not published")
        return mail


class BranchStep(StepKind):
    """Two ways on, by a segment."""

    key = "branch"
    label = gettext_lazy("Branch: is in a segment?")
    icon = "list-ul"
    exits = {"yes": gettext_lazy("Yes"), "no": gettext_lazy("No")}
    outcomes = exits

    def fields(self) -> list[tuple[str, Block]]:
        from wagtail_ma.scenarios.blocks import segment_block

        return [("segment", segment_block())]

    def read(self, value: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        segment = value.get("segment")
        return {"segment_id": segment.pk if segment else None, "name": str(segment) if segment else ""}

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        if not Segment.objects.filter(pk=params.get("segment_id") or 0).exists():
            return [_("Choose the segment to ask about.")]
        return []

    def describe(self, params: Mapping[str, Any]) -> str:
        return _("In “%(segment)s”?") % {"segment": params.get("name") or "?"}

    def perform(self, context: Context) -> str:
        segment_id = context.step.params["segment_id"]
        if is_member(segment_id, context.enrolment.visitor_id):
            return "yes"
        if not context.once((Segment, segment_id), Segment.objects.filter(pk=segment_id).exists):
            raise SegmentGone(f"segment {segment_id} is deleted")
        return "no"


class ClickedStep(TimedStep):
    """Two ways on: whether a link of the mail sent before was followed within a time."""

    key = "clicked"
    label = gettext_lazy("Branch: was the mail clicked?")
    question = gettext_lazy("Wait for a click at most")
    icon = "link"
    exits = {"yes": gettext_lazy("Yes"), "no": gettext_lazy("No")}
    outcomes = exits

    def read(self, value: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        sends = [step for step in earlier if step["kind"] == SendMailStep.key]
        last = sends[-1] if sends else None
        return {
            **super().read(value, earlier),
            "send_step": last["id"] if last else None,
            "mail_id": last["params"]["mail_id"] if last else None,
            "name": last["params"]["name"] if last else "",
        }

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        found = super().problems(params)
        if not params.get("send_step"):
            found.append(_("“Was the mail clicked?” needs a step “Send a mail” above it."))
        return found

    def describe(self, params: Mapping[str, Any]) -> str:
        return _("Clicked within %(duration)s? “%(mail)s”") % {
            "mail": params.get("name") or "?",
            "duration": self.spoken(params),
        }

    def perform(self, context: Context) -> str:
        params = context.step.params
        sent = context.run_of(params["send_step"])
        if sent is None or sent.outcome != "queued":
            return "no"
        deliveries = set(
            Delivery.objects.filter(
                mail_id=params["mail_id"], occurrence=context.occurrence_of(sent.step_id, sent.round)
            ).values_list("pk", flat=True)
        )
        clicks = Activity.objects.filter(
            visitor_id=context.enrolment.visitor_id,
            kind="mail_click",
            object_kind="mail",
            object_key=str(params["mail_id"]),
            at__gte=sent.at,
        ).values_list("data", flat=True)
        # The same mail may have been sent on another occasion too: only this one's links count.
        is_clicked = any(data.get("delivery") in deliveries and not data.get("is_machine") for data in clicks)
        return "yes" if is_clicked else NOT_YET


class EndStep(StepKind):
    """The scenario is over for this person."""

    key = "end"
    label = gettext_lazy("End")
    icon = "circle-check"
    role = Role.END
    outcomes = {"ended": gettext_lazy("ended")}


for kind in (WaitStep(), SendMailStep(), BranchStep(), ClickedStep(), EndStep()):
    step_kinds.register(kind.key, kind)
