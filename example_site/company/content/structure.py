"""Which pages there are: the same tree in every language."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any


@dataclass(frozen=True)
class Place:
    """Where a page stands and what it is.

    :param path: slugs from the home page down, joined by "/"; empty for the home page.
    :param model: name of the page class in ``company.models``.
    :param picture: name of a picture of ``company.pictures``, or empty.
    :param in_menu: whether the header shows it.
    :param values: field values that are the same in every language.
    """

    path: str
    model: str
    picture: str = ""
    in_menu: bool = False
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Text:
    """The words of one page in one language.

    :param title: short title, for menus and lists.
    :param heading: first heading of the page; the title when empty.
    :param introduction: the sentence or two below it.
    :param body: the body in the notation of ``company.content.notation``.
    :param values: further field values; a list is raw data of a stream field.
    """

    title: str
    introduction: str
    body: str
    heading: str = ""
    values: dict[str, Any] = field(default_factory=dict)


# Parents stand before their children.
PLACES: tuple[Place, ...] = (
    Place("", "HomePage", "desk"),
    Place("products", "StandardPage", "blocks", in_menu=True),
    Place("products/sample-cabinet", "ProductPage", "cabinet"),
    Place("products/sample-flow", "ProductPage", "flow"),
    Place("pricing", "PricingPage", in_menu=True),
    Place("case-studies", "CaseStudyIndexPage", in_menu=True),
    Place("case-studies/fictional-works", "CaseStudyPage", "works"),
    Place("case-studies/example-logistics", "CaseStudyPage", "logistics"),
    Place("case-studies/placeholder-foods", "CaseStudyPage", "foods"),
    Place("whitepaper", "WhitepaperPage", "paper", in_menu=True),
    Place("blog", "BlogIndexPage", in_menu=True),
    Place(
        "blog/approval-bottlenecks",
        "ArticlePage",
        "queue",
        values={"published_on": date(2025, 4, 8)},
    ),
    Place(
        "blog/electronic-bookkeeping",
        "ArticlePage",
        "ledger",
        values={"published_on": date(2025, 5, 20)},
    ),
    Place(
        "blog/first-hundred-days",
        "ArticlePage",
        "steps",
        values={"published_on": date(2025, 7, 3)},
    ),
    Place(
        "blog/who-may-see-what",
        "ArticlePage",
        "keys",
        values={"published_on": date(2025, 9, 11)},
    ),
    Place("faq", "FaqPage", in_menu=True),
    Place("careers", "CareersPage", "team", in_menu=True),
    Place("contact", "ContactPage", in_menu=True),
    Place("privacy", "StandardPage"),
)
