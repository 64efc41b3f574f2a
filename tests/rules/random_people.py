"""Random people on the small site."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.rules.person import ActivityFact, Person, RequestFact, View, VisitFact
from tests.rules.reference_pages import TOPICS
from tests.rules.reference_people import COMPANIES, FIELD_KINDS
from tests.rules.reference_scores import HALF_LIFE_DAYS
from tests.rules.reference_visits import NETWORKS
from tests.rules.world import ACTED_ON, NOW, OBJECTS
from wagtail_ma.core.request_facts import RequestFacts
from wagtail_ma.tracking.channels import MEDIUMS

PAGES = ("product", "product-ja", "detail", "detail-ja", "pricing")


TEXTS = ("Acme", "acme", "ACME 株式会社", "É", "é", "", "100%", "a_b", "example.com", "ja", "ja-JP", "own")


# Minutes before now, with the exact ends of windows among them.
moments = st.one_of(st.integers(0, 60 * 24 * 12), st.sampled_from([60 * 24 * days for days in range(6)])).map(
    lambda minutes: NOW - timedelta(minutes=minutes)
)


@st.composite
def visits(draw: Any) -> VisitFact:
    started_at = draw(moments)
    return VisitFact(
        started_at=started_at,
        last_at=min(NOW, started_at + timedelta(minutes=draw(st.integers(0, 60 * 24)))),
        medium=draw(st.sampled_from(MEDIUMS[:3])),
        campaign=draw(st.sampled_from(TEXTS)),
        device=draw(st.sampled_from(["desktop", "mobile", "tablet"])),
        language=draw(st.sampled_from(["ja", "ja-JP", "EN", "en-gb", "eng", ""])),
        is_bot=draw(st.booleans()),
        referrer_host=draw(st.sampled_from(["", "example.com", "WWW.Example.com", "notexample.com", "acme"])),
        source=draw(st.sampled_from(TEXTS)),
        country=draw(st.sampled_from(["", "JP", "TW"])),
        region=draw(st.sampled_from(["", "JP-13", "Acme", "É"])),
        network=draw(st.none() | st.sampled_from(list(NETWORKS))),
    )


def requests() -> st.SearchStrategy[RequestFact]:
    """What browsers send."""
    words = st.sampled_from(TEXTS)
    return st.builds(
        RequestFact,
        query=st.dictionaries(words, st.lists(words, min_size=1, max_size=2), max_size=3),
        referrer=st.sampled_from(
            ["", "https://www.example.com/acme", "https://example.com:8000/", "https://notexample.com/É"]
        ),
        user_agent=st.sampled_from(["", "iphone", "windows", "ipad"]),
        language=st.sampled_from(["ja", "ja-JP", "EN", "en-gb", "eng", ""]),
        country=st.sampled_from(["", "JP", "TW"]),
        is_logged_in=st.booleans(),
    )


def facts_of(person: Person, now: datetime) -> RequestFacts:
    """The same for the product."""
    sent = {**vars(person.request), "is_logged_in": lambda: person.request.is_logged_in}
    return RequestFacts(now=now, **sent)


POINTS = (-2.0, 0.0, 1.0, 5.0, 8.0, 30.0, 60.0)


# As stored thirty days ago: worth 0, 1, 5, 16 and 41 now.
EVIDENCE = tuple(value * 2 ** (30 / HALF_LIFE_DAYS) for value in (0.0, 1.0, 5.0, 16.0, 41.0))


DATES = ["2026-03-31", "2026-12-31", "2027-1-1", "2026-03-03", "1990-03-05", "2024-02-29", "2020-03-04"]
SEVERAL = [["a"], ["Acme", "7"], ["2026"], [], [5, "É"]]
own_values = st.sampled_from([0, 5, -2, 7.5, "7", "Acme", "É", *DATES, *SEVERAL])


@st.composite
def people(draw: Any) -> Person:
    made = draw(st.lists(visits(), max_size=3, unique_by=lambda v: v.started_at))
    seen = []
    if made:
        seen = draw(
            st.lists(
                st.builds(
                    View,
                    page=st.sampled_from(PAGES),
                    at=moments,
                    seconds=st.integers(0, 6).map(float),
                    visit=st.integers(0, len(made) - 1),
                ),
                max_size=6,
            )
        )
    lead = st.fixed_dictionaries(
        {
            "company_name": st.sampled_from(TEXTS),
            "department": st.sampled_from(TEXTS),
            "title": st.sampled_from(TEXTS),
            "language": st.sampled_from(["ja", "en"]),
            "postal_code": st.sampled_from(["", "100-0001"]),
            "address": st.sampled_from(["", "Acme 1-2", "東京都"]),
            "buying_role": st.sampled_from(["", "approves", "uses"]),
            "job_function": st.sampled_from(["", "sales", "executive"]),
            "rank": st.none() | st.integers(1, 11),
            "email": st.sampled_from(["ann@example.com", "bob@mail.example.com", "acme@acme.example"]),
        }
    )
    acts = st.builds(
        ActivityFact,
        kind=st.sampled_from(
            ["download", "form_view", "form_start", "form_submit", "mail_click", "own", "Acme"]
        ),
        at=moments,
        of=st.none() | st.sampled_from([(kind, name) for kind in ACTED_ON for name in OBJECTS[kind]]),
    )
    sent = st.tuples(st.sampled_from(["welcome", "offer"]), st.sampled_from(["sent", "failed"]), moments)
    return Person(
        first_seen_at=draw(moments),
        bucket=draw(st.integers(0, 9999)),
        visits=made,
        views=seen,
        activities=draw(st.lists(acts, max_size=4)),
        lead=draw(st.none() | lead),
        known_at=draw(moments),
        company=draw(st.none() | st.sampled_from(list(COMPANIES))),
        attributes=draw(st.dictionaries(st.sampled_from(list(FIELD_KINDS)), own_values, max_size=3)),
        segments=draw(st.sets(st.sampled_from(["buyers", "readers"]))),
        left=draw(st.lists(st.tuples(st.sampled_from(["buyers", "readers"]), moments), max_size=2)),
        mails=draw(st.lists(sent, max_size=3)),
        request=draw(requests()),
        points=draw(st.none() | st.lists(st.tuples(st.sampled_from(POINTS), moments), max_size=4)),
        rank=draw(st.integers(0, 3).map(float)),
        fit_grade=draw(st.sampled_from("ABCD")),
        lifetime=draw(st.integers(0, 8).map(float)),
        interests=draw(
            st.dictionaries(st.sampled_from(sorted(TOPICS)), st.sampled_from(EVIDENCE), max_size=2)
        ),
        intent=draw(st.sampled_from(EVIDENCE)),
        research=draw(st.sampled_from(EVIDENCE)),
        is_customer=draw(st.booleans()),
        is_excluded=draw(st.booleans()),
        heat=draw(
            st.lists(st.tuples(st.sampled_from(["hot", "hidden", "surging"]), st.booleans()), max_size=3)
        ),
    )
