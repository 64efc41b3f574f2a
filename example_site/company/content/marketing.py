"""What marketing has prepared on the example site: forms, mails, and their words in each language."""

from __future__ import annotations

from typing import Any

SENDER = {
    "name": "サンプルソフト",
    "email": "news@sample-software.example",
    "legal_name": "サンプルソフト株式会社 / Sample Software Inc.",
    "postal_address": "〒000-0000 東京都架空区見本町1-2-3",
    "contact": "https://sample-software.example/contact/",
}

# Products, and what people worry about before they buy.
TOPICS = {
    "Sample Cabinet": "product",
    "Sample Flow": "product",
    "料金": "concern",
    "導入事例": "concern",
    "サポート": "concern",
    "セキュリティ": "concern",
}

# Path → (class, topics); what is below inherits it.
LABELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "products/sample-cabinet": ("product", ("Sample Cabinet",)),
    "products/sample-flow": ("product", ("Sample Flow",)),
    "pricing": ("pricing", ("料金",)),
    "case-studies": ("case", ("導入事例",)),
    "case-studies/fictional-works": ("case", ("導入事例", "Sample Flow")),
    "case-studies/example-logistics": ("case", ("導入事例", "Sample Cabinet")),
    "whitepaper": ("download", ()),
    "blog": ("article", ()),
    "blog/approval-bottlenecks": ("article", ("Sample Flow",)),
    "blog/electronic-bookkeeping": ("article", ("Sample Cabinet",)),
    "blog/who-may-see-what": ("article", ("Sample Cabinet", "セキュリティ")),
    "faq": ("faq", ("サポート",)),
    "careers": ("careers", ()),
    "contact": ("contact", ()),
}

# Firm and mail domain.
CUSTOMERS = {"模擬食品株式会社": "mogi.example"}

# Kind: name and addresses (of those that are set aside for examples).
NETWORKS = {
    "competitor": ("架空ソフトウェア株式会社（競合）", "198.51.100.0/24"),
    "own": ("自社オフィス", "203.0.113.0/24"),
}

# A scoring rule.
PATTERN_NAME = "料金と導入事例を2週間以内に閲覧"

QUESTIONS = ("email", "company_name", "family_name", "given_name", "title")

FORMS: dict[tuple[str, str], dict[str, str]] = {
    ("whitepaper", "ja"): {
        "heading": "資料をダウンロードする",
        "intro": "お名前と会社名、メールアドレスをご入力ください。すぐにダウンロードでき、リンクもメールでお送りします。",
        "submit_label": "資料を受け取る",
        "thanks": "ありがとうございます。ダウンロードが始まります。",
        "consent_text": "サンプルソフト株式会社から、製品と業務改善についてのメールを受け取ることに同意します。いつでも配信を停止できます。",
    },
    ("whitepaper", "en"): {
        "heading": "Get the whitepaper",
        "intro": "Tell us your name, company and e-mail address. The download starts at once, and we send you the link as well.",
        "submit_label": "Get the whitepaper",
        "thanks": "Thank you. Your download is starting.",
        "consent_text": "I agree to get mail from Sample Software Inc. about its products and better office work. I can unsubscribe at any time.",
    },
    ("contact", "ja"): {
        "heading": "お問い合わせ",
        "intro": "2営業日以内に担当者からご連絡します。",
        "submit_label": "送信する",
        "thanks": "お問い合わせを受け付けました。担当者からご連絡します。",
        "consent_text": "サンプルソフト株式会社から、製品と業務改善についてのメールを受け取ることに同意します。いつでも配信を停止できます。",
    },
    ("contact", "en"): {
        "heading": "Contact us",
        "intro": "Somebody will get back to you within two working days.",
        "submit_label": "Send",
        "thanks": "Your message has arrived. We will get back to you.",
        "consent_text": "I agree to get mail from Sample Software Inc. about its products and better office work. I can unsubscribe at any time.",
    },
}

# (name, language): subject, preview text, body. ``page`` is the slug path of a button's target.
MAILS: dict[tuple[str, str], dict[str, Any]] = {
    ("follow-up", "ja"): {
        "name": "資料請求のお礼と導入事例",
        "subject": '{{ lead.family_name|default:"お客" }}様、資料はお役に立ちましたか？',
        "preheader": "同じ課題を持つ会社が、どのように進めたかをご紹介します。",
        "text": "<p>{{ lead.salutation }}</p><p>先日は資料をダウンロードいただき、ありがとうございます。同じ課題を持つ会社が、最初の九十日をどのように進めたかを、導入事例にまとめました。</p>",
        "button": "導入事例を見る",
        "page": "case-studies",
    },
    ("follow-up", "en"): {
        "name": "Thanks for the whitepaper, and case studies",
        "subject": 'Was the whitepaper useful, {{ lead.full_name|default:"reader" }}?',
        "preheader": "How firms with the same problem went about it.",
        "text": "<p>{{ lead.salutation }}</p><p>Thank you for reading our whitepaper. Our case studies tell how firms with the same problem spent their first ninety days.</p>",
        "button": "Read the case studies",
        "page": "case-studies",
    },
    ("offer", "ja"): {
        "name": "料金とお見積もりのご案内",
        "subject": '{{ lead.company_name|default:"貴社" }}に合うプランを一緒に考えませんか',
        "preheader": "人数と拠点数から、目安の費用をお出しします。",
        "text": "<p>{{ lead.salutation }}</p><p>導入事例をご覧いただき、ありがとうございます。人数と拠点数を伺えれば、目安の費用をその場でお出しできます。</p>",
        "button": "料金を見る",
        "page": "pricing",
    },
}

SCENARIO_NAME = "資料ダウンロード後のフォロー"

# Readers of the prices are offered an estimate: on the site, then by mail.
OFFER_NAME = "料金ページの読者への見積もり案内"
OFFER_SEGMENT = "案内：見積もり"
OFFER_TASK = "見積もりの件でお電話する"
OFFERS: dict[str, tuple[str, str]] = {
    "ja": ("ご利用人数に合わせた概算を、その場でお出しします。", "概算を聞く"),
    "en": ("Tell us how many you are and get an estimate at once.", "Get an estimate"),
}

SEGMENTS = {
    "pricing": ("料金ページの読者", "料金ページを14日以内に3回以上見た人。"),
    "english": ("English readers", "Whose browser asks for English."),
    "case": ("導入事例を読んだ人", "導入事例を60日以内に見た人。"),
    "candidate": ("採用ページの読者", "採用ページを60日以内に見た人。"),
    "dormant": ("しばらく来ていない人", "最後の訪問から21日以上たった人。"),
}

# The call at the foot of the home page: for readers of the prices, and for everybody else.
VARIANTS: dict[str, dict[str, tuple[str, str]]] = {
    "ja": {
        "pricing": (
            "料金をご検討中ですか？人数と拠点数から、概算をすぐにお出しします。",
            "見積もりを相談する",
        ),
        "default": (
            "紙と判子から抜け出す、最初の九十日の進め方を資料にまとめました。",
            "資料をダウンロードする",
        ),
    },
    "en": {
        "pricing": (
            "Weighing up the price? Tell us how many you are and get an estimate.",
            "Ask for an estimate",
        ),
        "default": ("Our whitepaper tells how to get away from paper in ninety days.", "Get the whitepaper"),
    },
}
