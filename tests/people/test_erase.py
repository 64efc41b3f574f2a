"""Erasing and exporting one person."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection
from wagtail.log_actions import log

from tests import factories
from wagtail_ma import flow
from wagtail_ma.forms.submit import submit
from wagtail_ma.messaging import consents, suppressions, transactional
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people import erase, export, persons, proposals
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Identity, Lead, Visitor
from wagtail_ma.sales.models_of_tasks import Task
from wagtail_ma.tracking.models import PageView

pytestmark = pytest.mark.django_db
ANN = "ann.secret@example.com"
NAME = "Zzyzx"


def everything() -> str:
    """All text of all tables of the database, wherever it may be."""
    parts = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            parts += [f"{table}: {row}" for row in cursor.fetchall()]
    return "\n".join(parts)


@pytest.fixture
def ann(site, now):
    """Somebody who did everything: two browsers, a form, consent taken back, mails, the log."""
    hit = factories.page_hit(url=f"http://localhost/?mail={ANN}")
    key = flow.record_hit(hit, now=now).browser_key
    browser = Identity.objects.get(key=key)
    form = factories.lead_form()
    answers = {"email": ANN, "family_name": NAME, "company_name": f"{NAME} Ltd"}
    lead = submit(form, answers, browser_identity=browser, now=now, nonce="1").lead
    second = factories.browser(now)
    identify(second, email=ANN, now=now, method="form", phone="03-1111-2222")
    flow.record_hit(factories.page_hit(browser_key=second.key), now=now + timedelta(minutes=1))
    factories.make_consent(lead, now=now)
    consents.record(
        lead.visitor, email=ANN, is_granted=False, text="", source_kind="mail", source_key="9", now=now
    )
    # What others wrote about them, and where an editor wrote their address.
    Task.objects.create(visitor=lead.visitor, text=f"Call {NAME}", due_at=now, created_at=now, source_key="1")
    mail = factories.make_mail(name=f"For {ANN}", text=f"<p>Dear {ANN.upper()}, we call you</p>")
    mail.save_revision()
    type(mail).objects.update(name="Plain", body="[]")
    other = factories.make_lead("bob@example.com", now=now, family_name=NAME, company_name=f"{NAME} Ltd")
    proposals.look(other, now=now)
    Lead.objects.filter(pk=other.pk).update(family_name="Bob", company_name="")
    transactional.send_download_link(lead, f"For {NAME}", "/x/", now=now, occurrence="1")
    log(lead, "wagtail_ma.view_lead", user=get_user_model().objects.create(username="staff"))
    flow.react(now=now + timedelta(minutes=2))
    lead.refresh_from_db()
    return lead


def test_erase__person_who_did_everything__no_table_names_them(ann, now):
    others = Lead.objects.get(email="bob@example.com")
    places = {line.partition(":")[0] for line in everything().splitlines() if ANN in line or NAME in line}
    # The test would prove little if they were nowhere to be found.
    assert {
        "wagtail_ma_lead", "wagtail_ma_identity", "wagtail_ma_submission", "wagtail_ma_consent",
        "wagtail_ma_delivery", "wagtail_ma_task", "wagtailcore_modellogentry",
        "wagtailcore_revision",
    } <= places  # fmt: skip
    erase.erase(persons.gather(ann.visitor_id, now=now))
    text = everything()
    assert ANN.upper() not in text
    left = [line for line in text.splitlines() if ANN in line or NAME in line]
    # The company stays: it is no person.
    assert [line for line in left if "wagtail_ma_company:" not in line] == []
    assert not PageView.objects.exists()
    assert list(Lead.objects.all()) == [others]
    assert Identity.objects.get().key == "bob@example.com"


def test_erase__who_had_refused_mail__stays_refused(ann, now):
    erase.erase(persons.gather(ann.visitor_id, now=now))
    assert suppressions.stopping(ANN, is_marketing=True).exists()
    assert not consents.may_mail(ANN)


def test_erase__mails__keep_their_numbers_and_are_not_sent(ann, now):
    count = Delivery.objects.count()
    erase.erase(persons.gather(ann.visitor_id, now=now))
    assert Delivery.objects.count() == count
    assert not Delivery.objects.filter(state=Delivery.State.READY).exists()


def test_erase__repeated__is_harmless(ann, now):
    person = persons.gather(ann.visitor_id, now=now)
    erase.erase(person)
    erase.erase(person)


def test_erase__browser_comes_back__is_a_stranger(ann, now):
    key = Identity.objects.filter(kind="browser").first().key
    erase.erase(persons.gather(ann.visitor_id, now=now))
    later = flow.record_hit(factories.page_hit(browser_key=key), now=now + timedelta(days=1))
    assert later.browser_key != key
    stranger = Visitor.objects.get(identities__key=later.browser_key)
    assert stranger.first_seen_at == now + timedelta(days=1)


def test_gather__tombstones__belong_to_the_person(ann, now):
    person = persons.gather(ann.visitor_id, now=now)
    tombstone = Visitor.objects.get(merged_into=ann.visitor_id)
    assert set(person.visitor_ids) == {ann.visitor_id, tombstone.pk}
    assert persons.living(tombstone.pk) == ann.visitor_id
    assert persons.living(0) is None


def test_export__json_and_csv__tell_all_facts_and_no_keys(ann, now):
    person = persons.gather(ann.visitor_id, now=now)
    content = json.loads(export.as_json(person))
    assert content["Lead"][0]["family_name"] == NAME
    assert len(content["PageView"]) == 2
    assert content["Consent"][1]["is_granted"] is False
    assert "Standing" in content
    rows = list(csv.reader(io.StringIO(export.as_csv(person).removeprefix("\ufeff"))))
    assert rows[0] == ["table", "row", "field", "value"]
    assert ["Lead", "1", "email", ANN] in rows
    for text in (export.as_json(person), export.as_csv(person)):
        for key in Identity.objects.filter(kind="browser").values_list("key", flat=True):
            assert key not in text


def test_export__views_that_a_merge_has_not_carried_along_yet__are_told(ann, now):
    PageView.objects.update(visitor=Lead.objects.get(email="bob@example.com").visitor)
    assert len(export.collect(persons.gather(ann.visitor_id, now=now))["PageView"]) == 2


def test_export__for_themselves__tells_no_score_and_no_segment(ann, now):
    content = export.collect(persons.gather(ann.visitor_id, now=now), for_themselves=True)
    assert {"Lead", "PageView", "Submission", "Consent"} <= set(content)
    hidden = {"Standing", "ScoreEntry", "Membership", "SegmentDecision", "HotEntry", "Marking", "Interest"}
    assert not hidden & set(content)


def test_export__csv__guards_against_formulas(ann, now):
    Lead.objects.filter(pk=ann.pk).update(family_name="=1+1")
    assert ",'=1+1" in export.as_csv(persons.gather(ann.visitor_id, now=now))


def test_persons_rows__other_people__are_not_among_them(ann, now):
    assert "bob" not in export.as_json(persons.gather(ann.visitor_id, now=now)).lower()
    assert apps.get_model("wagtail_ma.Lead").objects.count() == 2


def test_export__for_themselves__nothing_of_others_and_nothing_of_staff(ann, now):
    browser = Identity.objects.filter(kind="browser", visitor=ann.visitor).first()
    form = factories.lead_form("email", "message", name="Enquiry", notify="clerk@staff.example")
    answers = {"email": "info@other.example", "message": "Typed by somebody else here"}
    submit(form, answers, browser_identity=browser, now=now, nonce="2")
    submit(form, {"email": ANN, "message": "Mine"}, browser_identity=browser, now=now, nonce="3")
    text = export.as_json(persons.gather(ann.visitor_id, now=now), for_themselves=True)
    assert "Mine" in text
    for other in ("info@other.example", "Typed by somebody else", "clerk@staff.example", "bob@example.com"):
        assert other not in text
    assert "clerk@staff.example" in export.as_json(persons.gather(ann.visitor_id, now=now))
