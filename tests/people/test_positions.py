"""Ranks of titles and functions of departments."""

from __future__ import annotations

import pytest

from wagtail_ma.people.positions import function_of, rank_of


@pytest.mark.parametrize(
    ("title", "rank"),
    [
        ("代表取締役社長", 1),
        ("CEO", 1),
        ("院長", 1),
        ("副社長", 2),
        ("常務取締役", 2),
        ("執行役員", 2),
        ("CTO", 2),
        ("執行役員 営業本部長", 2),
        ("事業部長", 3),
        ("工場長", 3),
        ("部長", 4),
        ("ＶＰ", 4),
        ("Vice President", 4),
        ("Director", 4),
        ("部長代理", 5),
        ("次長", 5),
        ("課長", 6),
        ("マネージャー", 6),
        ("課長代理", 7),
        ("課長補佐", 7),
        ("係長", 7),
        ("主任", 8),
        ("担当", 9),
        ("顧問", 10),
        ("学生", 11),
        ("", None),
        ("なし", None),
    ],
)
def test_rank_of__titles__longest_word_decides(title, rank):
    assert rank_of(title) == rank


@pytest.mark.parametrize(
    ("department", "function"),
    [
        ("経営企画室", "planning"),
        ("営業部", "sales"),
        ("営業企画部", "sales"),
        ("マーケティング部", "marketing"),
        ("情報システム部", "it"),
        ("DX推進室", "it"),
        ("研究開発本部", "development"),
        ("品質保証部", "production"),
        ("購買部", "purchasing"),
        ("総務部", "administration"),
        ("経理部", "finance"),
        ("法務部", "legal"),
        ("Sales", "sales"),
        ("お客様係", "other"),
        ("", ""),
    ],
)
def test_function_of__departments__their_function(department, function):
    assert function_of(department) == function
