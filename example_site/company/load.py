"""Load the example site: languages, pictures, the paper, and the pages in both languages."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.files.base import ContentFile
from django.core.files.images import ImageFile
from django.db import transaction
from wagtail.documents import get_document_model
from wagtail.images import get_image_model
from wagtail.models import Locale, Page, Site

from . import models, pictures
from .content import en, ja
from .content.notation import Links, to_stream
from .content.paper import SHEETS, TITLES
from .content.structure import PLACES, Place, Text
from .papers import write

# The first language is the one the tree is made in; the others are linked to it.
TEXTS: dict[str, dict[str, Text]] = {"ja": ja.TEXTS, "en": en.TEXTS}
PAPER_FILE = "ninety-days-{language}.pdf"
ADMIN_NAME = ADMIN_PASSWORD = "admin"

Say = Callable[[str], None]


def load_site(say: Say = print) -> None:
    """Make the whole site, unless it is there already; all of it or nothing.

    :param say: is told what is being done, one line at a time.
    """
    if models.HomePage.objects.exists():
        say("The example site is already there.")
        return
    with transaction.atomic():
        say("Languages ...")
        for language in TEXTS:
            Locale.objects.get_or_create(language_code=language)
        say(f"{len(pictures.DRAWINGS)} pictures ...")
        images = {name: _load_picture(name) for name in pictures.DRAWINGS}
        pages: dict[str, dict[str, Page]] = {}
        for language in TEXTS:
            say(f"{len(PLACES)} pages in {language} ...")
            pages[language] = _plant(language, pages.get(next(iter(TEXTS)), {}), images)
        for language, planted in pages.items():
            say(f"Words of the pages in {language} ...")
            _fill(language, planted, images)
        _open_site(pages[next(iter(TEXTS))][""])
    say("The example site is ready.")


def load_admin() -> bool:
    """Make the demo's administrator, unless there is one of that name; whether it was made."""
    users = get_user_model()
    if users.objects.filter(username=ADMIN_NAME).exists():
        return False
    users.objects.create_superuser(ADMIN_NAME, "admin@sample-software.example", ADMIN_PASSWORD)
    return True


def _load_picture(name: str) -> int:
    file = ImageFile(BytesIO(pictures.draw(name)), name=f"{name}.png")
    description = pictures.DESCRIPTIONS.get(name, {}).get("en", "")
    image = get_image_model()(title=name.capitalize(), file=file, description=description)
    image.save()
    return int(image.pk)


def _load_paper(language: str) -> int:
    title = TITLES[language]
    content = ContentFile(write(title, language, SHEETS[language]), name=PAPER_FILE.format(language=language))
    document = get_document_model()(title=title, file=content)
    document.save()
    return int(document.pk)


def _plant(language: str, originals: dict[str, Page], images: dict[str, int]) -> dict[str, Page]:
    """Make the pages of one language without their bodies, which may link to any of them.

    :param originals: the pages these are translations of, by path; empty for the first language.
    """
    locale = Locale.objects.get(language_code=language)
    planted: dict[str, Page] = {}
    for place in PLACES:
        page = _make_page(place, TEXTS[language][place.path], images)
        page.locale = locale
        if place.path in originals:
            page.translation_key = originals[place.path].translation_key
        if place.model == "WhitepaperPage":
            page.document_id = _load_paper(language)
        if not place.path:
            # Both home pages stand below the root, where slugs must differ.
            page.slug = f"home-{language}"
            parent = Page.get_first_root_node()
        else:
            parent = planted[place.path.rpartition("/")[0]]
        # Read afresh: treebeard counts the children on the instance.
        Page.objects.get(pk=parent.pk).add_child(instance=page)
        planted[place.path] = page
    return planted


def _make_page(place: Place, text: Text, images: dict[str, int]) -> models.CompanyPage:
    values = {key: value for key, value in text.values.items() if not isinstance(value, list)}
    return getattr(models, place.model)(
        title=text.title,
        slug=place.path.rpartition("/")[2],
        heading=text.heading,
        introduction=text.introduction,
        search_description=text.introduction,
        picture_id=images[place.picture] if place.picture else None,
        show_in_menus=place.in_menu,
        **place.values,
        **values,
    )


def _fill(language: str, planted: dict[str, Page], images: dict[str, int]) -> None:
    """Write the bodies, which needs all pages to link to, and publish a first revision."""
    descriptions = {name: words[language] for name, words in pictures.DESCRIPTIONS.items()}
    links = Links(pages=planted, pictures=images, descriptions=descriptions)
    for place in PLACES:
        text = TEXTS[language][place.path]
        # Read afresh: adding children has changed the tree fields of the parents.
        page = planted[place.path].specific_class.objects.get(pk=planted[place.path].pk)
        page.body = json.dumps(to_stream(text.body, links))
        for name, value in text.values.items():
            if isinstance(value, list):
                pieces = [{"type": name.removesuffix("s"), "value": item} for item in value]
                setattr(page, name, json.dumps(pieces))
        page.save_revision().publish()


def _open_site(home: Page) -> None:
    """Make ``home`` the root of the default site, in place of the page Wagtail comes with."""
    address = urlsplit(settings.WAGTAILADMIN_BASE_URL)
    site = Site.objects.filter(is_default_site=True).first() or Site(is_default_site=True)
    welcome = site.root_page if site.pk else None
    site.hostname = address.hostname or "localhost"
    site.port = address.port or (443 if address.scheme == "https" else 80)
    site.site_name = settings.WAGTAIL_SITE_NAME
    site.root_page = home
    site.save()
    if welcome and welcome.specific_class is Page and not welcome.get_children().exists():
        welcome.delete()
