"""What comes from the site's own library into a mail, and what every mail program needs to lay it out."""

from __future__ import annotations

import re
from typing import Any

import pytest
from bs4 import BeautifulSoup
from wagtail.images import get_image_model
from wagtail.images.tests.utils import get_test_image_file

from tests import factories
from wagtail_ma.messaging import preview
from wagtail_ma.messaging.compile import compile_mail
from wagtail_ma.messaging.fill import Filled

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("media")]


@pytest.fixture
def media(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = str(tmp_path)


def seen(*blocks: tuple[str, Any]) -> Filled:
    return preview.filled_for(
        factories.make_mail(body=[{"type": kind, "value": value} for kind, value in blocks])
    )


@pytest.fixture
def picture() -> int:
    factories.document()  # (Makes the collection that both live in.)
    return int(get_image_model().objects.create(title="Desk", file=get_test_image_file()).pk)


def test_image__linked__has_full_address_description_and_leads_there(picture: int) -> None:
    value = {"image": picture, "alt": "Our <new> desk", "page": None, "url": "https://example.com/desk"}
    filled = seen(("image", value))
    (shown,) = BeautifulSoup(filled.html, "html.parser").find_all("img", alt="Our <new> desk")
    assert re.match(r"http://testserver/\S+\.(png|jpe?g|webp)$", str(shown["src"]))
    assert shown.find_parent("a")["href"] == "https://example.com/desk"
    assert "[Our <new> desk]\nhttps://example.com/desk" in filled.text


@pytest.mark.parametrize("kind", ["image", "document"])
def test_library__file_deleted_meanwhile__leaves_no_trace(kind: str) -> None:
    values = {
        "image": {"image": 987_654, "alt": "Gone", "page": None, "url": ""},
        "document": {"document": 987_654, "label": "Gone"},
    }
    filled = seen(("heading", {"text": "Stays", "size": "small"}), (kind, values[kind]))
    assert "Stays" in filled.text
    assert "Gone" not in filled.html + filled.text


@pytest.mark.parametrize(("label", "shown"), [("", "Whitepaper"), ("Read it", "Read it")])
def test_document__by_its_title_or_another_label__leads_to_it(label: str, shown: str) -> None:
    document = factories.document()
    filled = seen(("document", {"document": document.pk, "label": label}))
    link = BeautifulSoup(filled.html, "html.parser").find("a", string=shown)
    assert link is not None and document.url in str(link["href"])
    assert f"{shown}\nhttp://testserver{document.url}" in filled.text


def test_layout__of_columns__has_tables_for_outlook_and_stacks_on_a_phone() -> None:
    half = [{"type": "text", "value": "<p>Half</p>"}]
    html = "".join(
        piece if isinstance(piece, str) else "…"
        for piece in compile_mail(
            factories.make_mail(body=[{"type": "columns", "value": {"left": half, "right": half}}])
        ).parts["html"]
    )
    # Outlook knows tables alone; they are in comments that only it reads.
    in_outlook = "".join(re.findall(r"<!--\[if mso \| IE\]>(.*?)<!\[endif\]-->", html, re.S))
    assert in_outlook.count("<table") == in_outlook.count("</table>") > 1
    assert len(re.findall(r'class="[^"]*\bmj-column-per-50\b', html)) == 2
    assert re.search(r"@media only screen and \(min-width:\d+px\)", html)
    assert "<script" not in html
