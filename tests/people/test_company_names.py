"""Names of companies as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_ma.people import company_names, corporate_number
from wagtail_ma.people.company_names import is_same, keys


def strict(*names):
    return {keys(name).strict for name in names}


def reading(*names):
    return {keys(name).reading for name in names}


def test_strict__eight_ways_to_write_nhk__one_key():
    names = "NHK ＮＨＫ Ｎ・Ｈ・Ｋ エヌエイチケー エヌ・エイチ・ケイ ｴﾇｴｲﾁｹｰ エヌエッチケー えぬえいちけー"
    assert strict(*names.split()) == {"NHK"}


@pytest.mark.parametrize(
    "names",
    [
        [
            "㈱NTTデータ",
            "NTTデータ㈱",
            "(株)ＮＴＴデータ",
            "株式会社NTTデータ",
            "カ)ＮＴＴデータ",
            "NTTデータ(カ",
        ],
        ["髙島屋", "高島屋", "株式会社　髙島屋"],
        ["斉藤クリニック", "齋藤クリニック"],
        ["キヤノン株式会社", "キャノン㈱"],
        ["富士フイルム", "富士フィルム"],
        ["Sony Group Corporation", "SONY GROUP CORP.", "Sony Group Corp"],
        ["ABC Co.,Ltd.", "ABC K.K.", "エービーシー株式会社", "ABC Company, Limited", "A.B.C. CO LTD"],
        [
            "株式会社山田製作所 大阪支店",
            "山田製作所株式会社大阪支店",
            "山田製作所 御中",
            "株式会社山田製作所　営業部",
        ],
        ["ｶﾌﾞｼｷｶﾞｲｼｬ ｻﾝﾌﾟﾙ", "株式会社サンプル", "さんぷる㍿", "【株】サンプル"],
        ["Example GmbH", "EXAMPLE"],
        ["コ-ヨ-", "コーヨー"],
    ],
)
def test_strict__ways_of_writing__one_key(names):
    assert len(strict(*names)) == 1, [keys(name) for name in names]


@pytest.mark.parametrize(
    "names",
    [
        ["NTTデータ", "エヌ・ティ・ティ・データ", "エヌティーティーデータ(株)"],
        ["JR東日本", "ジェイアール東日本"],
        ["三菱UFJ銀行", "三菱ユーエフジェイ銀行"],
        ["JFEスチール", "ジェイエフイースチール"],
        ["KDDI", "ケイディーディーアイ", "ケーディーディーアイ"],
        ["YKK AP", "ワイケイケイエーピー"],
        ["ブリヂストン", "ブリジストン"],
    ],
)
def test_reading__letters_read_aloud__one_key(names):
    assert len(reading(*names)) == 1, [keys(name) for name in names]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ケイズ", "ケーズ"),
        ("メイワ", "メーワ"),
        ("セイコー", "セコ"),
        ("シティ", "CT"),
        ("日本放送協会", "NHK"),
    ],
)
def test_strict__different_companies__different_keys(one, other):
    assert keys(one).strict != keys(other).strict


def test_form__abbreviated_or_long__long_with_its_place():
    assert (keys("㈱山田").form, keys("㈱山田").position) == ("株式会社", "pre")
    assert (keys("山田(有)").form, keys("山田(有)").position) == ("有限会社", "post")
    assert (keys("山田").form, keys("山田").position) == ("", "")
    assert keys("医療法人社団山田会").form == "医療法人社団"
    assert (keys("Yamada K.K.").form, keys("Yamada K.K.").position) == ("株式会社", "")
    assert keys("Yamada G.K.").form == "合同会社"


def test_is_same__form_before_and_behind__two_companies():
    assert not is_same(keys("株式会社山田"), keys("山田株式会社"))
    assert not is_same(keys("株式会社山田"), keys("有限会社山田"))
    assert is_same(keys("株式会社山田"), keys("山田"))
    assert not is_same(keys("株式会社"), keys("株式会社")) or keys("株式会社").strict


def test_keys__name_of_a_factory__is_no_branch():
    assert keys("株式会社 日本工場").strict == "日本工場"


@given(st.text(max_size=60))
def test_keys__any_text__are_stable_and_harmless(text):
    found = keys(text)
    assert " " not in found.strict
    assert len(found.strict) <= company_names.MAX_LENGTH * 4
    # Case, width and spaces at the ends make no difference.
    assert keys(f"  {text} ").strict == found.strict


@pytest.mark.parametrize(
    "text",
    [
        "8011005000968",
        "1180301018771",
        "4000012090001",
        "8000012010038",
        "T1180301018771",
        "１１８０３０１０１８７７１",
        "1-1803-0101-8771",
    ],
)
def test_corporate_number__right_check_digit__valid(text):
    assert corporate_number.is_valid(text)


@pytest.mark.parametrize(
    "text",
    ["", "1180301018772", "0180301018771", "118030101877", "11803010187711", "T", "abc", "٨011005000968"],
)
def test_corporate_number__wrong_or_no_number__invalid(text):
    assert not corporate_number.is_valid(text)


@given(st.text(alphabet="0123456789", min_size=12, max_size=12))
def test_corporate_number__any_base__exactly_one_check_digit_fits(base):
    assert sum(corporate_number.is_valid(f"{digit}{base}") for digit in range(10)) == 1
