"""A lead form in a real browser: helped along by the script, and without it."""

from __future__ import annotations

import re
import uuid

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.mail_sink import MailSink, body
from tests.browser.people import editor, visitor
from tests.browser.running_site import RunningSite

pytestmark = pytest.mark.browser

MAKE_FORM = """
from wagtail_ma.forms.models import LeadForm, LeadFormField
form = LeadForm.objects.create(
    name="Seminar", heading="Seminar", consent_text="I agree.", asks_confirmation=True,
    notify="sales@example.org",
)
rows = [
    dict(maps_to="email"),
    dict(maps_to="family_name_kana"),
    dict(maps_to="postal_code", is_required=False),
    dict(maps_to="question", key="way", kind="radio", label="Way", choices="venue\\nonline"),
    dict(maps_to="question", key="guests", kind="number", label="Guests", show_if="way",
         show_if_values="venue"),
]
for order, row in enumerate(rows):
    LeadFormField.objects.create(form=form, sort_order=order, **row)
print(form.pk)
"""


@pytest.fixture(scope="module")
def form_id(empty_site: RunningSite) -> int:
    return int(empty_site.shell(MAKE_FORM).splitlines()[-1])


def url_of(site: RunningSite, form_id: int) -> str:
    return f"{site.url}/ma/form/{form_id}/"


def error_of(page: Page, name: str) -> str:
    return page.locator(f".ma-form__field:has([name={name}]) .errorlist").inner_text()


def test_fields__left__repaired_and_checked_in_place(
    empty_site: RunningSite, playing: Browser, form_id: int
) -> None:
    somebody = visitor(playing)
    page = somebody.page
    page.goto(url_of(empty_site, form_id))
    for name, typed, repaired in (
        ("family_name_kana", "すずき", "スズキ"),
        ("postal_code", "１００ー０００１", "100-0001"),
        ("email", "ａｎｎ＠example.com", "ann@example.com"),
    ):
        page.fill(f"[name={name}]", typed)
        page.press(f"[name={name}]", "Tab")
        expect(page.locator(f"[name={name}]")).to_have_value(repaired)
        assert error_of(page, name) == ""
    page.fill("[name=email]", "nonsense")
    page.press("[name=email]", "Tab")
    wrong = page.locator("[name=email]")
    expect(wrong).to_have_attribute("aria-invalid", "true")
    assert "name@example.com" in error_of(page, "email")
    assert wrong.get_attribute("aria-describedby") == page.locator(".errorlist:not(:empty)").get_attribute(
        "id"
    )
    somebody.shot("visitor-form-inline-check")
    page.fill("[name=email]", "ann@example.com")
    page.press("[name=email]", "Tab")
    expect(wrong).to_have_attribute("aria-invalid", "false")
    assert error_of(page, "email") == ""
    assert somebody.faults() == []


def test_question__that_depends_on_another__appears_and_goes(
    empty_site: RunningSite, playing: Browser, form_id: int
) -> None:
    page = visitor(playing).page
    page.goto(url_of(empty_site, form_id))
    guests = page.locator("[name=guests]")
    expect(guests).to_be_hidden()
    page.check("[name=way][value=venue]")
    expect(guests).to_be_visible()
    expect(page.locator(".ma-form__only")).to_be_hidden()
    guests.fill("2")
    page.check("[name=way][value=online]")
    expect(guests).to_be_hidden()
    assert page.evaluate("new FormData(document.querySelector('.ma-form')).has('guests')") is False


def test_question__that_depends_on_another__without_script__is_there_with_its_hint(
    empty_site: RunningSite, playing: Browser, form_id: int
) -> None:
    page = visitor(playing, java_script_enabled=False).page
    page.goto(url_of(empty_site, form_id))
    expect(page.locator("[name=guests]")).to_be_visible()
    expect(page.locator(".ma-form__only")).to_contain_text("venue")


def test_keyboard_alone__form__can_be_filled_in_and_sent(
    empty_site: RunningSite, playing: Browser, form_id: int, sink: MailSink
) -> None:
    email = f"keys-{uuid.uuid4().hex[:8]}@example.com"
    page = visitor(playing).page
    page.goto(url_of(empty_site, form_id))
    page.focus("[name=email]")
    page.keyboard.type(email)
    page.keyboard.press("Tab")
    page.keyboard.insert_text("スズキ")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[name=way][value=online]")).to_be_checked()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.locator("[name=consent]")).to_be_checked()
    page.wait_for_timeout(2_500)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**sent=**")

    asked = sink.wait(email, lambda mail: "/ma/form/confirm/" in body(mail), seconds=60)
    told = sink.wait("sales@example.org", lambda mail: email in body(mail), seconds=60)
    assert "スズキ" in body(told)
    link = re.search(r"http://localhost:\d+/ma/form/confirm/[\w-]+/", body(asked))
    assert link
    page.goto(link[0])
    page.click("button[type=submit]")
    expect(page.locator("h1")).to_be_visible()
    known = empty_site.shell(
        f"from wagtail_ma.messaging import consents; print(consents.may_mail('{email}'))"
    )
    assert known.splitlines()[-1] == "True"


def test_editor__template_and_results__no_fault_on_any_screen(
    empty_site: RunningSite, playing: Browser, form_id: int
) -> None:
    colleague = editor(playing, empty_site.admin)
    page = colleague.page
    page.goto(f"{empty_site.admin}marketing/forms/starters/")
    colleague.shot("admin-form-starters")
    page.click("a[href*='from=seminar']")
    expect(page.locator("[name=heading]")).not_to_have_value("")
    colleague.shot("admin-form-editor")
    page.click("form button[type=submit]:has-text('Create'), form button[type=submit]:has-text('Save')")
    page.wait_for_url("**/marketing/forms/**")
    for path in (f"{form_id}/funnel/", f"{form_id}/submissions/", "consents/", ""):
        page.goto(f"{empty_site.admin}marketing/forms/{path}")
        colleague.shot(f"admin-forms-{re.sub(r'[0-9/]+', '', path) or 'index'}")
    page.goto(f"{empty_site.admin}marketing/gated-documents/new/")
    colleague.shot("admin-gate-editor")
    assert colleague.faults() == []
