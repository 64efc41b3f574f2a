"""Conditions about page views and activities (those about visits: ``visit_facts.py``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import swapper
from django.db.models import Exists, F, Max, Min, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from wagtail.blocks import PageChooserBlock

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
from wagtail_ma.core.parameters import Choice, Flag, Number, Reference, Text
from wagtail_ma.rules.phrases import comparison, days, times, visits, within
from wagtail_ma.tracking import page_class_facts as _page_class_facts  # noqa: F401  (registers its conditions)
from wagtail_ma.tracking import page_type_facts as _page_type_facts  # noqa: F401  (registers its condition)
from wagtail_ma.tracking import place_facts as _place_facts  # noqa: F401  (registers its conditions)
from wagtail_ma.tracking import visit_facts as _visit_facts  # noqa: F401  (registers its conditions)
from wagtail_ma.tracking.act_kinds import ACTIVITY_KINDS, OWN_KIND
from wagtail_ma.tracking.models import Activity, PageView, TrackedPage
from wagtail_ma.tracking.pages import tracked_pages

PAGES = gettext_lazy("Pages")
ACTIVITIES = gettext_lazy("Activities")

subtree = Flag(name="subtree", label=gettext_lazy("The pages below it count too"))


@dataclass(frozen=True)
class Place:
    """What a condition knows of a page: the key common to its translations, where they are in the
    tree, and their rows as tracked pages.

    A page that is moved, translated or seen for the first time is another place, so that
    statements compiled with the old one are not used again.
    """

    translation_key: UUID
    paths: tuple[str, ...]
    tracked_ids: tuple[int, ...]


def find_pages(pks: Iterable[int]) -> dict[int, Referent]:
    """The pages that still exist; a condition is about the page in every language."""
    pages = swapper.load_model("wagtailcore", "Page").objects
    wanted = list(pages.filter(pk__in=list(pks)).values_list("pk", "title", "translation_key"))
    keys = {key for _pk, _title, key in wanted}
    paths: dict[UUID, set[str]] = {key: set() for key in keys}
    tracked: dict[UUID, set[int]] = {key: set() for key in keys}
    rows = pages.filter(Q(translation_key__in=keys) | Q(alias_of__translation_key__in=keys)).values_list(
        "translation_key", "alias_of__translation_key", "path"
    )
    for key, original, path in rows:
        for each in {key, original} & keys:
            paths[each].add(path)
    for pk, key in TrackedPage.objects.filter(translation_key__in=keys).values_list("pk", "translation_key"):
        if key:
            tracked[key].add(pk)
    return {
        pk: Referent(pk, title, Place(key, tuple(sorted(paths[key])), tuple(sorted(tracked[key]))))
        for pk, title, key in wanted
    }


reference_kinds.register("page", ReferenceKind(find=find_pages, make_block=PageChooserBlock))


def pages_of(page: Referent, *, with_descendants: bool) -> tuple[int, ...] | QuerySet[Any]:
    """The tracked pages that a condition means, for ``tracked_page__in``.

    The ids themselves and no sub-query where that is possible: only so the database knows how popular the
    page is, and does not go through the views of 100,000 visitors one by one.
    """
    if not with_descendants:
        ids: tuple[int, ...] = page.data.tracked_ids
        return ids
    return tracked_pages(page.data.translation_key, with_descendants=True).values("pk")


def views_of(page: Referent | None, *, with_descendants: bool) -> QuerySet[PageView]:
    """The views of a page in any language, or of all pages when None."""
    views = PageView.objects.all()
    if page is None:
        return views
    return views.filter(tracked_page__in=pages_of(page, with_descendants=with_descendants))


def page_name(values: Mapping[str, Any], name: str = "page", flag: str = "subtree") -> str:
    """How a sentence calls the page of a condition."""
    page = values[name]
    if page is None:
        return _("any page")
    if values.get(flag):
        return _("“%(title)s” or a page below it") % {"title": page.label}
    return _("“%(title)s”") % {"title": page.label}


@register
class PageViewed(Condition):
    key = "page_viewed"
    label = gettext_lazy("Page viewed")
    group = PAGES
    icon = "doc-empty"
    parameters = (
        Reference(
            name="page",
            kind="page",
            label=gettext_lazy("Page"),
            help_text=gettext_lazy("In every language. Empty: any page."),
            required=False,
        ),
        subtree,
        comparison,
        Number(name="number", label=gettext_lazy("Times"), default=1, maximum=10_000),
        Choice(
            name="count",
            label=gettext_lazy("What is counted"),
            choices=(("views", gettext_lazy("views")), ("visits", gettext_lazy("visits with a view"))),
            default="views",
        ),
        days,
        Number(
            name="seconds",
            label=gettext_lazy("Read for at least … seconds"),
            help_text=gettext_lazy("Only views read that long count. Empty: every view."),
            required=False,
            minimum=1,
            maximum=86_400,
        ),
    )

    def dated(self, values: Mapping[str, Any]) -> Dated:
        views = views_of(values["page"], with_descendants=values["subtree"])
        if values["seconds"] is not None:
            views = views.filter(engaged_seconds__gte=values["seconds"])
        of = "visits" if values["count"] == "visits" else "rows"
        return Dated(views, values["days"], values["comparison"], values["number"], of)

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {"page": page_name(values), "within": within(values["days"])}
        if values["comparison"] != "at_least" and values["number"] == 0:
            text = _("has not viewed %(page)s%(within)s") % words
        elif values["count"] == "visits":
            words["times"] = visits(values["comparison"], values["number"])
            text = _("viewed %(page)s in %(times)s%(within)s") % words
        else:
            words["times"] = times(values["comparison"], values["number"])
            text = _("viewed %(page)s %(times)s%(within)s") % words
        if values["seconds"] is not None:
            text += ngettext(
                ", for at least %(seconds)d second", ", for at least %(seconds)d seconds", values["seconds"]
            ) % {"seconds": values["seconds"]}
        return text


@register
class TimeOnPage(Condition):
    key = "time_on_page"
    label = gettext_lazy("Time spent reading")
    group = PAGES
    icon = "time"
    parameters = (
        Reference(
            name="page",
            kind="page",
            label=gettext_lazy("Page"),
            help_text=gettext_lazy("In every language. Empty: all pages together."),
            required=False,
        ),
        subtree,
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
        views = views_of(values["page"], with_descendants=values["subtree"])
        return Dated(views, values["days"], number=values["seconds"], of="seconds")

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {
            "seconds": values["seconds"],
            "page": page_name(values) if values["page"] else _("all pages together"),
            "within": within(values["days"]),
        }
        return (
            ngettext(
                "spent at least %(seconds)d second on %(page)s%(within)s",
                "spent at least %(seconds)d seconds on %(page)s%(within)s",
                values["seconds"],
            )
            % words
        )


@register
class ViewedInOrder(Condition):
    key = "viewed_in_order"
    label = gettext_lazy("One page viewed, then another")
    group = PAGES
    icon = "arrow-right"
    parameters = (
        Reference(name="first", kind="page", label=gettext_lazy("First page")),
        Flag(name="first_subtree", label=gettext_lazy("The pages below the first count too")),
        Reference(name="second", kind="page", label=gettext_lazy("Then page")),
        Flag(name="second_subtree", label=gettext_lazy("The pages below the second count too")),
        Reference(
            name="without",
            kind="page",
            label=gettext_lazy("Without this page in between"),
            help_text=gettext_lazy("Empty: whatever was viewed in between."),
            required=False,
        ),
        Flag(name="without_subtree", label=gettext_lazy("Nor a page below it")),
        days,
    )

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        if values["without"] is None:
            return self._anything_between(values, scope)
        first = views_of(values["first"], with_descendants=values["first_subtree"])
        second = views_of(values["second"], with_descendants=values["second_subtree"])
        if values["days"] is not None:
            first = first.filter(at__gte=scope.ago(days=values["days"]))
            second = second.filter(at__gte=scope.ago(days=values["days"]))
        earlier = first.filter(visitor=OuterRef("visitor"), at__lt=OuterRef("at"))
        between = views_of(values["without"], with_descendants=values["without_subtree"]).filter(
            visitor=OuterRef("visitor"), at__gt=OuterRef("at"), at__lt=OuterRef(OuterRef("at"))
        )
        return Rows(second.filter(Exists(earlier.filter(~Exists(between)))))

    def _anything_between(self, values: Mapping[str, Any], scope: Scope) -> Test:
        """Some view of the first page is before some of the second if the earliest is before the latest:
        one pass over the views of both."""
        first, second = (
            pages_of(values[name], with_descendants=values[f"{name}_subtree"]) for name in ("first", "second")
        )
        either: Any = (
            [*first, *second]
            if isinstance(first, tuple) and isinstance(second, tuple)
            else TrackedPage.objects.filter(Q(pk__in=first) | Q(pk__in=second)).values("pk")
        )
        views = PageView.objects.filter(tracked_page__in=either)
        if values["days"] is not None:
            views = views.filter(at__gte=scope.ago(days=values["days"]))
        return Rows(
            views,
            aggregates={
                "earliest": Min("at", filter=Q(tracked_page__in=first)),
                "latest": Max("at", filter=Q(tracked_page__in=second)),
            },
            having=Q(earliest__lt=F("latest")),
        )

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {
            "first": page_name(values, "first", "first_subtree"),
            "second": page_name(values, "second", "second_subtree"),
            "within": within(values["days"]),
        }
        if values["without"] is None:
            return _("viewed %(first)s and later %(second)s%(within)s") % words
        words["without"] = page_name(values, "without", "without_subtree")
        return _("viewed %(first)s and later %(second)s, without %(without)s in between%(within)s") % words


@register
class DidActivity(Condition):
    key = "activity"
    label = gettext_lazy("Activity")
    group = ACTIVITIES
    icon = "form"
    parameters = (
        Choice(name="kind", label=gettext_lazy("Activity"), choices=ACTIVITY_KINDS, default="download"),
        Text(
            name="name",
            label=gettext_lazy("Name of your own activity"),
            help_text=gettext_lazy("Only for an activity of your own, as your site reports it."),
            required=False,
            max_length=64,
        ),
        comparison,
        Number(name="number", label=gettext_lazy("Times"), default=1, maximum=10_000),
        days,
    )

    def dated(self, values: Mapping[str, Any]) -> Dated:
        kind = values["name"] or "" if values["kind"] == OWN_KIND else values["kind"]
        rows = Activity.objects.filter(kind=kind)
        return Dated(rows, values["days"], values["comparison"], values["number"])

    def sentence(self, values: Mapping[str, Any]) -> str:
        words = {
            "activity": dict(ACTIVITY_KINDS)[values["kind"]],
            "times": times(values["comparison"], values["number"]),
            "within": within(values["days"]),
        }
        if values["kind"] == OWN_KIND:
            words["activity"] = _("did “%(name)s”") % {"name": values["name"] or ""}
        return _("%(activity)s %(times)s%(within)s") % words


@register
class FormNotSent(Condition):
    key = "form_not_sent"
    label = gettext_lazy("Form begun and not sent")
    group = ACTIVITIES
    icon = "form"
    parameters = (days,)

    def test(self, values: Mapping[str, Any], scope: Scope) -> Test:
        begun = Activity.objects.filter(kind="form_start")
        if values["days"] is not None:
            begun = begun.filter(at__gte=scope.ago(days=values["days"]))
        sent = Activity.objects.filter(
            kind="form_submit", visitor=OuterRef("visitor"), at__gte=OuterRef("at")
        )
        return Rows(begun.filter(~Exists(sent)))

    def sentence(self, values: Mapping[str, Any]) -> str:
        return _("began to fill in a form and sent none since%(within)s") % {"within": within(values["days"])}
