"""Where a visit came from: one Channel from the landing address and the referrer.

Order: what somebody wrote into the link (``utm_…``), what an advertising system wrote into it
(click ids), the referrer, nothing (direct). A visitor controls both texts, so everything here
takes any text, bounds it and never raises.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import parse_qsl

from . import sources

MEDIUMS = (
    "organic",
    "paid",
    "social",
    "email",
    "rss",
    "referral",
    "direct",
    "ai",
    "internal",
    "offline",
)

MAX_URL = 10_000
MAX_VALUE = 100
MAX_HOST = 253

# utm_medium is free text; these are the words people use. What begins with one of PAID_BEGINNINGS
# is paid as well (paid_social, cpc-brand).
MEDIUM_WORDS = {
    "organic": "organic seo search natural organic-search organic_search 自然検索",
    "paid": "ad ads adwords advertising banner affiliate retargeting remarketing programmatic sem "
    "listing native native-ad infeed sponsored sponsor 広告 リスティング バナー ディスプレイ",
    "social": "sns social-media social_media socialmedia social-network sm social-organic twitter "
    "facebook instagram linkedin line x youtube tiktok community",
    "email": "email e-mail e_mail mail newsletter news-letter mailmagazine mailmag mail-magazine "
    "merumaga メール メルマガ step-mail stepmail edm crm",
    "rss": "rss feed atom rss-feed",
    "referral": "referral partner link blog pr press guest site web website refer referer 紹介",
    "direct": "direct none (none) (direct) typein bookmark",
    "ai": "ai llm chatbot ai-assistant ai_assistant genai generative-ai 生成ai",
    "internal": "internal onsite on-site inhouse in-house self 内部",
    "offline": "offline print qr qrcode qr-code qr_code dm direct-mail direct_mail directmail "
    "exhibition event seminar flyer leaflet poster catalogue catalog brochure magazine newspaper "
    "tv radio ooh signage call phone card meishi business-card 展示会 チラシ 名刺 セミナー 郵送 "
    "カタログ 雑誌 新聞 看板 電話",
}
MEDIUM_OF_WORD = {word: medium for medium, text in MEDIUM_WORDS.items() for word in text.split()}
PAID_BEGINNINGS = ("paid", "cpc", "ppc", "cpm", "cpv", "cpa", "cpp", "display", "retarget")
SOCIAL_BEGINNINGS = ("social", "sns")

# Click ids: parameter -> (medium, source). They are written by the systems themselves.
CLICK_IDS = {
    "gclid": ("paid", "google"),
    "gbraid": ("paid", "google"),
    "wbraid": ("paid", "google"),
    "dclid": ("paid", "google"),
    "gclsrc": ("paid", "google"),
    "msclkid": ("paid", "bing"),
    "yclid": ("paid", "yahoo"),
    "ldtag_cl": ("paid", "line"),
    "ttclid": ("paid", "tiktok"),
    "twclid": ("paid", "twitter"),
    "li_fat_id": ("paid", "linkedin"),
    "sccid": ("paid", "snapchat"),
    "epik": ("paid", "pinterest"),
    "rdt_cid": ("paid", "reddit"),
    "qclid": ("paid", "quora"),
    "srsltid": ("organic", "google"),
    "mc_eid": ("email", "mailchimp"),
    "mc_cid": ("email", "mailchimp"),
    "_hsenc": ("email", "hubspot"),
    "mkt_tok": ("email", "marketo"),
    "igshid": ("social", "instagram"),
    "igsh": ("social", "instagram"),
    # Facebook adds it to every link, advertisement or not: last, and only social.
    "fbclid": ("social", "facebook"),
}

SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
WEB_SCHEMES = {"http", "https", "android-app", "ios-app"}


class Channel(NamedTuple):
    """Where a visit came from. ``medium`` is one of MEDIUMS; ``source`` is lower-case (a network,
    an engine or a host, empty for direct); ``campaign`` is as written in the link."""

    medium: str
    source: str
    campaign: str


class Address(NamedTuple):
    """The parts of a URL that matter here; ``host`` is lower-case ASCII without port."""

    host: str
    path: str
    parameters: dict[str, str]


def classify(url: str, referrer: str, site_hosts: Iterable[str]) -> Channel:
    """The channel of a visit that begins at ``url``.

    :param url: address of the landing page, complete or from the path on.
    :param referrer: ``document.referrer`` or the header; empty when there is none.
    :param site_hosts: hosts of this installation's own sites; a leading dot takes sub-domains in.
        The landing page's own host always counts.
    :returns: never None; text that cannot be understood counts as missing.
    """
    landing = parse(url)
    origin = parse(referrer)
    campaign = _value(landing.parameters.get("utm_campaign", ""))
    tagged = _from_tags(landing.parameters, origin)
    if tagged:
        return Channel(*tagged, campaign)
    for parameter, found in CLICK_IDS.items():
        if value := landing.parameters.get(parameter):
            medium, source = found
            return Channel(medium, _click_source(parameter, value, source, origin), campaign)
    medium, source = _from_referrer(origin, landing.host, site_hosts)
    return Channel(medium, source, campaign)


def parse(url: str) -> Address:
    """Take a URL apart. Any text is allowed; without a host that makes sense it is empty.

    urllib's urlsplit is not used: it raises on brackets and odd characters, which visitors send.
    """
    text = _without_controls(url[:MAX_URL]).strip()
    scheme = SCHEME.match(text)
    rest = text
    # "example.com:8000/" has a port and no scheme.
    if scheme and not text[scheme.end() :][:1].isdigit():
        if scheme[1].lower() not in WEB_SCHEMES:
            return Address("", "", {})
        rest = text[scheme.end() :]
    rest, _, _ = rest.partition("#")
    rest, _, query = rest.partition("?")
    rest = rest.replace("\\", "/")
    if rest.startswith("/") and not rest.startswith("//"):
        return Address("", rest, _parameters(query))
    authority, slash, path = rest.lstrip("/").partition("/")
    return Address(_host(authority), slash + path, _parameters(query))


def _host(authority: str) -> str:
    """``User@WWW.例え.JP:8000`` -> ``www.xn--r8jz45g.jp``; empty for what is no host."""
    host = authority.rpartition("@")[2]
    literal, bracket, _port = host.partition("]")
    host = literal + bracket if bracket else host.partition(":")[0]
    host = unicodedata.normalize("NFKC", host).lower().strip(" .")
    if not host or len(host) > MAX_HOST:
        return ""
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    plain = re.fullmatch(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+|localhost|\[[0-9a-f:.]+\]", host)
    return host if plain else ""


def _parameters(query: str) -> dict[str, str]:
    """First value of every parameter, names in lower case.

    Mail programmes that escape a link twice leave ``&amp;utm_source``: the rest is cut off.
    """
    found: dict[str, str] = {}
    try:
        pairs = parse_qsl(query, errors="replace")
    except ValueError:
        return found
    for name, value in pairs:
        found.setdefault(name.lower().removeprefix("amp;"), value)
    return found


def _from_tags(parameters: dict[str, str], origin: Address) -> tuple[str, str] | None:
    """(medium, source) from utm_medium and utm_source, None when neither says anything."""
    word = _value(parameters.get("utm_medium", "")).lower()
    source = _value(parameters.get("utm_source", "")).lower()
    if not word and not source:
        return None
    click = next((CLICK_IDS[name] for name in CLICK_IDS if parameters.get(name)), None)
    medium = _medium(word) or sources.of_name(source) or _medium(source)
    if not medium:
        medium = click[0] if click else "referral"
    if not source and click and click[0] == medium:
        source = click[1]
    if not source and medium not in ("direct", "internal"):
        known = sources.of_host(origin.host, origin.path, origin.parameters) if origin.host else None
        source = known.name if known else ""
    return medium, source


def _medium(word: str) -> str:
    if word.startswith(PAID_BEGINNINGS) or word.endswith(("_paid", "-paid", "_ad", "-ad", "_ads", "-ads")):
        return "paid"
    if found := MEDIUM_OF_WORD.get(word):
        return found
    # "email_weekly", "newsletter 2026-11", "qr/booth": the first word decides.
    first = re.split(r"[\s_/|:+.,-]", word, maxsplit=1)[0]
    if word.startswith(SOCIAL_BEGINNINGS):
        return "social"
    return MEDIUM_OF_WORD.get(first, "") if first != "direct" else ""


def _click_source(parameter: str, value: str, source: str, origin: Address) -> str:
    """Two parameters are shared: yclid by Yahoo! Japan (letters) and Yandex (digits only), fbclid
    by Facebook and its sister networks."""
    if parameter == "yclid" and value.isdigit():
        return "yandex"
    if parameter == "fbclid" and origin.host:
        known = sources.of_host(origin.host, origin.path, origin.parameters)
        return known.name if known and known.name in ("instagram", "threads") else source
    return source


def _from_referrer(origin: Address, landing_host: str, site_hosts: Iterable[str]) -> tuple[str, str]:
    if not origin.host:
        return "direct", ""
    name = origin.host.removeprefix("www.")
    if name == landing_host.removeprefix("www.") or _is_own(name, site_hosts):
        return "internal", name[:MAX_VALUE]
    known = sources.of_host(name, origin.path, origin.parameters)
    return (known.medium, known.name[:MAX_VALUE]) if known else ("referral", name[:MAX_VALUE])


def _is_own(name: str, site_hosts: Iterable[str]) -> bool:
    for entry in site_hosts:
        own = _host(entry.strip().lstrip("*.")).removeprefix("www.")
        if own and (name == own or (entry.lstrip("*").startswith(".") and name.endswith(f".{own}"))):
            return True
    return False


def _value(text: str) -> str:
    """A parameter's value for storing: one line, trimmed, bounded."""
    flat = unicodedata.normalize("NFKC", text[: MAX_VALUE * 10])
    return _without_controls(flat).strip()[:MAX_VALUE].strip()


def _without_controls(text: str) -> str:
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs"))
