"""What keeps mail from leaving: the hour, switches, copies of the database, trouble."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection

from tests import factories
from wagtail_ma.messaging import (
    claiming,
    dispatches,
    instance,
    queue,
    rates,
    reasons,
    sending,
    settling,
    suppressions,
    transactional,
    watching,
)
from wagtail_ma.messaging.models import Delivery, Dispatch
from wagtail_ma.messaging.models_of_sending import SendingRules
from wagtail_ma.tracking.models import Visit

pytestmark = pytest.mark.django_db
TOKYO, BERLIN = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")


def make_lead(now, email="ann@example.com", **fields):
    lead = factories.make_lead(email, now=now, **fields)
    factories.make_consent(lead, now=now)
    return lead


def planned(now, lead=None, **fields):
    mail = factories.make_mail(**{"timing": "any", "latest_hours": 240, **fields})
    return queue.enqueue(mail, lead or make_lead(now), occurrence="", now=now)


# --- the hour -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timing", "zone", "at", "expected"),
    [
        ("not_at_night", "", datetime(2026, 3, 3, 22, tzinfo=TOKYO), datetime(2026, 3, 4, 8, tzinfo=TOKYO)),
        ("not_at_night", "", datetime(2026, 3, 3, 20, tzinfo=TOKYO), None),
        # Night in Berlin while it is day in Tokyo; clocks change in this night.
        (
            "not_at_night",
            "Europe/Berlin",
            datetime(2026, 3, 29, 1, 30, tzinfo=BERLIN),
            datetime(2026, 3, 29, 8, tzinfo=BERLIN),
        ),
        ("not_at_night", "Nowhere/At_All", datetime(2026, 3, 3, 10, tzinfo=TOKYO), None),
        # Friday evening before Marine Day.
        ("business", "", datetime(2026, 7, 17, 19, tzinfo=TOKYO), datetime(2026, 7, 21, 9, tzinfo=TOKYO)),
        ("any", "", datetime(2026, 3, 3, 3, tzinfo=TOKYO), None),
    ],
)
def test_drain__hour_of_the_reader__kept(mailoutbox, timing, zone, at, expected):
    at = at.astimezone(UTC)
    delivery = planned(at, make_lead(at, time_zone=zone), timing=timing)
    sending.drain(now=at)
    delivery.refresh_from_db()
    if expected is None:
        assert delivery.state == "sent"
        return
    assert (delivery.state, delivery.send_after, mailoutbox) == ("ready", expected, [])
    sending.drain(now=expected)
    assert len(mailoutbox) == 1


def test_drain__night__download_link_leaves_all_the_same(mailoutbox):
    night = datetime(2026, 3, 3, 18, tzinfo=UTC)
    transactional.send_download_link(make_lead(night), "Paper", "/x", now=night)
    sending.drain(now=night)
    assert len(mailoutbox) == 1


def visits_at_four(lead, now):
    identity = lead.visitor.identities.get()
    for days in range(1, 5):
        at = (now - timedelta(days=days)).replace(hour=4)
        Visit.objects.create(
            identity=identity, visitor=lead.visitor, started_at=at, last_at=at, medium="direct"
        )


def test_enqueue__best_hour__the_readers_own(now, mailoutbox):
    early = make_lead(now, "early@example.com")
    visits_at_four(early, now)
    delivery = planned(now, early, timing="best", latest_hours=24)
    four = now.replace(hour=4, minute=0)
    assert (delivery.send_after, delivery.expires_at) == (four, four + timedelta(hours=24))
    assert planned(now, make_lead(now, "unknown@example.com"), timing="best").send_after == now
    after_noon = queue.enqueue(
        delivery.mail, early, occurrence="later", now=now, send_after=now.replace(hour=12)
    )
    assert after_noon.send_after == four + timedelta(days=1)


def test_dispatch__best_hour__each_readers_own(now, home):
    early, unknown = make_lead(now, "early@example.com"), make_lead(now, "unknown@example.com")
    visits_at_four(early, now)
    mail = factories.make_mail(timing="best")
    dispatches.plan(mail, include=[], exclude=[], scheduled_at=None, expected_count=2, by=None, now=now)
    later = now + timedelta(minutes=1)
    dispatches.advance(now=later)
    found = {d.lead_id: d.send_after for d in Delivery.objects.all()}
    assert found[early.pk] == now.replace(hour=4, minute=0)
    assert found[unknown.pk] == later


# --- switches and copies ------------------------------------------------------------------------------------


def test_drain__stopped_in_the_admin__nothing_leaves_not_even_links(now, mailoutbox):
    rules = SendingRules.objects.create(is_stopped=True)
    planned(now)
    transactional.send_download_link(make_lead(now, "b@example.com"), "Paper", "/x", now=now)
    assert sending.drain(now=now) == 0
    rules.is_stopped = False
    rules.save()
    assert sending.drain(now=now) == 2


def test_drain__stopped_in_the_settings__nothing_leaves(now, settings, mailoutbox):
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "MAIL_SENDING": False}
    planned(now)
    assert sending.drain(now=now) == 0 and mailoutbox == []


def test_drain__allow_list__only_those(now, settings, mailoutbox):
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "MAIL_ALLOWLIST": [r".*@example\.com"]}
    planned(now)
    stranger = planned(now, make_lead(now, "ann@example.com.evil.example"))
    sending.drain(now=now)
    stranger.refresh_from_db()
    assert (stranger.state, stranger.reason) == ("skipped", reasons.NOT_ALLOWED)
    assert [message.to for message in mailoutbox] == [["ann@example.com"]]


def test_drain__restored_copy__nothing_leaves_until_somebody_says_so(now, mailoutbox):
    planned(now)
    sending.drain(now=now)
    rules = rates.rules_now()
    assert rules.fingerprint == instance.fingerprint()
    # The same rows in another database.
    SendingRules.objects.update(fingerprint="of the original")
    planned(now, make_lead(now, "b@example.com"))
    assert sending.drain(now=now) == 0
    assert len(mailoutbox) == 1
    instance.adopt(rules)
    assert sending.drain(now=now) == 1


def test_fingerprint__other_address__another(settings):
    before = instance.fingerprint()
    settings.WAGTAIL_MA = {**settings.WAGTAIL_MA, "BASE_URL": "https://staging.example.com"}
    assert instance.fingerprint() != before


# --- trouble ------------------------------------------------------------------------------------------------


def settled(now, mail, dispatch, count, state, refusal="", start=0):
    for number in range(start, start + count):
        lead = factories.make_lead(f"q{number}@example.com", now=now)
        Delivery.objects.create(
            mail=mail,
            dispatch=dispatch,
            lead=lead,
            email=lead.email,
            state=state,
            refusal=refusal,
            send_after=now,
            created_at=now,
            sending_at=now + timedelta(seconds=number),
        )


@pytest.mark.parametrize(
    ("failed", "refusal", "sent", "reason"),
    [
        (4, "policy", 10, ""),
        (5, "policy", 10, reasons.POLICY),
        (20, "other", 80, ""),
        (21, "other", 79, reasons.TOO_MANY_FAILED),
        (10, "dead", 190, ""),
        (11, "dead", 190, reasons.TOO_MANY_DEAD),
    ],
)
def test_watch__so_many_failed__paused_or_not(now, failed, refusal, sent, reason):
    mail = factories.make_mail()
    dispatch = Dispatch.objects.create(mail=mail, state="running", scheduled_at=now, created_at=now)
    settled(now, mail, dispatch, failed, "failed", refusal)
    settled(now, mail, dispatch, sent, "sent", start=failed)
    assert watching.watch(dispatch.pk, now=now) == reason
    dispatch.refresh_from_db()
    assert dispatch.state == ("paused" if reason else "running")
    if reason:
        later = now + timedelta(hours=1)
        dispatches.resume(dispatch.pk, now=later)
        dispatches.advance(now=later)
        assert watching.watch(dispatch.pk, now=later) == "", "somebody knows, and went on"


def test_settle__database_gone_after_the_server_took_it__unknown_never_again(
    transactional_db, now, mailoutbox
):
    delivery = planned(now)

    def fail(execute, sql, params, many, context):
        if sql.startswith("UPDATE") and '"sent_at"' in sql:
            raise OperationalError("gone")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(fail), pytest.raises(OperationalError):
        sending.drain(now=now)
    sending.drain(now=now + timedelta(hours=1))
    delivery.refresh_from_db()
    assert delivery.state == "unknown"
    assert len(mailoutbox) == 1
    assert settling.send_again(delivery.pk, now=now)
    assert not settling.send_again(delivery.pk, now=now)
    sending.drain(now=now)
    assert len(mailoutbox) == 2


def test_tick__no_queue_told_anything__mail_leaves(transactional_db, mailoutbox):
    from django.utils import timezone

    planned(timezone.now())
    call_command("ma_tick")
    assert len(mailoutbox) == 1


def test_transactional__refused_marketing__arrives_but_not_at_dead_addresses(now, mailoutbox):
    lead = make_lead(now)
    suppressions.add(lead.email, reason=suppressions.UNSUBSCRIBED, now=now)
    transactional.send_download_link(lead, "Paper", "/x", now=now)
    sending.drain(now=now)
    assert len(mailoutbox) == 1
    assert "List-Unsubscribe" not in mailoutbox[0].extra_headers
    suppressions.add(lead.email, reason=suppressions.HARD_BOUNCE, now=now)
    transactional.send_download_link(lead, "Paper", "/x", now=now)
    sending.drain(now=now)
    assert len(mailoutbox) == 1


def dies(owner, now):
    """A sender takes what it gets and is never heard of again; a quarter of an hour later."""
    taken = [delivery.pk for delivery in claiming.claim(owner, now=now, limit=50)]
    later = now + timedelta(minutes=15)
    settling.reap(now=later)
    return taken, later


def test_claim__suspect__taken_alone_and_given_up_at_the_third_death(now):
    one = planned(now)
    other = planned(now, make_lead(now, "b@example.com"))
    taken, later = dies("a", now)
    assert taken == [one.pk, other.pk]
    for owner in "bc":
        assert Delivery.objects.get(pk=one.pk).state == "ready"
        taken, later = dies(owner, later)
        assert taken == [one.pk]
    poison = Delivery.objects.get(pk=one.pk)
    assert (poison.state, poison.reason, poison.claims) == ("failed", reasons.POISON, 3)
    sending.drain(now=later)
    assert Delivery.objects.get(pk=other.pk).state == "sent"


@pytest.mark.parametrize(
    "meanwhile",
    [
        {"state": "claimed", "owner": "somebody else"},
        {"send_after": datetime(2100, 1, 1, tzinfo=UTC)},
    ],
)
def test_claim__somebody_was_faster_or_put_it_off__left_alone(now, monkeypatch, meanwhile):
    one, other = planned(now), planned(now, make_lead(now, "b@example.com"))
    choose = claiming._harmless

    def and_meanwhile(rows):
        Delivery.objects.filter(pk=one.pk).update(**meanwhile)
        return choose(rows)

    monkeypatch.setattr(claiming, "_harmless", and_meanwhile)
    (taken,) = claiming.claim("me", now=now, limit=50)
    assert (taken.pk, taken.claims) == (other.pk, 1)
    stored = Delivery.objects.get(pk=other.pk)
    told = (taken.state, taken.owner, taken.lease_until, taken.claims)
    assert told == (stored.state, stored.owner, stored.lease_until, stored.claims)
    assert Delivery.objects.get(pk=one.pk).owner != "me"


def test_reap__senders_die_of_something_else__nothing_is_called_poison(now):
    one = planned(now)
    for number in range(3):
        cut_short = planned(now, make_lead(now, f"q{number}@example.com"))
        Delivery.objects.filter(pk=cut_short.pk).update(
            state="unknown", reason=reasons.INTERRUPTED, owner=f"dead {number}", sending_at=now
        )
    Delivery.objects.filter(pk=one.pk).update(claims=2)
    _taken, later = dies("a", now)
    assert Delivery.objects.get(pk=one.pk).state == "ready"
    Delivery.objects.filter(pk=one.pk).update(claims=7)
    dies("b", later)
    assert Delivery.objects.get(pk=one.pk).state == "failed", "there is an end to it"


def test_reap__other_mails_killed_their_senders_alone_as_well__nothing_is_called_poison(now):
    one = planned(now)
    others = [planned(now, make_lead(now, f"q{number}@example.com")) for number in range(3)]
    ids = [each.pk for each in others]
    Delivery.objects.filter(pk__in=ids[:2]).update(claims=2)
    Delivery.objects.filter(pk=ids[2]).update(claims=3, state="sent", sending_at=now)
    Delivery.objects.filter(pk=one.pk).update(claims=2)
    _taken, later = dies("a", now)
    assert Delivery.objects.get(pk=one.pk).state == "ready"
    # Those that were sent soon after the first death were only with it.
    Delivery.objects.filter(pk__in=ids).update(claims=2, state="sent", sending_at=now)
    dies("b", later)
    assert Delivery.objects.get(pk=one.pk).state == "failed"


@pytest.mark.parametrize(("put_off", "state"), [(timedelta(0), "ready"), (timedelta(days=1), "failed")])
def test_reap__mails_that_wait_for_another_day__are_no_sign_of_a_storm(now, put_off, state):
    one = planned(now)
    ids = [planned(now, make_lead(now, f"q{number}@example.com")).pk for number in range(3)]
    Delivery.objects.filter(pk__in=ids).update(claims=2, send_after=now + put_off)
    Delivery.objects.filter(pk=one.pk).update(
        claims=3, state="claimed", owner="dead", lease_until=now - timedelta(minutes=1)
    )
    settling.reap(now=now)
    assert Delivery.objects.get(pk=one.pk).state == state


def test_reap__first_signs_are_enough__others_are_not_asked_for(now, django_assert_num_queries):
    ids = [planned(now, make_lead(now, f"q{number}@example.com")).pk for number in range(4)]
    claimed = {"state": "claimed", "owner": "dead", "lease_until": now - timedelta(minutes=1)}
    Delivery.objects.filter(pk__in=ids).update(claims=3, **claimed)
    # Anything due; what is claimed; a suspect; four of them: a storm. Then the three updates.
    with django_assert_num_queries(6):
        settling.reap(now=now)
    assert set(Delivery.objects.values_list("state", flat=True)) == {"ready"}


# --- who it is from -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("email", "is_active", "expected"),
    [
        ("taro@example.com", True, '"Taro Yamada" <taro@example.com>'),
        # Another domain would not be authenticated: the name alone.
        ("taro@elsewhere.example", True, '"Taro Yamada" <news@example.com>'),
        ("taro@example.com", False, '"Example Inc." <news@example.com>'),
    ],
)
def test_drain__from_the_person_in_charge__their_name(
    now, mailoutbox, django_user_model, email, is_active, expected
):
    owner = django_user_model.objects.create_user(
        "taro", email, first_name="Taro", last_name="Yamada", is_active=is_active
    )
    lead = make_lead(now)
    lead.owner = owner
    lead.save()
    planned(now, lead, is_from_owner=True)
    sending.drain(now=now)
    sent = mailoutbox[0].message()["From"]
    assert sent.replace('"', "") == expected.replace('"', "")
