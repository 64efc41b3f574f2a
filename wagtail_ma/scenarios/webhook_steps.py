"""A step that tells another system."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from wagtail_ma.conf import conf
from wagtail_ma.scenarios import webhooks, wire
from wagtail_ma.scenarios.kinds import Context, StepKind, step_kinds

if TYPE_CHECKING:
    from wagtail.blocks import Block


class WebhookStep(StepKind):
    """A signed message to an https address; it leaves in the background, once at least."""

    key = "webhook"
    label = gettext_lazy("Call a webhook")
    icon = "link-external"
    outcomes = {"planned": gettext_lazy("on its way")}

    def fields(self) -> list[tuple[str, Block]]:
        from wagtail import blocks

        url = blocks.CharBlock(
            label=gettext_lazy("Address"),
            help_text=gettext_lazy(
                "Begins with https://. Only the public internet is called, never the site's own network."
            ),
            max_length=500,
        )
        name = blocks.CharBlock(
            label=gettext_lazy("What happened"),
            help_text=gettext_lazy("Sent along, so that the other system can tell calls apart."),
            max_length=80,
        )
        with_person = blocks.BooleanBlock(
            label=gettext_lazy("Name the person"),
            help_text=gettext_lazy(
                "Sends address, name and company outside; otherwise only a number. "
                "Your privacy policy must say so."
            ),
            required=False,
        )
        return [("url", url), ("name", name), ("with_person", with_person)]

    def problems(self, params: Mapping[str, Any]) -> list[str]:
        found = []
        if not conf.WEBHOOK_SECRET:
            found.append(
                _("Webhooks are switched off: the setting WEBHOOK_SECRET, which signs them, is empty.")
            )
        try:
            wire.target_of(params.get("url") or "")
        except wire.Refused:
            found.append(_("The address of a webhook begins with https:// and is on the public internet."))
        if not params.get("name"):
            found.append(_("Say what has happened when the webhook is called."))
        return found

    def describe(self, params: Mapping[str, Any]) -> str:
        try:
            host = urlsplit(params.get("url") or "").hostname
        except ValueError:
            host = None
        return _("Webhook “%(name)s” to %(host)s") % {
            "name": params.get("name") or "?",
            "host": host or "?",
        }

    def perform(self, context: Context) -> str:
        params = context.step.params
        webhooks.plan(
            context.enrolment,
            key=context.occurrence,
            url=params["url"],
            step_id=context.step.id,
            name=params["name"],
            with_person=bool(params["with_person"]),
            now=context.now,
        )
        return "planned"


step_kinds.register(WebhookStep.key, WebhookStep())
