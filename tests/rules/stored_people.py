"""A person of the reference as rows of the database."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from tests.rules.person import Person
from tests.rules.reference_scores import HALF_LIFE_DAYS
from tests.rules.world import NOW, Site


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
            visitor=visitor,
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
            created_at=person.known_at,
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
