"""A small site: the same for the database and for the reference."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tests.rules.reference_pages import CLASSES, TOPICS
from tests.rules.reference_people import COMPANIES, FIELD_KINDS
from tests.rules.reference_visits import NETWORKS

NOW = datetime.fromisoformat("2026-03-03T01:00:00+00:00")


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
