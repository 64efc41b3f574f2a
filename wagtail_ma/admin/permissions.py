"""Who may see what in the Marketing menu."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.generic import View
from wagtail.admin.menu import MenuItem
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.permissions import policy_registry

from wagtail_ma.people.models import Lead, Visitor

# What a group may be given in Wagtail's own group editor, beside what the viewsets register.
CODENAMES = [
    "view_visitor",
    "view_lead",
    "change_lead",
    "export_lead",
    "erase_lead",
    "view_delivery",
    "view_enrolment",
    "view_task",
    "change_task",
]


def permissions() -> QuerySet[Permission]:
    """The permissions shown in the group editor (hook ``register_permissions``)."""
    return Permission.objects.filter(content_type__app_label="wagtail_ma", codename__in=CODENAMES)


def may(request: HttpRequest, model: type[Model], *actions: str) -> bool:
    """Whether this person may do any of the actions (default: any at all) with a model."""
    wanted = actions or ("add", "change", "delete", "view")
    return policy_registry.get_by_type(model).user_has_any_permission(request.user, wanted)


def permission_menu_item(model: type[Model]) -> type[MenuItem]:
    """A menu item shown to those who may do anything with ``model``."""

    class PermissionMenuItem(MenuItem):
        def is_shown(self, request: HttpRequest) -> Any:
            return may(request, model)

    return PermissionMenuItem


class VisitorActView(PermissionCheckedMixin, View):
    """Something that staff do to one visitor, by POST: for those who may change leads, and see this one."""

    http_method_names = ["post"]
    any_permission_required = ["view"]

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Visitor)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not may(request, Lead, "change"):
            raise PermissionDenied
        visitor = get_object_or_404(Visitor, pk=kwargs["visitor_id"])
        if hasattr(visitor, "lead") and not may(request, Lead, "view"):
            raise PermissionDenied
        return self.act(request, visitor)

    def act(self, request: HttpRequest, visitor: Visitor) -> HttpResponse:
        """Do it, and say where to go on."""
        raise NotImplementedError
