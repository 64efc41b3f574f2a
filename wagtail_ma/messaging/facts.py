"""Conditions about mails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.snippets.blocks import SnippetChooserBlock

from wagtail_ma.core.conditions import (
    Condition,
    Dated,
    ReferenceKind,
    Referent,
    Rows,
    Scope,
    Test,
    reference_kinds,
    register,
)
from wagtail_ma.core.parameters import Reference
from wagtail_ma.core.usual_parameters import either
from wagtail_ma.messaging.models import Delivery, Mail
from wagtail_ma.rules.phrases import days, within
from wagtail_ma.tracking.models import Activity

MAILS = gettext_lazy("Mails")


def find_mails(pks: Iterable[int]) -> dict[int, Referent]:
    """The mails that still exist."""
    rows = Mail.objects.filter(pk__in=list(pks)).values_list("pk", "name")
    return {pk: Referent(pk, name) for pk, name in rows}


def _chooser(**kwargs: Any) -> SnippetChooserBlock:
    return SnippetChooserBlock("wagtail_ma.Mail", **kwargs)


reference_kinds.register("mail", ReferenceKind(find=find_mails, make_block=_chooser))

mail = Reference(
    name="mail",
    kind="mail",
    label=gettext_lazy("Mail"),
    help_text=gettext_lazy("Empty: any mail."),
    required=False,
)


def mail_name(values: Mapping[str, Any]) -> str:
    """How a sentence calls the mail of a condition."""
    return _("“%(name)s”") % {"name": values["mail"].label} if values["mail"] else _("any mail")


@register
class MailSent(Condition):
    key = "mail_sent"
    label = gettext_lazy("Mail sent")
    group = MAILS
    icon = "mail"
    parameters = (
        mail,
        either(("sent", gettext_lazy("was sent")), ("not_sent", gettext_lazy("was not sent"))),
        days,
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        rows = Delivery.objects.filter(state=Delivery.State.SENT, visitor__isnull=False)
        if values["mail"]:
            rows = rows.filter(mail_id=values["mail"].pk)
        if values["days"] is not None:
            rows = rows.filter(sent_at__gte=scope.ago(days=values["days"]))
        return Rows(rows, negated=values["is"] == "not_sent")

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {"mail": mail_name(values), "within": within(values["days"])}
        if values["is"] == "not_sent":
            return _("was not sent %(mail)s%(within)s") % words
        return _("was sent %(mail)s%(within)s") % words


@register
class MailClicked(Condition):
    key = "mail_clicked"
    label = gettext_lazy("Link in a mail followed")
    group = MAILS
    icon = "link"
    parameters = (
        mail,
        either(("clicked", gettext_lazy("followed")), ("not_clicked", gettext_lazy("not followed"))),
        days,
    )

    def dated(self, values: Mapping[str, Any]) -> Dated:
        rows = Activity.objects.filter(kind="mail_click")
        if values["mail"]:
            rows = rows.filter(object_kind="mail", object_key=str(values["mail"].pk))
        wanted = ("at_most", 0) if values["is"] == "not_clicked" else ("at_least", 1)
        return Dated(rows, values["days"], *wanted)

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {"mail": mail_name(values), "within": within(values["days"])}
        if values["is"] == "not_clicked":
            return _("followed no link in %(mail)s%(within)s") % words
        return _("followed a link in %(mail)s%(within)s") % words
