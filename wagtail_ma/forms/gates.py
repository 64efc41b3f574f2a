"""Which form stands in front of a document, and for whom it does not open."""

from __future__ import annotations

from dataclasses import dataclass

from wagtail.documents import get_document_model
from wagtail.models import Collection

from wagtail_ma.core.text import split_lines
from wagtail_ma.forms.models import GatedDocument, LeadForm, Submission
from wagtail_ma.people.models import Lead

State = Submission.State


@dataclass(frozen=True)
class Gate:
    """A document and the rule that gates it: its own, or that of a collection it is in."""

    document_id: int
    rule: GatedDocument

    @property
    def form(self) -> LeadForm:
        """The form to be sent first."""
        return self.rule.form

    @property
    def form_id(self) -> int:
        """Its key."""
        return self.rule.form_id


def gate_of(document_id: int) -> Gate | None:
    """The gate in front of a document, or None. The document's own goes before a collection's, and
    a nearer collection's before one further up."""
    rules = GatedDocument.objects.select_related("form")
    rule = rules.filter(document_id=document_id).first()
    if rule is None and rules.filter(collection__isnull=False).exists():
        documents = get_document_model().objects.filter(pk=document_id)
        path = documents.values_list("collection__path", flat=True).first() or ""
        above = [path[:end] for end in range(Collection.steplen, len(path) + 1, Collection.steplen)]
        rule = rules.filter(collection__path__in=above).order_by("-collection__depth").first()
    return Gate(document_id, rule) if rule is not None else None


def verdict(document_id: int | None, email: str, lead: Lead | None = None) -> str:
    """Whether the owner of an address gets the document they asked for.

    :param email: normalised.
    :param lead: its owner, whose company may be a competitor.
    :returns: ``Submission.State.ACCEPTED``, ``HELD`` or ``REFUSED``.
    """
    gate = gate_of(document_id) if document_id else None
    if gate is None or not (is_blocked(gate.rule, email) or is_competitor(gate.rule, lead)):
        return State.ACCEPTED
    return State.HELD if gate.rule.for_blocked == GatedDocument.ForBlocked.HOLD else State.REFUSED


def is_blocked(rule: GatedDocument, email: str) -> bool:
    """Whether an address belongs to a domain (or a sub-domain of one) that the gate is closed to."""
    domain = email.rpartition("@")[2].lower()
    return any(domain == blocked or domain.endswith(f".{blocked}") for blocked in blocked_domains(rule))


def is_competitor(rule: GatedDocument, lead: Lead | None) -> bool:
    """Whether somebody belongs to a competitor, and the gate is closed to those."""
    if not rule.blocks_competitors or lead is None or lead.company is None:
        return False
    return bool(lead.company.is_competitor)


def blocked_domains(rule: GatedDocument) -> list[str]:
    """The domains that an editor wrote, however they wrote them (``@Example.com``)."""
    return [line.rpartition("@")[2].lower().strip(".") for line in split_lines(rule.blocked_domains)]
