"""Conditions about where visits came from on the map: guesses from their addresses, which are not kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from wagtail_ma.core.conditions import (
    Condition,
    ReferenceKind,
    Referent,
    Rows,
    Scope,
    Test,
    reference_kinds,
    register,
)
from wagtail_ma.core.folding import AsciiLower, ascii_lower
from wagtail_ma.core.parameters import Choice, Reference, Text
from wagtail_ma.people.blocks import SelectBlock
from wagtail_ma.tracking.models import Network
from wagtail_ma.tracking.visit_facts import VISITS, chosen_visits, of_visit, which_visit


class NetworkBlock(SelectBlock):
    """One of the networks that editors know."""

    model = Network


def find_networks(pks: Iterable[int]) -> dict[int, Referent]:
    """The networks that still exist."""
    rows = Network.objects.filter(pk__in=list(pks)).values_list("pk", "name")
    return {pk: Referent(pk, name) for pk, name in rows}


reference_kinds.register("network", ReferenceKind(find=find_networks, make_block=NetworkBlock))


@register
class VisitFromCountry(Condition):
    key = "country"
    label = gettext_lazy("Country of a visit")
    group = VISITS
    icon = "globe"
    parameters = (
        which_visit,
        Text(
            name="countries",
            label=gettext_lazy("Country codes"),
            help_text=gettext_lazy("Two letters each, for example: JP, TW"),
        ),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        wanted = {code.strip().upper() for code in values["countries"].split(",")} - {""}
        return Rows(chosen_visits(values["visit"]).filter(country__in=sorted(wanted)))

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("came from one of these countries: %(countries)s, %(visit)s") % {
            "countries": values["countries"],
            "visit": of_visit(values["visit"]),
        }


@register
class VisitFromRegion(Condition):
    key = "region"
    label = gettext_lazy("Region of a visit")
    group = VISITS
    icon = "globe"
    parameters = (
        which_visit,
        Text(
            name="region",
            label=gettext_lazy("Region"),
            help_text=gettext_lazy("A code such as JP-13 (Tokyo), or a name where there is no code."),
            max_length=60,
        ),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        rows = chosen_visits(values["visit"]).alias(folded=AsciiLower("region"))
        return Rows(rows.filter(folded=ascii_lower(values["region"])))

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("came from the region %(region)s %(visit)s") % {
            "region": values["region"],
            "visit": of_visit(values["visit"]),
        }


ANY = "any"


@register
class VisitFromNetwork(Condition):
    key = "network"
    label = gettext_lazy("Guessed company of a visit")
    group = VISITS
    icon = "home"
    parameters = (
        which_visit,
        Choice(
            name="kind",
            label=gettext_lazy("Kind of network"),
            choices=((ANY, gettext_lazy("any")), *Network.Kind.choices),
            default=Network.Kind.COMPANY,
        ),
        Reference(
            name="network",
            kind="network",
            label=gettext_lazy("Network"),
            help_text=gettext_lazy("Empty: any of this kind."),
            required=False,
        ),
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        rows = chosen_visits(values["visit"]).filter(network__isnull=False)
        if values["kind"] != ANY:
            rows = rows.filter(network__kind=values["kind"])
        if values["network"] is not None:
            rows = rows.filter(network_id=values["network"].pk)
        return Rows(rows)

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {"visit": of_visit(values["visit"])}
        if values["network"] is not None:
            words["network"] = values["network"].label
            return _("came from the network “%(network)s” %(visit)s") % words
        if values["kind"] == ANY:
            return _("came from a network that we know %(visit)s") % words
        words["kind"] = str(Network.Kind(values["kind"]).label)
        return _("came from a network of the kind “%(kind)s” %(visit)s") % words
