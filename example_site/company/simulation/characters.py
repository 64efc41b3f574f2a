"""Who comes, and what they do: plans of visits, drawn from a seeded generator.

Every person and firm here is invented; the addresses end in ``.example``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

ARTICLES = (
    "blog/approval-bottlenecks",
    "blog/electronic-bookkeeping",
    "blog/first-hundred-days",
    "blog/who-may-see-what",
)
CASES = (
    "case-studies/fictional-works",
    "case-studies/example-logistics",
    "case-studies/placeholder-foods",
)
PRODUCTS = ("products/sample-cabinet", "products/sample-flow")

FAMILY_NAMES = ("見本", "例文", "仮名", "試作", "模擬", "架空", "雛形", "標準", "空欄", "記入")
GIVEN_NAMES = ("花子", "太郎", "一郎", "さくら", "健", "美咲", "翔", "陽子", "誠", "優子")
FIRMS = (
    ("例示商事株式会社", "reiji"),
    ("株式会社見本製作所", "mihon"),
    ("架空物流株式会社", "kakuu"),
    ("模擬食品株式会社", "mogi"),
    ("試作電機株式会社", "shisaku"),
    ("株式会社仮名サービス", "kamei"),
    ("雛形建設株式会社", "hinagata"),
    ("株式会社標準印刷", "hyojun"),
    ("Placeholder Trading Ltd.", "placeholder"),
    ("Specimen Foods Inc.", "specimen"),
)
REFERRERS = (
    ("https://www.google.com/", 45),
    ("https://search.yahoo.co.jp/", 15),
    ("", 22),
    ("https://x.com/", 5),
    ("https://chatgpt.com/", 4),
    ("https://www.bing.com/", 6),
    ("https://news.example/", 3),
)
DESKTOP = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) "
    "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) "
    "AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


@dataclass(frozen=True)
class Look:
    """One page of a visit.

    :param seconds: how long it is really read.
    :param scroll: how much of it, in percent.
    """

    path: str
    seconds: int
    scroll: int = 60


@dataclass(frozen=True)
class Outing:
    """One visit.

    :param day: days after the first day of the simulation, with fraction.
    :param form: which form is sent at its end: "", "whitepaper" or "contact".
    """

    day: float
    looks: tuple[Look, ...]
    referrer: str = ""
    query: str = ""
    form: str = ""


@dataclass(frozen=True)
class Person:
    """One simulated visitor and the visits they will make."""

    character: str
    language: str
    user_agent: str
    outings: tuple[Outing, ...]
    family_name: str = ""
    given_name: str = ""
    company: str = ""
    email: str = ""
    title: str = ""
    agrees: bool = False
    clicks: float = 0.0
    # The name of the network that the address lies in, if it is one that editors know.
    network: str = ""
    # Never held out of a scenario for comparison.
    takes_part: bool = False


@dataclass
class Draft:
    """What the plan of a character needs while it is drawn."""

    random: Random
    days: int
    outings: list[Outing] = field(default_factory=list)

    def look(self, path: str, mean: float) -> Look:
        """A look of about ``mean`` seconds (log-normal: most short, a few long)."""
        seconds = self.random.lognormvariate(0, 0.6) * mean
        return Look(path, max(2, round(min(seconds, 900))), min(100, round(25 + seconds)))

    def visit(self, day: float, *looks: Look, form: str = "", query: str = "") -> None:
        """Add a visit, in office hours of Tokyo for most."""
        hour = min(23.5, max(0.5, self.random.gauss(13.5, 3.2)))
        referrer = self.random.choices(
            [address for address, _ in REFERRERS], [weight for _, weight in REFERRERS]
        )[0]
        self.outings.append(Outing(int(day) + hour / 24, looks, referrer, query, form))

    def some_day(self, first: float = 0, last: float | None = None) -> float:
        """A day between two, late ones a little more likely: the site grows."""
        end = self.days if last is None else last
        return first + (end - first) * self.random.random() ** 0.85


def casual(draft: Draft) -> None:
    looks = [draft.look(draft.random.choice([*ARTICLES, "", "products"]), 18)]
    if draft.random.random() < 0.35:
        looks.append(draft.look(draft.random.choice(["", "products", *PRODUCTS]), 12))
    draft.visit(draft.some_day(), *looks)


def article_reader(draft: Draft) -> None:
    start = draft.some_day(0, draft.days * 0.7)
    favourite = draft.random.choice(ARTICLES)
    for step in range(draft.random.randint(2, 4)):
        other = draft.random.choice(ARTICLES)
        draft.visit(
            start + step * draft.random.uniform(2, 9), draft.look(favourite, 95), draft.look(other, 50)
        )


def pricing_reader(draft: Draft) -> None:
    start = draft.some_day(0, draft.days * 0.75)
    draft.visit(
        start, draft.look("", 15), draft.look(draft.random.choice(PRODUCTS), 60), draft.look("pricing", 45)
    )
    for step in range(1, draft.random.randint(3, 5)):
        form = "contact" if step == 3 and draft.random.random() < 0.4 else ""
        ending = (draft.look("contact", 70),) if form else ()
        draft.visit(start + step * 2.5, draft.look("pricing", 80), draft.look("faq", 40), *ending, form=form)


def evaluator(draft: Draft) -> None:
    start = draft.some_day(0, draft.days * 0.97)
    draft.visit(start, draft.look("", 20), draft.look("products", 25), draft.look(PRODUCTS[0], 90))
    draft.visit(start + 2, *(draft.look(case, 70) for case in CASES[:2]), draft.look("faq", 60))
    form = "whitepaper" if draft.random.random() < 0.75 else ""
    draft.visit(start + 4, draft.look("pricing", 50), draft.look("whitepaper", 45), form=form)
    if draft.random.random() < 0.5:
        draft.visit(start + 8, draft.look(CASES[2], 80), draft.look("pricing", 60))


def job_seeker(draft: Draft) -> None:
    start = draft.some_day()
    for step in range(draft.random.randint(2, 4)):
        looks = [draft.look("careers", 120), draft.look("careers", 60)]
        draft.visit(start + step, *looks, *([draft.look("", 15)] if step == 0 else []))


def colleague(draft: Draft) -> None:
    """One of ourselves, from the office: looks at everything, buys nothing."""
    for step in range(4):
        pages = ["", *PRODUCTS, "pricing", *ARTICLES]
        draft.random.shuffle(pages)
        draft.visit(draft.some_day(step * 8, step * 8 + 12), *(draft.look(page, 40) for page in pages[:4]))


def competitor(draft: Draft) -> None:
    for step in range(3):
        pages = [*PRODUCTS, "pricing", *CASES]
        draft.random.shuffle(pages)
        draft.visit(draft.some_day(step * 10, step * 10 + 10), *(draft.look(page, 14) for page in pages))


def dormant(draft: Draft) -> None:
    draft.visit(draft.random.uniform(0, 3), draft.look(PRODUCTS[1], 60), draft.look("pricing", 40))
    back = draft.days - draft.random.uniform(1.5, 6)
    for step in (0.0, 0.5, 1.0):
        draft.visit(back + step, draft.look("pricing", 90), draft.look(draft.random.choice(CASES), 75))


def staff(draft: Draft) -> None:
    start = draft.some_day(0, draft.days * 0.6)
    draft.visit(start, draft.look(ARTICLES[0], 80), draft.look(PRODUCTS[1], 90))
    draft.visit(
        start + 3,
        draft.look("whitepaper", 60),
        form="whitepaper",
        query="utm_source=event&utm_medium=offline&utm_campaign=spring-fair",
    )
    draft.visit(start + 6, draft.look("pricing", 70), draft.look("faq", 80))


def manager(draft: Draft) -> None:
    start = draft.some_day(draft.days * 0.65, draft.days * 0.9)
    draft.visit(start, draft.look(CASES[0], 110), draft.look("pricing", 120))
    draft.visit(start + 1, draft.look("pricing", 60), draft.look("contact", 90), form="contact")


def crawler(draft: Draft) -> None:
    pages = ["", "products", *PRODUCTS, *ARTICLES]
    draft.visit(draft.some_day(), *(Look(page, 0, 0) for page in pages))


@dataclass(frozen=True)
class Character:
    """A kind of visitor: how many in a thousand, their plan, and the network that they come from."""

    name: str
    share: int
    plan: Callable[[Draft], None]
    click_rate: float = 0.0
    network: str = ""


CHARACTERS = (
    Character("casual", 500, casual),
    Character("article reader", 170, article_reader),
    Character("pricing reader", 70, pricing_reader, 0.4),
    Character("evaluator", 90, evaluator, 0.55),
    Character("job seeker", 50, job_seeker),
    Character("competitor", 20, competitor, network="competitor"),
    Character("colleague", 10, colleague, network="own"),
    Character("dormant one who comes back", 30, dormant),
    Character("staff member", 20, staff, 0.5),
    Character("manager who follows", 20, manager, 0.3),
    Character("crawler", 20, crawler),
)


def draw(count: int, days: int, seed: int = 7) -> list[Person]:
    """``count`` people whose visits lie within ``days`` days; the same for the same seed."""
    random = Random(seed)
    people = []
    for number in range(count):
        character = _character_for(number * 1000 // count)
        draft = Draft(random, days)
        character.plan(draft)
        outings = tuple(sorted((o for o in draft.outings if o.day < days), key=lambda o: o.day))
        people.append(_person(character, outings, number, random))
    return people


def _character_for(thousandth: int) -> Character:
    reached = 0
    for character in CHARACTERS:
        reached += character.share
        if thousandth < reached:
            return character
    return CHARACTERS[0]


def _person(character: Character, outings: tuple[Outing, ...], number: int, random: Random) -> Person:
    firm, domain = FIRMS[number % len(FIRMS)]
    is_abroad = firm.endswith((".", "Ltd", "Inc"))
    agent = CRAWLER if character.name == "crawler" else random.choices([DESKTOP, PHONE], [75, 25])[0]
    titles = {"manager who follows": "部長", "staff member": "担当"}
    return Person(
        character=character.name,
        language="en" if is_abroad else "ja",
        user_agent=agent,
        outings=outings,
        family_name=FAMILY_NAMES[number % len(FAMILY_NAMES)],
        given_name=GIVEN_NAMES[number // len(FAMILY_NAMES) % len(GIVEN_NAMES)],
        company=firm,
        email=f"person{number}@{domain}.example",
        title=titles.get(character.name, ""),
        agrees=random.random() < 0.7,
        clicks=character.click_rate,
        network=character.network,
    )
