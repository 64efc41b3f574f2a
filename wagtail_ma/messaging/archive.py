"""A newsletter as anybody may read it on the site: nothing in it is anybody's."""

from __future__ import annotations

from wagtail_ma.messaging import fill
from wagtail_ma.messaging.models import Dispatch, Mail


def newsletter(mail_id: int) -> str | None:
    """The HTML of a newsletter as it was last sent, with defaults instead of names and links that lead
    straight to their targets; None for what is no newsletter, or has never been sent."""
    dispatches = Dispatch.objects.filter(
        mail=mail_id, mail__kind=Mail.Kind.NEWSLETTER, mail__live=True, version__isnull=False
    )
    sent = dispatches.exclude(state__in=[Dispatch.State.CANCELLED, Dispatch.State.PREPARING])
    dispatch = sent.select_related("version").order_by("-started_at").first()
    if dispatch is None or dispatch.version is None:
        return None
    version = dispatch.version
    return fill.fill(version.compiled, {}, links=version.links).html
