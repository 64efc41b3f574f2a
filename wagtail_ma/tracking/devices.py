"""Which kind of device a user agent names: a small table, good enough for rules and reports.

Browsers reveal less and less here (an iPad says it is a Macintosh, Chrome freezes the model), so
more than five coarse kinds would only pretend to know.
"""

from __future__ import annotations

import re
from functools import lru_cache

DESKTOP, MOBILE, TABLET, TV, OTHER = "desktop", "mobile", "tablet", "tv", "other"
DEVICES = (DESKTOP, MOBILE, TABLET, TV, OTHER)

MAX_LENGTH = 1000

# First match wins, so the order matters: a television set runs Android or Linux, a tablet says
# "Android" without "Mobile", Windows Phone claims to be an iPhone and an Android phone.
TABLE: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        TV,
        re.compile(
            r"smart-?tv|smarttv|googletv|google tv|android tv|appletv|apple tv|hbbtv|netcast|"
            r"web0s|webos\.tv|viera|bravia|aquos ?tv|roku|crkey|aft[a-z]{1,4}(?:[0-9]+)? build|"
            r"fire ?tv|\btv\b|opera tv|inettvbrowser|tizen.+\btv|philipstv|nettv|"
            r"playstation [345]|playstation;|xbox|nintendo (?:wiiu?|switch)|shield android tv"
        ),
    ),
    (
        TABLET,
        re.compile(
            r"ipad|tablet(?! pc)|kindle|silk-accelerated|playbook|kf[a-z]{2,4} build|nexus (?:7|9|10)\b|"
            r"sm-[tx]\d{3}|touchpad|xoom|android(?!.*mobile)(?=.*(?:webkit|gecko))"
        ),
    ),
    (
        MOBILE,
        re.compile(
            r"iphone|ipod|android|mobile|windows phone|windows ce|iemobile|blackberry|bb10|"
            r"symbian|series ?60|nokia|opera mini|opera mobi|up\.browser|docomo|kddi-|softbank|"
            r"vodafone|j-phone|willcom|ddipocket|emobile|midp|cldc|kaios|palm|hpwos|"
            r"sonyericsson|samsung-|\blg-|mot-|nintendo (?:3ds|dsi?)|playstation (?:portable|vita)|"
            r"psp \(|netfront|bada"
        ),
    ),
    (
        DESKTOP,
        re.compile(
            r"windows|win(?:9[58]|nt|32|16)|macintosh|mac os x|mac_powerpc|x11|linux|cros|sunos|"
            r"freebsd|openbsd|netbsd|beos|haiku|amiga|os/2|lynx|w3m|links"
        ),
    ),
)


def device(user_agent: str) -> str:
    """The kind of device: ``desktop``, ``mobile``, ``tablet``, ``tv`` (with consoles) or ``other``.

    :param user_agent: the header as it came. An iPad that asks for desktop pages (the default
        since iPadOS 13) is indistinguishable from a Macintosh and counts as desktop.
    """
    # (Cut before it is remembered: a header may have 8 kB.)
    return _device(user_agent[:MAX_LENGTH])


@lru_cache(maxsize=4096)
def _device(text: str) -> str:
    lowered = text.lower()
    for name, pattern in TABLE:
        if pattern.search(lowered):
            return name
    return OTHER
