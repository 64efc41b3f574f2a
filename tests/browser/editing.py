"""What an editor's hands do in Wagtail's forms: blocks, choosers, saving, publishing.

Blocks are found by the names of their fields, which is what Wagtail itself goes by: the second
block of ``body`` is ``body-1-value``.
"""

from __future__ import annotations

import re
import time

from playwright.sync_api import Locator, Page, expect

CONTAINER = ":is([data-streamfield-stream-container], [data-streamfield-list-container])"


def add_block(page: Page, stream: str, label: str | None = None) -> str:
    """Add a block at the end of a stream or list and return the name of its value.

    :param stream: the name of the stream, e.g. ``"body"`` or ``"body-0-value-default"``.
    :param label: the kind of block, as the editor reads it; None where there is only one.
    """
    count = page.locator(f'input[name="{stream}-count"]')
    index = int(count.input_value())
    container = page.locator(f'input[name="{stream}-count"] ~ {CONTAINER}')
    container.locator("> div > button.c-sf-add-button, > button.c-sf-add-button").last.click()
    if label is not None:
        page.get_by_role("option", name=label, exact=True).first.click()
    expect(count).to_have_value(str(index + 1))
    return f"{stream}-{index}-value"


def field(page: Page, name: str) -> Locator:
    """The field of that name."""
    return page.locator(f'[name="{name}"]')


def choose(page: Page, html_id: str, title: str) -> None:
    """Open the chooser of a field, search for a title if it can be searched, and take it.

    :param html_id: of the hidden field; within blocks it is the field's name.
    """
    page.locator(f"#{html_id}-chooser [data-chooser-action-choose]").first.click()
    dialog = page.locator(".modal.in").last
    expect(dialog).to_be_visible()
    search = dialog.locator("input[name=q]")
    if search.count():
        search.fill(title)
    dialog.get_by_role("link", name=title, exact=True).first.click()
    expect(page.locator(f"#{html_id}")).not_to_have_value("")


def preview_as(page: Page, mode: str, shown: Locator) -> None:
    """Choose a mode of the open preview and wait for what it shows. (While the preview is being loaded anew,
    because Wagtail has just saved by itself, it does not hear of a choice: then one chooses again.)"""
    end = time.monotonic() + 60
    while True:
        page.select_option("#id_preview_mode", label=mode)
        try:
            expect(shown).to_have_count(1, timeout=5_000)
            return
        except AssertionError:
            if time.monotonic() > end:
                raise


def write_text(page: Page, text: str) -> None:
    """Type into the rich text field that was added last."""
    page.locator(".DraftEditor-root [contenteditable=true]").last.click()
    page.keyboard.type(text)


def save(page: Page) -> None:
    """Press the button at the foot of the form that is offered first."""
    page.locator("footer button[type=submit]:visible").first.click()
    expect(page.locator(".messages .success").first).to_be_visible()


# Will Wagtail (8.0) save the draft by itself, or is it doing so? What it shows is no answer: "saved" never
# comes for what was typed in the first two seconds (it takes that for how the form began), nor after a failed
# attempt ("paused", until the next edit).
IS_SAVING = """() => {
  const shown = document.querySelector("#w-autosave-indicator")?.dataset.wAutosaveStateValue;
  const isEdited = document.querySelector("[data-edit-form]").dataset.wUnsavedHasEditsValue === "true";
  return shown === "saving" || (isEdited && shown !== "paused");
}"""
# An edit is noticed within half a second, and being saved half a second later.
QUIET_SECONDS = 2


def settle(page: Page, seconds: float = 60) -> None:
    """Wait until Wagtail has nothing more to save by itself; AssertionError if it goes on for so long."""
    end = time.monotonic() + seconds
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < QUIET_SECONDS:
        assert time.monotonic() < end, "Wagtail is still saving the draft"
        page.wait_for_timeout(100)
        if page.evaluate(IS_SAVING):
            quiet_since = time.monotonic()


def publish(page: Page) -> None:
    """Open the list beside the first button and press "Publish", once Wagtail saves nothing by itself.
    (Pressed while a new draft is being saved for the first time, it would make two.)"""
    settle(page)
    if "/edit/" not in page.url:
        # Wagtail has not saved it: the button does.
        page.locator("footer button[type=submit]:visible").first.click()
        page.wait_for_url(re.compile("/edit/"))
        page.wait_for_load_state()
    page.locator("footer [data-w-dropdown-target=toggle]:visible").first.click()
    page.locator("button[name=action-publish]").click()
    expect(page.locator(".messages .success").first).to_be_visible()
