"""Reading what browsers post."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_ma.tracking import offer_token, page_token
from wagtail_ma.tracking.hits import BadHit, Hit, Sender, parse
from wagtail_ma.tracking.page_token import PageRef

TOKEN = page_token.make(PageRef(1, 2, "/ja/製品/", "ja"))
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
SENDER = Sender(browser_key="key", user_agent=CHROME, hosts=frozenset({"example.com"}))


def view(**changes: Any) -> dict[str, Any]:
    message = {"k": "p", "v": str(uuid4()), "t": TOKEN, "u": "https://example.com/a?b=1", "y": "n", "z": 1280}
    return {**message, "l": "ja-JP", "r": "https://www.google.com/", **changes}


def engagement(**changes: Any) -> dict[str, Any]:
    message = {"k": "e", "v": str(uuid4()), "t": TOKEN, "u": "https://example.com/", "y": "n"}
    return {**message, "q": 2, "e": 5200, "o": 6100, "s": 40, **changes}


def activity(**changes: Any) -> dict[str, Any]:
    return {"k": "c", "v": str(uuid4()), "t": TOKEN, "i": str(uuid4()), "n": "video_play", **changes}


def read(message: Any, sender: Sender = SENDER) -> Hit:
    return parse(json.dumps(message).encode(), sender=sender)


def test_parse__page_view__all_fields() -> None:
    message = view()
    hit = read(message)
    assert (hit.kind, hit.view_id, hit.browser_key) == ("p", UUID(message["v"]), "key")
    assert hit.page == PageRef(1, 2, "/ja/製品/", "ja")
    assert (hit.url, hit.referrer) == (message["u"], message["r"])
    assert (hit.language, hit.width, hit.nav_type) == ("ja-JP", 1280, "n")
    assert not (hit.is_bot or hit.is_anonymous or hit.is_engagement or hit.is_activity)


def test_parse__engagement__totals_with_engaged_at_most_visible() -> None:
    hit = read(engagement(e=9000, o=6000, s=250.4))
    assert (hit.engaged_ms, hit.visible_ms, hit.scroll_percent, hit.sequence) == (6000, 6000, 100, 2)


def test_parse__activity__name_lowered_and_values_cut() -> None:
    hit = read(activity(n="Video_Play", d={"u": "x" * 2000, "label": "y" * 2000, "n": 1.5, "ok": True}))
    assert hit.name == "video_play"
    assert {key: len(hit.data[key]) for key in ("u", "label")} == {"u": 1500, "label": 200}
    assert (hit.data["n"], hit.data["ok"]) == (1.5, True)


@pytest.mark.parametrize(
    "message",
    [
        [],
        {},
        view(k="x"),
        view(k=["p"]),
        view(v="1"),
        view(v="{12345678-1234-1234-1234-123456789012}"),
        view(v=None),
        view(u="javascript:alert(1)"),
        view(u="https://example.com/" + "x" * 2000),
        view(u="https://[/"),
        view(u="/a"),
        view(u="https://elsewhere.example/"),
        view(u="https://example.com/\x00"),
        view(u="https://example.com/\ud800"),
        view(u=1),
        view(r=["x"]),
        view(r="a\nb"),
        view(y="x"),
        view(z=-1),
        view(z="wide"),
        view(z=10**30),
        view(t=1),
        engagement(e=-1),
        engagement(e=True),
        engagement(o=10**12),
        engagement(s="40"),
        engagement(q=[]),
        activity(i="x"),
        activity(n=""),
        activity(n="a b"),
        activity(n="x" * 65),
        activity(n="日本"),
        activity(d=[]),
        activity(d={"a": {"b": 1}}),
        activity(d={"a": [1]}),
        activity(d={"": 1}),
        activity(d={str(n): n for n in range(11)}),
        activity(d={"a": 10**40}),
    ],
)
def test_parse__malformed__refused_with_400(message: Any) -> None:
    with pytest.raises(BadHit) as refusal:
        read(message)
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"k": "p"',
        b"[" * 8000,
        b'{"k": NaN}',
        b'{"k":"c","d":{"a":1e999}}',
        b'{"k":' + b"9" * 5000 + b"}",
        "{'k': 'ｐ'}".encode("shift_jis"),
    ],
)
def test_parse__no_json__refused_with_400(body: bytes) -> None:
    with pytest.raises(BadHit) as refusal:
        parse(body, sender=SENDER)
    assert refusal.value.status == 400


def test_parse__infinite_number__refused() -> None:
    body = json.dumps(activity(d={"a": 1})).replace('"a": 1', '"a": 1e999').encode()
    with pytest.raises(BadHit):
        parse(body, sender=SENDER)


def test_parse__over_8_kb__refused_with_413() -> None:
    with pytest.raises(BadHit) as refusal:
        read(activity(d={"a": "x" * 9000}))
    assert refusal.value.status == 413


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], TOKEN + "A", TOKEN[::-1], "é" * 20])
def test_parse__forged_page__dropped_with_204(token: str) -> None:
    with pytest.raises(BadHit) as refusal:
        read(view(t=token))
    assert refusal.value.status == 204


@pytest.mark.parametrize("name", ["download", "form_confirm", "mail_click", "FORM_SUBMIT"])
def test_parse__act_that_only_the_server_records__dropped_with_204(name: str) -> None:
    with pytest.raises(BadHit) as refusal:
        read(activity(n=name))
    assert refusal.value.status == 204


@pytest.mark.parametrize(
    ("message", "user_agent", "is_bot"),
    [
        (view(), CHROME, False),
        (view(w=1), CHROME, True),
        (view(), "", True),
        (view(), "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", True),
    ],
)
def test_parse__automated_sender__marked_as_bot(
    message: dict[str, Any], user_agent: str, is_bot: bool
) -> None:
    assert read(message, Sender(user_agent=user_agent)).is_bot is is_bot


def test_parse__privacy_signal_in_message_or_request__anonymous() -> None:
    assert read(view(g=1)).is_anonymous
    assert read(view(), Sender(user_agent=CHROME, is_anonymous=True)).is_anonymous


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def test_page_in_sight_for_weeks__taken_as_a_day_and_not_refused() -> None:
    hit = read(engagement(o=30 * 86_400_000, e=5_000))
    assert (hit.visible_ms, hit.engaged_ms) == (86_400_000, 5_000)
    with pytest.raises(BadHit):
        read(engagement(o=400 * 86_400_000))


@given(
    base=st.sampled_from([view(), engagement(), activity(d={"a": 1})]),
    changes=st.dictionaries(st.sampled_from("kvtuyqeosindrzlwg"), json_values, max_size=4),
)
def test_parse__any_changed_field__a_hit_within_bounds_or_refused(
    base: dict[str, Any], changes: dict[str, Any]
) -> None:
    try:
        hit = read({**base, **changes})
    except BadHit as refusal:
        assert refusal.status in (204, 400, 413)
        return
    assert 0 <= hit.engaged_seconds <= hit.visible_seconds <= 1800
    assert 0 <= hit.scroll_percent <= 100
    assert "\x00" not in json.dumps([hit.url, hit.referrer, hit.name, hit.data], ensure_ascii=False)
    hit.url.encode(), hit.referrer.encode(), json.dumps(hit.data, allow_nan=False)


@given(st.binary(max_size=300))
def test_parse__any_bytes__refused(body: bytes) -> None:
    with pytest.raises(BadHit):
        parse(body, sender=SENDER)


@given(
    st.integers(1, 10**6),
    st.integers(1, 10**9),
    st.text(max_size=400),
    st.sampled_from(["ja", "en", "zh-hant"]),
)
def test_page_token__any_page__read_back(site_id: int, page_id: int, path: str, locale: str) -> None:
    ref = page_token.read(page_token.make(PageRef(site_id, page_id, path, locale)))
    assert ref is not None
    assert (ref.site_id, ref.page_id, ref.locale) == (site_id, page_id, locale)
    assert ref.path == path[:300].encode("utf-8", "replace").decode()


def test_page_token__without_site_and_page__none_again() -> None:
    assert page_token.read(page_token.make(PageRef(path="/x/"))) == PageRef(None, None, "/x/", "")


def test_parse__offer_in_sight__is_told_with_the_token_of_this_page() -> None:
    hit = read(activity(n="offer_shown", d={"o": offer_token.make(2, "variant-1")}))
    assert (hit.name, hit.data) == ("offer_shown", {"variant": "variant-1"})


@pytest.mark.parametrize("name", ["offer_shown", "offer_click", "Offer_Shown"])
@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"o": ""},
        {"o": "x"},
        {"o": 1},
        {"o": TOKEN},
        {"o": offer_token.make(3, "variant-1")},
        {"o": offer_token.make(2, "variant-1")[:-1]},
        {"variant": "variant-1"},
    ],
    ids=["none", "empty", "blank", "noise", "number", "page token", "other page", "cut", "bare"],
)
def test_parse__offer_without_its_token__is_not_recorded(name: str, data: Any) -> None:
    with pytest.raises(BadHit) as error:
        read(activity(n=name, d=data))
    assert error.value.status == 204


def test_seconds__at_the_cap__of_the_same_type_as_others() -> None:
    for milliseconds in (0, 1_500, 1_800_000, 86_400_000):
        hit = read(engagement(e=milliseconds, o=milliseconds))
        assert (type(hit.visible_seconds), type(hit.engaged_seconds)) == (float, float)
