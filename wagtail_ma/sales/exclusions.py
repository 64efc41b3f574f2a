"""Who is left out of rankings, alerts and marketing mail; and who is a customer already.

What the rules say is computed anew with every reaction, so an exclusion ends when its ground does;
what somebody said by hand (:class:`Marking`) goes before. ``Visitor.excluded_reason`` and
``Visitor.is_customer`` hold the outcome, where lists, scenarios and mail look it up. Reasons that
others set (a doubtful browser) stay.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Case, Count, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.utils.translation import gettext as _

from wagtail_ma.people import news
from wagtail_ma.people.models import Identity, Lead, Rank, Visitor
from wagtail_ma.people.models_of_companies import Affiliation, Company
from wagtail_ma.rules.tree import Broken
from wagtail_ma.sales.models import ExclusionRule, Marking
from wagtail_ma.sales.patterns import fulfilling, read_rule
from wagtail_ma.scoring.marks import copy_marks
from wagtail_ma.segments.queries import population
from wagtail_ma.tracking.models import Network, PageClass, PageView, Visit

BY_HAND = "by_hand"
# Words in a job title that name a student.
STUDENT_TITLES = ("学生", "大学院生", "student")
# Visitors looked at again in one call after a rule was changed, and in one statement.
REVIEWED_PER_CALL = 20_000
CHUNK = 500
# Companies whose marks were changed and whose people are looked at in one call.
COMPANIES_PER_CALL = 200


def decide(visitor_ids: Sequence[int], *, now: datetime) -> list[int]:
    """Bring the exclusion and the mark "customer" of these visitors up to date.

    :returns: the ids of those for whom something changed.
    """
    rows = Visitor.objects.filter(pk__in=visitor_ids, merged_into__isnull=True)
    before = {
        pk: (reason, is_customer)
        for pk, reason, is_customer in rows.values_list("pk", "excluded_reason", "is_customer")
    }
    said = _said(list(before))
    by_rule = _by_rule(list(before), now=now)
    customers = set(_of_companies("is_customer").filter(pk__in=before).values_list("pk", flat=True))
    after: dict[tuple[str, bool], list[int]] = defaultdict(list)
    for pk, (reason, is_customer) in before.items():
        wanted = (
            _reason(reason, said.get((Marking.Kind.EXCLUDED, pk)), by_rule.get(pk, "")),
            said.get((Marking.Kind.CUSTOMER, pk), pk in customers),
        )
        if wanted != (reason, is_customer):
            after[wanted].append(pk)
    for (reason, is_customer), pks in after.items():
        Visitor.objects.filter(pk__in=pks).update(excluded_reason=reason, is_customer=is_customer)
    changed = [pk for pks in after.values() for pk in pks]
    copy_marks(changed)
    return changed


def _reason(before: str, said: bool | None, by_rule: str) -> str:
    """What ``excluded_reason`` becomes."""
    if said is not None:
        # Somebody's exception takes a doubt away, but nothing that the person themself asked for.
        is_ours = is_own_reason(before) or before in ("", Visitor.DOUBTFUL)
        return (BY_HAND if said else "") if is_ours else before
    if before and not is_own_reason(before):
        return before
    return by_rule


def is_own_reason(reason: str) -> bool:
    """Whether an exclusion comes from here, by rule or by hand."""
    return reason == BY_HAND or reason.startswith("rule:") or reason in ExclusionRule.Kind.values


def _said(visitor_ids: list[int]) -> dict[tuple[str, int], bool]:
    """By (kind, visitor): what was said by hand last."""
    rows = Marking.objects.filter(visitor_id__in=visitor_ids).order_by("decided_at", "pk")
    return {(kind, pk): is_so for kind, pk, is_so in rows.values_list("kind", "visitor_id", "is_so")}


def _by_rule(visitor_ids: list[int], *, now: datetime) -> dict[int, str]:
    """The reason of the first active rule that names the visitor."""
    found: dict[int, str] = {}
    rules = list(ExclusionRule.objects.filter(is_active=True).order_by("pk")) if visitor_ids else []
    if not rules:
        return found
    addresses = _domains(visitor_ids) if any(rule.domains for rule in rules) else {}
    for rule in rules:
        for pk in _TESTS[ExclusionRule.Kind(rule.kind)](rule, visitor_ids, now) | _at_domains(
            rule, addresses
        ):
            found.setdefault(pk, rule.reason)
    return found


def _job_seekers(rule: ExclusionRule, visitor_ids: list[int], now: datetime) -> set[int]:
    """Of whose page views so many percent are of careers pages."""
    views = (
        PageView.objects.filter(visitor_id__in=visitor_ids, visit__is_bot=False)
        .order_by()
        .values("visitor_id")
        .annotate(
            n=Count("pk"),
            careers=Count("pk", filter=Q(tracked_page__page_class__key=PageClass.BuiltIn.CAREERS)),
        )
        .filter(careers__gt=0)
        .values_list("visitor_id", "n", "careers")
    )
    return {
        pk
        for pk, count, careers in views
        if count >= rule.min_views and careers * 100 >= rule.share_percent * count
    }


def _students(rule: ExclusionRule, visitor_ids: list[int], now: datetime) -> set[int]:
    """Who gave "student" as job title."""
    is_student = Q(rank=Rank.STUDENT)
    for word in STUDENT_TITLES:
        is_student |= Q(title__icontains=word)
    leads = Lead.objects.filter(is_student, visitor_id__in=visitor_ids)
    return set(leads.values_list("visitor_id", flat=True))


def _bots(rule: ExclusionRule, visitor_ids: list[int], now: datetime) -> set[int]:
    """Who has come by nothing but visits of bots, and has no name."""
    human = Visit.objects.filter(visitor=OuterRef("visitor"), is_bot=False)
    rows = Visit.objects.filter(visitor_id__in=visitor_ids, is_bot=True, visitor__lead__isnull=True)
    return set(rows.filter(~Exists(human)).values_list("visitor_id", flat=True))


def _by_tree(rule: ExclusionRule, visitor_ids: list[int], now: datetime) -> set[int]:
    """Who fulfils the conditions; a rule that cannot be read leaves out nobody."""
    tree = read_rule(rule)
    reason = tree.reason[:255] if isinstance(tree, Broken) else ""
    if reason != rule.broken_reason:
        ExclusionRule.objects.filter(pk=rule.pk).update(broken_reason=reason)
    if isinstance(tree, Broken):
        return set()
    return fulfilling(rule, tree, visitor_ids, now=now)


def _competitors(rule: ExclusionRule, visitor_ids: list[int], now: datetime) -> set[int]:
    """Who belongs to a company that is marked as a competitor, or comes from a competitor's network."""
    return _marked("is_competitor", visitor_ids) | _from_networks(Network.Kind.COMPETITOR, visitor_ids)


def _staff(rule: ExclusionRule, visitor_ids: list[int], now: datetime) -> set[int]:
    """Who belongs to a company that is marked as our own, or comes from our own network."""
    return _marked("is_own", visitor_ids) | _from_networks(Network.Kind.OWN, visitor_ids)


def _marked(flag: str, visitor_ids: list[int]) -> set[int]:
    return set(_of_companies(flag).filter(pk__in=visitor_ids).values_list("pk", flat=True))


def _from_networks(kind: str, visitor_ids: list[int]) -> set[int]:
    """Who comes from networks that editors marked so: somebody without a name by one visit, somebody
    known by name by half of all visits (a guest in our office is not one of us)."""
    there = (
        Visit.objects.filter(visitor_id__in=visitor_ids, network__kind=kind, is_bot=False)
        .order_by()
        .values("visitor_id")
        .annotate(n=Count("pk"))
        .values_list("visitor_id", "n", "visitor__lead")
    )
    counts = {pk: (count, lead_id is not None) for pk, count, lead_id in there}
    named = [pk for pk, (_count, is_named) in counts.items() if is_named]
    every = Visit.objects.filter(visitor_id__in=named, is_bot=False).order_by().values("visitor_id")
    totals = dict(every.annotate(n=Count("pk")).values_list("visitor_id", "n")) if named else {}
    return {pk for pk, (count, is_named) in counts.items() if not is_named or count * 2 >= totals[pk]}


def _of_companies(flag: str) -> QuerySet[Visitor]:
    """Everybody who belongs to a company with this mark now."""
    return Visitor.objects.filter(
        Exists(
            Affiliation.objects.filter(
                lead__visitor=OuterRef("pk"), until__isnull=True, **{f"company__{flag}": True}
            )
        )
    )


_TESTS: dict[str, Callable[[ExclusionRule, list[int], datetime], set[int]]] = {
    ExclusionRule.Kind.JOB_SEEKER: _job_seekers,
    ExclusionRule.Kind.COMPETITOR: _competitors,
    ExclusionRule.Kind.STAFF: _staff,
    ExclusionRule.Kind.STUDENT: _students,
    ExclusionRule.Kind.BOT: _bots,
    ExclusionRule.Kind.RULE: _by_tree,
}


def _domains(visitor_ids: list[int]) -> dict[int, set[str]]:
    """The domains of the visitors' e-mail addresses."""
    rows = Identity.objects.filter(visitor_id__in=visitor_ids, kind=Identity.Kind.EMAIL)
    found: dict[int, set[str]] = defaultdict(set)
    for pk, key in rows.values_list("visitor_id", "key"):
        found[pk].add(key.rpartition("@")[2])
    return found


def _at_domains(rule: ExclusionRule, addresses: Mapping[int, set[str]]) -> set[int]:
    """Who has an address at one of the rule's domains, or below."""
    wanted = [domain for line in rule.domains.splitlines() if (domain := line.strip().lstrip("@.").lower())]
    return {
        pk
        for pk, domains in addresses.items()
        if any(f".{domain}".endswith(f".{each}") for domain in domains for each in wanted)
    }


def say(
    kind: str, visitor_ids: Iterable[int], *, is_so: bool, by: Any, now: datetime, note: str = ""
) -> list[int]:
    """Say by hand that these visitors are left out (or never are), or that they are customers.

    It holds at once.

    :param kind: one of ``Marking.Kind``.
    :param by: the user who says so, or None.
    :returns: the ids of the visitors concerned; those merged into another are passed over.
    """
    found = list(population().filter(pk__in=list(visitor_ids)).values_list("pk", flat=True))
    Marking.objects.bulk_create(
        (
            Marking(
                kind=kind,
                visitor_id=pk,
                born_visitor_id=pk,
                is_so=is_so,
                note=note[:255],
                decided_at=now,
                decided_by=by,
            )
            for pk in found
        ),
        update_conflicts=True,
        unique_fields=["kind", "born_visitor"],
        update_fields=["visitor", "is_so", "note", "decided_at", "decided_by"],
        batch_size=CHUNK,
    )
    _apply(found, now=now)
    return found


def withdraw(kind: str, visitor_ids: Iterable[int], *, now: datetime) -> None:
    """Forget what was said by hand: the rules alone decide again."""
    asked = list(population().filter(pk__in=list(visitor_ids)).values_list("pk", flat=True))
    Marking.objects.filter(kind=kind, visitor_id__in=asked).delete()
    _apply(asked, now=now)


def _apply(visitor_ids: list[int], *, now: datetime) -> None:
    for start in range(0, len(visitor_ids), CHUNK):
        decide(visitor_ids[start : start + CHUNK], now=now)
    # Hot lists and scenarios hear of it.
    news.mark(visitor_ids, now=now)


def rule_changed(rule: ExclusionRule) -> None:
    """Have everybody looked at again in the next rounds of background work."""
    rule.checked_to_id = 0
    ExclusionRule.objects.filter(pk=rule.pk).update(checked_to_id=0)


def before_deletion(rule: ExclusionRule, *, now: datetime) -> None:
    """Whoever is left out by a rule that goes is looked at again."""
    out = Visitor.objects.filter(excluded_reason=rule.reason).values_list("pk", flat=True)
    news.mark(list(out), now=now)


def review(*, now: datetime, limit: int = REVIEWED_PER_CALL) -> int:
    """After a change of rules: look at everybody again, chunk by chunk.

    :returns: how many visitors were looked at.
    """
    changed = ExclusionRule.objects.filter(checked_to_id__isnull=False)
    begin = changed.order_by("checked_to_id").values_list("checked_to_id", flat=True).first()
    if begin is None:
        return 0
    done = 0
    while done < limit:
        rest = population().filter(pk__gt=begin).order_by("pk").values_list("pk", flat=True)
        ids = list(rest[:CHUNK])
        if not ids:
            changed.filter(checked_to_id=begin).update(checked_to_id=None)
            break
        news.mark(decide(ids, now=now), now=now)
        # A rule changed meanwhile begins at 0 again and stays there.
        changed.filter(checked_to_id__range=(begin, ids[-1])).update(checked_to_id=ids[-1])
        begin, done = ids[-1], done + len(ids)
    return done


def networks_changed() -> None:
    """A network became a competitor's or our own, or is no longer: everybody is looked at again."""
    kinds = (ExclusionRule.Kind.COMPETITOR, ExclusionRule.Kind.STAFF)
    ExclusionRule.objects.filter(kind__in=kinds, is_active=True).update(checked_to_id=0)


def _marks() -> Any:
    """The marks of a company as a number."""
    flags = {"is_customer": 1, "is_competitor": 2, "is_own": 4}
    parts = [Case(When(**{flag: True}, then=Value(bit)), default=Value(0)) for flag, bit in flags.items()]
    return parts[0] + parts[1] + parts[2]


def follow_companies(*, now: datetime, limit: int = COMPANIES_PER_CALL) -> int:
    """Find companies that were marked, or are marked no longer (customer, competitor, our own), since
    their people were last looked at: those get news, react does the rest.

    One statement where nothing has changed.

    :returns: how many people got news.
    """
    changed = Company.objects.annotate(marks=_marks()).exclude(marks=F("followed_marks")).order_by("pk")
    found = dict(changed.values_list("pk", "marks")[:limit])
    if not found:
        return 0
    people = Affiliation.objects.filter(company__in=found, until__isnull=True)
    ids = sorted(set(people.values_list("lead__visitor", flat=True)))
    news.mark(ids, now=now)
    for pk, marks in found.items():
        # (Marked once more meanwhile: it differs again, and is found again.)
        Company.objects.filter(pk=pk).update(followed_marks=marks)
    return len(ids)


def before_company_deletion(company: Company, *, now: datetime) -> None:
    """Its people are looked at again: they belong to it no longer."""
    people = Affiliation.objects.filter(company=company, until__isnull=True)
    news.mark(sorted(set(people.values_list("lead__visitor", flat=True))), now=now)


def excluded() -> QuerySet[Visitor]:
    """Everybody who is left out, the newest first (by index)."""
    return population().exclude(excluded_reason="").select_related("lead").order_by("-pk")


def reason_label(reason: str, names: Mapping[str, str]) -> str:
    """The reason in words.

    :param names: of rules by conditions, ``{"rule:7": "Press"}`` (:func:`rule_names`).
    """
    labels = {
        BY_HAND: _("by hand"),
        Visitor.DOUBTFUL: _("impossible reading times"),
        **{value: str(label) for value, label in ExclusionRule.Kind.choices},
        **names,
    }
    return labels.get(reason, reason)


def rule_names() -> dict[str, str]:
    """The names of the rules by conditions, by the reason that they give (one statement)."""
    rules = ExclusionRule.objects.filter(kind=ExclusionRule.Kind.RULE)
    return {rule.reason: rule.name for rule in rules.only("pk", "name", "kind")}
