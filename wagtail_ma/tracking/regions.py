"""Names and codes of countries' regions: Japan's prefectures by heart, others as they are told.

Codes are ISO 3166-2 ("JP-13"); that of a prefecture is its number in JIS X 0401.
"""

from __future__ import annotations

import re
import unicodedata

from django.utils.translation import get_language

MAX_LENGTH = 60

_COUNTRY = re.compile(r"[A-Z]{2}\Z")
_CODE = re.compile(r"[A-Za-z0-9]{1,3}\Z")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
# How English names of prefectures go on in some databases.
_ENDINGS = ("-ken", "-fu", "-to", " prefecture", " metropolis")

# (English name, Japanese name) by the second part of the code.
PREFECTURES = {
    "01": ("Hokkaido", "北海道"),
    "02": ("Aomori", "青森県"),
    "03": ("Iwate", "岩手県"),
    "04": ("Miyagi", "宮城県"),
    "05": ("Akita", "秋田県"),
    "06": ("Yamagata", "山形県"),
    "07": ("Fukushima", "福島県"),
    "08": ("Ibaraki", "茨城県"),
    "09": ("Tochigi", "栃木県"),
    "10": ("Gunma", "群馬県"),
    "11": ("Saitama", "埼玉県"),
    "12": ("Chiba", "千葉県"),
    "13": ("Tokyo", "東京都"),
    "14": ("Kanagawa", "神奈川県"),
    "15": ("Niigata", "新潟県"),
    "16": ("Toyama", "富山県"),
    "17": ("Ishikawa", "石川県"),
    "18": ("Fukui", "福井県"),
    "19": ("Yamanashi", "山梨県"),
    "20": ("Nagano", "長野県"),
    "21": ("Gifu", "岐阜県"),
    "22": ("Shizuoka", "静岡県"),
    "23": ("Aichi", "愛知県"),
    "24": ("Mie", "三重県"),
    "25": ("Shiga", "滋賀県"),
    "26": ("Kyoto", "京都府"),
    "27": ("Osaka", "大阪府"),
    "28": ("Hyogo", "兵庫県"),
    "29": ("Nara", "奈良県"),
    "30": ("Wakayama", "和歌山県"),
    "31": ("Tottori", "鳥取県"),
    "32": ("Shimane", "島根県"),
    "33": ("Okayama", "岡山県"),
    "34": ("Hiroshima", "広島県"),
    "35": ("Yamaguchi", "山口県"),
    "36": ("Tokushima", "徳島県"),
    "37": ("Kagawa", "香川県"),
    "38": ("Ehime", "愛媛県"),
    "39": ("Kochi", "高知県"),
    "40": ("Fukuoka", "福岡県"),
    "41": ("Saga", "佐賀県"),
    "42": ("Nagasaki", "長崎県"),
    "43": ("Kumamoto", "熊本県"),
    "44": ("Oita", "大分県"),
    "45": ("Miyazaki", "宮崎県"),
    "46": ("Kagoshima", "鹿児島県"),
    "47": ("Okinawa", "沖縄県"),
}


def is_country(code: str) -> bool:
    """Whether it looks like a country's code: two capitals."""
    return bool(_COUNTRY.match(code))


def code_of(country: str, region: str) -> str:
    """The code of a region, given by its code or its name; the name where no code is known; "" for
    nothing.

    >>> code_of("JP", "13"), code_of("JP", "東京都"), code_of("JP", "Tokyo"), code_of("US", "CA")
    ('JP-13', 'JP-13', 'JP-13', 'US-CA')

    :param region: as a proxy or a database told it.
    """
    text = _UNPRINTABLE.sub(" ", region).strip()[:MAX_LENGTH]
    if text.upper().startswith(f"{country}-"):
        text = text[3:]
    if country == "JP":
        number = text.zfill(2) if text.isascii() and text.isdigit() else _BY_NAME.get(_folded(text), "")
        return f"JP-{number}" if number in PREFECTURES else ""
    return f"{country}-{text.upper()}" if _CODE.match(text) else text


def name_of(region: str) -> str:
    """How a region is shown: a prefecture by its name in the current language, others as stored."""
    names = PREFECTURES.get(region.removeprefix("JP-")) if region.startswith("JP-") else None
    if names is None:
        return region
    return names[1] if (get_language() or "").startswith("ja") else names[0]


def _folded(name: str) -> str:
    """Without accents (Ōsaka), capitals and endings (Osaka-fu, Osaka Prefecture, 大阪)."""
    decomposed = unicodedata.normalize("NFD", name.casefold())
    text = "".join(letter for letter in decomposed if not unicodedata.combining(letter)).strip()
    text = unicodedata.normalize("NFC", text)
    for ending in _ENDINGS:
        text = text.removesuffix(ending)
    if len(text) > 2 and text[-1] in "都府県":
        text = text[:-1]
    return text


_BY_NAME = {_folded(name): number for number, names in PREFECTURES.items() for name in names}
