"""The screens of segments: list, editor with a live count, copy, chooser."""

from __future__ import annotations

import logging
from typing import Any

from django.core.exceptions import ValidationError
from django.forms import CharField, Media, TextInput
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.generic import View
from wagtail.admin import messages
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.forms.choosers import BaseFilterForm
from wagtail.admin.panels import FieldPanel, ObjectList, Panel
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.tables import Column, DateColumn, NumberColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.chooser import ChooseResultsView, ChooseView
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.viewsets.chooser import ChooserViewSet
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.admin.widgets.button import HeaderButton
from wagtail.permissions import policy_registry

from wagtail_ma.admin.segment_people import PageAsSegmentView, PageSegmentsView, PeopleView, PersonView
from wagtail_ma.people.models import Visitor
from wagtail_ma.personalisation import preview as previews
from wagtail_ma.personalisation import purge
from wagtail_ma.rules.fields import stored
from wagtail_ma.rules.sentences import sentence
from wagtail_ma.rules.tree import Broken, is_live, parse
from wagtail_ma.segments import compiled, preview, refresh, usage
from wagtail_ma.segments.blocks import SegmentChooser, StoredSegmentChooser
from wagtail_ma.segments.models import Segment

logger = logging.getLogger(__name__)

# With more visitors than this a new rule is applied by the background work, not while one waits.
REFRESH_AT_ONCE = 20_000


class SegmentForm(WagtailAdminModelForm):
    """A segment needs a rule that can be evaluated and that does not ask for itself."""

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        rule = cleaned.get("rule")
        if rule is None or self.errors:
            return cleaned
        raw = stored(rule)
        if cleaned.get("is_static"):
            if raw:
                raise ValidationError({"rule": _("A segment with fixed members has no conditions.")})
            return cleaned
        tree = parse(cleaned.get("match", "all"), raw)
        if isinstance(tree, Broken):
            raise ValidationError({"rule": tree.reason})
        if self.instance.pk:
            self._check_others(raw)
        return cleaned

    def _check_others(self, raw: list[dict[str, Any]]) -> None:
        if compiled.asks_for_itself(self.instance.pk, raw):
            raise ValidationError({"rule": compiled.circle_reason()})
        users = usage.of(self.instance, but_pages=True) if is_live(raw) else []
        if users:
            message = _(
                "Conditions on the page view itself can only be decided while a page is shown, but this "
                "segment is used by: %(users)s."
            )
            raise ValidationError({"rule": message % {"users": ", ".join(users)}})


class MatchesPanel(Panel):
    """How many visitors the rule finds as it stands in the form, and a few of them."""

    class BoundPanel(Panel.BoundPanel):
        template_name = "wagtail_ma/admin/segments/matches_panel.html"

        def get_context_data(self, parent_context: Any = None) -> dict[str, Any]:
            context = super().get_context_data(parent_context)
            context["url"] = reverse("wagtail_ma_segments:matches")
            return context

        @cached_property
        def media(self) -> Media:
            return Media(
                css={"all": [versioned_static("wagtail_ma/admin/segment.css")]},
                js=[versioned_static("wagtail_ma/admin/segment.js")],
            )


class MatchesView(PermissionCheckedMixin, View):
    """Answers the editor while it is being filled in. Stores nothing."""

    any_permission_required = ["add", "change"]
    http_method_names = ["post"]

    @property
    def permission_policy(self) -> Any:
        return policy_registry.get_by_type(Segment)

    def post(self, request: HttpRequest) -> HttpResponse:
        found = preview.matches(request.POST.get("match", ""), _posted_rule(request), now=timezone.now())
        may_see = policy_registry.get_by_type(Visitor).user_has_any_permission(request.user, ["view"])
        return TemplateResponse(
            request,
            "wagtail_ma/admin/segments/matches.html",
            {"found": found, "may_see": may_see},
        )


def _posted_rule(request: HttpRequest) -> list[dict[str, Any]]:
    """The conditions as they stand in the form, valid or not."""
    block = Segment._meta.get_field("rule").stream_block  # type: ignore[union-attr]
    try:
        return stored(block.value_from_datadict(request.POST, request.FILES, "rule"))
    except (KeyError, ValueError, ValidationError):
        # Half of a form: the next keystroke sends the whole one.
        return []


class RuleColumn(Column):
    """The rule in words, or why it cannot be evaluated."""

    cell_template_name = "wagtail_ma/admin/segments/rule_cell.html"

    def get_value(self, instance: Any) -> str:
        # Not the rule itself: the table would load every object that it names.
        return ""

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        context = super().get_cell_context_data(instance, parent_context)
        # In the reader's language; what was stored is only for what the rule alone cannot tell.
        is_readable = instance.is_static or not isinstance(instance.tree, Broken)
        context["is_broken"] = bool(instance.broken_reason) or not is_readable
        context["value"] = _("The people whom you added") if instance.is_static else sentence(instance.tree)
        if is_readable and instance.broken_reason:
            context["value"] = instance.broken_reason
        return context


class MembersColumn(NumberColumn):
    """The number of members, leading to the list of them."""

    cell_template_name = "wagtail_ma/admin/segments/members_cell.html"

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        context = super().get_cell_context_data(instance, parent_context)
        context["url"] = members_url(instance)
        context["is_live"] = instance.is_live
        return context


def members_url(segment: Segment) -> str:
    """The ranked list of visitors, only those in the segment."""
    return f"{reverse('wagtail_ma_visitors:index')}?segment={segment.pk}"


class SegmentIndexView(generic.IndexView):
    """All segments that editors made."""

    template_name = "wagtailadmin/generic/index.html"
    results_template_name = "wagtail_ma/admin/segments/index_results.html"
    default_ordering = "name"

    def get_base_queryset(self) -> Any:
        return super().get_base_queryset().filter(is_internal=False)

    @cached_property
    def columns(self) -> list[Column]:
        return [
            self._get_title_column("name"),
            RuleColumn("rule", label=_("Who is in it")),
            MembersColumn("member_count", label=_("Visitors"), sort_key="member_count"),
            DateColumn("refreshed_at", label=_("Counted"), sort_key="refreshed_at"),
        ]

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        # The same instances that the table shows: the queryset keeps what it has fetched.
        rules = compiled.read(context["object_list"])
        for segment in context["object_list"]:
            segment.tree = rules[segment.pk].tree
        return context


class RefreshAfterSaveMixin:
    """Whoever fulfils a new rule is in the segment when the list is shown again."""

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        segment = self.object  # type: ignore[attr-defined]
        # First of all: should the count fail now, the background work makes it.
        refresh.rule_changed(segment)
        purge.purge(purge.pages_using(segment))
        if Visitor.objects.count() <= REFRESH_AT_ONCE:
            try:
                refresh.refresh_segment(segment, now=timezone.now())
            except Exception:
                logger.exception("segment %s was saved but not counted", segment.pk)
        return response


class SegmentAddView(RefreshAfterSaveMixin, generic.CreateView):
    """A new segment."""


class SegmentEditView(RefreshAfterSaveMixin, generic.EditView):
    """An existing segment."""

    @cached_property
    def header_buttons(self) -> list[Any]:
        people = HeaderButton(
            label=pgettext("members of a segment", "People"),
            url=reverse("wagtail_ma_segments:people", args=[self.object.pk]),
            icon_name="wagtail-ma-people",
        )
        return [people, *super().header_buttons]


class SegmentCopyView(generic.CopyView):
    """A new segment that begins as another one's copy."""

    def get_initial_form_instance(self) -> Segment:
        original: Segment = super().get_initial_form_instance()
        name = _("%(name)s (copy)") % {"name": original.name}
        return Segment(
            name=name[:120],
            description=original.description,
            match=original.match,
            rule=original.rule,
            is_static=original.is_static,
        )


class SegmentDeleteView(generic.DeleteView):
    """Not while a page, a rule or a scenario asks for it: they would mean something else."""

    template_name = "wagtail_ma/admin/segments/delete.html"

    @cached_property
    def users(self) -> list[str]:
        return usage.of(self.object)

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(*args, **kwargs), "users": self.users}

    def form_valid(self, form: Any) -> HttpResponse:
        if self.users:
            messages.error(self.request, _("The segment is in use and was not deleted."))
            return redirect(self.get_success_url())
        response: HttpResponse = super().form_valid(form)
        return response


class SegmentViewSet(ModelViewSet):
    """Segments in the Marketing menu."""

    model = Segment
    name = "wagtail_ma_segments"
    url_prefix = "marketing/segments"
    icon = "wagtail-ma-segment"
    menu_label = gettext_lazy("Segments")
    menu_name = "wagtail-ma-segments"
    index_view_class = SegmentIndexView
    add_view_class = SegmentAddView
    edit_view_class = SegmentEditView
    copy_view_class = SegmentCopyView
    delete_view_class = SegmentDeleteView
    search_fields = ["name", "description"]
    search_backend_name = None
    list_per_page = 50
    edit_handler = ObjectList(
        [
            FieldPanel(
                "name",
                help_text=gettext_lazy(
                    "A segment is a group of visitors described by what they did. Membership keeps itself up "
                    "to date."
                ),
            ),
            FieldPanel("description"),
            FieldPanel("is_static"),
            FieldPanel("match"),
            FieldPanel("rule"),
            MatchesPanel(heading=gettext_lazy("Visitors found now"), icon="group"),
        ],
        base_form_class=SegmentForm,
    )

    def get_urlpatterns(self) -> list[Any]:
        return [
            *super().get_urlpatterns(),
            path("matches/", MatchesView.as_view(), name="matches"),
            path("<int:segment_id>/people/", PeopleView.as_view(), name="people"),
            path("<int:segment_id>/people/<int:visitor_id>/", PersonView.as_view(), name="person"),
            path("<int:segment_id>/page/<int:page_id>/", PageAsSegmentView.as_view(), name="page"),
            path("page/<int:page_id>/", PageSegmentsView.as_view(), name="page_segments"),
        ]


class SegmentFilterForm(BaseFilterForm):
    """Finds segments in the chooser by a part of their name."""

    q = CharField(
        label=gettext_lazy("Search term"),
        widget=TextInput(attrs={"placeholder": gettext_lazy("Search")}),
        required=False,
    )

    def filter(self, objects: Any) -> Any:
        found = super().filter(objects)
        if text := self.cleaned_data.get("q"):
            self.is_searching = True
            self.search_query = text
            return found.filter(name__icontains=text)
        return found


class _FilteredMixin:
    filter_form_class = SegmentFilterForm

    def get_object_list(self) -> Any:
        return super().get_object_list().filter(is_internal=False)  # type: ignore[misc]


class SegmentChooseView(_FilteredMixin, ChooseView):
    """The chooser as it opens."""


class SegmentChooseResultsView(_FilteredMixin, ChooseResultsView):
    """Its list, while one types."""


class SegmentChooserViewSet(ChooserViewSet):
    """The pop-up behind ``segments.blocks.SegmentChooser``."""

    model = Segment
    choose_view_class = SegmentChooseView
    choose_results_view_class = SegmentChooseResultsView
    icon = "wagtail-ma-segment"
    choose_one_text = SegmentChooser.choose_one_text
    choose_another_text = SegmentChooser.choose_another_text
    edit_item_text = SegmentChooser.link_to_chosen_text
    base_widget_class = SegmentChooser

    def on_register(self) -> None:
        super().on_register()
        # All page types exist by now; Wagtail has no hook for preview modes.
        previews.install_on_all_pages()


class _StoredMixin:
    def get_object_list(self) -> Any:
        return super().get_object_list().filter(is_live=False)  # type: ignore[misc]


class StoredSegmentChooseView(_StoredMixin, SegmentChooseView):
    """The chooser without live segments."""


class StoredSegmentChooseResultsView(_StoredMixin, SegmentChooseResultsView):
    """Its list."""


class StoredSegmentChooserViewSet(SegmentChooserViewSet):
    """The pop-up behind ``segments.blocks.StoredSegmentChooser``."""

    choose_view_class = StoredSegmentChooseView
    choose_results_view_class = StoredSegmentChooseResultsView
    base_widget_class = StoredSegmentChooser
    register_widget = False
