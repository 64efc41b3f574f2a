"""The condition about types of pages, as the host project's models define them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.models import get_page_models

from wagtail_ma.core.conditions import register
from wagtail_ma.core.parameters import Choice
from wagtail_ma.rules.phrases import comparison, days
from wagtail_ma.tracking.models import PageView, TrackedPage
from wagtail_ma.tracking.page_class_facts import Viewed, count, number


def page_types() -> list[tuple[str, Any]]:
    """The types of which there can be pages, by ``app.model``."""
    models = [model for model in get_page_models() if model.is_creatable]
    named = [(model._meta.label_lower, str(model._meta.verbose_name).capitalize()) for model in models]
    return sorted(named, key=lambda pair: pair[1])


@register
class PageTypeViewed(Viewed):
    key = "page_type_viewed"
    label = gettext_lazy("Page of a type viewed")
    icon = "doc-full"
    parameters = (
        Choice(
            name="page_type",
            label=gettext_lazy("Type of page"),
            help_text=gettext_lazy("Pages that were deleted have no type any more."),
            choices=page_types,
        ),
        comparison,
        number,
        count,
        days,
    )

    def views(self, values: Mapping[str, Any]) -> QuerySet[PageView]:
        app_label, model = values["page_type"].split(".")
        pages = TrackedPage.objects.filter(
            page__content_type__app_label=app_label, page__content_type__model=model
        )
        return PageView.objects.filter(tracked_page__in=pages.values("pk"))

    def name(self, values: Mapping[str, Any]) -> str:
        label = dict(page_types()).get(values["page_type"], values["page_type"])
        return _("pages of the type “%(name)s”") % {"name": label}
