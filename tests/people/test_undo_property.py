"""A merge that is undone leaves the world in which it never was; and what is kept up to date step by step
is what the facts alone say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import factories
from tests.people.test_invariants import World, _do, machine, owner_of, step
from tests.scenarios.stories import a_scenario, an_enrolment, wait
from wagtail_ma import flow
from wagtail_ma.people import merge, news, proposals
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Identity, IdentityLink, Lead, Visitor
from wagtail_ma.sales.models import HotDefinition, HotEntry
from wagtail_ma.scenarios.models import Enrolment
from wagtail_ma.scoring.ledger import FIT
from wagtail_ma.scoring.models import Interest, ScoreEntry, Standing
from wagtail_ma.segments.models import Membership, SegmentDecision
from wagtail_ma.tracking import pages
from wagtail_ma.tracking.models import Activity, PageView, Visit

pytestmark = pytest.mark.django_db
QUIETLY = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NEUTRAL = Standing()
ANN, BOB = "ann@example.com", "bob@example.com"
# Acts that say nothing about who is whom.
quiet = st.one_of(
    st.tuples(st.just("hit"), machine),
    st.tuples(st.just("hit"), machine),
    st.tuples(st.just("import"), st.just("dan@example.com")),
    st.tuples(st.just("form"), st.just(2), st.just("dan@example.com")),
    st.tuples(st.just("react")),
)


def segments(home: Any) -> None:
    factories.make_segment("Readers", factories.condition("page_viewed", page=home.pk, number=1, days=90))
    factories.make_segment("Often", factories.condition("page_viewed", page=home.pk, number=3, days=90))
    factories.make_segment("Named", factories.condition("identified", **{"is": "yes"}))
    factories.make_segment("Warm", factories.condition("score", comparison="at_least", number=2))


def close(number: float) -> str:
    """Sums in another order differ in the last places."""
    return f"{number:.7g}"


def derived(visitor_id: int) -> dict[str, Any]:
    """What is derived of a visitor, without row ids and without when it was."""
    rows = ScoreEntry.objects.filter(visitor=visitor_id, model__is_current=True)
    interests = Interest.objects.filter(visitor=visitor_id, model__is_current=True)
    return {
        "standing": [
            (
                row.view_count,
                row.visit_count,
                close(row.engagement_sum),
                close(row.lifetime),
                row.fit,
                row.fit_grade,
            )
            for row in Standing.objects.filter(visitor=visitor_id, model__is_current=True)
            # (Somebody of whom nothing is known may have a row that says so, or none.)
            if row.view_count or row.lifetime or row.fit_grade != NEUTRAL.fit_grade
        ],
        "entries": sorted(
            # (Fit is dated by the reaction.)
            (
                row.rule_id or 0,
                row.fact_kind,
                row.fact_id,
                close(row.points),
                str(row.at) * (row.fact_kind != FIT),
            )
            for row in rows
        ),
        "interests": sorted((row.topic_id, close(row.evidence_sum), row.view_count) for row in interests),
        "segments": sorted(
            Membership.objects.filter(visitor=visitor_id).values_list("segment__name", flat=True)
        ),
    }


def portrait() -> dict[tuple[str, ...], dict[str, Any]]:
    """Everybody, by what they are recognised by; ids of rows made since would differ between two worlds."""
    browsers = Identity.objects.filter(kind="browser").order_by("pk").values_list("pk", flat=True)
    labels = {pk: f"browser {number}" for number, pk in enumerate(browsers)}
    labels |= dict(Identity.objects.filter(kind="email").values_list("pk", "key"))
    found = {}
    for visitor in Visitor.objects.filter(identities__isnull=False).distinct():
        mine = Identity.objects.filter(visitor=visitor).values_list("pk", flat=True)
        about = derived(visitor.pk)
        # By fact of which identity at what time, instead of by its id.
        about["entries"] = [(rule, kind, points, at) for rule, kind, _id, points, at in about["entries"]]
        found[tuple(sorted(labels[pk] for pk in mine))] = about | {
            "first": visitor.first_seen_at,
            "merged": visitor.merged_into_id,
            "excluded": visitor.excluded_reason,
            "facts": sorted(
                (labels[identity], str(at), model.__name__)
                for model, of, when in (
                    *((PageView, "visit__identity", "at"), (Activity, "identity", "at")),
                    (Visit, "identity", "started_at"),
                )
                for identity, at in model.objects.filter(visitor=visitor).values_list(of, when)
            ),
            "decisions": sorted(
                SegmentDecision.objects.filter(visitor=visitor).values_list("segment__name", "is_member")
            ),
            "lead": list(
                Lead.objects.filter(visitor=visitor).values_list(
                    "email", "family_name", "phone", "company_name", "sources"
                )
            ),
        }
    return found


def join_browser(world: World) -> Callable[[], None] | None:
    """Ann opens a mail in a browser of somebody anonymous."""
    names = Identity.objects.filter(kind="email").values("visitor")
    browser = Identity.objects.filter(kind="browser").exclude(visitor__in=names).order_by("pk").first()
    if browser is None:
        return None
    with transaction.atomic():
        identify(
            browser, email=ANN, now=world.now, method="mail_link", phone="03-9", company_name="Later Ltd"
        )
    link = IdentityLink.objects.filter(identity=browser, from_visitor__isnull=False).latest("pk")
    return lambda: merge.undo(link, now=world.now)


def join_persons(world: World) -> Callable[[], None] | None:
    """Ann and Bob are found to be one."""
    ann, bob = owner_of(ANN), owner_of(BOB)
    if ann is None or bob is None or ann == bob:
        return None
    proposal = proposals.propose(ann, bob, reason="manual", now=world.now)
    if proposal.state != "open":
        return None
    proposals.accept(proposal, user_id=None, now=world.now)
    return lambda: proposals.undo(proposal, user_id=None, now=world.now)


def live(world: World, meanwhile: list[tuple[Any, ...]], join: Any) -> Any:
    """How everybody stands after these acts, with a merge before and its undoing after them, or without
    either. The world itself stays as it is. None: there is nobody to merge."""
    keys, now, count, point = dict(world.keys), world.now, world.count, transaction.savepoint()
    try:
        undo = join(world) if join else None
        if join and undo is None:
            return None
        world.react()
        for name, *arguments in meanwhile:
            _do(world, name, *arguments)
        world.react()
        if undo:
            undo()
        world.now += timedelta(minutes=1)
        world.react()
        return portrait()
    finally:
        transaction.savepoint_rollback(point)
        world.keys, world.now, world.count = keys, now, count
        pages.forget()


@QUIETLY
@given(
    before=st.lists(step, min_size=2, max_size=8),
    meanwhile=st.lists(quiet, max_size=5),
    join=st.sampled_from([join_browser, join_persons]),
)
def test_undo__whatever_happened_before_and_meanwhile__the_world_without_the_merge(
    home, before, meanwhile, join
):
    pages.forget()
    with transaction.atomic():
        world = World(home)
        segments(home)
        # Somebody to be merged, as a rule.
        begin = [("import", ANN), ("form", 0, BOB), ("hit", 1)]
        for name, *arguments in [*begin, *before, ("react",)]:
            _do(world, name, *arguments)
        with_it = live(world, meanwhile, join)
        if with_it is not None:
            assert with_it == live(world, meanwhile, None)
        transaction.set_rollback(True)
    pages.forget()


@QUIETLY
@given(steps=st.lists(step, min_size=4, max_size=12))
def test_derived__kept_up_to_date_step_by_step__is_what_the_facts_say(home, steps):
    pages.forget()
    with transaction.atomic():
        world = World(home)
        segments(home)
        for name, *arguments in [*steps, ("react",)]:
            _do(world, name, *arguments)
        living = list(
            Visitor.objects.filter(identities__isnull=False).distinct().values_list("pk", flat=True)
        )
        kept = {pk: derived(pk) for pk in living}
        for table in (ScoreEntry, Standing, Interest, Membership):
            table.objects.all().delete()
        news.mark(living, now=world.now)
        flow.react(now=world.now)
        assert {pk: derived(pk) for pk in living} == kept
        transaction.set_rollback(True)
    pages.forget()


@pytest.fixture
def chain(home, now):
    """Ann is merged into Bob, who is merged into Cat: the latest proposal, and all three."""
    leads = [
        identify(factories.browser(now), email=f"{name}@example.com", now=now, method="form")
        for name in ("cat", "bob", "ann")
    ]
    cat, bob, ann = leads
    segment = factories.make_segment("Chosen")
    SegmentDecision.objects.create(
        segment=segment, visitor=ann.visitor, born_visitor=ann.visitor, is_member=True, decided_at=now
    )
    for kept, other in ((bob, ann), (cat, bob)):
        proposal = proposals.propose(kept, other, reason="manual", now=now)
        proposals.accept(proposal, user_id=None, now=now)
    return proposal, cat, bob, ann


def test_undo__of_the_latest_of_two_merges__decisions_of_all_who_came_with_it_return(chain, now):
    proposal, cat, bob, ann = chain
    assert SegmentDecision.objects.get().visitor_id == cat.visitor_id
    proposals.undo(proposal, user_id=None, now=now)
    assert SegmentDecision.objects.get().visitor_id == bob.visitor_id
    assert SegmentDecision.objects.get().born_visitor_id == ann.visitor_id


def test_undo__scenario_and_hot_list_that_gave_way__go_on(home, now):
    ann = identify(factories.browser(now), email=ANN, now=now, method="form")
    bob = identify(factories.browser(now), email=BOB, now=now, method="form")
    scenario = a_scenario(now, [wait(3)])
    definition = HotDefinition.objects.first() or HotDefinition.objects.create(name="Hot")
    for lead in (ann, bob):
        an_enrolment(scenario, lead.visitor, now)
        HotEntry.objects.create(
            definition=definition,
            visitor=lead.visitor,
            born_visitor=lead.visitor,
            opened_at=now,
            evidence_at=now,
            expires_at=now + timedelta(days=9),
        )
    proposal = proposals.propose(ann, bob, reason="manual", now=now)
    proposals.accept(proposal, user_id=None, now=now)
    assert Enrolment.objects.filter(status="active").count() == 1
    assert HotEntry.objects.filter(closed_at=None).count() == 1
    proposals.undo(proposal, user_id=None, now=now + timedelta(hours=1))
    inside = Enrolment.objects.filter(status="active", left_at=None)
    hot = HotEntry.objects.filter(closed_at=None, ended="")
    for rows in (inside, hot):
        assert set(rows.values_list("visitor_id", flat=True)) == {ann.visitor_id, bob.visitor_id}
