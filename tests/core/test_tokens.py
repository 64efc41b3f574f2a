from __future__ import annotations

import random
import string
from datetime import UTC, datetime, timedelta

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from wagtail_ma.core.tokens import BadToken, ExpiredToken, dumps, loads, mail_token, read_mail_token

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
KEYS = [b"first secret"]
OTHER = [b"another secret"]
ALPHABET = string.ascii_letters + string.digits + "-_"


def changed(token: str, chance: random.Random) -> str:
    """The token with one bit of one character changed, still within the alphabet or not."""
    at = chance.randrange(len(token))
    return token[:at] + chr(ord(token[at]) ^ 1 << chance.randrange(7)) + token[at + 1 :]


@given(st.one_of(st.binary(max_size=200), st.lists(st.one_of(st.integers(), st.text())).map(tuple)))
def test_loads__own_token__payload_back(payload):
    try:
        token = dumps("page", payload, secrets=KEYS)
    except UnicodeEncodeError:  # lone surrogates are no text
        return
    assert set(token) <= set(ALPHABET)
    assert loads("page", token, now=NOW, secrets=KEYS) == payload


@pytest.mark.parametrize("payload", ["text", [1, 2], (1.5,), (True,), (None,), 7])
def test_dumps__payload_of_another_shape__type_error(payload):
    with pytest.raises(TypeError):
        dumps("page", payload, secrets=KEYS)


def test_loads__token_of_another_purpose__bad():
    token = dumps("page", (1, "a"), secrets=KEYS)
    for purpose in ("pages", "pag", "", "Page"):
        with pytest.raises(BadToken):
            loads(purpose, token, now=NOW, secrets=KEYS)


def test_loads__another_secret__bad_and_an_older_one__accepted():
    token = dumps("page", b"x", secrets=OTHER)
    with pytest.raises(BadToken):
        loads("page", token, now=NOW, secrets=KEYS)
    assert loads("page", token, now=NOW, secrets=KEYS + OTHER) == b"x"


def test_loads__age__counted_to_the_second():
    token = dumps("link", b"x", now=NOW, secrets=KEYS)
    later = NOW + timedelta(seconds=60)
    assert loads("link", token, now=later, max_age_seconds=60, secrets=KEYS) == b"x"
    with pytest.raises(ExpiredToken):
        loads("link", token, now=later + timedelta(seconds=1), max_age_seconds=60, secrets=KEYS)


def test_loads__token_from_the_future__expired():
    token = dumps("link", b"x", now=NOW + timedelta(hours=1), secrets=KEYS)
    with pytest.raises(ExpiredToken):
        loads("link", token, now=NOW, max_age_seconds=9999, secrets=KEYS)


def test_loads__age_limit_for_a_token_without_time__expired():
    token = dumps("link", b"x", secrets=KEYS)
    with pytest.raises(ExpiredToken):
        loads("link", token, now=NOW, max_age_seconds=9999, secrets=KEYS)


def test_loads__one_bit_changed__never_accepted():
    chance = random.Random(1)
    token = dumps("page", (12345, "abc"), now=NOW, secrets=KEYS)
    for _ in range(10_000):
        with pytest.raises(BadToken):
            loads("page", changed(token, chance), now=NOW, secrets=KEYS)


@given(st.text(max_size=200))
def test_loads__any_text__bad_token_and_nothing_else(text):
    with pytest.raises(BadToken):
        loads("page", text, now=NOW, secrets=KEYS)


@pytest.mark.parametrize(
    "text", ["", "A", "AAAA", "A" * 15, "A" * 16, "A" * 17, "A" * 100_000, "é", "\0", "a b", "+/=="]
)
def test_loads__short_long_or_foreign_text__bad(text):
    with pytest.raises(BadToken):
        loads("page", text, now=NOW, secrets=KEYS)


def test_loads__padding_or_spaces_added__bad():
    token = dumps("page", b"xy", secrets=KEYS)
    for text in (token + "=", token + "==", " " + token, token + "\n", token[:4] + "\n" + token[4:]):
        with pytest.raises(BadToken):
            loads("page", text, now=NOW, secrets=KEYS)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**16 - 1))
def test_mail_token__read_back__same_numbers_in_24_characters(public_id, link_no):
    token = mail_token("click", public_id, link_no, secrets=KEYS)
    assert len(token) == 24
    assert set(token) <= set(ALPHABET)
    assert read_mail_token("click", token, secrets=KEYS) == (public_id, link_no)


@pytest.mark.parametrize(("public_id", "link_no"), [(-1, 0), (2**64, 0), (1, -1), (1, 2**16)])
def test_mail_token__number_out_of_range__value_error(public_id, link_no):
    with pytest.raises(ValueError, match="out of range"):
        mail_token("click", public_id, link_no, secrets=KEYS)


def test_read_mail_token__another_purpose_or_secret__bad():
    token = mail_token("click", 7, 1, secrets=KEYS)
    for purpose, secrets in (("open", KEYS), ("click", OTHER)):
        with pytest.raises(BadToken):
            read_mail_token(purpose, token, secrets=secrets)
    assert read_mail_token("click", token, secrets=OTHER + KEYS) == (7, 1)


def test_read_mail_token__one_bit_changed__never_accepted():
    chance = random.Random(2)
    token = mail_token("click", 2**63 + 5, 3, secrets=KEYS)
    for _ in range(10_000):
        with pytest.raises(BadToken):
            read_mail_token("click", changed(token, chance), secrets=KEYS)


@given(st.one_of(st.text(max_size=60), st.text(alphabet=ALPHABET, min_size=24, max_size=24)))
def test_read_mail_token__any_text__bad_token_and_nothing_else(text):
    with pytest.raises(BadToken):
        read_mail_token("click", text, secrets=KEYS)


def test_read_mail_token__token_of_dumps_for_the_same_purpose__bad():
    token = dumps("click", b"12345", secrets=KEYS)
    assert len(token) == 24
    with pytest.raises(BadToken):
        read_mail_token("click", token, secrets=KEYS)


@pytest.mark.parametrize("secrets", [[], [b""], [b"good", b""]])
def test_dumps__no_or_empty_secret__value_error(secrets):
    with pytest.raises(ValueError, match="secret"):
        dumps("page", b"x", secrets=secrets)


def test_loads__secret_key_rotated__old_tokens_stay_good_until_the_fallback_goes():
    with override_settings(SECRET_KEY="old", SECRET_KEY_FALLBACKS=[]):
        token = dumps("page", b"x")
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["old"]):
        assert loads("page", token, now=NOW) == b"x"
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=[]), pytest.raises(BadToken):
        loads("page", token, now=NOW)
