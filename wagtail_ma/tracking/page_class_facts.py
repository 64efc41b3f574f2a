"""Conditions about classes of pages and topics, whatever the pages are called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Case, Count, F, Model, Q, QuerySet, Sum, When
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from wagtail_ma.core.conditions import (
    Condition,
    Dated,
    ReferenceKind,
    Referent,
    Rows,
    Scope,
    Test,
    reference_kinds,
    register,
)
from wagtail_ma.core.parameters import Choice, Number, Reference
from wagtail_ma.people.blocks import SelectBlock
from wagtail_ma.rules.phrases import comparison, days, times, visits, within
from wagtail_ma.tracking.models import PageClass, PageView, Topic

PAGES = gettext_lazy("Pages")


class PageClassBlock(SelectBlock):
    """One class of pages."""

    model = PageClass


class TopicBlock(SelectBlock):
    """One topic."""

    model = Topic


def _finder(model: type[Model]) -> Any:
    def find(pks: Iterable[int]) -> dict[int, Referent]:
        return {
            each.pk: Referent(each.pk, str(each)) for each in model._default_manager.filter(pk__in=list(pks))
        }

    return find


reference_kinds.register("page_class", ReferenceKind(find=_finder(PageClass), make_block=PageClassBlock))
reference_kinds.register("topic", ReferenceKind(find=_finder(Topic), make_block=TopicBlock))

page_class = Reference(
    name="page_class",
    kind="page_class",
    label=gettext_lazy("Class of pages"),
    help_text=gettext_lazy("Which pages are of which class is said under “Page classes”."),
)
topic = Reference(name="topic", kind="topic", label=gettext_lazy("Topic"))
count = Choice(
    name="count",
    label=gettext_lazy("What is counted"),
    choices=(("views", gettext_lazy("views")), ("visits", gettext_lazy("visits with a view"))),
    default="views",
)
number = Number(name="number", label=gettext_lazy("Times"), default=1, maximum=10_000)


class Viewed(Condition):
    """Views of some pages, counted."""

    group = PAGES

    def views(self, values: Mapping[str, Any]) -> QuerySet[PageView]:
        """The views that are counted."""
        raise NotImplementedError

    def name(self, values: Mapping[str, Any]) -> str:
        """How a sentence calls the pages."""
        raise NotImplementedError

    def dated(self, values: Mapping[str, Any]) -> Dated:
        of = "visits" if values["count"] == "visits" else "rows"
        return Dated(self.views(values), values["days"], values["comparison"], values["number"], of)

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {"pages": self.name(values), "within": within(values["days"])}
        if values["comparison"] != "at_least" and values["number"] == 0:
            return _("has not viewed %(pages)s%(within)s") % words
        if values["count"] == "visits":
            words["times"] = visits(values["comparison"], values["number"])
            return _("viewed %(pages)s in %(times)s%(within)s") % words
        words["times"] = times(values["comparison"], values["number"])
        return _("viewed %(pages)s %(times)s%(within)s") % words


@register
class PageClassViewed(Viewed):
    key = "page_class_viewed"
    label = gettext_lazy("Page of a class viewed")
    icon = "doc-full"
    parameters = (page_class, comparison, number, count, days)

    def views(self, values: Mapping[str, Any]) -> QuerySet[PageView]:
        return PageView.objects.filter(tracked_page__page_class_id=values["page_class"].pk)

    def name(self, values: Mapping[str, Any]) -> str:
        return _("pages of the class “%(name)s”") % {"name": values["page_class"].label}


@register
class TopicViewed(Viewed):
    key = "topic_viewed"
    label = gettext_lazy("Page about a topic viewed")
    icon = "tag"
    parameters = (topic, comparison, number, count, days)

    def views(self, values: Mapping[str, Any]) -> QuerySet[PageView]:
        # A page has a topic once, so the join doubles nothing.
        return PageView.objects.filter(tracked_page__topics=values["topic"].pk)

    def name(self, values: Mapping[str, Any]) -> str:
        return _("pages about “%(name)s”") % {"name": values["topic"].label}


@register
class TimeOnTopic(Condition):
    key = "time_on_topic"
    label = gettext_lazy("Time spent on a topic")
    group = PAGES
    icon = "time"
    parameters = (
        topic,
        Number(
            name="seconds",
            label=gettext_lazy("At least … seconds in total"),
            default=60,
            minimum=1,
            maximum=864_000,
        ),
        days,
    )

    def dated(self, values: Mapping[str, Any]) -> Dated:
        views = PageView.objects.filter(tracked_page__topics=values["topic"].pk)
        return Dated(views, values["days"], number=values["seconds"], of="seconds")

    def sentence(self, values: Mapping[str, Any]) -> str:
        return ngettext(
            "spent at least %(seconds)d second on pages about “%(topic)s”%(within)s",
            "spent at least %(seconds)d seconds on pages about “%(topic)s”%(within)s",
            values["seconds"],
        ) % {
            "seconds": values["seconds"],
            "topic": values["topic"].label,
            "within": within(values["days"]),
        }


@register
class PageClassShare(Condition):
    key = "page_class_share"
    label = gettext_lazy("Share of pages of a class")
    group = PAGES
    icon = "doc-full-inverse"
    parameters = (
        page_class,
        Number(
            name="percent",
            label=gettext_lazy("At least … per cent of all views"),
            help_text=gettext_lazy("For example 50 % careers pages: somebody who looks for a job."),
            default=50,
            minimum=1,
            maximum=100,
        ),
        Number(
            name="number",
            label=gettext_lazy("Of at least … views"),
            default=3,
            minimum=1,
            maximum=10_000,
        ),
        days,
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        views = PageView.objects.all()
        if values["days"] is not None:
            views = views.filter(at__gte=scope.ago(days=values["days"]))
        of_class = When(tracked_page__page_class_id=values["page_class"].pk, then=100)
        return Rows(
            views,
            # Whole numbers on both sides, so that nothing is rounded.
            aggregates={"n": Count("*"), "hundredfold": Sum(Case(of_class, default=0))},
            having=Q(n__gte=values["number"], hundredfold__gte=F("n") * values["percent"]),
        )

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _(
            "at least %(percent)d %% of at least %(number)d views were of the class “%(name)s”%(within)s"
        ) % {
            "percent": values["percent"],
            "number": values["number"],
            "name": values["page_class"].label,
            "within": within(values["days"]),
        }
