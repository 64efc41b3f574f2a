"""Which acts a browser may tell."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

import wagtail_ma
from tests.web.test_hits import message, post
from wagtail_ma.forms import confirm, downloads, submit
from wagtail_ma.messaging import clicks
from wagtail_ma.reports.timeline import ACTIVITY_LABELS
from wagtail_ma.scoring.defaults import default_rules
from wagtail_ma.scoring.interests import RESEARCH_ACTS
from wagtail_ma.scoring.models import ScoringRule
from wagtail_ma.tracking import offer_token
from wagtail_ma.tracking.act_kinds import SCRIPT_KINDS, SERVER_KINDS
from wagtail_ma.tracking.hits import BadHit, Sender, parse
from wagtail_ma.tracking.models import Activity

SCRIPTS = Path(wagtail_ma.__file__).parent / "static_src"


def paid_for() -> list[str]:
    return [rule["activity_kind"] for rule in default_rules() if rule["kind"] == ScoringRule.Kind.ACTIVITY]


def is_refused(name: str, page: Any) -> bool:
    body = message(page, k="c", i=str(uuid4()), n=name)
    try:
        parse(json.dumps(body).encode(), sender=Sender())
    except BadHit as refusal:
        return refusal.status == 204
    return False


@pytest.mark.django_db
def test_kinds_that_default_rules_pay_for__refused_unless_our_scripts_tell_them(home: Any) -> None:
    kinds = paid_for()
    assert {"phone_talk", "card_exchanged", "seminar_booked", "form_view"} <= set(kinds)
    assert {kind for kind in kinds if not is_refused(kind, home)} == {"form_view", "form_start"}


@pytest.mark.django_db
def test_kinds_with_a_meaning_of_their_own__refused_unless_our_scripts_tell_them(home: Any) -> None:
    kinds = {submit.KIND, confirm.KIND, downloads.KIND, clicks.HUMAN, clicks.MACHINE}
    kinds |= RESEARCH_ACTS.keys() | ACTIVITY_LABELS.keys()
    told = {kind for kind in kinds if not is_refused(kind, home)} | offer_token.ACTS
    assert told == SCRIPT_KINDS
    assert not is_refused("price_list_opened", home)


def test_kinds_that_our_scripts_tell__are_those_that_stand_in_them() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted(SCRIPTS.glob("*.js")))
    # Names of acts, as opposed to other words, are made of two.
    found = set(re.findall(r'"((?:form|file|outbound|offer)_[a-z]+)"', text))
    assert found - SERVER_KINDS == SCRIPT_KINDS
    # (Told for scripts of the site's own; the server alone knows whether a form was accepted.)
    assert found & SERVER_KINDS == {"form_submit"}


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["phone_talk", "Card_Exchanged", "seminar_booked"])
def test_claimed_by_a_browser__204_without_a_row(home: Any, client: Client, name: str) -> None:
    assert post(client, message(home, k="c", i=str(uuid4()), n=name)).status_code == 204
    assert not Activity.objects.exists()
