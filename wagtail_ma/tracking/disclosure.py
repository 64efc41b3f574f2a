"""What is recorded here, in words for visitors: made from the settings, so that it stays true."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from wagtail_ma.conf import conf
from wagtail_ma.tracking.models import Network


@dataclass(frozen=True)
class Section:
    """A heading and sentences below it, in the current language."""

    title: str
    items: list[str]


def sections() -> list[Section]:
    """All of it (one statement)."""
    return [
        Section(_("What is recorded"), _recorded()),
        Section(_("What is not recorded"), _not_recorded()),
        Section(_("How you are recognised"), _recognised()),
        Section(_("How long it is kept"), _kept()),
    ]


def ways() -> dict[str, bool]:
    """How it is recorded here, and what a visitor may do about it: what the templates ask for."""
    return {
        "is_opt_in": conf.CONSENT == "opt_in",
        "is_server_side": conf.TRACKING == "server",
        "is_self_service": conf.SELF_SERVICE,
    }


def _recorded() -> list[str]:
    minutes = conf.ENGAGED_CAP_SECONDS // 60
    is_script = conf.TRACKING == "script"
    found = [_("Which pages of this site you view, and when.")]
    if is_script:
        found.append(
            _(
                "How long a page is in front of you and in use, up to %(minutes)d minutes per view, and how "
                "far you scroll."
            )
            % {"minutes": minutes}
        )
    else:
        found.append(_("How much time passes until the next page."))
    found += [
        _("How you came here: the site, the search engine or the link that you followed."),
        _("The kind of device (computer, phone …) and the language of your browser."),
    ]
    if conf.COUNTRY_HEADER or conf.GEOIP_DATABASE:
        found.append(_("The country and region that your network address stands for."))
    if Network.objects.exists():
        found.append(
            _(
                "Whether you come from the network of an organisation that we know. This is a guess by your "
                "network address, made on our own server."
            )
        )
    found.append(_("What you download, and which of our forms you see, begin, send or leave."))
    if is_script:
        found.append(_("Clicks on links to files and to other sites."))
    found.append(
        _(
            "If you send us a form or follow a link in a mail from us, your visits are connected with what "
            "you told us."
        )
    )
    return found


def _not_recorded() -> list[str]:
    return [
        _("Your network address (IP address) is not stored."),
        _("What you type into a form is not recorded before you send it."),
        _("Nothing of this is handed to an outside service for evaluation."),
    ]


def _recognised() -> list[str]:
    days = {"name": conf.COOKIE_NAME, "days": conf.COOKIE_DAYS}
    cookie = _(
        "By a cookie of this site named “%(name)s” with a random number and nothing else. It lives for "
        "%(days)d days after your last visit; scripts and other sites cannot read it."
    )
    found = [cookie % days]
    if conf.CONSENT == "opt_in":
        found.append(_("The cookie is set only after you have agreed."))
        if conf.TRACKING == "script":
            found.append(_("Before that, nothing is sent."))
    found.append(
        _(
            "If your browser sends “Do Not Track” or “Global Privacy Control”, or if you refuse, you are not "
            "recognised: your views only add to the number of views of a page on a day. After a refusal the "
            "cookie says nothing but “no”."
        )
    )
    return found


def _kept() -> list[str]:
    return [
        _("Single visits and views are deleted after %(months)d months. Numbers per day and page remain.")
        % {"months": conf.RETENTION_MONTHS},
    ]
