"""What a department is for and how high a title stands, read from Japanese and English words.

A guess for lists and conditions; people correct it in the lead's record.
"""

from __future__ import annotations

import re
import unicodedata

from wagtail_ma.people.models import JobFunction, Rank

# The first pattern that is found decides: longer titles stand before those they contain
# (部長代理 before 部長, 副社長 before 社長).
_RANKS: tuple[tuple[Rank, str], ...] = (
    (Rank.ADVISER, r"相談役|顧問|参与|adviser|advisor"),
    (Rank.STUDENT, r"学生|大学院生|student"),
    (Rank.OFFICER, r"副社長|副会長|副頭取|副理事長|副代表|vice[\s-]*chair"),
    (Rank.HEAD, r"会長|社長|代表取締役|代表社員|代表理事|代表者|頭取|理事長|院長|学長|総長"),
    (Rank.HEAD, r"\bceo\b|president|founder|owner|\A代表\Z|chair(?:man|woman|person)"),
    (Rank.OFFICER, r"専務|常務|取締役|執行役|監査役|監事|理事|\bc[a-z]o\b|\b(?:evp|svp)\b|executive officer"),
    (Rank.DIVISION, r"副本部長|本部長|事業部長|統括|局長|支社長|工場長|ゼネラルマネ|\bgm\b|general manager"),
    (Rank.DEPUTY, r"次長|副部長|部長代理|部長補佐|担当部長|副支店長|副所長|deputy"),
    (
        Rank.TEAM,
        r"課長代理|課長補佐|係長|チームリーダ|チーム長|副課長|主査|assistant manager|team lead|supervisor",
    ),
    (Rank.DEPARTMENT, r"部長|室長|所長|支店長|院長|センター長|director|\bvp\b|vice president|head of"),
    (Rank.SECTION, r"課長|マネージャ|マネジャ|グループ長|グループリーダ|リーダー長|店長|manager"),
    (Rank.TEAM, r"リーダ|班長|leader"),
    (Rank.SENIOR, r"主任|専門職|主幹|シニア|senior|specialist|principal"),
    (Rank.STAFF, r"担当|一般|スタッフ|社員|職員|メンバー|staff|associate|assistant"),
)
# Vice presidents are heads of departments, deputy presidents are not presidents.
_VICE = re.compile(r"vice[\s-]*president|\bvp\b", re.ASCII)
_FUNCTIONS: tuple[tuple[JobFunction, str], ...] = (
    (JobFunction.PLANNING, r"経営企画|事業企画|社長室|経営戦略|corporate planning|strategy"),
    (
        JobFunction.MARKETING,
        r"マーケ|宣伝|広報|広告|販促|販売促進|marketing|public relations|\bpr\b|communications",
    ),
    (JobFunction.IT, r"情シス|情報|システム|\bdx\b|デジタル|\bict?\b|\bit\b|電算|information|digital"),
    (JobFunction.DEVELOPMENT, r"開発|研究|技術|設計|r&d|engineering|development|research|design"),
    (JobFunction.PRODUCTION, r"製造|生産|品質|工場|工務|保全|設備|manufacturing|production|quality|plant"),
    (JobFunction.PURCHASING, r"購買|調達|資材|仕入|procurement|purchas|sourcing"),
    (JobFunction.LEGAL, r"法務|知財|知的財産|コンプライアンス|legal|compliance"),
    (JobFunction.FINANCE, r"経理|財務|会計|主計|finance|accounting|treasury"),
    (
        JobFunction.ADMINISTRATION,
        r"人事|総務|庶務|労務|管理部|human resources|\bhr\b|general affairs|administration",
    ),
    (JobFunction.SALES, r"営業|販売|セールス|sales|business development|account"),
    (JobFunction.EXECUTIVE, r"経営|役員|取締役会|executive|management|board"),
)
_RANK_PATTERNS = [(rank, re.compile(pattern, re.ASCII)) for rank, pattern in _RANKS]
_FUNCTION_PATTERNS = [(function, re.compile(pattern, re.ASCII)) for function, pattern in _FUNCTIONS]


def rank_of(title: str) -> int | None:
    """The rank of a job title (1 is the top, see ``Rank``); None when the words say nothing."""
    text = _plain(title)
    if _VICE.search(text) and "副社長" not in text:
        return Rank.DEPARTMENT.value
    return next((rank.value for rank, pattern in _RANK_PATTERNS if pattern.search(text)), None)


def function_of(department: str) -> str:
    """The job function of a department: a value of ``JobFunction``, "" without a department."""
    text = _plain(department)
    if not text:
        return ""
    found = (function.value for function, pattern in _FUNCTION_PATTERNS if pattern.search(text))
    return next(found, JobFunction.OTHER.value)


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower().strip()
