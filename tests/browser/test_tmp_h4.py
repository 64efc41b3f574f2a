import pytest
from tests.browser.people import editor
from tests.browser.editing import add_block, choose, save
pytestmark = pytest.mark.browser
def test_shots(full_site, playing):
    for lang, w in (("ja", 1280), ("en", 375)):
        c = editor(playing, full_site.admin, language=lang, viewport={"width": w, "height": 900})
        p = c.page
        p.goto(f"{full_site.admin}marketing/segments/")
        p.locator("table.listing tbody tr a").first.click()
        u = p.url
        p.goto(u.replace("edit/", "").rstrip("/") + "/people/" if "/people/" not in u else u)
        import re
        pk = re.search(r"/(\d+)", u.split("segments/")[1] if "segments/" in u else u)
        c.shot(f"h4-people-{lang}")
        p.goto(f"{full_site.admin}marketing/segments/new/")
        p.locator("button.c-sf-add-button").first.click()
        p.wait_for_timeout(800)
        c.shot(f"h4-picker-{lang}", full=False)
        print(u, c.problems)
