"""``identify()``: the only way in which an address is tied to a browser.

=====================  ==========================================================================
browser of             address is …
=====================  ==========================================================================
somebody anonymous     new: the same visitor gets a lead; nothing moves
somebody anonymous     known: the browser is re-pointed to that person, with its history
that very person       known: nothing but newer field values
another person         new or known, typed or log-in: a *new* browser identity for the latest
                       person (a shared computer); the old one keeps its facts and its person
another person         a mail link: forwarded; the browser stays with its owner
anybody                a role address (info@ …): own lead, own visitor; the browser stays
none (refused, import) own lead, own visitor
somebody who is not    own lead, own visitor: nothing is tied to such a browser; as long as it is
recorded               anonymous, its wish goes over to the person (unrecorded.py)
=====================  ==========================================================================

A typed address is a claim, not a proof. An e-mail identity is the key of a person: two calls at
once with one address make one person.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from wagtail_ma.core.belongings import belongings
from wagtail_ma.core.text import normalise_email
from wagtail_ma.people import browsers, companies, lead_values, merge, news, proposals, unrecorded
from wagtail_ma.people.causes import Cause
from wagtail_ma.people.lead_values import ATTRIBUTE, FIELDS
from wagtail_ma.people.models import Identity, IdentityLink, Lead, Visitor
from wagtail_ma.people.role_addresses import is_role_address

# Ways that prove that the person at the browser owns the address.
VERIFYING = frozenset({"login", "mail_link", "confirmation"})

# Ways in which people name themselves; the others are done by somebody else.
OWN_ACTS = VERIFYING | {"form"}


@dataclass(frozen=True)
class Identified:
    """Who it is, and to which identity the facts of this occasion belong.

    ``is_new_browser``: the cookie must be changed to ``identity.key`` in this response.
    ``is_silent``: the browser is not to be recorded; it must get the cookie of a refusal instead.
    """

    lead: Lead
    identity: Identity
    is_new_browser: bool = False
    is_silent: bool = False


@dataclass(frozen=True)
class _Occasion:
    """The circumstances of one identification."""

    now: datetime
    method: str
    evidence: dict[str, Any]

    @property
    def strength(self) -> str:
        proven = self.method in VERIFYING
        return IdentityLink.Strength.VERIFIED if proven else IdentityLink.Strength.CLAIMED

    def log(self, identity: Identity, **more: Any) -> IdentityLink:
        return IdentityLink.objects.create(
            identity=identity,
            to_visitor_id=identity.visitor_id,
            method=self.method,
            strength=self.strength,
            evidence={**self.evidence, **more},
            at=self.now,
        )


def identify(
    identity: Identity | None,
    *,
    email: str,
    now: datetime,
    method: str,
    evidence: dict[str, Any] | None = None,
    **fields: Any,
) -> Lead:
    """Tie an address to a browser; see :func:`identify_browser`, which also tells the identity.

    :returns: the lead who owns the address.
    """
    return identify_browser(identity, email=email, now=now, method=method, evidence=evidence, **fields).lead


def identify_browser(
    identity: Identity | None,
    *,
    email: str,
    now: datetime,
    method: str,
    evidence: dict[str, Any] | None = None,
    **fields: Any,
) -> Identified:
    """Tie an address to a browser, by the table at the head of this module. Idempotent.

    :param identity: the browser; None when there is none or it must not be recognised.
    :param email: as typed; made comparable here.
    :param method: ``form``, ``login``, ``mail_link``, ``import``, ``manual`` …
    :param evidence: what led to it: form, page, mail (kept in the log, with the scenario behind it).
    :param fields: values for the lead, of :data:`FIELDS`, and ``attributes.<key>`` for the editor's own
        lead fields; empty ones change nothing.
    :raises ValueError: the address is not one.
    :raises TypeError: an unknown field.
    """
    if unknown := {name for name in fields if not name.startswith(ATTRIBUTE)} - set(FIELDS):
        raise TypeError(f"unknown lead fields: {', '.join(sorted(unknown))}")
    address = normalise_email(email)
    with transaction.atomic():
        given = merge.lock([identity.pk]).get(identity.pk) if identity else None
        browser = given if given is not None and given.kind == Identity.Kind.BROWSER else None
        evidence = _with_what_led(browser, evidence or {}, method, now=now)
        occasion = _Occasion(now=now, method=method, evidence=evidence)
        if is_role_address(address):
            owner, link = _person(address, _stranger(occasion), occasion)
            result = _result(owner, owner, occasion)
        else:
            result, link = _bind(browser, address, occasion)
        lead_values.fill(result.lead, fields, now=now, by=method, evidence=evidence, link=link)
        moved_on = browser.visitor_id if browser is not None and result.is_new_browser else None
        proposals.look(result.lead, now=now, seen_with=moved_on)
        is_silent = _honour_wish(given, result, address)
        cause = Cause.IMPORT if method == "import" else ""
        news.mark([result.lead.visitor_id], now=now, cause=cause)
    if identity is not None and identity.pk == result.identity.pk:
        identity.visitor_id, identity.kind = result.identity.visitor_id, result.identity.kind
    return replace(result, is_silent=is_silent)


def _honour_wish(given: Identity | None, result: Identified, address: str) -> bool:
    """Whether the browser is not to be recorded. The wish of somebody who was anonymous goes over to whom
    they say they are; that of a named person is theirs alone."""
    if given is None:
        return False
    if given.is_silent and not _is_named(given.visitor_id) and not is_role_address(address):
        unrecorded.spread(given.visitor_id, result.lead.visitor_id)
    return given.is_silent or result.identity.is_silent


def _with_what_led(
    browser: Identity | None, evidence: dict[str, Any], method: str, *, now: datetime
) -> dict[str, Any]:
    """The evidence of somebody's own act, with what the domains above know of how it came to it."""
    if method not in OWN_ACTS:
        return evidence
    found = dict(evidence)
    for belonging in belongings:
        if belonging.led_by:
            found = {**belonging.led_by(browser.visitor_id if browser else None, found, now), **found}
    return found


def _bind(
    browser: Identity | None, address: str, occasion: _Occasion
) -> tuple[Identified, IdentityLink | None]:
    """The rules for the address of a person."""
    is_anonymous = browser is not None and not _is_named(browser.visitor_id)
    first_visitor = (lambda: browser.visitor_id) if browser and is_anonymous else _stranger(occasion)
    owner, link = _person(address, first_visitor, occasion)
    if browser is None:
        return _result(owner, owner, occasion), link
    if browser.visitor_id == owner.visitor_id:
        _note_proof(browser, owner, occasion)
        return _result(owner, browser, occasion), link
    if is_anonymous:
        evidence = {**occasion.evidence, "address": owner.pk}
        reason = Visitor.objects.values_list("excluded_reason", flat=True).get(pk=browser.visitor_id)
        # A refusal to be tracked must survive the merge. A doubt about a browser is none: whoever types
        # somebody's address could take them out of all lists with it.
        if reason not in ("", Visitor.DOUBTFUL) and Visitor.objects.filter(
            pk=owner.visitor_id, excluded_reason=""
        ).update(excluded_reason=reason):
            evidence["excluded_reason"] = reason
        link = merge.repoint(
            browser,
            owner.visitor_id,
            now=occasion.now,
            method=occasion.method,
            strength=occasion.strength,
            evidence=evidence,
        )
        return _result(owner, browser, occasion), link
    if occasion.method == "mail_link":
        # Listed as a conflict for people to look at, once; nothing moves.
        if not IdentityLink.objects.filter(identity=browser, evidence__forwarded_from=owner.pk).exists():
            occasion.log(browser, forwarded_from=owner.pk)
        return _result(owner, owner, occasion), link
    fresh = browsers.new_browser(owner.visitor, now=occasion.now)
    occasion.log(fresh, conflict_with=browser.pk, address=owner.pk)
    return _result(owner, fresh, occasion, is_new_browser=True), link


def _note_proof(browser: Identity, owner: Identity, occasion: _Occasion) -> None:
    """Note, once for each way, that the person at this browser has proven to own the address."""
    if occasion.strength != IdentityLink.Strength.VERIFIED:
        return
    if not browsers.proofs(browser.pk, owner.visitor_id).filter(method=occasion.method).exists():
        occasion.log(browser, address=owner.pk)


def _person(
    address: str, first_visitor: Callable[[], int], occasion: _Occasion
) -> tuple[Identity, IdentityLink | None]:
    """The locked e-mail identity of an address, made if need be, and the log entry of its making.

    :param first_visitor: called only for a new address: the visitor whom it names.
    """
    same = Identity.objects.select_for_update().filter(kind=Identity.Kind.EMAIL, key=address)
    owner = same.first()
    if owner is not None:
        return owner, None
    try:
        # Somebody else may be naming the same person right now: the unique key decides, and
        # the savepoint takes the new visitor back.
        with transaction.atomic():
            owner = Identity.objects.create(
                kind=Identity.Kind.EMAIL, key=address, visitor_id=first_visitor(), created_at=occasion.now
            )
    except IntegrityError:
        return same.get(), None
    return owner, occasion.log(owner)


def _stranger(occasion: _Occasion) -> Callable[[], int]:
    return lambda: Visitor.objects.create(first_seen_at=occasion.now).pk


def _is_named(visitor_id: int) -> bool:
    return Identity.objects.filter(visitor_id=visitor_id, kind=Identity.Kind.EMAIL).exists()


def _result(
    owner: Identity, identity: Identity, occasion: _Occasion, *, is_new_browser: bool = False
) -> Identified:
    lead, is_created = Lead.objects.get_or_create(
        visitor_id=owner.visitor_id, defaults={"email": owner.key, "created_at": occasion.now}
    )
    if is_created:
        companies.affiliate(lead, now=occasion.now, source=occasion.method)
        lead.save(update_fields=["company"])
    return Identified(lead=lead, identity=identity, is_new_browser=is_new_browser)
