"""Which company a lead belongs to: by the domain of the address, else by the name that was told.

In this order: a company that owns the mail domain (alone, not with others of its group); a company of
the same name or other name (its legal form not contradicting); a new one. Free-mail, provider and
throw-away domains are nobody's. A domain becomes a company's only when the company is made from it, or
by hand: anybody can type any company's name.
"""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q

from wagtail_ma.people import company_names, mail_domains
from wagtail_ma.people.models import Lead
from wagtail_ma.people.models_of_companies import Affiliation, Company, CompanyAlias, CompanyDomain

# Kinds of domains below .jp, and the usual ones of other countries: what stands left of them is
# handed out (example.co.jp). From the Public Suffix List, its rules for organisations.
_SECOND_LEVEL = frozenset("ac ad co com ed edu go gov gr lg ltd me ne net or org plc sch".split())  # noqa: SIM905
_PREFECTURES = frozenset(
    """
    aichi akita aomori chiba ehime fukui fukuoka fukushima gifu gunma hiroshima hokkaido hyogo ibaraki
    ishikawa iwate kagawa kagoshima kanagawa kochi kumamoto kyoto mie miyagi miyazaki nagano nagasaki nara
    niigata oita okayama okinawa osaka saga saitama shiga shimane shizuoka tochigi tokushima tokyo tottori
    toyama wakayama yamagata yamaguchi yamanashi
    """.split()  # noqa: SIM905
)
# Everything below them is a suffix itself, but the city's own office.
_WILD_CITIES = frozenset("kawasaki kitakyushu kobe nagoya sapporo sendai yokohama".split())  # noqa: SIM905


def registrable(domain: str) -> str:
    """The part of a mail domain that somebody registered: ``sales.example.co.jp`` → ``example.co.jp``;
    "" for what is a suffix itself (``example.kawasaki.jp``)."""
    labels = domain.lower().rstrip(".").split(".")
    count = 2
    if len(labels[-1]) == 2 and len(labels) > 1:
        second = labels[-2]
        if second in _SECOND_LEVEL:
            count = 3
        elif labels[-1] == "jp" and second in _WILD_CITIES:
            count = 3 if labels[-3:-2] == ["city"] else 4
        elif labels[-1] == "jp" and second in _PREFECTURES:
            count = 3 if labels[-3:-2] in (["metro"], ["pref"]) else 4
    return ".".join(labels[-count:]) if len(labels) >= count else ""


def company_domain(email: str) -> str:
    """The registered domain of an address that may stand for a company, or ""."""
    domain = email.rpartition("@")[2]
    return registrable(domain) if mail_domains.is_company(domain) else ""


def affiliate(lead: Lead, *, now: datetime, source: str) -> None:
    """Tie the lead to its company, and keep the history; the caller saves the lead.

    Nothing changes while nothing is known of a company. A change of company, department or title ends
    the affiliation that was and begins another.
    """
    company = find_or_make(lead.email, lead.company_name, now=now)
    if company is not None:
        lead.company = company
    join(lead, now=now, source=source)


def join(lead: Lead, *, now: datetime, source: str) -> None:
    """Make the current affiliation say what the lead's record says."""
    current = Affiliation.objects.filter(lead=lead, until__isnull=True).first()
    wanted = (lead.company_id, lead.department, lead.title)
    if current is not None:
        if (current.company_id, current.department, current.title) == wanted:
            return
        if current.company_id == lead.company_id and not (current.department or current.title):
            # Only more is known of the same affiliation.
            current.department, current.title = lead.department, lead.title
            current.save(update_fields=["department", "title"])
            return
        current.until = now
        current.save(update_fields=["until"])
    if lead.company_id is not None:
        Affiliation.objects.create(
            lead=lead,
            company_id=lead.company_id,
            department=lead.department,
            title=lead.title,
            source=source,
            since=now,
        )


def find_or_make(email: str, name: str, *, now: datetime) -> Company | None:
    """The company of an address and a name; None when neither tells one.

    Safe when two do it at once: a domain belongs to one company.
    """
    domain = company_domain(email)
    if domain and CompanyDomain.objects.filter(domain=domain, is_shared=True).exists():
        domain = ""
    if found := find(domain, name):
        _take_name(found, domain, name)
        return found
    if not name and not domain:
        return None
    try:
        with transaction.atomic():
            company = Company.objects.create(name=name or domain, created_at=now)
            if domain and not CompanyDomain.objects.filter(domain=domain).exists():
                CompanyDomain.objects.create(company=company, domain=domain)
    except IntegrityError:
        return find(domain, name)
    return company


def find(domain: str, name: str) -> Company | None:
    """The company that owns the domain, else the one of this name.

    :param domain: from :func:`company_domain`; "" for none.
    """
    if domain:
        owned = CompanyDomain.objects.select_related("company").filter(domain=domain, is_shared=False).first()
        if owned is not None:
            return owned.company
    keys = company_names.keys(name) if name else None
    if keys is None or not keys.strict:
        return None
    # Two companies of one core may be in the list (株式会社山田, 山田株式会社): the oldest that fits.
    same = Company.objects.filter(strict_key=keys.strict[:160]).order_by("pk")
    found = next((one for one in same if company_names.is_same(company_names.keys(one.name), keys)), None)
    if found is not None:
        return found
    others = (
        CompanyAlias.objects.select_related("company").filter(strict_key=keys.strict[:160]).order_by("pk")
    )
    fits = (one.company for one in others if company_names.is_same(company_names.keys(one.name), keys))
    return next(fits, None)


def _take_name(company: Company, domain: str, name: str) -> None:
    """A company known by its domain alone gets the name that somebody of it typed."""
    if name and domain and company.name == domain:
        company.name = name
        company.save()


def take_in(company: Company, domain: str, *, now: datetime) -> int:
    """A domain was given to a company by hand: whoever has such an address and no company joins it.

    :returns: how many did.
    """
    found = Lead.objects.filter(company__isnull=True).filter(
        Q(email__endswith=f"@{domain}") | Q(email__endswith=f".{domain}")
    )
    count = 0
    for lead in found.iterator(chunk_size=500):
        lead.company = company
        lead.save(update_fields=["company"])
        join(lead, now=now, source="manual")
        count += 1
    return count
