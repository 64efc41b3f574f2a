"""A few people with a fixed plan, so that every step of both scenarios has somebody at it.

Whom the generator draws comes and goes by chance. These are placed by the last day: each comes so many
days before it that the runner, by its own clock, has brought them to one step by then.
"""

from __future__ import annotations

from collections.abc import Iterator

from company.content.marketing import OFFER_NAME
from wagtail_ma.people.models import Visitor
from wagtail_ma.scenarios.holdout import share_of
from wagtail_ma.scenarios.models import Scenario

from .acts import Act, Browser
from .characters import DESKTOP, FAMILY_NAMES, GIVEN_NAMES, Look, Outing, Person

# In fewer days nobody comes to the end of the longest wait.
FEWEST_DAYS = 13

ABOUT, PRICING, WHITEPAPER = Look("products", 30), Look("pricing", 70), Look("whitepaper", 60)
# Firm and mail domain; none of them a customer, whom scenarios leave alone.
FIRMS = {
    "ja": (("例示商事株式会社", "reiji"), ("株式会社見本製作所", "mihon"), ("試作電機株式会社", "shisaku")),
    "en": (("Placeholder Trading Ltd.", "placeholder"),),
}

# Whoever downloads the whitepaper: days before the end, language, and whether they click in mails.
DOWNLOADS = (
    # In the day's wait after it.
    (0.4, "ja", False),
    # Mail in English, over.
    (3.0, "en", True),
    # Has the mail and has not clicked, yet or at all.
    (2.5, "ja", False),
    (7.0, "ja", False),
    # Has clicked, is waiting for the second mail. (A click may take two days.)
    (4.0, "ja", True),
    (4.6, "ja", True),
    # Has had the second mail.
    (11.0, "ja", True),
    (12.0, "ja", True),
)
# Readers of the prices: the day of the third view, when they come back and see the offer (0: never),
# and whether we know their address.
READERS = (
    # Have the offer, and did not come back: still, or never in the ten days.
    (1.2, 0.0, False),
    (11.0, 0.0, False),
    # In the two days' wait.
    (3.2, 1.1, False),
    # Done with it at the end of the last day: waiting for the hour of business.
    (4.2, 50 / 24, False),
    # No address for the mail: waited for. (Between are two days, a weekend, perhaps holidays. More than a day
    # before they come back: the worker of those days has two rounds a day, one to let them in, one to offer.)
    (5.8, 4.7, False),
    (7.0, 5.8, False),
    (9.0, 7.8, False),
    (10.8, 9.6, False),
    # Mail and task.
    (10.9, 9.5, True),
)


def cast(days: int) -> list[Person]:
    """Everybody with a fixed plan; nobody where there are too few days."""
    if days < FEWEST_DAYS:
        return []
    return [*_downloaders(days), *_readers(days)]


def _downloaders(days: int) -> Iterator[Person]:
    for number, (ago, language, clicks) in enumerate(DOWNLOADS):
        visit = Outing(days - ago, (ABOUT, WHITEPAPER), "https://www.google.com/", form="whitepaper")
        yield _person(number, language, (visit,), clicks=1.0 if clicks else 0.0)


def _readers(days: int) -> Iterator[Person]:
    for number, (third, back, is_known) in enumerate(READERS, start=len(DOWNLOADS)):
        agos = [third + 0.8, third + 0.4, third, *([back] if back else [])]
        visits = [Outing(days - ago, (PRICING,), "https://www.google.com/") for ago in agos]
        if is_known:
            looks = (ABOUT, WHITEPAPER)
            visits.insert(0, Outing(days - third - 1.2, looks, form="whitepaper"))
        yield _person(number, "ja", tuple(visits), takes_part=True)


def _person(
    number: int, language: str, outings: tuple[Outing, ...], *, clicks: float = 0.0, takes_part: bool = False
) -> Person:
    firms = FIRMS[language]
    firm, domain = firms[number % len(firms)]
    return Person(
        character="with a fixed plan",
        language=language,
        user_agent=DESKTOP,
        outings=outings,
        family_name=FAMILY_NAMES[number % len(FAMILY_NAMES)],
        given_name=GIVEN_NAMES[(number + 5) % len(GIVEN_NAMES)],
        company=firm,
        email=f"guest{number}@{domain}.example",
        agrees=True,
        clicks=clicks,
        takes_part=takes_part,
    )


def drawn_to_take_part(browser: Browser) -> Act:
    """The act by which a newcomer's number, drawn by chance otherwise, is one that is not held out."""

    def act(now: object) -> None:
        scenario = Scenario.objects.get(name=OFFER_NAME)
        key, percent = f"holdout:{scenario.pk}", scenario.holdout_percent
        number = next(each for each in range(10_000) if share_of(each, key) >= percent)
        Visitor.objects.filter(identities__key=browser.key).update(bucket=number)

    return act
