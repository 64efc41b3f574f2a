"""Mail domains that say nothing about a company: free mail, access providers, throw-away boxes.

The lists are data (``people/data/``, see the notices there); the Japanese providers below are our
own. A sub-domain of a listed domain counts like the domain itself: providers hand them out.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"

FREE = "free"
PROVIDER = "provider"
DISPOSABLE = "disposable"

# Offered by Japanese portals and mobile carriers, or old names of the big ones.
_FREE = """
    gmail.com googlemail.com yahoo.co.jp yahoo.ne.jp ymail.ne.jp outlook.jp outlook.com hotmail.co.jp
    hotmail.com live.jp msn.com icloud.com me.com mac.com excite.co.jp goo.jp livedoor.com infoseek.jp
    rakuten.jp aol.jp mail.com proton.me protonmail.com zoho.com gmx.com qq.com 163.com naver.com
"""
# Of mobile carriers and access providers, their sub-domains included.
_PROVIDERS = """
    docomo.ne.jp dwmail.jp ezweb.ne.jp au.com softbank.ne.jp i.softbank.jp disney.ne.jp vodafone.ne.jp
    ymobile.ne.jp y-mobile.ne.jp pdx.ne.jp willcom.com rakumail.jp uqmobile.jp
    ocn.ne.jp nifty.com nifty.ne.jp biglobe.ne.jp so-net.ne.jp plala.or.jp dion.ne.jp auone-net.jp
    jcom.home.ne.jp jcom.zaq.ne.jp zaq.ne.jp asahi-net.or.jp hi-ho.ne.jp wakwak.com dti.ne.jp ybb.ne.jp
    bbexcite.jp eonet.ne.jp commufa.jp t-com.ne.jp tokai.or.jp mopera.net infoweb.ne.jp odn.ne.jp
    iij4u.or.jp sannet.ne.jp kcn.jp nns.ne.jp cty-net.ne.jp
"""
FREE_IN_JAPAN = frozenset(_FREE.split())
PROVIDERS = frozenset(_PROVIDERS.split())


def kind(domain: str) -> str:
    """What a mail domain is, if it is no company's.

    :param domain: the part behind the @ of a normalised address (lower case, ASCII).
    :returns: :data:`FREE`, :data:`PROVIDER`, :data:`DISPOSABLE`, or "" for any other.
    """
    labels = domain.lower().rstrip(".").split(".")
    # example.co.jp, co.jp: the last label alone is never listed.
    names = [".".join(labels[start:]) for start in range(max(len(labels) - 1, 1))]
    for name in names:
        if name in FREE_IN_JAPAN:
            return FREE
        if name in PROVIDERS:
            return PROVIDER
    if any(name in _listed("disposable_domains.txt") for name in names):
        return DISPOSABLE
    if any(name in _listed("free_mail_domains.txt") for name in names):
        return FREE
    return ""


def is_company(domain: str) -> bool:
    """Whether a mail domain may stand for a company."""
    return bool(domain) and not kind(domain)


@cache
def _listed(name: str) -> frozenset[str]:
    """The lines of a data file; lines that begin with "#" are notices. Read once per process."""
    lines = (DATA / name).read_text(encoding="ascii").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
