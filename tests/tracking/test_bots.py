from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_ma.tracking.bots import is_bot

DATA = Path(__file__).parent / "data"


def lines(name: str) -> list[str]:
    text = (DATA / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


BROWSERS = [line.rsplit(" | ", 1)[0] for line in lines("browser_user_agents.txt")]
BOTS = lines("bot_user_agents.txt")


@pytest.mark.parametrize("user_agent", BROWSERS)
def test_is_bot__real_browser__false(user_agent):
    assert not is_bot(user_agent)


def test_is_bot__every_example_of_the_reference_list__true():
    assert len(BOTS) > 1500
    assert [user_agent for user_agent in BOTS if not is_bot(user_agent)] == []


def test_is_bot__lists_that_were_not_used_in_the_making__nine_bots_in_ten_and_no_browser() -> None:
    bots, browsers = lines("held_back_bots.txt"), lines("held_back_browsers.txt")
    assert (len(bots), len(browsers)) == (400, 950)
    assert set(bots).isdisjoint(BOTS) and set(browsers).isdisjoint(BROWSERS)
    assert sum(map(is_bot, bots)) >= 0.9 * len(bots)
    # (One in a thousand may be lost: of so few, none.)
    assert [user_agent for user_agent in browsers if is_bot(user_agent)] == []


@pytest.mark.parametrize("user_agent", ["", " ", "\t\n", "-", "Mozilla/5.0", "Mozilla/4.0 (compatible;)"])
def test_is_bot__empty_or_meaningless__true(user_agent):
    assert is_bot(user_agent)


@pytest.mark.parametrize(
    "user_agent",
    [
        # None of these stands in the reference list: they are known by their words or their shape.
        "SomethingNew/1.0",
        "acme-link-resolver/0.3 (ops team)",
        "python-requests/2.32.3",
        "Go-http-client/2.0",
        "Java/17.0.9",
        "curl/8.5.0",
        "okhttp/4.12.0",
        "PostmanRuntime/7.39.0",
        "Reader/3 CFNetwork/1490.0.4 Darwin/23.2.0",
        "Dalvik/2.1.0 (Linux; U; Android 13; Pixel 6 Build/TQ3A.230805.001)",
        "Mozilla/5.0 (compatible; Unheard-of/2.0)",
        "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; Unheard-of/1.0) Chrome/119",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0",
        "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/120 Safari/537.36 (+https://example.com/about)",
        "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/120 Safari/537.36 (ops@example.com)",
        "facebookexternalhit/1.1;line-poker/1.0",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "MOZILLA/5.0 (COMPATIBLE; UNHEARD-OF-BOT/1.0)",
    ],
)
def test_is_bot__programme_without_a_name_in_the_list__true(user_agent):
    assert is_bot(user_agent)


def test_is_bot__bot_name_put_into_a_real_browser__true():
    browser = BROWSERS[0]
    assert is_bot(f"{browser} Silktide")
    assert not is_bot(f"{browser} Silkworm")


def test_is_bot__monitor_with_a_browser__false():
    screen = "Mozilla/5.0 (Linux; Android 11; SmartMonitor) AppleWebKit/537.36 Chrome/100 Safari/537.36"
    assert not is_bot(screen)
    assert is_bot(screen.replace("SmartMonitor", "Acme Monitor"))


@given(st.text(max_size=300))
def test_is_bot__any_text__answers(text):
    assert is_bot(text) in (True, False)


def test_is_bot__name_behind_the_bound__ignored():
    padding = BROWSERS[0] + " " + "x" * 5000
    assert not is_bot(f"{padding} Googlebot/2.1")
