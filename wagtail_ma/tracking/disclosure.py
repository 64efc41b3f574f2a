"""What is recorded here, in words for visitors: made from the settings, so that it stays true."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from wagtail_ma.conf import conf
from wagtail_ma.people import cookies
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
        Section(_("What is stored in your browser"), _stored_in_the_browser()),
        Section(_("Who else learns of it"), _handed_on()),
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
    if conf.IDENTIFY_LOGINS:
        found.append(_("If you log in to this site, your visits are connected with your account."))
    if conf.MAIL_SENDING:
        found.append(
            _(
                "Of mails from us: whether and when one was opened, which its picture tells us, and which "
                "links you follow. Of some mails this is only counted, or not recorded at all."
            )
        )
    return found


def _not_recorded() -> list[str]:
    return [
        _("Your network address (IP address) is not stored."),
        _("What you type into a form is not recorded before you send it."),
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
            "recognised: your views only add to the number of views of a page on a day."
        )
    )
    refusal = _(
        "If you refuse, that cookie is deleted, and another one named “%(name)s” remembers for %(days)d days "
        "that you did. It says nothing but “no”, and goes when you allow it again."
    )
    found.append(refusal % {"name": cookies.refusal_name(), "days": conf.COOKIE_DAYS})
    found.append(
        _(
            "If you ask us not to record you, this holds for each browser in which we know you: with its "
            "next message it gets that cookie, too (it says “never”), and what you open or download by links "
            "in our mails is not recorded either."
        )
    )
    return found


def _stored_in_the_browser() -> list[str]:
    """Besides the cookie: what our scripts write (``tracker.js``, ``consent.js``)."""
    found = [
        _(
            "Your answer to whether we may record, until you delete it (local and session storage: "
            "“ma_consent”)."
        )
    ]
    if conf.TRACKING == "script":
        text = _(
            "What could not be sent before you left a page, until the next page of this site sends it or you "
            "close the tab (session storage: “ma”)."
        )
        if conf.CONSENT == "opt_in":
            text += " " + _("This, too, only after you have agreed.")
        found.append(text)
    return found


def _handed_on() -> list[str]:
    if conf.WEBHOOK_SECRET:
        return [
            _(
                "Other systems that we have set up for it may be told what you did here, with your name, "
                "company and mail address where we know them. They may belong to outside services."
            )
        ]
    return [_("Nothing of this is handed to an outside service for evaluation.")]


def _kept() -> list[str]:
    found = [
        _("Single visits and views are deleted after %(months)d months. Numbers per day and page remain.")
        % {"months": conf.RETENTION_MONTHS},
    ]
    if conf.LEAD_RETENTION_MONTHS:
        text = _(
            "What you told us about yourself is erased, with all that is known of you, when nothing was "
            "heard of you for %(months)d months, unless you are a customer."
        )
        found.append(text % {"months": conf.LEAD_RETENTION_MONTHS})
    else:
        found.append(_("What you told us about yourself is kept until you ask us to erase it, or we do so."))
    return found
