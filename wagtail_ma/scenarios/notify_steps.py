"""A mail to staff: somebody has come so far, look at them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, override

from wagtail_ma.conf import conf
from wagtail_ma.core.text import clean_line, normalise_email
from wagtail_ma.messaging import transactional
from wagtail_ma.messaging.fill import Filled
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people.models import Lead
from wagtail_ma.scenarios.kinds import Context, StepKind, step_kinds
from wagtail_ma.scenarios.models import Enrolment

if TYPE_CHECKING:
    from wagtail.blocks import Block

NOTICE = "scenario_notice"
MOST_ADDRESSES = 10
SUBJECT_LENGTH = 200


class NotifyStep(StepKind):
    """A mail to the person in charge, and to any addresses of staff, once."""

    key = "notify_staff"
    label = gettext_lazy("Tell staff by mail")
    icon = "mail"
    outcomes = {
        "told": gettext_lazy("on its way"),
        "nobody": gettext_lazy("skipped: nobody to tell"),
    }

    def fields(self) -> list[tuple[str, Block]]:
        from wagtail import blocks

        text = blocks.CharBlock(label=gettext_lazy("What it is about"), max_length=SUBJECT_LENGTH)
        owner = blocks.BooleanBlock(
            label=gettext_lazy("To the person in charge"), default=True, required=False
        )
        addresses = blocks.CharBlock(
            label=gettext_lazy("Other addresses"),
            help_text=gettext_lazy("Of staff, with commas between them. The mail names the person."),
            required=False,
            max_length=500,
        )
        return [("text", text), ("owner", owner), ("addresses", addresses)]

    def read(self, value: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        return {
            "text": value.get("text") or "",
            "owner": bool(value.get("owner")),
            "addresses": [word for word in re.split(r"[\s,;]+", value.get("addresses") or "") if word],
        }

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        found = []
        if not params.get("text"):
            found.append(_("Say what staff is to be told."))
        if not params.get("owner") and not params.get("addresses"):
            found.append(_("Say whom to tell: the person in charge, or an address."))
        if len(params.get("addresses") or []) > MOST_ADDRESSES:
            found.append(_("At most %(count)d addresses can be told.") % {"count": MOST_ADDRESSES})
        for address in params.get("addresses") or []:
            try:
                normalise_email(address)
            except ValueError:
                found.append(_("“%(address)s” is not a mail address.") % {"address": address})
        return found

    def describe(self, params: Mapping[str, Any]) -> str:
        return _("Tell staff: %(text)s") % {"text": params.get("text") or "?"}

    def perform(self, context: Context) -> str:
        params = context.step.params
        rows = Lead.objects.select_related("owner")
        lead = rows.filter(visitor_id=context.enrolment.visitor_id).first()
        addresses = list(params["addresses"])
        if params["owner"] and lead is not None and lead.owner is not None and lead.owner.is_active:
            addresses.insert(0, lead.owner.email)
        planned = [
            transactional.plan(
                NOTICE,
                lead,
                now=context.now,
                occurrence=f"{context.occurrence}:{number}",
                extra={"enrolment": context.enrolment.pk, "text": params["text"]},
                email=address,
                is_internal=True,
            )
            for number, address in enumerate(dict.fromkeys(each for each in addresses if each))
        ]
        return "told" if any(planned) else "nobody"


def _fill(delivery: Delivery) -> Filled:
    """The text, made at the moment of sending: no copy of a name waits in the queue."""
    rows = Enrolment.objects.select_related("scenario", "visitor", "visitor__lead")
    enrolment = rows.filter(pk=delivery.extra["enrolment"]).first()
    if enrolment is None:
        raise KeyError("the enrolment is gone")
    language = conf.staff_language()
    text = clean_line(delivery.extra["text"], SUBJECT_LENGTH)
    with override(language):
        lead = getattr(enrolment.visitor, "lead", None)
        return transactional.filled(
            delivery,
            "wagtail_ma/mail/scenario_notice",
            # The editor's words and nothing that a visitor typed.
            subject=text,
            language=language,
            context={
                "text": text,
                "scenario": enrolment.scenario.name,
                "person": str(lead) if lead else _("somebody not known by name"),
                "company": lead.company_name if lead else "",
                "url": _visitor_url(enrolment.visitor_id),
            },
        )


def _visitor_url(visitor_id: int) -> str:
    try:
        path = reverse("wagtail_ma_visitors:visitor", args=[visitor_id])
    except NoReverseMatch:
        # The Wagtail admin lives on another host.
        return ""
    return transactional.absolute(path)


transactional.builtins.register(NOTICE, _fill)
step_kinds.register(NotifyStep.key, NotifyStep())
