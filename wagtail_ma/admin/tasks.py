"""What people are to do for visitors: the list of tasks."""

from __future__ import annotations

from typing import Any

import django_filters
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views import View
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import BaseColumn, Column, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSet

from wagtail_ma.admin.columns import MomentColumn
from wagtail_ma.admin.permissions import may, permission_menu_item
from wagtail_ma.people.models import Visitor
from wagtail_ma.sales import tasks
from wagtail_ma.sales.models_of_tasks import Task

STATES = [("open", gettext_lazy("To do")), ("late", gettext_lazy("Overdue")), ("done", gettext_lazy("Done"))]


class TaskFilterSet(WagtailFilterSet):
    """Which tasks are shown."""

    state = django_filters.ChoiceFilter(
        label=gettext_lazy("State"), choices=STATES, method="filter_state", empty_label=gettext_lazy("All")
    )
    mine = django_filters.ChoiceFilter(
        label=gettext_lazy("Whose"),
        choices=[("mine", gettext_lazy("Mine")), ("nobody", gettext_lazy("Nobody's yet"))],
        method="filter_mine",
    )

    class Meta:
        model = Task
        fields: list[str] = []

    def filter_state(self, queryset: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        if value == "done":
            return queryset.filter(done_at__isnull=False)
        queryset = queryset.filter(done_at__isnull=True)
        return queryset.filter(due_at__lt=timezone.now()) if value == "late" else queryset

    def filter_mine(self, queryset: QuerySet[Task], name: str, value: str) -> QuerySet[Task]:
        if value == "nobody":
            return queryset.filter(assignee__isnull=True)
        return queryset.filter(assignee=self.request.user) if self.request else queryset


class PersonColumn(Column):
    """For whom it is to be done."""

    def get_value(self, instance: Task) -> str:
        return str(getattr(instance.visitor, "lead", None) or instance.visitor)


class DoneColumn(BaseColumn):
    """When it was done, or the button that says so."""

    cell_template_name = "wagtail_ma/admin/tasks/done_cell.html"

    def get_cell_context_data(self, instance: Task, parent_context: dict[str, Any]) -> dict[str, Any]:
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        request = parent_context["request"]
        return {
            **context,
            "task": instance,
            "may_finish": may(request, Task, "change"),
            "is_late": instance.done_at is None and instance.due_at < timezone.now(),
            "finish_url": reverse("wagtail_ma_tasks:finish", args=[instance.pk]),
            "csrf_token": parent_context.get("csrf_token"),
        }


class TaskIndexView(generic.IndexView):
    """All tasks, the most urgent first."""

    template_name = "wagtail_ma/admin/tasks/index.html"
    results_template_name = "wagtail_ma/admin/tasks/index_results.html"
    filterset_class = TaskFilterSet
    default_ordering = "due_at"

    def get_base_queryset(self) -> QuerySet[Task]:
        return Task.objects.select_related("visitor", "visitor__lead", "assignee").order_by("due_at", "pk")

    def get_add_url(self) -> str | None:
        """None: scenarios make them."""
        return None

    @cached_property
    def columns(self) -> list[Any]:
        is_linked = may(self.request, Visitor)

        def visitor_url(task: Task) -> str | None:
            return reverse("wagtail_ma_visitors:visitor", args=[task.visitor_id]) if is_linked else None

        return [
            TitleColumn("text", label=_("What to do"), get_url=visitor_url),
            PersonColumn("person", label=_("For whom")),
            MomentColumn("due_at", label=_("Due"), sort_key="due_at"),
            Column("assignee", label=_("Who does it")),
            DoneColumn("done", label=_("Done")),
        ]


class TaskFinishView(View):
    """Somebody has done a task (POST only)."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not may(request, Task, "change"):
            raise PermissionDenied
        task = get_object_or_404(Task, pk=pk)
        if tasks.finish(task.pk, by=request.user, now=timezone.now()):
            messages.success(request, _("“%(task)s” is done.") % {"task": task})
        return redirect(reverse("wagtail_ma_tasks:index"))


class TaskViewSet(ModelViewSet):
    """The list of tasks. They come from scenarios; here they are done, given to somebody, or deleted."""

    model = Task
    name = "wagtail_ma_tasks"
    url_prefix = "marketing/tasks"
    icon = "check"
    menu_label = gettext_lazy("Tasks")
    menu_name = "wagtail-ma-tasks"
    menu_order = 150
    menu_item_class = permission_menu_item(Task)
    add_to_reference_index = False
    copy_view_enabled = False
    index_view_class = TaskIndexView
    form_fields = ["text", "due_at", "assignee"]

    def get_urlpatterns(self) -> list[Any]:
        patterns = [each for each in super().get_urlpatterns() if each.name != "add"]
        return [*patterns, path("finish/<int:pk>/", TaskFinishView.as_view(), name="finish")]
