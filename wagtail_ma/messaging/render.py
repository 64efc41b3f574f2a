"""From the blocks of a mail's body to MJML and to plain text, block by block."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any, NamedTuple

import nh3
from bs4 import BeautifulSoup, NavigableString, Tag
from django.utils.translation import gettext as _
from wagtail.rich_text import expand_db_html

from wagtail_ma.messaging.slots import Build
from wagtail_ma.personalisation.blocks import NONE

TEXT_TAGS = {
    *("p", "br", "b", "strong", "i", "em", "u", "a", "ol", "ul", "li"),
    *("h2", "h3", "h4", "blockquote", "hr"),
}
RAW_TAGS = TEXT_TAGS | {
    *("div", "span", "img", "table", "thead", "tbody", "tr", "th", "td"),
    *("center", "small", "sup", "sub"),
}
RAW_ATTRIBUTES = {
    "a": {"href"},
    "img": {"src", "alt", "width", "height"},
    "table": {"width", "align", "border", "cellpadding", "cellspacing", "bgcolor"},
    "td": {"width", "align", "valign", "colspan", "rowspan", "bgcolor"},
    "th": {"width", "align", "valign", "colspan", "rowspan", "bgcolor"},
    "p": {"align"},
    "div": {"align"},
}
SCHEMES = {"http", "https", "mailto", "tel"}
HEADING_SIZES = {"large": "26px", "medium": "20px", "small": "16px"}
BLOCK_TAGS = {"p", "div", "ul", "ol", "h2", "h3", "h4", "blockquote", "table", "hr", "center"}
# Mail programs have margins and colours of their own, each another; what is said at the element counts.
LINK_STYLE = "color:#12627a"
STYLES = {
    "a": LINK_STYLE,
    "p": "margin:0 0 12px",
    "ul": "margin:0 0 12px;padding-left:24px",
    "ol": "margin:0 0 12px;padding-left:24px",
}


class Rendered(NamedTuple):
    """One block: MJML for a column, and its lines of plain text (both with markers)."""

    mjml: str
    text: str


def body(stream: Iterable[Any], build: Build) -> Rendered:
    """The whole body: a section per block, two columns where the editor wants two."""
    wrappers: list[str] = []
    texts: list[str] = []
    for is_personalised, blocks in groupby(stream, key=lambda block: block.block_type == "personalised"):
        for each in [[block] for block in blocks] if is_personalised else [list(blocks)]:
            made = _choice(each[0].value, build) if is_personalised else _sections(each, build)
            wrappers.append(made.mjml)
            texts.append(made.text)
    return Rendered("".join(wrappers), "\n\n".join(text for text in texts if text))


def _sections(blocks: Iterable[Any], build: Build) -> Rendered:
    """A wrapper with a section per block."""
    sections: list[str] = []
    texts: list[str] = []
    for block in blocks:
        if block.block_type == "columns":
            sides = [_column(block.value[side], build) for side in ("left", "right")]
        else:
            sides = [_column([block], build)]
        columns = "".join(f"<mj-column>{side.mjml}</mj-column>" for side in sides)
        sections.append(f"<mj-section>{columns}</mj-section>")
        texts += [side.text for side in sides]
    mjml = f"<mj-wrapper>{''.join(sections)}</mj-wrapper>" if sections else ""
    return Rendered(mjml, "\n\n".join(text for text in texts if text))


def _choice(value: Any, build: Build) -> Rendered:
    """The variants of a personalised block, each in wrappers of its own between marks."""
    default = _sections(value["default"], build)
    made = [(_audience(variant), _sections(variant["content"], build)) for variant in value["variants"]]
    if not made:
        return default
    marked = build.choice([(*audience, part.mjml) for audience, part in made], default.mjml)
    # Marks are no MJML, every other one of these is one.
    mjml = [part if index % 2 else f"<mj-raw>{part}</mj-raw>" for index, part in enumerate(marked)]
    text = build.choice([(*audience, part.text) for audience, part in made], default.text)
    return Rendered("".join(mjml), "".join(text))


def _audience(variant: Any) -> tuple[list[int], bool]:
    ids = [segment.pk for segment in variant["segments"] if segment is not None]
    return ids, variant.get("match") == NONE


def _column(blocks: Iterable[Any], build: Build) -> Rendered:
    parts = [BLOCKS[block.block_type](block.value, build) for block in blocks if block.block_type in BLOCKS]
    return Rendered(
        "".join(part.mjml for part in parts), "\n\n".join(part.text for part in parts if part.text)
    )


def _heading(value: Any, build: Build) -> Rendered:
    text = value["text"] or ""
    size = HEADING_SIZES.get(value["size"], "20px")
    inner = build.html(f'<h2 style="margin:0;font-size:inherit">{build.words(text)}</h2>')
    mjml = f'<mj-text font-size="{size}" font-weight="bold" line-height="1.4">{inner}</mj-text>'
    return Rendered(mjml, build.plain(text))


def _text(value: Any, build: Build) -> Rendered:
    source = getattr(value, "source", value) or ""
    cleaned = nh3.clean(expand_db_html(source), tags=TEXT_TAGS, attributes={"a": {"href"}}, link_rel=None)
    return _fragment(cleaned, build)


def _html(value: Any, build: Build) -> Rendered:
    cleaned = nh3.clean(
        str(value or ""),
        tags=RAW_TAGS,
        attributes=RAW_ATTRIBUTES,
        url_schemes=SCHEMES,
        link_rel=None,
        strip_comments=True,
    )
    return _fragment(cleaned, build)


def _image(value: Any, build: Build) -> Rendered:
    image, alt = value["image"], value["alt"] or ""
    if not image:
        return Rendered("", "")
    picture = image.get_rendition("max-1200x2400")
    link = _target(value, alt, build) if value["page"] or value["url"] else ""
    href = f' href="{link}"' if link else ""
    mjml = f'<mj-image src="{build.absolute(picture.url)}" alt="{build.words(alt)}"{href} />'
    lines = [f"[{build.plain(alt)}]" if alt else "", link]
    return Rendered(mjml, "\n".join(line for line in lines if line))


def _button(value: Any, build: Build) -> Rendered:
    label = value["label"] or ""
    link = _target(value, label, build)
    if not link:
        return Rendered("", "")
    mjml = f'<mj-button href="{link}">{build.words(label)}</mj-button>'
    return Rendered(mjml, f"{build.plain(label)}\n{link}")


def _teaser(value: Any, build: Build) -> Rendered:
    page = value["page"]
    if not page:
        build.bad_links.append(_("page teaser"))
        return Rendered("", "")
    title = page.title
    text = value["text"] or page.search_description or ""
    link = _page_link(page, title, build)
    if not link:
        return Rendered("", "")
    label = value["link_label"] or _("Read more")
    inner = build.html(
        f'<h3 style="margin:0 0 6px;font-size:17px"><a href="{link}" style="color:#1f2933">'
        f"{build.words(title)}</a></h3>"
        f'<p style="margin:0 0 6px">{build.words(text)}</p>'
        f'<a href="{link}" style="{LINK_STYLE}">{build.words(label)}</a>'
    )
    lines = [build.plain(title), build.plain(text), link]
    return Rendered(f"<mj-text>{inner}</mj-text>", "\n".join(line for line in lines if line))


def _document(value: Any, build: Build) -> Rendered:
    document = value["document"]
    label = value["label"] or (document.title if document else _("document"))
    link = build.link(document.url if document else "", label)
    if not link:
        return Rendered("", "")
    inner = build.html(f'<a href="{link}" style="{LINK_STYLE}">{build.words(label)}</a>')
    return Rendered(f"<mj-text>{inner}</mj-text>", f"{build.plain(label)}\n{link}")


def _divider(value: Any, build: Build) -> Rendered:
    return Rendered('<mj-divider border-width="1px" border-color="#d9dee3" />', "-" * 24)


BLOCKS: dict[str, Callable[[Any, Build], Rendered]] = {
    "heading": _heading,
    "text": _text,
    "html": _html,
    "image": _image,
    "button": _button,
    "teaser": _teaser,
    "document": _document,
    "divider": _divider,
}


def _target(value: Any, label: str, build: Build) -> str:
    """The link of a block that may lead to a page or to an address."""
    if value["page"]:
        return _page_link(value["page"], label, build)
    return build.link(value["url"] or "", label)


def _page_link(page: Any, label: str, build: Build) -> str:
    # A page that is not published has an address, but nobody can see it. (With one site the address
    # is relative: BASE_URL counts, for pages as for everything else in a mail.)
    return build.link((page.url or "") if page.live else "", label)


def _fragment(cleaned: str, build: Build) -> Rendered:
    """A piece of sanitised HTML: links rewritten, merge fields made slots, and its plain text."""
    soup = BeautifulSoup(cleaned, "html.parser")
    for anchor in soup.find_all("a"):
        _rewrite(anchor, build)
    for picture in soup.find_all("img"):
        picture["src"] = build.absolute(str(picture.get("src", "")))
    _style(soup)
    text = re.sub(r"\s*\n\s*\n\s*", "\n\n", _plain(soup, build)).strip()
    for string in list(soup.find_all(string=True)):
        # The marker stands for escaped text, and is safe as text itself.
        string.replace_with(NavigableString(build.words(str(string))))
    return Rendered(f"<mj-text>{build.html(str(soup))}</mj-text>", text)


def _style(soup: BeautifulSoup) -> None:
    """The looks of what editors cannot style themselves. The last paragraph leaves no gap below it."""
    for tag in soup.find_all(list(STYLES)):
        tag["style"] = STYLES[tag.name]
    last = soup.find_all(recursive=False)[-1:]
    for tag in last:
        if "margin" in str(tag.get("style", "")):
            tag["style"] = str(tag["style"]).replace("margin:0 0 12px", "margin:0")


def _rewrite(anchor: Tag, build: Build) -> None:
    label = anchor.get_text(" ", strip=True)
    href = str(anchor.get("href") or "").strip()
    if href.startswith("#"):
        anchor.unwrap()
        return
    link = build.href(href, label)
    if link:
        anchor["href"] = link
    else:
        anchor.unwrap()


def _plain(node: Any, build: Build, *, number: int = 0) -> str:
    """The plain text of a tree whose links are markers already."""
    if isinstance(node, NavigableString):
        return build.plain(re.sub(r"\s+", " ", str(node)))
    inner = "".join(
        _plain(child, build, number=position) for position, child in enumerate(_children(node), start=1)
    )
    name = node.name
    if name == "br":
        return "\n"
    if name == "hr":
        return "\n" + "-" * 24 + "\n"
    if name == "img":
        return build.plain(str(node.get("alt", "")))
    if name == "a":
        return f"{inner} <{node['href']}>"
    if name == "li":
        sign = f"{number}." if node.parent is not None and node.parent.name == "ol" else "-"
        return f"{sign} {inner.strip()}\n"
    if name in ("td", "th"):
        return f"{inner.strip()} | "
    if name == "tr":
        return f"{inner.strip().removesuffix('|').strip()}\n"
    return f"\n\n{inner.strip()}\n\n" if name in BLOCK_TAGS else inner


def _children(node: Tag) -> list[Any]:
    """Children that count: in a list, its entries only (white space between them is none)."""
    if node.name in ("ol", "ul"):
        return [child for child in node.children if isinstance(child, Tag)]
    return list(node.children)
