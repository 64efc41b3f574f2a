"""Whatever people do in whatever order: nothing is mixed up and nothing is lost."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.apps import apps
from django.db import transaction
from django.db.models import F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import factories
from tests.conftest import START
from wagtail_ma import flow
from wagtail_ma.core.belongings import belongings
from wagtail_ma.forms.submit import submit
from wagtail_ma.messaging import consents
from wagtail_ma.people import browsers, merge, persons, proposals
from wagtail_ma.people.identify import identify, identify_browser
from wagtail_ma.people.models import Identity, IdentityLink, Lead, MergeProposal, Visitor
from wagtail_ma.tracking import pages
from wagtail_ma.tracking.models import Activity, PageView

PEOPLE = ["ann@example.com", "bob@example.com", "cat@example.com"]
ADDRESSES = [*PEOPLE, "info@example.com"]

machine = st.integers(0, 1)
address = st.sampled_from(ADDRESSES)
person = st.sampled_from(PEOPLE)
step = st.one_of(
    st.tuples(st.just("hit"), machine),
    st.tuples(st.just("form"), machine, address),
    st.tuples(st.just("mail_link"), machine, address),
    st.tuples(st.just("import"), address),
    st.tuples(st.just("consent"), machine),
    st.tuples(st.just("clear_cookie"), machine),
    st.tuples(st.just("login"), machine, address),
    st.tuples(st.just("undo"), st.integers(0, 5)),
    # Two persons, made one by a decision; and two again.
    st.tuples(st.just("accept"), person, person),
    st.tuples(st.just("take_apart"), st.integers(0, 5)),
    st.tuples(st.just("react")),
)


class World:
    """Two computers with their cookies, a form, and a clock."""

    def __init__(self, page=None) -> None:
        self.page = page
        self.now = START
        self.keys: dict[int, str | None] = {}
        self.form = factories.lead_form()
        self.count = 0

    def hit(self, computer):
        hit = factories.page_hit(self.page, browser_key=self.keys.get(computer))
        self.keys[computer] = flow.record_hit(hit, now=self.now).browser_key

    def login(self, computer, email):
        done = identify_browser(self.browser(computer), email=email, now=self.now, method="login")
        if done.is_new_browser:
            self.keys[computer] = done.identity.key

    def accept(self, one, other):
        leads = [owner_of(email) for email in (one, other)]
        if None in leads or leads[0] == leads[1]:
            return
        proposal = proposals.propose(*leads, reason="manual", now=self.now)
        try:
            proposals.accept(proposal, user_id=None, now=self.now)
        except proposals.CannotMerge:
            return

    def take_apart(self, number):
        merged = list(MergeProposal.objects.order_by("pk"))
        if merged:
            try:
                proposals.undo(merged[number % len(merged)], user_id=None, now=self.now)
            except merge.CannotUndo:
                return

    def react(self):
        flow.react(now=self.now)

    def clear_cookie(self, computer):
        self.keys[computer] = None

    def browser(self, computer):
        browser = browsers.recognise(self.keys.get(computer), now=self.now)
        self.keys[computer] = browser.key
        return browser


def owner_of(email) -> Lead | None:
    return Lead.objects.filter(visitor__identities__kind="email", visitor__identities__key=email).first()


def _do(world: World, name, *arguments) -> None:
    world.now += timedelta(minutes=7)
    world.count += 1
    with transaction.atomic():
        if name == "form":
            computer, email = arguments
            done = submit(
                world.form,
                {"email": email, "family_name": f"N{world.count}"},
                browser_identity=world.browser(computer),
                now=world.now,
                nonce=str(world.count),
            )
            if done.is_new_browser:
                world.keys[computer] = done.identity.key
        elif name == "mail_link":
            identify(world.browser(arguments[0]), email=arguments[1], now=world.now, method="mail_link")
        elif name == "import":
            identify(None, email=arguments[0], now=world.now, method="import")
        elif name == "consent":
            visitor = Visitor.objects.get(pk=world.browser(arguments[0]).visitor_id)
            consents.record(
                visitor,
                email="x@example.com",
                is_granted=True,
                text="",
                source_kind="manual",
                source_key=str(world.count),
                now=world.now,
            )
        elif name == "undo":
            _undo(arguments[0], world.now)
        else:
            getattr(world, name)(*arguments)


def _undo(number, now) -> None:
    links = list(IdentityLink.objects.filter(from_visitor__isnull=False).order_by("pk"))
    if links:
        link = links[number % len(links)]
        try:
            if proposal_id := link.evidence.get("proposal"):
                # As the screen does it: two persons are taken apart as a whole.
                proposals.undo(MergeProposal.objects.get(pk=proposal_id), user_id=None, now=now)
            else:
                merge.undo(link, now=now)
        except merge.CannotUndo:
            return


def _facts() -> set[tuple]:
    views = PageView.objects.values_list("pk", "visit__identity_id", "at", "view_id")
    acts = Activity.objects.values_list("pk", "identity_id", "at", "source_key")
    return {("view", *row) for row in views} | {("act", *row) for row in acts}


def _check(before: set[tuple]) -> None:
    assert before <= _facts(), "a fact has changed or gone"
    for belonging in belongings:
        model = apps.get_model(belonging.model)
        if belonging.role == "fact":
            of_identity = F(f"{belonging.identity}__visitor_id")
            assert not model.objects.exclude(visitor_id=of_identity).exists(), belonging.model
        if belonging.role in ("decision", "derived") and belonging.model != "wagtail_ma.News":
            assert not model.objects.filter(visitor__merged_into__isnull=False).exists(), belonging.model
    empty = Visitor.objects.filter(identities__isnull=True)
    assert not empty.filter(merged_into__isnull=True).exists(), "a visitor without identity is no tombstone"
    assert not Visitor.objects.filter(merged_into__isnull=False, identities__isnull=False).exists()
    people = Counter(Identity.objects.filter(kind="email").values_list("visitor_id", flat=True))
    for visitor_id in people:
        assert Lead.objects.get(visitor_id=visitor_id)
    decided = MergeProposal.objects.filter(state="merged").values_list("kept_id", flat=True)
    by_hand = Counter(persons.living(kept_id) for kept_id in decided)
    assert {pk: count - 1 for pk, count in people.items() if count > 1} == by_hand, "merged by machine"
    for belonging in belongings:
        if belonging.role == "decision":
            rows = apps.get_model(belonging.model).objects.values_list("visitor_id", "born_visitor_id")
            for visitor_id, born_id in rows:
                assert visitor_id == persons.living(born_id), f"{belonging.model}: not where its maker is"
    desks = Identity.objects.filter(kind="email", key="info@example.com").values("visitor_id")
    assert not Identity.objects.filter(visitor_id__in=desks, kind="browser").exists()


@pytest.mark.django_db
@settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(steps=st.lists(step, min_size=8, max_size=16))
def test_any_sequence__of_hits_forms_links_and_undos__keeps_the_invariants(site, steps):
    pages.forget()
    with transaction.atomic():
        world = World()
        for name, *arguments in steps:
            before = _facts()
            _do(world, name, *arguments)
            _check(before)
        transaction.set_rollback(True)
    pages.forget()


@pytest.mark.django_db
def test_undo__after_facts_and_forms__equals_a_world_without_the_merge(site, now):
    pages.forget()
    world = World()
    world.hit(0)
    _do(world, "form", 0, "ann@example.com")
    world.hit(1)
    visitors_before = dict(Identity.objects.values_list("pk", "visitor_id"))
    _do(world, "form", 1, "ann@example.com")
    _check(set())
    world.hit(1)
    merge.undo(IdentityLink.objects.get(from_visitor__isnull=False), now=world.now)
    assert dict(Identity.objects.values_list("pk", "visitor_id")) == visitors_before
    _check(set())
    pages.forget()
