"""One form in two languages: each reader sees their own, the answers are the same."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext_lazy

from tests import factories
from wagtail_ma.forms import mails, translations, versions
from wagtail_ma.forms.models import FormVersion, LeadForm, LeadFormField, Submission
from wagtail_ma.forms.public_form import PublicForm, questions_of
from wagtail_ma.forms.state import new_state
from wagtail_ma.forms.submit import submit
from wagtail_ma.messaging.models import Consent, Delivery

pytestmark = pytest.mark.django_db
TEXTS = {
    "heading": "Request the brochure",
    "consent_text": "You may write to me.",
    "submit_label": "Request it",
    "thanks": "Thank you. It is on its way.",
    "q:topic:label": "What is it about?",
    "q:topic:choices": "Prices\nA demonstration",
    "q:why:label": "Why?",
}


@pytest.fixture
def two_languages(settings):
    languages = [("en", gettext_lazy("English")), ("ja", gettext_lazy("Japanese"))]
    settings.LANGUAGES = settings.WAGTAIL_CONTENT_LANGUAGES = languages
    settings.WAGTAIL_I18N_ENABLED = True


@pytest.fixture
def form(site, two_languages) -> LeadForm:
    """Written in Japanese, translated into English but for the introduction."""
    form = LeadForm(
        name="資料請求",
        language="ja",
        heading="資料のご請求",
        intro="ご記入ください。",
        consent_text="メールの受け取りに同意します。",
        submit_label="請求する",
        thanks="ありがとうございました。",
        asks_confirmation=True,
    )
    rows = [
        {"maps_to": "email"},
        {"maps_to": "question", "key": "topic", "label": "ご用件", "kind": "select", "choices": "料金\nデモ"},
        {
            "maps_to": "question",
            "key": "why",
            "label": "理由",
            "is_required": False,
            "show_if": "topic",
            "show_if_values": "デモ",
        },
    ]
    for number, row in enumerate(rows):
        form.fields.add(LeadFormField(sort_order=number, **row))
    translations.write(form, "en", TEXTS, document_id=None)
    form.save()
    return LeadForm.objects.get()


def html_in(client, form, language) -> str:
    url = reverse("wagtail_ma:form", args=[form.pk])
    return client.get(url, headers={"accept-language": language}).content.decode()


def test_form_page__two_languages__each_reader_sees_theirs(client, form):
    japanese, english = html_in(client, form, "ja"), html_in(client, form, "en")
    for text in ("資料のご請求", "メールの受け取りに同意します。", "請求する", "ご用件", ">料金<", "理由"):
        assert text in japanese
        assert text not in english
    for text in (*TEXTS.values(), "A demonstration"):
        if "\n" not in text and "Thank" not in text:
            assert text in english
            assert text not in japanese
    # Not translated: shown as it is. The values are the same; the condition is told in words.
    assert "ご記入ください。" in english
    assert '<option value="料金">Prices</option>' in english
    assert "Only if you answered “What is it about?” with: A demonstration" in english
    assert 'data-ma-is="[&quot;デモ&quot;]"' in english


def test_form_page__regional_language__texts_of_the_language(client, form):
    assert translations.in_language(form, "en-gb").heading == "Request the brochure"
    for language in ("ja", "de", "", None):
        assert translations.in_language(form, language) == form
        assert translations.in_language(form, language).heading == "資料のご請求"
    english = translations.in_language(form, "en")
    assert translations.in_language(english, "ja") is form


def test_block__on_a_page_of_another_language__speaks_it(form):
    from wagtail_ma.forms.blocks import LeadFormBlock

    block = LeadFormBlock()
    value = block.to_python({"form": form.pk})
    with translation.override("en"):
        assert "Request the brochure" in block.render(value)
    with translation.override("ja"):
        assert "資料のご請求" in block.render(value)


def sent_in(client, form, language) -> str:
    """Send the form as its page in a language does; the page of thanks."""
    shown = new_state(form.pk, now=timezone.now() - timedelta(minutes=1), language=language)
    data = {"ma_state": shown.seal(), "email": f"{language}@example.com", "topic": "料金", "consent": "on"}
    url = reverse("wagtail_ma:form", args=[form.pk])
    answer = client.post(url, data)
    return client.get(answer.headers["Location"]).content.decode()


def test_sent__in_each_language__thanks_consent_and_mail_in_it_answers_alike(client, form):
    assert "ありがとうございました。" in sent_in(client, form, "ja")
    assert "Thank you. It is on its way." in sent_in(client, form, "en")
    first, second = Submission.objects.order_by("pk")
    assert first.form == second.form == form
    assert first.data["topic"] == second.data["topic"] == "料金"
    # What was seen is what is kept, as a revision of its own.
    assert first.version.content["consent_text"] == "メールの受け取りに同意します。"
    assert second.version.content["consent_text"] == "You may write to me."
    # One name for one question in lists, exports and mails to staff.
    assert dict(first.answers())["ご用件"] == dict(second.answers())["ご用件"] == "料金"
    for delivery in Delivery.objects.filter(builtin=mails.CONFIRM):
        filled = mails._fill_confirmation(delivery)
        is_english = delivery.email == "en@example.com"
        assert ("You may write to me." in filled.text) == is_english
        assert ("メールの受け取りに同意します。" in filled.text) != is_english


def test_sent__without_confirmation__consent_has_the_words_that_were_seen(site, form, now):
    LeadForm.objects.update(asks_confirmation=False)
    form.refresh_from_db()
    for language in ("ja", "en"):
        values = {"email": f"{language}@example.com", "consent": True}
        submit(form, values, browser_identity=None, now=now, nonce=language, language=language)
    texts = list(Consent.objects.order_by("pk").values_list("text", flat=True))
    assert texts == ["メールの受け取りに同意します。", "You may write to me."]


def test_document__of_the_language__is_handed_out(client, form):
    own, other = factories.document(title="資料"), factories.document(title="Brochure")
    form.document_id = own.pk
    translations.write(form, "en", TEXTS, document_id=other.pk)
    form.save()
    assert "Brochure" in sent_in(client, form, "en")
    assert "資料" in sent_in(client, form, "ja")
    assert list(Submission.objects.order_by("pk").values_list("document_id", flat=True)) == [
        other.pk,
        own.pk,
    ]


def test_revision__same_texts_again__is_the_same_one(form, now):
    english = translations.in_language(form, "en")
    one, two = versions.current_version(form, now=now), versions.current_version(english, now=now)
    assert (one.number, two.number) == (1, 2)
    assert versions.current_version(form, now=now) == one
    assert versions.current_version(translations.in_language(form, "en"), now=now) == two
    assert FormVersion.objects.count() == 2


def test_question__renamed_or_choice_added__rest_stays_translated(form):
    row = form.fields.get(key="topic")
    row.choices += "\nその他"
    row.save()
    shown = PublicForm(translations.in_language(LeadForm.objects.get(), "en"))
    assert [words for _value, words in shown.fields["topic"].choices] == [
        "—",
        "Prices",
        "A demonstration",
        "その他",
    ]
    row.key = "subject"
    row.save()
    labels = [str(row) for row in questions_of(translations.in_language(LeadForm.objects.get(), "en"))]
    assert "ご用件" in labels


# --- the screen ---------------------------------------------------------------------------------------------


def url_of(form, language="en") -> str:
    return reverse("wagtail_ma_forms:translate", args=[form.pk, language])


def test_screen__texts_written__saved_and_shown(admin_client, form):
    page = admin_client.get(url_of(form))
    html = page.content.decode()
    assert "<p>資料のご請求</p>" in html and "Request the brochure" in html
    assert "1 text is missing." in html
    assert "q:email:label" not in page.context["form"].fields, "usual labels are translated already"
    data = {name: page.context["form"][name].value() or "" for name in page.context["form"].fields}
    answer = admin_client.post(url_of(form), data | {"intro": "Please fill it in.", "heading": ""})
    assert answer.status_code == 302
    form.refresh_from_db()
    english = translations.in_language(form, "en")
    assert (english.intro, english.heading) == ("Please fill it in.", "資料のご請求")
    assert form.intro == "ご記入ください。"
    empty = dict.fromkeys(data, "")
    admin_client.post(url_of(form), empty)
    form.refresh_from_db()
    assert form.translations == {}


def test_screen__choices_that_do_not_match__refused(admin_client, form):
    form_page = admin_client.get(url_of(form))
    data = {name: form_page.context["form"][name].value() or "" for name in form_page.context["form"].fields}
    answer = admin_client.post(url_of(form), data | {"q:topic:choices": "Prices"})
    assert answer.status_code == 200
    assert "The form has 2 choices, here are 1." in answer.content.decode()
    form.refresh_from_db()
    assert translations.read(form, "en")["q:topic:choices"] == TEXTS["q:topic:choices"]


def test_screen__own_or_unknown_language__not_there(admin_client, form):
    for language in ("ja", "fr"):
        assert admin_client.get(url_of(form, language)).status_code == 404
        assert admin_client.post(url_of(form, language)).status_code == 404


def test_screens__ways_to_the_texts__are_there(admin_client, form, settings):
    edit = reverse("wagtail_ma_forms:edit", args=[form.pk])
    html = admin_client.get(edit).content.decode()
    assert url_of(form) in html and url_of(form, "ja") not in html
    assert 'name="language"' in html
    index = admin_client.get(reverse("wagtail_ma_forms:index")).content.decode()
    assert re.search(r"Japanese, English", index)
    # Where there is one language, nothing is said of it.
    settings.WAGTAIL_CONTENT_LANGUAGES = settings.LANGUAGES = [("ja", "Japanese")]
    html = admin_client.get(edit).content.decode()
    assert url_of(form) not in html and 'name="language"' not in html
    index = admin_client.get(reverse("wagtail_ma_forms:index")).content.decode()
    assert "Japanese, English" not in index


def test_choices__added_in_front_and_removed_later__each_keeps_its_own_words(form):
    row = form.fields.get(key="topic")
    row.choices = "採用\nデモ\n料金"
    row.save()
    form = LeadForm.objects.get()
    shown = PublicForm(translations.in_language(form, "en"))
    words = dict(shown.rows["topic"].choice_pairs)
    assert words == {"採用": "採用", "デモ": "A demonstration", "料金": "Prices"}
    assert translations.read(form, "en")["q:topic:choices"] == "\nA demonstration\nPrices"
