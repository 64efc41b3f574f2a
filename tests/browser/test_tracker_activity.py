"""How far was it read, what was clicked, and what happened to the forms?"""

from __future__ import annotations

import time

import pytest

from tests.browser.chromium import CONTROL, Browser, Tab
from tests.browser.stored import View
from tests.browser.tracker_site import ARTICLE, FORMS_SCRIPT, Site

pytestmark = pytest.mark.browser


def scroll_to(tab: Tab, pixels: float) -> None:
    """Turn the wheel until the window's top is there."""
    tab.wheel(pixels - tab.run("scrollY"))
    tab.until(f"Math.abs(scrollY - {pixels}) < 2")


def left(tab: Tab, site: Site) -> View:
    tab.close()
    site.wait(lambda: site.accepted("e"), 3)
    time.sleep(0.2)
    (view,) = site.views()
    return view


def test_depth__middle_of_the_content_and_back__is_half(site: Site, tab: Tab) -> None:  # D32
    tab.go(site.url + "/a")
    scroll_to(tab, 20 + 2500 - tab.run("innerHeight"))
    scroll_to(tab, 0)
    assert abs(left(tab, site).scroll - 50) <= 2


@pytest.mark.parametrize(("seconds", "read"), [(1, False), (5, True)])  # D33
def test_depth__short_page__is_whole_only_after_a_while(
    site: Site, tab: Tab, seconds: float, read: bool
) -> None:
    site.page("/short", "<article data-ma-content style='height: 100px'>Hello</article>")
    tab.go(site.url + "/short")
    time.sleep(seconds)
    assert (left(tab, site).scroll == 100) is read


def test_depth__content_grows__is_of_the_final_height(site: Site, tab: Tab) -> None:  # D34
    tab.go(site.url + "/a")
    scroll_to(tab, 20 + 2500 - tab.run("innerHeight"))
    tab.run("void (document.querySelector('article').style.height = '10000px')")
    time.sleep(0.3)
    scroll_to(tab, 20 + 2600 - tab.run("innerHeight"))
    assert abs(left(tab, site).scroll - 26) <= 2


@pytest.mark.parametrize("scroller", ["<main>{}</main>", "<main data-ma-content>{}</main>"])  # D35
def test_depth__inner_scroller__is_measured(site: Site, tab: Tab, scroller: str) -> None:
    content = ARTICLE if "data" not in scroller else '<div style="height: 5020px"></div>'
    style = "<style>main { height: 100vh; overflow: auto }</style>"
    site.page("/inner", scroller.format(content), head=style)
    tab.go(site.url + "/inner")
    tab.wheel(20 + 2500 - tab.run("innerHeight"))
    time.sleep(0.7)
    assert abs(left(tab, site).scroll - 50) <= 2


def test_depth__end_key__is_whole_with_little_attention(site: Site, tab: Tab) -> None:  # D36
    tab.go(site.url + "/a")
    tab.key("End", 35)
    tab.until("scrollY > 6000")
    view = left(tab, site)
    assert view.scroll == 100
    assert view.engaged < 2500


def test_depth__without_marked_content__is_of_the_body(site: Site, tab: Tab) -> None:
    site.page("/plain", '<div style="height: 4000px"></div>')
    tab.go(site.url + "/plain")
    scroll_to(tab, 1000 - tab.run("innerHeight"))
    assert abs(left(tab, site).scroll - 25) <= 2


LINKS = """
<p><a id=file href="/documents/7/price.txt">File</a>
<a id=pdf href="/media/guide.PDF?v=2#page=3">Guide</a>
<a id=out href="https://elsewhere.example/x?y=1"><b id=inside>Elsewhere</b></a>
<a id=page href="#part">Part</a>
<a id=mail href="mailto:info@company.example">Mail</a> <a id=none>No link</a></p>
"""


def test_clicks__on_links__files_and_other_sites_are_told(site: Site, tab: Tab) -> None:
    site.page("/links", LINKS)
    tab.go(site.url + "/links")
    # Followed links would take us away; preventing that does not hide the click.
    tab.run("document.addEventListener('click', event => event.preventDefault())")
    for link in ("#file", "#pdf", "#inside", "#page", "#mail", "#none"):
        tab.click(link)
        time.sleep(0.05)
    site.wait(lambda: len(site.activities()) == 3)
    time.sleep(0.3)
    assert site.activities() == [
        ("file_click", {"u": site.url + "/documents/7/price.txt"}),
        ("file_click", {"u": site.url + "/media/guide.PDF?v=2#page=3"}),
        ("outbound_click", {"u": "https://elsewhere.example/x?y=1"}),
    ]


def test_click__with_the_wheel_or_control__is_told_but_not_the_right_button(site: Site, tab: Tab) -> None:
    site.page("/links", f'<p><a id=out href="{site.elsewhere}/b">Elsewhere</a></p>')
    tab.go(site.url + "/links")
    tab.click("#out", button="right")
    time.sleep(0.3)
    tab.key("Escape", 27)
    time.sleep(0.3)
    assert site.activities() == []
    tab.click("#out", button="middle")
    tab.click("#out", modifiers=CONTROL)
    site.wait(lambda: len(site.activities()) == 2)
    assert site.activities() == [("outbound_click", {"u": site.elsewhere + "/b"})] * 2


def test_click__that_leaves_the_page__is_told_all_the_same(site: Site, tab: Tab) -> None:
    site.page("/links", f'<p><a id=out href="{site.elsewhere}/b">Elsewhere</a></p>')
    site.answer = lambda body: (204, 0.5)
    tab.go(site.url + "/links")
    tab.click("#out")
    tab.until(f"location.origin == '{site.elsewhere}'")
    site.wait(site.activities)
    assert site.activities() == [("outbound_click", {"u": site.elsewhere + "/b"})]


def test_interface__called_before_loading_and_wrongly__never_throws(site: Site, tab: Tab) -> None:
    stub = "ma = function () { (ma.q = ma.q || []).push(arguments) }; ma('event', 'early', { a: 1 })"
    site.page("/stub", head=f"<script>{stub}</script>")
    tab.go(site.url + "/stub")
    tab.run(
        "ma('no such thing', 1); ma(); ma.track('round', (o => (o.o = o))({})); ma.track('big', { n: 1n })"
    )
    tab.run("ma('event', 'late')")
    site.wait(lambda: len(site.activities()) == 2)
    assert site.activities() == [("early", {"a": 1}), ("late", {})]
    assert tab.errors() == []


def test_interface__view_and_page__begin_a_view_of_the_named_page(site: Site, tab: Tab) -> None:
    tab.go(site.url + "/a")
    tab.run(f"ma('page', '{site.token('/b')}'); ma('view')")
    site.wait(lambda: len(site.views()) == 2)
    assert site.ways() == ["n", "m"]
    assert [view.key.partition("/")[2] for view in site.views()] == ["a", "b"]


def test_event__in_a_background_tab__waits_for_the_view(site: Site, browser: Browser, tab: Tab) -> None:
    site.page("/b", head="<script>addEventListener('load', () => ma.track('opened'))</script>")
    tab.go(site.url + "/a")
    known = {target["targetId"] for target in browser.targets()}
    tab.click("#next", modifiers=CONTROL)
    opened = browser.opened(known)
    time.sleep(1.5)
    assert site.activities() == []
    opened.front()
    site.wait(site.activities)
    assert site.activities() == [("opened", {})]
    assert [view.url for view in site.views()] == [site.url + "/a", site.url + "/b"]


FORM = """
<form data-ma-form="enquiry" action="/b">
<p><input id=email name=email></p><p><input id=name name=name></p>
<p><input name=dataset><input name=getAttribute><input name=matches><input name=form></p>
<p><button id=send>Send</button></p>
</form>
"""


def form_page(site: Site, before: str = "") -> str:
    return site.url + site.page("/form", before + FORM + ARTICLE + FORMS_SCRIPT)


def told(site: Site) -> list[tuple[str, str | None]]:
    """What was stored of the form, with the field. That it was sent is only for the server to say."""
    assert {data["form"] for _name, data in site.activities()} <= {"enquiry"}
    return [(name, data.get("field")) for name, data in site.activities()]


def names(site: Site) -> list[str]:
    """What the browser said, stored or not."""
    return [body["n"] for body in site.accepted("c")]


def seen(site: Site) -> None:
    """Nobody types at once: a form that is there before its page counts as seen is told of a second later."""
    site.wait(lambda: names(site))


def test_form__begun_and_left__is_abandoned_at_the_last_field(site: Site, tab: Tab) -> None:
    tab.go(form_page(site))
    seen(site)
    tab.click("#email")
    tab.key("a")
    tab.click("#name")
    # What is left unsent at the end goes out all at once and may arrive in any order.
    site.wait(lambda: len(site.activities()) == 2)
    tab.close()
    site.wait(lambda: len(site.activities()) == 3)
    assert told(site) == [("form_view", None), ("form_start", None), ("form_abandon", "name")]


def test_form__sent__is_not_abandoned_and_no_value_leaves(site: Site, tab: Tab) -> None:
    tab.go(form_page(site))
    seen(site)
    tab.click("#email")
    for letter in "secret":
        tab.key(letter)
    # What is left unsent at the end goes out all at once and may arrive in any order.
    site.wait(lambda: len(names(site)) == 2)
    tab.click("#send")
    tab.until("location.pathname == '/b'")
    site.wait(lambda: len(names(site)) == 3)
    tab.close()
    time.sleep(0.5)
    assert names(site) == ["form_view", "form_start", "form_submit"]
    assert told(site) == [("form_view", None), ("form_start", None)]
    before = [m.body for m in site.messages if m.body.get("u", "").endswith("/form")]
    assert "secret" not in str(before)


def test_form__stopped_and_corrected__is_abandoned_after_all(site: Site, tab: Tab) -> None:
    tab.go(form_page(site))
    seen(site)
    tab.run("document.forms[0].addEventListener('submit', event => event.preventDefault())")
    tab.click("#email")
    tab.key("a")
    tab.click("#send")
    tab.click("#name")
    tab.key("b")
    site.wait(lambda: len(names(site)) == 3)
    tab.close()
    # (Stored is not yet answered.)
    site.wait(lambda: len(site.activities()) == 3 and len(names(site)) == 4)
    assert names(site)[2:] == ["form_submit", "form_abandon"]
    assert told(site)[2:] == [("form_abandon", "name")]


def test_form__below_the_fold__is_viewed_when_scrolled_to(site: Site, tab: Tab) -> None:
    tab.go(form_page(site, '<div style="height: 3000px"></div>'))
    time.sleep(0.5)
    assert told(site) == []
    tab.wheel(2900)
    site.wait(site.activities)
    assert told(site) == [("form_view", None)]


def test_form__swapped_in_and_out_by_script__is_followed(site: Site, tab: Tab) -> None:
    tab.go(site.url + site.page("/form", f"<div id=place></div>{ARTICLE}{FORMS_SCRIPT}{FORMS_SCRIPT}"))
    tab.run(f"void (place.innerHTML = `{FORM}`)")
    site.wait(site.activities)
    tab.click("#email")
    tab.key("a")
    tab.run("void (place.innerHTML = '')")
    site.wait(lambda: len(site.activities()) == 3)
    assert told(site) == [("form_view", None), ("form_start", None), ("form_abandon", "email")]
    assert tab.errors() == []
