"""The public form for people who use no mouse, or do not see it."""

from __future__ import annotations

import uuid

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.people import visitor
from tests.browser.running_site import RunningSite

pytestmark = pytest.mark.browser

FORM = "form[data-ma-form]"
# A page is left by its address bar sooner than after so many steps.
MAX_STEPS = 60
ANSWERS = {
    "company_name": "Specimen Foods Inc.",
    "family_name": "Placeholder",
    "given_name": "Kit",
}
NAMELESS = """form => [...form.querySelectorAll("input, select, textarea, button")]
    .filter(field => field.offsetParent !== null && field.type !== "hidden")
    .filter(field => !(field.labels?.length && field.labels[0].innerText.trim())
        && !field.innerText?.trim() && !field.getAttribute("aria-label"))
    .map(field => field.outerHTML)"""
HEADINGS = """() => [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")]
    .filter(heading => heading.offsetParent !== null).map(heading => Number(heading.tagName[1]))"""


def tab_to(page: Page, name: str) -> None:
    """Press Tab until the field of that name has the focus, and see that this can be seen."""
    for _step in range(MAX_STEPS):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.name") == name:
            seen = page.evaluate(
                "(() => { const style = getComputedStyle(document.activeElement);"
                " return style.outlineStyle !== 'none' || style.boxShadow !== 'none' })()"
            )
            assert seen, f"nobody sees that {name} has the focus"
            return
    raise AssertionError(f"{name} cannot be reached by Tab")


@pytest.mark.parametrize("path", ["/en/whitepaper/", "/ja/contact/", "/ma/form/1/"])
def test_form__read_aloud__every_field_has_a_name_and_headings_are_in_order(
    full_site: RunningSite, playing: Browser, path: str
) -> None:
    page = visitor(playing).page
    page.goto(full_site.url + path)
    assert page.eval_on_selector(FORM, NAMELESS) == []
    levels = page.evaluate(HEADINGS)
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False)), levels
    assert page.get_attribute("html", "lang")
    assert page.title().strip()


def test_form__keyboard_only__is_filled_corrected_and_sent(full_site: RunningSite, playing: Browser) -> None:
    watched = visitor(playing, "en")
    page = watched.page
    page.goto(f"{full_site.url}/en/whitepaper/")
    tab_to(page, "email")
    page.keyboard.type("kit@@example")
    for name, answer in ANSWERS.items():
        tab_to(page, name)
        page.keyboard.type(answer)
    page.eval_on_selector(FORM, "form => { form.noValidate = true }")
    page.wait_for_timeout(2_500)
    page.keyboard.press("Enter")
    # What is wrong is said at the field itself, to those who hear it too.
    field = page.locator(f"{FORM} [name=email]")
    expect(field).to_have_attribute("aria-invalid", "true")
    said = " ".join(
        page.locator(f"#{part}").inner_text()
        for part in (field.get_attribute("aria-describedby") or "").split()
    )
    assert said.strip()
    expect(page.get_by_role("alert")).to_be_visible()
    for name, answer in ANSWERS.items():
        expect(page.locator(f"{FORM} [name={name}]")).to_have_value(answer)

    tab_to(page, "email")
    page.keyboard.press("Control+A")
    page.keyboard.type(f"kit-{uuid.uuid4().hex[:8]}@example.com")
    tab_to(page, "consent")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Thank you")).to_be_visible()
    watched.shot("form-by-keyboard")
