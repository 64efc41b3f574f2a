"""What its editor is told and shown of a mail before it goes out."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests import factories
from wagtail_ma.messaging import merge_fields, preview, ready
from wagtail_ma.messaging.compile import content_hash
from wagtail_ma.people.models import Lead

pytestmark = pytest.mark.django_db

YAMADA = {
    "family_name": "山田",
    "given_name": "太郎",
    "company_name": "株式会社見本",
    "department": "営業部",
    "title": "部長",
}


def test_formal_salutation__japanese__department_and_title_before_the_name() -> None:
    values = merge_fields.values_of(Lead(email="a@example.com", **YAMADA), "ja")
    assert values["formal_salutation"] == "株式会社見本 営業部 部長 山田 太郎 様"
    assert values["salutation"] == "株式会社見本 山田 太郎 様"


@pytest.mark.parametrize(("language", "expected"), [("en", "太郎 山田"), ("ja", "株式会社見本 ご担当者様")])
def test_formal_salutation__elsewhere_or_without_name__is_the_plain_one(language: str, expected: str) -> None:
    known = YAMADA if language == "en" else {"company_name": "株式会社見本"}
    values = merge_fields.values_of(Lead(email="a@example.com", **known), language)
    assert values["formal_salutation"] == expected


@pytest.mark.parametrize("language", ["ja", "en"])
def test_kana__in_any_language__family_name_first(language: str) -> None:
    known = {"family_name_kana": "ヤマダ", "given_name_kana": "タロウ"}
    assert (
        merge_fields.values_of(Lead(email="a@example.com", **known), language)["full_name_kana"]
        == "ヤマダ タロウ"
    )


@given(
    st.fixed_dictionaries(
        {name: st.text(max_size=30) for name in ("family_name", "given_name", "company_name", "title")}
    )
)
def test_values__whatever_a_lead_is_called__are_one_line_without_an_address(fields: dict[str, str]) -> None:
    values = merge_fields.values_of(Lead(email="a@example.com", **fields), "ja")
    for name, value in values.items():
        assert "\n" not in value and "\r" not in value
        assert "://" not in value, name


def problems_of(**fields: Any) -> list[str]:
    return ready.problems(factories.make_mail(**fields))


@pytest.mark.parametrize(
    "fields",
    [{"subject": "For {{ lead.family_name }}"}, {"text": "<p>Dear {{ lead.family_name }}</p>"}],
)
def test_merge_field__without_a_default__is_not_ready(fields: dict[str, str]) -> None:
    (problem,) = problems_of(**fields)
    assert "{{ lead.family_name }} has no default" in problem


def test_merge_field__in_a_variant_without_a_default__is_not_ready() -> None:
    segment = factories.make_segment("Readers")
    problems = problems_of(body=[personalised(segment.pk, "<p>{{ lead.title }}</p>")])
    assert ["{{ lead.title }}" in problem for problem in problems] == [True]


def test_merge_field__that_always_says_something__needs_no_default() -> None:
    assert (
        problems_of(text="<p>{{ lead.salutation }} {{ lead.formal_salutation }} {{ lead.email }}</p>") == []
    )


def personalised(segment_id: int, text: str) -> dict[str, Any]:
    content = [{"type": "text", "value": text}]
    segments = [{"type": "item", "id": str(uuid4()), "value": segment_id}]
    variant = {"match": "any", "segments": segments, "content": content}
    item = {"type": "item", "id": str(uuid4()), "value": variant}
    return {"type": "personalised", "value": {"variants": [item], "default": []}}


def test_personalised_block__for_a_deleted_segment__is_not_ready() -> None:
    (problem,) = problems_of(body=[personalised(987_654, "<p>Hello</p>")])
    assert "deleted" in problem


def test_preview_modes__mail_with_variants__offer_each_segment(now: Any) -> None:
    segment = factories.make_segment("Price readers")
    mail = factories.make_mail(body=[personalised(segment.pk, "<p>ONLY FOR THEM</p>")])
    names = [name for name, _label in preview.modes(mail)]
    assert names == ["html", "plain", "phone", f"segment-{segment.pk}"]
    shown = {name: preview.preview_response(mail, name).content.decode() for name in names}
    assert {name for name, html in shown.items() if "ONLY FOR THEM" in html} == {f"segment-{segment.pk}"}
    # The mail is in a frame of its own, where nothing of it can run.
    assert "<iframe" in shown["phone"] and "sandbox" in shown["phone"] and "srcdoc=" in shown["phone"]


def test_test_mail__of_exactly_this_content__is_known(site: Any, django_user_model: Any) -> None:
    user = django_user_model.objects.create_user("ed")
    mail = factories.make_mail()
    assert not preview.is_tested(mail)
    preview.note_test(mail, user)
    assert preview.is_tested(mail)
    before = content_hash(mail)
    mail.subject = "Another"
    assert not preview.is_tested(mail) and content_hash(mail) != before
