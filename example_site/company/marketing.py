"""Set up marketing on the example site: what an editor would click together in the admin."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.utils import translation
from wagtail.models import Locale, Page

from wagtail_ma.forms.models import GatedDocument, LeadForm, LeadFormField
from wagtail_ma.messaging.models import Mail, SenderProfile
from wagtail_ma.people.models_of_companies import Company
from wagtail_ma.scenarios.models import Scenario
from wagtail_ma.scenarios.publish import publish
from wagtail_ma.scoring.defaults import ensure_default_rules
from wagtail_ma.scoring.models import ScoringRule
from wagtail_ma.segments.models import Segment
from wagtail_ma.tracking import page_classes
from wagtail_ma.tracking.models import Network, PageClass, PageLabel, Topic

from .content.marketing import (
    CUSTOMERS,
    FORMS,
    LABELS,
    MAILS,
    NETWORKS,
    PATTERN_NAME,
    QUESTIONS,
    SCENARIO_NAME,
    SEGMENTS,
    SENDER,
    TOPICS,
)
from .models import HomePage, WhitepaperPage
from .simulation.forms import form_name

Say = Callable[[str], None]


def pages_by_path() -> dict[tuple[str, str], Page]:
    """Every live page of the site by language and slug path (``("ja", "blog/…")``)."""
    found: dict[tuple[str, str], Page] = {}
    for home in HomePage.objects.all().select_related("locale"):
        language = home.locale.language_code
        for page in Page.objects.descendant_of(home, inclusive=True).live().specific():
            found[language, page.url_path.removeprefix(home.url_path).rstrip("/")] = page
    return found


@transaction.atomic
def load_marketing(*, now: datetime, say: Say = print) -> None:
    """Make forms, gates, segments, scoring rules, mails and scenarios, unless they are there."""
    from .offers import load_offer_scenario

    if Segment.objects.exists():
        return
    say("Forms, segments, scoring rules, mails and scenarios ...")
    pages = pages_by_path()
    load_labels(pages)
    load_acquaintances(now=now)
    with translation.override("ja"):
        ensure_default_rules()
    load_pattern(pages)
    load_forms()
    segments = load_segments(pages)
    mails = load_mails(pages)
    load_scenario(mails, segments, now=now)
    load_offer_scenario(mails, segments, now=now)
    load_groups()


def load_labels(pages: dict[tuple[str, str], Page]) -> None:
    """Which pages are prices, cases, articles …, and what they speak of."""
    page_classes.ensure_built_in()
    topics = {name: Topic.objects.create(name=name, kind=kind) for name, kind in TOPICS.items()}
    for path, (class_key, names) in LABELS.items():
        label = PageLabel.objects.create(
            translation_key=pages["ja", path].translation_key,
            page_class=PageClass.objects.get(key=class_key),
        )
        label.topics.set([topics[name] for name in names])
    page_classes.mark()


def load_acquaintances(*, now: datetime) -> None:
    """Who is known: a customer's firm, and the networks of a competitor and of our own office."""
    for name, domain in CUSTOMERS.items():
        company = Company.objects.create(name=name, is_customer=True, created_at=now)
        company.domains.create(domain=domain)
    for kind, (name, ranges) in NETWORKS.items():
        Network.objects.create(kind=kind, name=name, ranges=ranges)


def load_pattern(pages: dict[tuple[str, str], Page]) -> None:
    """Beside the default rules: points at the moment when somebody has read of both."""
    paths = [("pricing", False), ("case-studies", True)]
    ScoringRule.objects.create(
        name=PATTERN_NAME,
        kind=ScoringRule.Kind.PATTERN,
        rule=[viewed(pages["ja", path], days=14, subtree=subtree) for path, subtree in paths],
        points=10,
    )


def load_forms() -> None:
    """The whitepaper and the contact form in each language; the whitepaper is gated."""
    for (purpose, language), words in FORMS.items():
        form = LeadForm.objects.create(
            name=form_name(purpose, language), purpose=purpose, language=language, **words
        )
        names = [*QUESTIONS, "message"] if purpose == "contact" else QUESTIONS
        for order, maps_to in enumerate(names):
            is_required = maps_to in ("email", "company_name", "family_name")
            LeadFormField.objects.create(
                form=form, sort_order=order, maps_to=maps_to, is_required=is_required
            )
        for page in WhitepaperPage.objects.filter(locale__language_code=language):
            if purpose == "whitepaper" and page.document_id:
                GatedDocument.objects.create(document_id=page.document_id, form=form)


def load_mails(pages: dict[tuple[str, str], Page]) -> dict[tuple[str, str], Mail]:
    """The mails of the scenario, published."""
    sender = SenderProfile.objects.create(**SENDER)
    mails = {}
    for (purpose, language), words in MAILS.items():
        body = [
            block("text", words["text"]),
            block("button", {"label": words["button"], "page": pages[language, words["page"]].pk, "url": ""}),
        ]
        mail = Mail(
            name=words["name"],
            kind=Mail.Kind.STEP,
            locale=Locale.objects.get(language_code=language),
            sender=sender,
            subject=words["subject"],
            preheader=words["preheader"],
            body=body,
        )
        mail.save()
        mail.save_revision().publish()
        mails[purpose, language] = mail
    return mails


def load_scenario(
    mails: dict[tuple[str, str], Mail], segments: dict[str, Segment], *, now: datetime
) -> Scenario:
    """Download → wait a day → mail in the reader's language → clicked? → offer → end."""
    offer = [
        block("wait", {"amount": 3, "unit": "days"}),
        block("send_mail", {"mail": mails["offer", "ja"].pk}),
        block("end", {}),
    ]
    steps = [
        block("wait", {"amount": 1, "unit": "days"}),
        block(
            "branch",
            {
                "segment": segments["english"].pk,
                "yes": [block("send_mail", {"mail": mails["follow-up", "en"].pk}), block("end", {})],
                "no": [
                    block("send_mail", {"mail": mails["follow-up", "ja"].pk}),
                    block("clicked", {"amount": 3, "unit": "days", "yes": offer, "no": [block("end", {})]}),
                ],
            },
        ),
    ]
    scenario = Scenario(
        name=SCENARIO_NAME,
        entry=Scenario.Entry.ACTIVITY,
        activity_kind="download",
        steps=steps,
    )
    scenario.save()
    # In force since the first simulated day; Wagtail's own publication is dated today.
    publish(scenario, now=now)
    scenario.save_revision().publish()
    return scenario


def block(kind: str, value: Any) -> dict[str, Any]:
    """One block as StreamFields store it."""
    return {"type": kind, "value": value, "id": str(uuid.uuid4())}


def load_segments(pages: dict[tuple[str, str], Page]) -> dict[str, Segment]:
    """The segments of ``content.marketing.SEGMENTS``."""
    rules = {
        "pricing": [viewed(pages["ja", "pricing"], count=3, days=14)],
        "english": [block("language", {"visit": "last", "language": "en"})],
        "case": [viewed(pages["ja", "case-studies"], days=60, subtree=True)],
        "candidate": [viewed(pages["ja", "careers"], days=60)],
        "dormant": [block("last_visit", {"comparison": "at_least", "days": 21})],
    }
    return {
        key: Segment.objects.create(name=name, description=text, rule=rules[key])
        for key, (name, text) in SEGMENTS.items()
    }


def viewed(page: Page, *, days: int, count: int = 1, subtree: bool = False) -> dict[str, Any]:
    """The condition that a page was viewed at least ``count`` times within ``days`` days."""
    return block(
        "page_viewed",
        {
            "page": page.pk,
            "subtree": subtree,
            "comparison": "at_least",
            "number": count,
            "count": "views",
            "days": days,
            "seconds": None,
        },
    )


def load_groups() -> None:
    """Marketing may do everything of ours; sales reads lists and lead pages."""
    ours = Permission.objects.filter(content_type__app_label="wagtail_ma")
    admin = Permission.objects.get(codename="access_admin", content_type__app_label="wagtailadmin")
    marketing, _ = Group.objects.get_or_create(name="Marketing")
    marketing.permissions.add(admin, *ours)
    sales, _ = Group.objects.get_or_create(name="Sales")
    sales.permissions.add(admin, *ours.filter(codename__in=["view_visitor", "view_lead"]))
