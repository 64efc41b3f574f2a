"""A small site and random people on it: the same for the database and for the reference."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from tests.rules.reference import (
    CLASSES,
    COMPANIES,
    FIELD_KINDS,
    HALF_LIFE_DAYS,
    NETWORKS,
    OFFSETS,
    TOPICS,
    ActivityFact,
    Person,
    RequestFact,
    View,
    VisitFact,
)
from wagtail_ma.core.conditions import facts
from wagtail_ma.core.parameters import Choice, Flag, Number, Reference, Text, ZoneName
from wagtail_ma.core.request_facts import RequestFacts
from wagtail_ma.tracking.channels import MEDIUMS

NOW = datetime.fromisoformat("2026-03-03T01:00:00+00:00")
PAGES = ("product", "product-ja", "detail", "detail-ja", "pricing")
TEXTS = ("Acme", "acme", "ACME 株式会社", "É", "é", "", "100%", "a_b", "example.com", "ja", "ja-JP", "own")

# Minutes before now, with the exact ends of windows among them.
moments = st.one_of(st.integers(0, 60 * 24 * 12), st.sampled_from([60 * 24 * days for days in range(6)])).map(
    lambda minutes: NOW - timedelta(minutes=minutes)
)


@dataclass
class Site:
    """What rules may name: keys in the reference, ids in the database."""

    tracked: dict[str, Any]
    pages: dict[str, int]
    segments: dict[str, int]
    mails: dict[str, Any]
    page_classes: dict[str, int]
    topics: dict[str, int]
    forms: dict[str, int]
    documents: dict[str, int]
    lead_fields: dict[str, int]
    companies: dict[str, int]
    networks: dict[str, int]

    def ids(self, kind: str) -> dict[str, int]:
        """The ids of all objects of a kind, by their name in the reference."""
        mails = {name: mail.pk for name, mail in self.mails.items()}
        return {
            "page": self.pages,
            "segment": self.segments,
            "mail": mails,
            "page_class": self.page_classes,
            "topic": self.topics,
            "form": self.forms,
            "document": self.documents,
            "lead_field": self.lead_fields,
            "network": self.networks,
        }[kind]


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


own_values = st.sampled_from([0, 5, -2, 7.5, "7", "2026-03-31", "2026-12-31", "2027-1-1", "Acme", "É", ["a"]])


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


OBJECTS = {
    "page": ["product", "detail", "pricing"],
    "segment": ["buyers", "readers"],
    "mail": ["welcome", "offer"],
    "page_class": ["product", "pricing"],
    "topic": ["speed", "price"],
    "form": ["enquiry", "brochure"],
    "document": ["paper"],
    "lead_field": list(FIELD_KINDS),
    "network": list(NETWORKS),
}
# What activities may be about.
ACTED_ON = ("mail", "form", "document")


def values_of(parameter: Any) -> st.SearchStrategy[Any]:
    """Values of a parameter, in the reference's terms."""
    if isinstance(parameter, Number):
        low = parameter.minimum
        strategy: Any = st.integers(low, min(parameter.maximum, low + 5 if low else 4))
        if parameter.name == "percent":
            strategy = st.sampled_from([low, 1, 33, 50, 100])
    elif isinstance(parameter, Choice):
        strategy = st.sampled_from([key for key, _label in parameter.options()])
    elif isinstance(parameter, Flag):
        return st.booleans()
    elif isinstance(parameter, ZoneName):
        strategy = st.sampled_from([name for name in OFFSETS if name])
    elif parameter.name == "countries":
        strategy = st.sampled_from(["JP", "jp, TW", "tw,de"])
    elif isinstance(parameter, Reference):
        strategy = st.sampled_from(OBJECTS[parameter.kind])
    else:
        assert isinstance(parameter, Text)
        strategy = st.sampled_from([text for text in TEXTS if 0 < len(text) <= parameter.max_length])
    return strategy if parameter.required else st.none() | strategy


def leaves(keys: list[str]) -> st.SearchStrategy[Any]:
    """Conditions of these kinds."""

    def of(key: str) -> st.SearchStrategy[Any]:
        condition = facts.get(key)
        assert condition is not None
        if key == "lead_field":
            return own_field()
        values = st.fixed_dictionaries({p.name: values_of(p) for p in condition.parameters})
        return values.map(lambda drawn: (key, drawn))

    return st.one_of([of(key) for key in keys])


def own_field() -> st.SearchStrategy[Any]:
    """Conditions on the editor's own fields: what goes together depends on the kind."""
    wanted = {
        "budget": (["equals", "at_least", "at_most", "filled"], ["0", "5", "-2", "7.5", "7"]),
        "renewal": (["equals", "at_least", "at_most", "filled"], ["2026-03-31", "2026-12-31"]),
        "remark": (["equals", "contains", "filled"], ["acme", "É", "7", "2026"]),
    }
    some = [
        st.fixed_dictionaries(
            {"field": st.just(name), "operator": st.sampled_from(operators), "text": st.sampled_from(texts)}
        )
        for name, (operators, texts) in wanted.items()
    ]
    return st.one_of(some).map(lambda drawn: ("lead_field", drawn))


def trees(leaf: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Rules: groups nested up to two deep in the top."""

    def group(children: Any) -> Any:
        return st.tuples(st.sampled_from(["all", "any", "none"]), st.lists(children, min_size=1, max_size=3))

    inner = group(leaf)
    middle = group(leaf | inner)
    return group(leaf | middle)


def stored_rule(node: Any, site: Site) -> tuple[str, list[dict[str, Any]]]:
    """(match, conditions) as the editor would have stored the rule."""

    def item(child: Any) -> dict[str, Any]:
        kind, content = child
        if kind in ("all", "any", "none"):
            conditions = [item(each) for each in content]
            return {
                "type": "group",
                "value": {"match": kind, "conditions": conditions},
                "id": str(uuid.uuid4()),
            }
        return {"type": kind, "value": {name: raw(kind, name, each) for name, each in content.items()}}

    def raw(key: str, name: str, value: Any) -> Any:
        condition = facts.get(key)
        assert condition is not None
        parameter = next(p for p in condition.parameters if p.name == name)
        if value is None or not isinstance(parameter, Reference):
            return value
        return site.ids(parameter.kind)[value]

    match, children = node
    return match, [item(child) for child in children]


def build_site(home: Any) -> Site:
    """Pages in two languages, segments and mails."""
    from wagtail.documents import get_document_model
    from wagtail.models import Collection, Locale

    from tests.factories import make_sender
    from tests.testapp.models import ContentPage, OtherPage
    from wagtail_ma.forms.models import LeadForm
    from wagtail_ma.messaging.models import Mail
    from wagtail_ma.people.models import LeadField
    from wagtail_ma.people.models_of_companies import Company
    from wagtail_ma.segments.models import Segment
    from wagtail_ma.tracking.models import Network, PageClass, Topic, TrackedPage

    if not Collection.objects.exists():
        Collection.add_root(name="Root")
    japanese, _created = Locale.objects.get_or_create(language_code="ja")
    other_home = home.copy_for_translation(japanese)
    made: dict[str, Any] = {}
    made["product"] = home.add_child(instance=ContentPage(title="Product", slug="product"))
    made["product-ja"] = made["product"].copy_for_translation(japanese)
    made["detail"] = made["product"].add_child(instance=ContentPage(title="Detail", slug="detail"))
    # Below the translated product, and no translation of the other detail.
    made["detail-ja"] = made["product-ja"].add_child(
        instance=ContentPage(title="Detail", slug="detail", locale=japanese)
    )
    made["pricing"] = home.add_child(instance=OtherPage(title="Pricing", slug="pricing"))
    assert other_home.pk
    tracked = {
        name: TrackedPage.objects.create(
            key=f"page:{page.pk}",
            url=f"http://localhost/{name}/",
            title=page.title,
            page_id=page.pk,
            translation_key=page.translation_key,
            first_seen_at=NOW,
        )
        for name, page in made.items()
    }
    classes = {name: PageClass.objects.create(key=f"test-{name}") for name in CLASSES}
    topics = {name: Topic.objects.create(name=name) for name in TOPICS}
    for name, page_names in CLASSES.items():
        TrackedPage.objects.filter(pk__in=[tracked[each].pk for each in page_names]).update(
            page_class=classes[name]
        )
    for name, page_names in TOPICS.items():
        for each in page_names:
            tracked[each].topics.add(topics[name])
    sender = make_sender()
    return Site(
        page_classes={name: each.pk for name, each in classes.items()},
        topics={name: each.pk for name, each in topics.items()},
        forms={name: LeadForm.objects.create(name=name).pk for name in OBJECTS["form"]},
        documents={
            name: get_document_model().objects.create(title=name, file=f"{name}.pdf").pk
            for name in OBJECTS["document"]
        },
        networks={
            name: Network.objects.create(name=name, kind=kind, ranges="192.0.2.0/24").pk
            for name, kind in NETWORKS.items()
        },
        lead_fields={
            key: LeadField.objects.create(key=key, label=key, kind=kind).pk
            for key, kind in FIELD_KINDS.items()
        },
        companies={
            name: Company.objects.create(
                name=name, created_at=NOW, **{f"is_{flag}": True for flag in flags}
            ).pk
            for name, flags in COMPANIES.items()
        },
        tracked=tracked,
        pages={name: page.pk for name, page in made.items()},
        segments={name: Segment.objects.create(name=name).pk for name in OBJECTS["segment"]},
        mails={name: Mail.objects.create(name=name, sender=sender, subject=name) for name in OBJECTS["mail"]},
    )


def save(person: Person, site: Site) -> int:
    """Write a person's rows; returns the visitor's id."""
    from wagtail_ma.messaging.models import Delivery
    from wagtail_ma.people.models import Identity, Lead, Visitor
    from wagtail_ma.segments.models import Membership, PastMembership
    from wagtail_ma.tracking.models import Activity, PageView, Visit

    visitor = Visitor.objects.create(
        first_seen_at=person.first_seen_at,
        bucket=person.bucket,
        is_customer=person.is_customer,
        excluded_reason="by_hand" if person.is_excluded else "",
    )
    identity = Identity.objects.create(
        kind="browser", key=uuid.uuid4().hex, visitor=visitor, created_at=person.first_seen_at
    )
    both = {"identity": identity, "visitor": visitor}
    made = Visit.objects.bulk_create(
        Visit(**both, **{**vars(visit), "network": None}) for visit in person.visits
    )
    for visit, row in zip(person.visits, made, strict=True):
        if visit.network is not None:
            Visit.objects.filter(pk=row.pk).update(network_id=site.networks[visit.network])
    PageView.objects.bulk_create(
        PageView(
            **both,
            visit=made[view.visit],
            tracked_page=site.tracked[view.page],
            view_id=uuid.uuid4(),
            at=view.at,
            engaged_seconds=view.seconds,
        )
        for view in person.views
    )
    Activity.objects.bulk_create(
        Activity(
            **both,
            kind=act.kind,
            at=act.at,
            object_kind=act.of[0] if act.of else "",
            object_key=str(site.ids(act.of[0])[act.of[1]]) if act.of else "",
            source_key=str(number),
        )
        for number, act in enumerate(person.activities)
    )
    if person.lead is not None:
        Lead.objects.create(
            visitor=visitor,
            created_at=NOW,
            company_id=site.companies[person.company] if person.company else None,
            attributes=person.attributes,
            **person.lead,
        )
    if person.points is not None:
        _save_score(person, visitor, site)
    _save_heat(person, visitor)
    PastMembership.objects.bulk_create(
        PastMembership(
            segment_id=site.segments[name], visitor=visitor, born_visitor=visitor, entered_at=at, left_at=at
        )
        for name, at in person.left
    )
    for name in person.segments:
        Membership.objects.create(segment_id=site.segments[name], visitor=visitor, entered_at=NOW)
    Delivery.objects.bulk_create(
        Delivery(
            mail=site.mails[mail],
            visitor=visitor,
            email="ann@example.com",
            state=state,
            sent_at=at if state == "sent" else None,
            send_after=NOW,
            created_at=NOW,
        )
        for mail, state, at in person.mails
    )
    return visitor.pk


def _save_heat(person: Person, visitor: Any) -> None:
    from wagtail_ma.sales.models import HotDefinition, HotEntry

    for number, (name, is_over) in enumerate(person.heat):
        definition, _created = HotDefinition.objects.get_or_create(
            list=name, name=str(number), defaults={"kind": "score"}
        )
        HotEntry.objects.create(
            definition=definition,
            visitor=visitor,
            born_visitor=visitor,
            opened_at=NOW,
            evidence_at=NOW,
            expires_at=NOW,
            closed_at=NOW if is_over else None,
        )


def _save_score(person: Person, visitor: Any, site: Site) -> None:
    from wagtail_ma.scoring import decay
    from wagtail_ma.scoring.models import Interest, ScoreEntry, ScoringModel, ScoringRule, Standing

    epoch = NOW - timedelta(days=30)
    model, _created = ScoringModel.objects.get_or_create(
        is_current=True,
        defaults={"half_life_days": HALF_LIFE_DAYS, "epoch": epoch, "created_at": NOW},
    )
    rule, _created = ScoringRule.objects.get_or_create(name="test", kind="visit")
    assert person.points is not None
    ScoreEntry.objects.bulk_create(
        ScoreEntry(
            model=model, rule=rule, visitor=visitor, fact_kind=str(visitor.pk), fact_id=n, points=p, at=at
        )
        for n, (p, at) in enumerate(person.points)
    )
    total = decay.forward_sum(person.points, epoch=epoch, half_life_days=HALF_LIFE_DAYS)
    Standing.objects.create(
        model=model,
        visitor=visitor,
        engagement_sum=total,
        rank=person.rank,
        fit_grade=person.fit_grade,
        lifetime=person.lifetime,
        is_excluded=person.is_excluded,
        is_customer=person.is_customer,
        intent_sum=person.intent,
        research_sum=person.research,
    )
    Interest.objects.bulk_create(
        Interest(model=model, visitor=visitor, topic_id=site.topics[name], evidence_sum=evidence, last_at=NOW)
        for name, evidence in person.interests.items()
    )
