"""A mail, compiled once: StreamField → MJML → HTML with slots, and the plain text beside it.

What is sent comes from a :class:`~wagtail_ma.messaging.models.MailVersion`; editing a mail later
changes no version, and the links of old mails keep their targets. Compiling costs tens of
milliseconds, filling a version for one recipient about one.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import urlsplit

import mrml
from django.utils.translation import gettext as _
from django.utils.translation import override
from wagtail.models import Locale

from wagtail_ma.conf import conf
from wagtail_ma.core.errors import MarketingError
from wagtail_ma.core.text import clean_line
from wagtail_ma.messaging import render
from wagtail_ma.messaging.models import Mail, MailVersion, SenderProfile
from wagtail_ma.messaging.slots import Build, Segment, segments_asked
from wagtail_ma.tracking import sites

# Part of the fingerprint: a change of what compiling produces makes new versions.
FORMAT = 4
# Between the text of the mail and its footer.
SIGNATURE = "\n\n-- \n"
FONTS = "'Helvetica Neue', 'Hiragino Sans', 'Yu Gothic', Meiryo, Arial, sans-serif"
SKELETON = """<mjml lang="{language}"><mj-head><mj-title>{title}</mj-title>{preview}
<mj-attributes><mj-all font-family="{fonts}" />
<mj-wrapper padding="0" background-color="#ffffff" />
<mj-section padding="4px 0" background-color="#ffffff" />
<mj-text font-size="15px" line-height="1.7" color="#1f2933" padding="8px 24px" />
<mj-button background-color="#12627a" color="#ffffff" border-radius="4px" font-size="15px"
 font-weight="bold" padding="12px 24px" align="left" /><mj-image padding="8px 24px" />
<mj-divider padding="12px 24px" /></mj-attributes></mj-head>
<mj-body background-color="#f3f5f7">{edge}{body}{edge}{footer}</mj-body></mjml>"""
# The white rim above and below the body.
EDGE = '<mj-section padding="0"><mj-column><mj-spacer height="12px" /></mj-column></mj-section>'
# Lines of mail may have 998 bytes; breaks go where white space means nothing.
BREAK_AFTER = re.compile(
    r"(</(?:p|td|tr|table|div|h[1-4]|li|ul|ol|style|tbody)>|<tr>|<tbody>|<br ?/?>|<!\[endif\]-->)"
)


class CannotCompile(MarketingError):
    """The mail is in no state to be sent; the message says why, for editors."""


@dataclass(frozen=True)
class Compiled:
    """What compiling a mail gives.

    :param parts: what ``MailVersion.compiled`` holds: kind, language, from_name, from_email, and
        the segment lists subject, html, text; segments: ids of those the variants are for.
    :param links: ``{"url", "label"}`` by number.
    :param bad_links: labels of links that lead nowhere.
    :param suspects: texts that look like a merge field and are none.
    """

    parts: dict[str, Any]
    links: list[dict[str, str]]
    bad_links: list[str]
    suspects: list[str]


def language_of(mail: Mail) -> str:
    """The language of the parts that we write: as said, else that of the mail's locale."""
    locale: Any = mail.locale if mail.locale_id else Locale.get_default()  # type: ignore[has-type]
    return mail.language or str(locale.language_code)


def compile_mail(mail: Mail) -> Compiled:
    """Compile a mail as it stands (saved or not).

    :raises CannotCompile: the layout engine refused the body.
    """
    build = Build(
        base_url=conf.BASE_URL,
        own_hosts=sites.hosts() | {urlsplit(conf.BASE_URL).hostname or ""},
        # Not its name: that is for editors alone.
        campaign=f"mail-{mail.pk}" if mail.pk else "mail",
    )
    language = language_of(mail)
    with override(language):
        body = render.body(mail.body or [], build)
        footer = _footer(mail, build)
        html = _to_html(mail, body.mjml, footer.mjml, language, build)
    subject = build.plain(clean_line(mail.subject, 400))
    text = f"{body.text}{SIGNATURE}{footer.text}\n"
    parts: dict[str, Any] = {
        "kind": mail.kind,
        "tracking": mail.tracking,
        "language": language,
        "from_name": clean_line(mail.sender.name, 80),
        "from_email": mail.sender.email,
        "subject": build.expand(subject),
        "html": build.expand(html),
        "text": build.expand(text),
    }
    parts["segments"] = segments_asked(parts)
    return Compiled(parts, build.links, _once(build.bad_links), _once(build.suspects))


def content_hash(mail: Mail) -> str:
    """A hash (hexadecimal) of what its editor has written: the same for a draft and its publication."""
    sender = mail.sender
    return _hash(
        FORMAT,
        [
            mail.kind,
            mail.tracking,
            language_of(mail),
            mail.subject,
            mail.preheader,
            mail.body.get_prep_value(),
        ],
        [sender.pk, sender.name, sender.email, sender.legal_name, sender.postal_address, sender.contact],
        conf.BASE_URL,
    )


def fingerprint(mail: Mail) -> str:
    """What a version is known by: a hash of everything that goes into it (hexadecimal).

    The revision stands for what is looked up while compiling (titles and addresses of pages): to
    publish a mail again is to compile it again.
    """
    return _hash(content_hash(mail), mail.live_revision_id)


def _hash(*ingredients: Any) -> str:
    text = json.dumps(ingredients, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def current_version(mail: Mail, *, now: datetime) -> MailVersion:
    """The version of a published mail as it is now; compiled when it is new.

    :raises CannotCompile: not published, or not in a state to be sent.
    """
    present = present_version(mail)
    if present is not None:
        return present
    compiled = compile_mail(mail)
    version, _created = MailVersion.objects.get_or_create(
        mail=mail,
        fingerprint=fingerprint(mail),
        defaults={"compiled": compiled.parts, "links": compiled.links, "created_at": now},
    )
    return version


def present_version(mail: Mail) -> MailVersion | None:
    """The version of a published mail as it is now, if it was compiled before.

    :raises CannotCompile: not published.
    """
    if not mail.live:
        raise CannotCompile(_("The mail is not published."))
    known = MailVersion.objects.filter(mail=mail, fingerprint=fingerprint(mail))
    return known.defer("compiled").first()


def static_text(segments: list[Segment]) -> str:
    """A compiled part without its slots: for measuring and for lists."""
    return "".join(segment if isinstance(segment, str) else "…" for segment in segments)


def _to_html(mail: Mail, body: str, footer: str, language: str, build: Build) -> str:
    preview = f"<mj-preview>{build.words(mail.preheader)}</mj-preview>" if mail.preheader else ""
    source = SKELETON.format(
        language=escape(language, quote=True),
        title=build.words(clean_line(mail.subject, 400)),
        preview=preview,
        fonts=FONTS,
        edge=EDGE,
        body=body,
        footer=footer,
    )
    try:
        # No fonts: the engine would link Google's; a mail of ours calls nobody.
        rendered = mrml.to_html(source, render_options=mrml.RenderOptions(fonts={}))
    except OSError as error:
        raise CannotCompile(_("The body cannot be laid out: %(error)s") % {"error": error}) from error
    body_end = f"{build.marker(['h'])}{build.marker(['o'])}</body>"
    return BREAK_AFTER.sub(r"\1\n", rendered.content.replace("</body>", body_end))


def _footer(mail: Mail, build: Build) -> render.Rendered:
    """Who sends this, and how to stop it: appended to every mail, editors cannot leave it out."""
    sender = mail.sender
    lines = [sender.legal_name, sender.postal_address]
    html = ["<br />".join(escape(line) for line in lines if line), _contact_html(sender)]
    text = [line for line in (*lines, sender.contact) if line]
    if mail.is_marketing:
        why = _("You get this mail because you agreed to hear from us. You can stop it at any time.")
        unsubscribe = _("Unsubscribe")
        marker = build.marker(["u"])
        html.append(f'{escape(why)}<br /><a href="{marker}" style="color:#5b6873">{escape(unsubscribe)}</a>')
        text += ["", why, f"{unsubscribe}: {marker}"]
    inner = build.html("".join(f'<p style="margin:0 0 8px">{part}</p>' for part in html if part))
    mjml = (
        '<mj-section background-color="#f3f5f7"><mj-column>'
        f'<mj-text font-size="12px" line-height="1.6" color="#5b6873">{inner}</mj-text>'
        "</mj-column></mj-section>"
    )
    return render.Rendered(mjml, "\n".join(text))


def _contact_html(sender: SenderProfile) -> str:
    contact = sender.contact.strip()
    label = escape(contact)
    if urlsplit(contact).scheme in ("http", "https"):
        return f'<a href="{escape(contact, quote=True)}" style="color:#5b6873">{label}</a>'
    if "@" in contact and " " not in contact:
        return f'<a href="mailto:{escape(contact, quote=True)}" style="color:#5b6873">{label}</a>'
    return label


def _once(texts: list[str]) -> list[str]:
    return list(dict.fromkeys(texts))
