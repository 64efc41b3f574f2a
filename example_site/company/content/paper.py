"""The words of the whitepaper."""

from __future__ import annotations

from company.papers import Sheet

TITLES = {
    "en": "Ninety days to orderly documents",
    "ja": "90日で文書を整える実践ガイド",
}

ENGLISH = (
    Sheet(
        "Ninety days to orderly documents",
        (
            "A working plan by Sample Software Inc., an invented firm. It may be passed on.",
            "Do not begin with the biggest pile. Begin with the pile that somebody asks for every "
            "day. The biggest pile is big because nobody needs it.",
            "Before you begin, agree on three things:",
            "- One kind of document, used daily by one team",
            "- One person who may decide about rules without a meeting",
            "- One number: minutes to find a document, or days until a request is decided",
            "Measure the number for one ordinary week and write it where everybody passes.",
        ),
    ),
    Sheet(
        "Weeks 1 to 4: one team",
        (
            "- Draw the folder plan on a single page. If it does not fit, it is too deep.",
            "- Move only what was opened in the last two years.",
            "- Sit with the team on the first morning and on the third day.",
            "- Change what makes people stumble on the spot.",
            "Check list: names of files agreed; duplicates removed; deputies named; a paper tray "
            "for doubtful cases, emptied every Friday.",
        ),
    ),
    Sheet(
        "Weeks 5 to 8: the second team",
        (
            "- Let the first team explain it, in their own words.",
            "- Write the retention plan: kind, years, begin of the period, what happens after.",
            "- Decide what may stay on paper for good, and say why.",
            "- Scanners: 300 dpi, both sides, blank pages removed, text recognition on.",
            "Access by kind: who reads, who changes, who must never see it. One page.",
        ),
    ),
    Sheet(
        "Weeks 9 to 12: the old way ends",
        (
            "- Announce the date three weeks ahead, and once more on the day before.",
            "- On the day, make the shared folder read-only and take the paper tray away.",
            "- Have somebody at hand who helps at once.",
            "- Measure the number again and write it beside the first one.",
            "Letter to all colleagues: what changes, from when, why, and whom to ask. Four "
            "sentences are enough.",
        ),
    ),
)

JAPANESE = (
    Sheet(
        "90日で文書を整える実践ガイド",
        (
            "サンプルソフト株式会社（架空の会社）による実践計画です。回覧はご自由にどうぞ。",
            "いちばん大きな山から始めてはいけません。毎日だれかに求められる山から始めてください。"
            "いちばん大きな山が大きいのは、だれも必要としていないからです。",
            "始める前に、三つのことを決めます。",
            "- 一つのチームが毎日使う、一種類の文書",
            "- 会議を開かずに規則を決めてよい人を一人",
            "- 数字をひとつ。文書を見つけるまでの分数、または申請が決まるまでの日数",
            "ふつうの一週間でその数字を測り、みんなが通る場所に書いておきます。",
        ),
    ),
    Sheet(
        "1週目から4週目 一つのチーム",
        (
            "- 分類表を一枚に描きます。収まらなければ、階層が深すぎます。",
            "- 移すのは、この二年間に開かれたものだけにします。",
            "- 最初の朝と三日目には、チームの隣に座ります。",
            "- つまずきの原因は、その場で直します。",
            "チェックリスト：ファイル名の付け方、重複の削除、代理者の決定、"
            "迷った書類の受け箱（毎週金曜日に空にする）。",
        ),
    ),
    Sheet(
        "5週目から8週目 二つ目のチーム",
        (
            "- 説明は、一つ目のチームの言葉に任せます。",
            "- 保存期間表をつくります。種類、年数、起算日、その後の扱い。",
            "- 紙のまま残してよいものを決め、理由を書きます。",
            "- スキャナーは300 dpi、両面、白紙除去、文字認識あり。",
            "種類ごとの権限：読む人、変更する人、見てはいけない人。一枚にまとめます。",
        ),
    ),
    Sheet(
        "9週目から12週目 古いやり方を終える",
        (
            "- 終える日を三週間前に知らせ、前日にもう一度知らせます。",
            "- 当日、共有フォルダを閲覧専用にし、紙の受け箱を片づけます。",
            "- すぐに助けられる人を置きます。",
            "- もう一度数字を測り、最初の数字の隣に書きます。",
            "全社員への案内文：何が、いつから、なぜ変わり、だれに聞けばよいか。四つの文で足ります。",
        ),
    ),
)

SHEETS = {"en": ENGLISH, "ja": JAPANESE}
