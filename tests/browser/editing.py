"""What an editor's hands do in Wagtail's forms: blocks, choosers, publishing.

Blocks are found by the names of their fields, which is what Wagtail itself goes by: the second
block of ``body`` is ``body-1-value``.
"""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect


def add_block(page: Page, stream: str, label: str | None = None) -> str:
    """Add a block at the end of a stream or list and return the name of its value.

    :param stream: the name of the stream, e.g. ``"body"`` or ``"body-0-value-default"``.
    :param label: the kind of block, as the editor reads it; None where there is only one.
    """
    count = page.locator(f'input[name="{stream}-count"]')
    index = int(count.input_value())
    container = page.locator(f'input[name="{stream}-count"] ~ :is([data-streamfield-stream-container], [data-streamfield-list-container])')
    button = container.locator("> div > button.c-sf-add-button, > button.c-sf-add-button").last
    button.scroll_into_view_if_needed()
    button.click()
    if label is not None:
        option = page.get_by_role("option", name=label, exact=True)
        option.first.click()
    expect(count).to_have_value(str(index + 1))
    return f"{stream}-{index}-value"


def field(page: Page, name: str) -> Locator:
    """The visible field of that name."""
    return page.locator(f'[name="{name}"]')


def choose(page: Page, name: str, title: str) -> None:
    """Open the chooser of a field, search for a title, and take it."""
    page.locator(f'#{name}-chooser [data-chooser-action-choose]').first.click()
    dialog = page.locator(".modal.in, .modal.fade.in, [role=dialog].modal").last
    expect(dialog).to_be_visible()
    search = dialog.locator("input[name=q]")
    if search.count():
        search.fill(title)
    dialog.get_by_role("link", name=title, exact=True).first.click()
    expect(page.locator(f'input[name="{name}"]')).not_to_have_value("")


def write_text(page: Page, name: str, text: str) -> None:
    """Type into a rich text field."""
    box = page.locator(f'[data-contentpath] :is(input,textarea)[name="{name}"]').locator(
        "xpath=ancestor::*[contains(@class, 'w-field')][1]"
    )
    box.locator("[contenteditable=true]").click()
    page.keyboard.type(text)


def save(page: Page) -> None:
    """Press the button that is offered first."""
    page.locator("footer button[type=submit]:visible, form .action-save:visible").first.click()
    expect(page.locator(".messages .success").first).to_be_visible()


def publish(page: Page) -> None:
    """Open the list beside the first button and press "Publish"."""
    page.locator("footer [data-w-dropdown-target=toggle]:visible").last.click()
    page.get_by_role("button", name=re.compile(r"^Publish$")).last.click()
    expect(page.locator(".messages .success").first).to_be_visible()
