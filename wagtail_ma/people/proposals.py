"""Two named persons who may be one: proposed by machine, decided by a person, undone by one click.

A merge points every identity of the one to the other, each step an ``IdentityLink`` like any other;
the record of the one stays behind, hidden, and fills what the other's lacks.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from wagtail_ma.core.errors import MarketingError
from wagtail_ma.core.text import normalise
from wagtail_ma.people import lead_values, merge, news, phones
from wagtail_ma.people.causes import Cause
from wagtail_ma.people.models import Identity, IdentityLink, Lead, LeadPhone, MergeProposal

METHOD = "merge"
SAME_NAME = "name"
SAME_BROWSER = "browser"
SAME_PHONE = "phone"
BY_HAND = "manual"
State = MergeProposal.State


class CannotMerge(MarketingError):
    """It was decided already, or one of the two is not there any more."""


def look(lead: Lead, *, now: datetime, seen_with: int | None = None) -> None:
    """Propose whoever may be the same person as this lead: the same full name in the same company, or
    the same full name at the same computer, or the same telephone number.

    :param seen_with: visitor id of the named person whose browser was used.
    """
    _look_for_name(lead, now=now, seen_with=seen_with)
    _look_for_phone(lead, now=now)


def _look_for_phone(lead: Lead, *, now: datetime) -> None:
    """A number of one person is enough; one that colleagues may share only with the same family name."""
    keys = phones.keys_of(lead)
    if not keys:
        return
    others = Lead.objects.filter(
        pk__in=LeadPhone.objects.filter(key__in=keys).values("lead"), visitor__merged_into__isnull=True
    ).exclude(pk=lead.pk)
    for other in others.order_by("pk")[:20]:
        shared = keys & phones.keys_of(other)
        name = normalise(lead.family_name)
        is_namesake = bool(name) and name == normalise(other.family_name) and not _differ(lead, other)
        if any(map(phones.is_personal, shared)) or is_namesake:
            propose(lead, other, reason=SAME_PHONE, now=now)


def _differ(lead: Lead, other: Lead) -> bool:
    """Whether both have told a given name, and not the same."""
    mine, theirs = normalise(lead.given_name), normalise(other.given_name)
    return bool(mine and theirs) and mine != theirs


def _look_for_name(lead: Lead, *, now: datetime, seen_with: int | None) -> None:
    if not (lead.family_name and lead.given_name):
        return
    near = Q(pk__in=[])
    if lead.company_id is not None:
        near |= Q(company_id=lead.company_id)
    if seen_with is not None:
        near |= Q(visitor_id=seen_with)
    others = Lead.objects.filter(near, visitor__merged_into__isnull=True).exclude(pk=lead.pk)
    for other in others.filter(family_name=lead.family_name)[:20]:
        if _name(other) == _name(lead):
            is_near = other.visitor_id == seen_with
            propose(lead, other, reason=SAME_BROWSER if is_near else SAME_NAME, now=now)


def propose(one: Lead, other: Lead, *, reason: str, now: datetime) -> MergeProposal:
    """Note that two may be one, once; who is known for longer is the one to be kept."""
    kept, given_up = sorted((one, other), key=lambda lead: (lead.created_at, lead.pk))
    found: MergeProposal = MergeProposal.objects.get_or_create(
        kept_id=kept.visitor_id,
        other_id=given_up.visitor_id,
        defaults={"reason": reason, "created_at": now},
    )[0]
    return found


def accept(proposal: MergeProposal, *, user_id: int | None, now: datetime) -> None:
    """Make one person of the two.

    :raises CannotMerge: it is merged already, or one of the two has become somebody else meanwhile.
    """
    with transaction.atomic():
        row = _lock(proposal)
        if row.state == State.MERGED or row.kept.merged_into_id or row.other.merged_into_id:
            raise CannotMerge("one of the two is merged already")
        ids = Identity.objects.filter(visitor__in=(row.kept_id, row.other_id)).values_list("pk", flat=True)
        identities = [one for one in merge.lock(ids).values() if one.visitor_id == row.other_id]
        if not identities:
            raise CannotMerge("nobody is there any more")
        evidence = {"proposal": row.pk}
        links = [
            merge.repoint(
                identity,
                row.kept_id,
                now=now,
                method=METHOD,
                strength=IdentityLink.Strength.VERIFIED,
                evidence=evidence,
            )
            for identity in identities
        ]
        _fill_gaps(row, links[-1], now=now)
        _decide(row, State.MERGED, user_id=user_id, now=now)
    proposal.refresh_from_db()


def refuse(proposal: MergeProposal, *, user_id: int | None, now: datetime) -> None:
    """The two are two: they are not proposed again.

    :raises CannotMerge: they are merged (undo it instead).
    """
    with transaction.atomic():
        row = _lock(proposal)
        if row.state == State.MERGED:
            raise CannotMerge("merged already")
        _decide(row, State.REFUSED, user_id=user_id, now=now)
    proposal.refresh_from_db()


def undo(proposal: MergeProposal, *, user_id: int | None, now: datetime) -> None:
    """Take a merge back: all its steps, the latest first. Browsers that joined since under an address of
    the one go with it, as they would have without the merge.

    :raises wagtail_ma.people.merge.CannotUndo: it is not merged, or later steps stand on it.
    """
    with transaction.atomic():
        row = _lock(proposal)
        if row.state != State.MERGED:
            raise merge.CannotUndo("not merged")
        links = list(
            IdentityLink.objects.filter(
                method=METHOD, evidence__proposal=row.pk, undone_at__isnull=True
            ).order_by("-pk")
        )
        # In one order, before any of them is looked at.
        merge.lock(Identity.objects.filter(visitor_id=row.kept_id).values_list("pk", flat=True))
        for link in links:
            merge.undo(link, now=now)
        addresses = {link.identity_id for link in links if link.identity.kind == Identity.Kind.EMAIL}
        _return_browsers(row, addresses, min(link.pk for link in links), now=now)
        _decide(row, State.UNDONE, user_id=user_id, now=now)
        news.mark([row.kept_id, row.other_id], now=now, cause=Cause.UNDO)
    proposal.refresh_from_db()


def _return_browsers(row: MergeProposal, addresses: set[int], since: int, *, now: datetime) -> None:
    joined = IdentityLink.objects.filter(
        pk__gt=since, to_visitor_id=row.kept_id, undone_at__isnull=True, evidence__address__in=addresses
    )
    ids = {link.identity_id for link in joined} - addresses
    for identity in merge.lock(ids).values():
        if identity.visitor_id == row.kept_id:
            merge.repoint(identity, row.other_id, now=now, method=METHOD, evidence={"undo_of": row.pk})


def _fill_gaps(row: MergeProposal, link: IdentityLink, *, now: datetime) -> None:
    kept = Lead.objects.filter(visitor_id=row.kept_id).first()
    other = Lead.objects.filter(visitor_id=row.other_id).first()
    if kept is None or other is None:
        return
    names = [*lead_values.FIELDS, *(f"{lead_values.ATTRIBUTE}{key}" for key in other.attributes)]
    gaps = {
        name: lead_values.read(other, name)
        for name in names
        if not lead_values.read(kept, name) and lead_values.read(other, name)
    }
    lead_values.fill(kept, gaps, now=now, by=METHOD, evidence={"proposal": row.pk}, link=link)


def _lock(proposal: MergeProposal) -> MergeProposal:
    rows = MergeProposal.objects.select_for_update(of=("self",)).select_related("kept", "other")
    return rows.get(pk=proposal.pk)


def _decide(row: MergeProposal, state: str, *, user_id: int | None, now: datetime) -> None:
    row.state, row.decided_at, row.decided_by_id = state, now, user_id
    row.save(update_fields=["state", "decided_at", "decided_by"])


def _name(lead: Lead) -> tuple[str, str]:
    return normalise(lead.family_name), normalise(lead.given_name)
