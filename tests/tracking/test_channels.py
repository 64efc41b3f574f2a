from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wagtail_ma.tracking.channels import CLICK_IDS, MAX_VALUE, MEDIUMS, Channel, classify, parse

PAGE = "https://www.example.com/products/"
HOSTS = {"www.example.com", ".example.jp", "localhost:8000"}


def channel(query: str = "", referrer: str = "") -> Channel:
    return classify(PAGE + query, referrer, HOSTS)


@pytest.mark.parametrize(
    ("referrer", "medium", "source"),
    [
        ("", "direct", ""),
        ("https://www.google.co.jp/", "organic", "google"),
        ("https://www.google.com/search?q=crm", "organic", "google"),
        ("https://images.google.de/imgres?x", "organic", "google"),
        ("https://search.yahoo.co.jp/", "organic", "yahoo"),
        ("https://jp.search.yahoo.com/", "organic", "yahoo"),
        ("https://cn.bing.com/", "organic", "bing"),
        ("www.bing.com/search?q=x", "organic", "bing"),
        ("//duckduckgo.com", "organic", "duckduckgo"),
        ("https://kagi.com/", "organic", "kagi"),
        ("android-app://com.google.android.googlequicksearchbox/", "organic", "google"),
        ("android-app://com.google.android.googlequicksearchbox/https/www.google.com", "organic", "google"),
        ("https://m.search.naver.com/", "organic", "naver"),
        ("https://t.co/abc", "social", "twitter"),
        ("https://x.com/", "social", "twitter"),
        ("https://lm.facebook.com/l.php?u=1", "social", "facebook"),
        ("https://de.linkedin.com/", "social", "linkedin"),
        ("android-app://com.linkedin.android/", "social", "linkedin"),
        ("android-app://jp.naver.line.android/", "social", "line"),
        ("https://b.hatena.ne.jp/entry/1", "social", "hatena"),
        ("https://chatgpt.com/", "ai", "chatgpt"),
        ("https://gemini.google.com/app", "ai", "gemini"),
        ("https://www.perplexity.ai/", "ai", "perplexity"),
        ("https://www.bing.com/chat?q=1", "ai", "copilot"),
        ("https://x.com/i/grok/1", "ai", "grok"),
        ("https://mail.google.com/mail/u/0/", "email", "gmail"),
        ("android-app://com.google.android.gm/", "email", "gmail"),
        ("https://us-mg5.mail.yahoo.com/neo", "email", "yahoo mail"),
        ("https://webmail.somewhere.jp/", "email", "webmail.somewhere.jp"),
        ("https://feedly.com/i/latest", "rss", "feedly"),
        ("https://googleads.g.doubleclick.net/", "paid", "google"),
        ("https://www.somewhere.co.jp/links", "referral", "somewhere.co.jp"),
        ("http://user:secret@Somewhere.co.jp.:8080/a", "referral", "somewhere.co.jp"),
        ("https://docs.google.com/document/1", "referral", "docs.google.com"),
        ("https://例え.jp/", "referral", "xn--r8jz45g.jp"),
        ("https://[2001:db8::1]:8443/", "referral", "[2001:db8::1]"),
        ("https://EXAMPLE.com:8443/x", "internal", "example.com"),
        ("https://blog.example.jp/", "internal", "blog.example.jp"),
        ("http://localhost:8000/", "internal", "localhost"),
        ("https://blog.example.com/", "referral", "blog.example.com"),
    ],
)
def test_classify__referrer_only__its_medium_and_source(referrer, medium, source):
    assert channel(referrer=referrer) == (medium, source, "")


@pytest.mark.parametrize(
    "referrer",
    [
        "about:blank",
        "javascript:alert(1)",
        "data:text/html,https://www.google.com/",
        "file:///C:/index.html",
        "chrome-extension://abc.def/",
        "https://",
        "http://[bad",
        "/only/a/path",
        "no host at all",
        "https://bad host.com/",
        "https://" + "a" * 300 + ".com/",
    ],
)
def test_classify__referrer_that_is_no_web_site__direct(referrer):
    assert channel(referrer=referrer) == ("direct", "", "")


@pytest.mark.parametrize(
    "referrer",
    [
        "https://google.com.evil.example/",
        "https://www.google.evil.example/",
        "https://notgoogle.com/",
        "https://facebook.com.evil.example/",
        "https://evil.example/https://www.google.com/",
        "https://www.google.com@evil.example/",
        "https://evil.example\\@www.google.com/",
        "https://example.com.evil.example/",
        "https://notexample.jp/",
    ],
)
def test_classify__look_alike_host__referral(referrer):
    assert channel(referrer=referrer).medium == "referral"


@pytest.mark.parametrize(
    ("query", "medium", "source"),
    [
        ("?utm_medium=cpc&utm_source=Google", "paid", "google"),
        ("?utm_medium=Paid_Social&utm_source=Facebook", "paid", "facebook"),
        ("?utm_medium=display&utm_source=x", "paid", "x"),
        ("?utm_medium=E-Mail&utm_source=News", "email", "news"),
        ("?utm_medium=newsletter-2026", "email", ""),
        ("?utm_medium=%E3%83%A1%E3%83%AB%E3%83%9E%E3%82%AC", "email", ""),
        ("?utm_medium=%EF%BD%93%EF%BD%8E%EF%BD%93", "social", ""),  # full-width "sns"
        ("?utm_medium=rss", "rss", ""),
        ("?utm_medium=qr&utm_source=booth", "offline", "booth"),
        ("?utm_medium=%E5%B1%95%E7%A4%BA%E4%BC%9A", "offline", ""),
        ("?utm_medium=organic&utm_source=google", "organic", "google"),
        ("?utm_source=chatgpt.com", "ai", "chatgpt.com"),
        ("?utm_source=newsletter", "email", "newsletter"),
        ("?utm_source=somewhere", "referral", "somewhere"),
        ("?utm_medium=whatever&utm_source=google", "organic", "google"),
        ("?utm_medium=email&amp;utm_source=news", "email", "news"),
        ("?UTM_Medium=email", "email", ""),
        ("?utm_medium=%20email%20", "email", ""),
        ("?utm_medium=email&utm_medium=cpc", "email", ""),
        ("?utm_medium=&utm_source=", "direct", ""),
    ],
)
def test_classify__tags__normalised(query, medium, source):
    assert channel(query) == (medium, source, "")


@pytest.mark.parametrize(
    ("query", "medium", "source"),
    [
        ("?gclid=x", "paid", "google"),
        ("?gbraid=x", "paid", "google"),
        ("?wbraid=x", "paid", "google"),
        ("?dclid=x", "paid", "google"),
        ("?msclkid=x", "paid", "bing"),
        ("?yclid=YSS.1000", "paid", "yahoo"),
        ("?yclid=123456789", "paid", "yandex"),
        ("?ldtag_cl=x", "paid", "line"),
        ("?ttclid=x", "paid", "tiktok"),
        ("?twclid=x", "paid", "twitter"),
        ("?li_fat_id=x", "paid", "linkedin"),
        ("?fbclid=x", "social", "facebook"),
        ("?fbclid=x&gclid=y", "paid", "google"),
        ("?fbclid=x&utm_medium=cpc", "paid", ""),
        ("?gclid=", "direct", ""),
    ],
)
def test_classify__click_id__its_network(query, medium, source):
    assert channel(query) == (medium, source, "")


def test_classify__facebook_click_id_from_instagram__instagram():
    assert channel("?fbclid=x", "https://l.instagram.com/").source == "instagram"


def test_classify__tag_beats_click_id_beats_referrer():
    google = "https://www.google.com/"
    assert channel("?utm_medium=email&gclid=x", google).medium == "email"
    assert channel("?gclid=x", "https://t.co/a").medium == "paid"
    assert channel("?x=1", google).medium == "organic"


def test_classify__tag_on_a_link_inside_the_own_site__the_tag():
    assert channel("?utm_medium=email", "https://www.example.com/").medium == "email"


def test_classify__campaign__keeps_its_case_and_is_bounded():
    assert channel("?utm_campaign=%20Spring+Fair%0A2026").campaign == "Spring Fair2026"
    assert channel("?utm_campaign=only", "https://www.google.com/") == ("organic", "google", "only")
    long = channel("?utm_medium=email&utm_source=" + "A" * 500 + "&utm_campaign=" + "B" * 500)
    assert (len(long.source), len(long.campaign)) == (MAX_VALUE, MAX_VALUE)


def test_classify__relative_landing_address__tags_are_read():
    assert classify("/p/?utm_medium=rss", "", set()).medium == "rss"


def test_classify__referrer_is_the_landing_host__internal_without_any_setting():
    assert classify("https://shop.example.net/a", "https://shop.example.net/", set()).medium == "internal"


def test_classify__tables__only_promised_mediums():
    assert {medium for medium, _source in CLICK_IDS.values()} <= set(MEDIUMS)


PIECES = st.sampled_from(
    [
        "https://",
        "//",
        "@",
        ":",
        "[",
        "]",
        "?",
        "&",
        "=",
        "#",
        "%",
        "%00",
        "..",
        "utm_medium=",
        "gclid=",
        "xn--",
    ]
)
HOSTILE = st.lists(st.one_of(PIECES, st.text(max_size=20)), max_size=30).map("".join)


@settings(max_examples=300, deadline=None)
@given(HOSTILE, HOSTILE, st.sets(HOSTILE, max_size=3))
def test_classify__any_texts__a_bounded_answer(url, referrer, hosts):
    medium, source, campaign = classify(url, referrer, hosts)
    assert medium in MEDIUMS
    assert len(source) <= MAX_VALUE
    assert len(campaign) <= MAX_VALUE
    assert source == source.strip().lower()


@pytest.mark.parametrize(
    "text", ["?" * 20_000, "a." * 10_000, "https://" + "é" * 20_000, "x?" + "a=b&" * 9000]
)
def test_classify__huge_texts__answered(text):
    assert classify(text, text, {text}).medium in MEDIUMS


def test_parse__address_in_every_spelling__same_host():
    spellings = ["https://WWW.Example.com/a", "www.example.com:443/a", "//u:p@www.example.com/a"]
    assert {parse(text).host for text in spellings} == {"www.example.com"}
