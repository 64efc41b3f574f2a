"""Company names made comparable: ㈱ＮＴＴデータ, NTTデータ株式会社 and (株)NTTデータ are one name.

Two keys of different trust. *strict* differs by nothing but the way of writing. *reading* also reads
letters aloud (JR東日本 = ジェイアール東日本) and takes メイワ for メーワ: it finds candidates for a
person to look at, and never joins two companies by itself.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache

PRE = "pre"
POST = "post"


@dataclass(frozen=True)
class CompanyKeys:
    """What a name is compared by.

    :param form: the legal form in its long Japanese notation (``株式会社``), of foreign ones in
        capitals (``GMBH``); "" without one.
    :param position: ``pre`` or ``post``: 株式会社山田 and 山田株式会社 are two companies. "" without a
        form, and for English ones, which say nothing about it.
    """

    strict: str
    reading: str
    form: str
    position: str


# Longest first where one begins with another (the pattern below sorts them).
_FORMS = """
    株式会社 有限会社 合同会社 合資会社 合名会社 相互会社 一般社団法人 一般財団法人 公益社団法人 公益財団法人
    社団法人 財団法人 特定非営利活動法人 NPO法人 独立行政法人 地方独立行政法人 国立大学法人 公立大学法人
    学校法人 医療法人社団 医療法人財団 医療法人 社会医療法人 社会福祉法人 宗教法人 監査法人 税理士法人
    弁護士法人 特許業務法人 弁理士法人 司法書士法人 行政書士法人 社会保険労務士法人 社労士法人 協同組合
    生活協同組合 有限責任事業組合 投資法人 有限責任監査法人
""".split()  # noqa: SIM905
_ABBREVIATED = {
    "株": "株式会社",
    "有": "有限会社",
    "同": "合同会社",
    "資": "合資会社",
    "名": "合名会社",
    "相": "相互会社",
    "社": "社団法人",
    "財": "財団法人",
    "一社": "一般社団法人",
    "一財": "一般財団法人",
    "公社": "公益社団法人",
    "公財": "公益財団法人",
    "特非": "特定非営利活動法人",
    "独": "独立行政法人",
    "学": "学校法人",
    "医": "医療法人",
    "福": "社会福祉法人",
    "宗": "宗教法人",
    "監": "監査法人",
    "税": "税理士法人",
    "弁": "弁護士法人",
    # Of bank transfers.
    "カ": "株式会社",
    "ユ": "有限会社",
    "ド": "合同会社",
}
_SPOKEN = {
    "カブシキガイシャ": "株式会社",
    "カブシキカイシャ": "株式会社",
    "ユウゲンガイシャ": "有限会社",
    "ゴウドウガイシャ": "合同会社",
}
_ENGLISH = [
    (r"CO[.,\s]*LTD|COMPANY[.,\s]*LIMITED|CO[.,\s]*INC|CORPORATION|CORP|INCORPORATED|INC", "株式会社"),
    (r"K\.?\s?K|KABUSHIKI[\s-]*(?:KAISHA|GAISHA)", "株式会社"),
    (r"G\.?\s?K|GODO[\s-]*(?:KAISHA|GAISHA)", "合同会社"),
    (r"L\.?L\.?C", "LLC"),
    (r"L\.?L\.?P", "LLP"),
    (r"(?:PTE|PTY|PVT)?[.,\s]*(?:LTD|LIMITED)|PTE|PTY", "LTD"),
    (r"PLC", "PLC"),
    (r"GMBH", "GMBH"),
    (r"COMPANY|CO", "COMPANY"),
]
_OPEN, _CLOSE = r"[(\[{【〔〈《<]", r"[)\]}】〕〉》>]"
_LONG = "|".join(sorted([*_FORMS, *_SPOKEN], key=len, reverse=True))
_SHORT = "|".join(sorted(_ABBREVIATED, key=len, reverse=True))
_BEFORE = re.compile(
    rf"\s*(?:(?P<long>{_LONG})|{_OPEN}\s*(?P<short>{_SHORT})\s*{_CLOSE}|(?P<bank>[カユド])\))\s*"
)
_AFTER = re.compile(
    rf"\s*(?:(?P<long>{_LONG})|{_OPEN}\s*(?P<short>{_SHORT})\s*{_CLOSE}|\((?P<bank>[カユド])\)?)\s*\Z"
)
_ENGLISH_AFTER = [(re.compile(rf"(?<=[^A-Z0-9])(?:{words})[.\s]*\Z"), form) for words, form in _ENGLISH]
_ENGLISH_BEFORE = re.compile(r"(?P<kk>K\.\s?K\.|KABUSHIKI\s+KAISHA)\s+")
# The part of a company that somebody works in: no part of its name.
_TAIL = (
    r"(?:\S*(?:支社|支店|営業所|出張所|事業所|事業本部|事業部|本社|本店|工場|研究所|センター)|\S+[部課室])"
)
_TAIL_AFTER_SPACE = re.compile(rf"(?<=\S)(?:\s+{_TAIL})+\Z")
_TAIL_AFTER_FORM = re.compile(rf"(?<=\S)(?P<form>{_LONG}|{_OPEN}(?:{_SHORT}){_CLOSE})\s*{_TAIL}\Z")
_HONORIFIC = re.compile(r"\s*(?:御中|様)\Z")

# The usual way of writing, then its variants. For comparing only, never for showing.
_VARIANTS = """
    高髙 崎﨑嵜碕 斉齋齊斎 辺邉邊 沢澤 浜濱濵 広廣 国國 学學 会會 桜櫻 島嶋嶌 滝瀧 竜龍 恵惠 徳德 真眞
    実實 宝寶 鉄鐵鉃 万萬 与與 豊豐 富冨 峰峯 桧檜 曽曾 館舘 吉𠮷 辻辻 渡渡 芸藝 栄榮 円圓 塩鹽 応應
    桑桒 検檢 県縣 権權 厳嚴 験驗 亀龜 気氣 旧舊 挙擧 郷鄕 区區 経經 継繼 茎莖 芦蘆 郎郞 朗朗 隆隆
    蔵藏 児兒 寿壽 収收 従從 渋澁 将將 奨奬 条條 浄淨 剰剩 嬢孃 静靜 専專 戦戰 銭錢 総總 荘莊 装裝
    蓄畜 団團 遅遲 昼晝 鋳鑄 庁廳 聴聽 鎮鎭 転轉 伝傳 灯燈 当當 党黨 独獨 届屆 売賣 発發 髪髮 抜拔
    浅淺 払拂 仏佛 並竝 変變 弁辨辯瓣 宝寳 豊豊 穂穗 毎每 満滿 黙默 弥彌 薬藥 訳譯 予豫 揺搖 様樣 来來
    頼賴 覧覽 両兩 緑綠 塁壘 礼禮 霊靈 歴歷 練鍊 労勞 楼樓 湾灣 亜亞 圧壓 囲圍 医醫 壱壹 隠隱 営營
    衛衞 駅驛 横橫 桜櫻 仮假 価價 画畫 絵繪 拡擴 覚覺 楽樂 巻卷 関關 観觀 巌巖 戯戲 顕顯 広廣 号號
"""
_VARIANT_TABLE = str.maketrans(
    {variant: group[0] for group in _VARIANTS.split() for variant in group[1:] if variant != group[0]}
)
_HIRAGANA = {code: code + 0x60 for code in range(ord("ぁ"), ord("ゖ") + 1)}
_DASHES = re.compile("[‐‑‒–—―−－ｰ﹣~〜～-]")
_DASH_IN_KANA = re.compile("(?<=[ァ-ヺー])-")
_SMALL_KANA = str.maketrans("ァィゥェォッャュョヮヵヶ", "アイウエオツヤユヨワカケ")
_LETTERS = {
    "A": "エー エイ",
    "B": "ビー",
    "C": "シー",
    "D": "ディー デー ディ",
    "E": "イー",
    "F": "エフ",
    "G": "ジー",
    "H": "エイチ エッチ エーチ",
    "I": "アイ",
    "J": "ジェイ ジェー",
    "K": "ケイ ケー",
    "L": "エル",
    "M": "エム",
    "N": "エヌ",
    "O": "オー",
    "P": "ピー",
    "Q": "キュー",
    "R": "アール",
    "S": "エス",
    "T": "ティー テー ティ",
    "U": "ユー",
    "V": "ブイ ヴイ ヴィー ブィ",
    "W": "ダブリュー ダブリュ ダブルュー",
    "X": "エックス",
    "Y": "ワイ",
    "Z": "ゼット ゼッド ズィー",
}
_BY_SOUND = {sound: letter for letter, sounds in _LETTERS.items() for sound in sounds.split()}
_SOUND = {letter: sounds.split()[0] for letter, sounds in _LETTERS.items()}
_E_ROW = "エケゲセゼテデネヘベペメレ"
MAX_LENGTH = 400


@cache
def _sounds_longest_first() -> tuple[str, ...]:
    return tuple(sorted(_BY_SOUND, key=len, reverse=True))


def keys(name: str) -> CompanyKeys:
    """The keys of a company's name, however it is written.

    :param name: as typed; more than :data:`MAX_LENGTH` characters are cut.
    """
    text = _HONORIFIC.sub("", _plain(name[:MAX_LENGTH]))
    text = _without_tail(text)
    core, form, position = _split_form(text)
    core = _squeeze(core)
    spelled = _spelled_letters(core)
    strict = spelled or _fold(core)
    return CompanyKeys(strict=strict, reading=_reading(spelled or core), form=form, position=position)


def is_same(one: CompanyKeys, other: CompanyKeys) -> bool:
    """Whether two names are one company's as far as the names alone can tell: equal strict keys, and
    neither legal forms nor their places that contradict each other."""
    if not one.strict or one.strict != other.strict:
        return False
    if one.form and other.form and one.form != other.form:
        return False
    return not (one.position and other.position and one.position != other.position)


def _plain(name: str) -> str:
    """One notation for letters, dashes and spaces."""
    # NFKC makes of ㊑ a 株 without brackets.
    text = unicodedata.normalize("NFKC", name.replace("㊑", "(株)").replace("㊒", "(有)"))
    text = "".join(
        " " if character.isspace() else character
        for character in text
        if character.isspace() or unicodedata.category(character) not in ("Cc", "Cf", "Cs")
    )
    text = text.translate(_VARIANT_TABLE).translate(_HIRAGANA).upper()
    text = _DASH_IN_KANA.sub("ー", _DASHES.sub("-", text))
    return " ".join(text.split())


def _without_tail(text: str) -> str:
    """The name without the branch or department behind a space or behind the legal form."""
    after_form = _TAIL_AFTER_FORM.search(text)
    if after_form and text[: after_form.start()].strip():
        return text[: after_form.end("form")]
    shorter = _TAIL_AFTER_SPACE.sub("", text)
    # 株式会社 日本工場: what is left must be a name.
    return text if _BEFORE.fullmatch(shorter) else shorter


def _split_form(text: str) -> tuple[str, str, str]:
    """Name, legal form and its place."""
    for place, pattern in ((PRE, _BEFORE), (POST, _AFTER)):
        found = pattern.match(text) if place == PRE else pattern.search(text)
        if found is None:
            continue
        rest = text[found.end() :] if place == PRE else text[: found.start()]
        if rest.strip():
            short = found["short"] or found["bank"]
            form = _ABBREVIATED[short] if short else _SPOKEN.get(found["long"], found["long"])
            return rest, form, place
    if before := _ENGLISH_BEFORE.match(text):
        return text[before.end() :], "株式会社", ""
    for pattern, form in _ENGLISH_AFTER:
        after = pattern.search(text)
        if after and _squeeze(text[: after.start()]):
            return text[: after.start()], form, ""
    return text, "", ""


def _squeeze(text: str) -> str:
    """Without spaces and punctuation (ー and & stay)."""
    return "".join(
        character
        for character in text
        if character == "&" or unicodedata.category(character)[0] in "LN" or character == "ー"
    )


def _fold(text: str) -> str:
    """キャノン = キヤノン, サーバー = サーバ."""
    return text.translate(_SMALL_KANA).replace("ー", "")


def _spelled_letters(core: str) -> str:
    """The letters whose names a text consists of (エヌエイチケー: NHK); "" for any other text.

    Letters and digits themselves may be among them (YKKエーピー); at least two letters in all.
    """
    # The letters that lead to each place, by dynamic programming from the left.
    best: list[str | None] = ["", *([None] * len(core))]
    has_sound = False
    for place in range(len(core)):
        so_far = best[place]
        if so_far is None:
            continue
        if core[place].isascii():
            best[place + 1] = so_far + core[place]
        for sound in _sounds_longest_first():
            end = place + len(sound)
            if core.startswith(sound, place) and best[end] is None:
                best[end] = so_far + _BY_SOUND[sound]
                has_sound = True
    letters = best[-1]
    return letters if letters and has_sound and len(letters) >= 2 else ""


def _reading(core: str) -> str:
    """The text read aloud, in katakana as far as there are letters, differences of spelling gone."""
    aloud = "".join(_SOUND.get(character, character) for character in core)
    text = _fold(aloud).replace("エツチ", "エチ").replace("ヴ", "ブ").replace("ヂ", "ジ")
    kept: list[str] = []
    for character in text:
        if character == "イ" and kept and kept[-1] in _E_ROW:
            continue
        kept.append(character)
    return "".join(kept)
