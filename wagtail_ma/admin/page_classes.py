"""What editors say of pages: which class, which topics; and the lists of both."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import swapper
from django import forms
from django.db.models import Count, QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, HelpPanel, ObjectList
from wagtail.admin.ui.tables import Column, NumberColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSet
from wagtail.admin.widgets import AdminPageChooser
from wagtail.admin.widgets.button import HeaderButton
from wagtail.permissions import policy_registry

from wagtail_ma.admin.permissions import may
from wagtail_ma.admin.scoring import apply_change
from wagtail_ma.jobs import queue
from wagtail_ma.scoring import page_points
from wagtail_ma.scoring.models import ScoringRule
from wagtail_ma.tracking import page_classes
from wagtail_ma.tracking.models import PageClass, PageLabel, Topic

# With more tracked pages than this a change is applied by the background work alone.
RESOLVE_AT_ONCE = 2_000


def _pages() -> Any:
    return swapper.load_model("wagtailcore", "Page").objects


class PageLabelForm(WagtailAdminModelForm):
    """A label, with its page chosen in the page tree."""

    page: forms.ModelChoiceField[Any] = forms.ModelChoiceField(
        label=gettext_lazy("Page"),
        queryset=None,
        widget=AdminPageChooser(),
        help_text=gettext_lazy("In every language."),
    )

    points = forms.FloatField(
        label=gettext_lazy("Points for viewing it"),
        required=False,
        min_value=-1000,
        max_value=1000,
        help_text=gettext_lazy(
            "Once a day, for each visitor; a scoring rule is kept for it. Empty: no points of its own."
        ),
    )

    class Meta:
        widgets = {"topics": forms.CheckboxSelectMultiple}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Before the choices are read.
        page_classes.ensure_built_in()
        self.fields["page"].queryset = _pages().all()
        if self.instance.pk:
            key = self.instance.translation_key
            self.fields["page"].initial = _pages().filter(translation_key=key).order_by("pk").first()
            rule = page_points.rule_of(key, is_alone=not self.instance.with_descendants)
            self.fields["points"].initial = rule.points if rule and rule.is_active else None
        policy = policy_registry.get_by_type(ScoringRule)
        if self.for_user is None or not policy.user_has_permission(self.for_user, "change"):
            self.fields["points"].disabled = True

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        if not self.errors and not cleaned.get("page_class") and not cleaned.get("topics"):
            raise forms.ValidationError(_("Choose a class, or topics, or both."))
        return cleaned

    def set_points(self) -> bool:
        """Bring the scoring rule of the page in step; whether anything changed."""
        if "points" not in self.changed_data and "with_descendants" not in self.changed_data:
            return False
        if self.fields["points"].disabled:
            return False
        label, page = self.instance, self.cleaned_data["page"]
        points = self.cleaned_data["points"]
        changed = False
        if self.initial.get("with_descendants", label.with_descendants) != label.with_descendants:
            # The rule of the wider (or narrower) label does not stay behind.
            changed = page_points.set_points(
                label.translation_key, None, is_alone=label.with_descendants, title=page.title
            )
        return (
            page_points.set_points(
                label.translation_key, points, is_alone=not label.with_descendants, title=page.title
            )
            or changed
        )

    def _post_clean(self) -> None:
        page = self.cleaned_data.get("page")
        if page is not None:
            self.instance.translation_key = page.translation_key
        super()._post_clean()

    def _get_validation_exclusions(self) -> set[str]:
        # The key comes from the chosen page; without it nobody would look for a second label.
        exclude: set[str] = super()._get_validation_exclusions()
        return exclude - {"translation_key"} if self.cleaned_data.get("page") else exclude


class ResolveMixin:
    """What was said counts at once, for all views of the past."""

    def form_valid(self, form: Any) -> HttpResponse:
        response: HttpResponse = super().form_valid(form)  # type: ignore[misc]
        if isinstance(form, PageLabelForm) and form.set_points():
            apply_change(self.request)  # type: ignore[attr-defined]
        page_classes.mark()
        page_classes.resolve_due(now=timezone.now(), limit=RESOLVE_AT_ONCE)
        queue.wake()
        return response


class PageLabelAddView(ResolveMixin, generic.CreateView):
    """A new label."""


class PageLabelEditView(ResolveMixin, generic.EditView):
    """An existing label."""


class PageLabelDeleteView(ResolveMixin, generic.DeleteView):
    """What is above the page holds again."""


class LabelColumn(TitleColumn):
    """The page, and where in the tree it is."""

    cell_template_name = "wagtail_ma/admin/page_labels/page_cell.html"

    def get_value(self, instance: Any) -> str:
        return str(instance.page_title)

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> dict[str, Any]:
        context = super().get_cell_context_data(instance, parent_context)
        context["path"] = instance.page_path
        return context


class ScopeColumn(Column):
    """Which pages it is about."""

    def get_value(self, instance: PageLabel) -> str:
        return _("this page and all below it") if instance.with_descendants else _("this page alone")


class TopicsColumn(Column):
    """The topics by name."""

    def get_value(self, instance: PageLabel) -> str:
        return ", ".join(str(topic) for topic in instance.topics.all())


class PageLabelIndexView(generic.IndexView):
    """All labels, in the order of the page tree."""

    page_title = gettext_lazy("Page classes")
    results_template_name = "wagtail_ma/admin/page_labels/index_results.html"

    def get_base_queryset(self) -> QuerySet[PageLabel]:
        return PageLabel.objects.select_related("page_class").prefetch_related("topics")

    @cached_property
    def columns(self) -> list[Column]:
        return [
            LabelColumn("page", label=_("Page"), get_url=self.get_edit_url),
            ScopeColumn("scope", label=_("Applies to")),
            Column("page_class", label=_("Class"), accessor=lambda label: label.page_class or "–"),
            TopicsColumn("topics", label=_("Topics")),
            Column("points", label=_("Points"), accessor="points_shown"),
        ]

    def order_queryset(self, queryset: QuerySet[PageLabel]) -> QuerySet[PageLabel]:
        return queryset.order_by("pk")

    def paginate_queryset(self, queryset: Any, page_size: int) -> Any:
        paginator, page, rows, has_other = super().paginate_queryset(queryset, page_size)
        page.object_list = placed(rows)
        return paginator, page, page.object_list, has_other

    @cached_property
    def header_buttons(self) -> list[Any]:
        buttons = list(super().header_buttons)
        if may(self.request, PageClass):
            url = reverse("wagtail_ma_page_classes:index")
            buttons.append(HeaderButton(_("Classes"), url=url, icon_name="list-ul"))
        if may(self.request, Topic):
            url = reverse("wagtail_ma_topics:index")
            buttons.append(HeaderButton(_("Topics"), url=url, icon_name="tag"))
        return buttons


def placed(labels: Any) -> list[Any]:
    """Labels with ``page_title`` and ``page_path``, in the order of the page tree. Two statements."""
    listed = list(labels)
    found: dict[UUID, Any] = {}
    for page in (
        _pages().filter(translation_key__in=[label.translation_key for label in listed]).order_by("-pk")
    ):
        found[page.translation_key] = page
    points = page_points.points_of(found)
    for label in listed:
        page = found.get(label.translation_key)
        worth = points.get((label.translation_key, not label.with_descendants))
        label.points_shown = "–" if worth is None else f"{worth:+g}"
        label.page_title = page.get_admin_display_title() if page else _("a page that was deleted")
        label.page_path = page.url_path if page else ""
        label.order = (page.path if page else "~", not label.with_descendants)
    return sorted(listed, key=lambda label: label.order)


class PageLabelViewSet(ModelViewSet):
    """Labels in the Marketing menu."""

    model = PageLabel
    name = "wagtail_ma_page_labels"
    url_prefix = "marketing/page-classes"
    icon = "tag"
    menu_label = gettext_lazy("Page classes")
    menu_name = "wagtail-ma-page-labels"
    add_to_reference_index = False
    copy_view_enabled = False
    index_view_class = PageLabelIndexView
    add_view_class = PageLabelAddView
    edit_view_class = PageLabelEditView
    delete_view_class = PageLabelDeleteView
    list_filter = ["page_class", "topics"]
    list_per_page = 200
    edit_handler = ObjectList(
        [
            HelpPanel(
                content=gettext_lazy(
                    "Say once what a page, or a whole part of the site, is and what it speaks of. The pages "
                    "below inherit it until one of them says something else. It counts for everything "
                    "already recorded, too."
                )
            ),
            FieldPanel("page"),
            FieldPanel("with_descendants"),
            FieldPanel("page_class", help_text=gettext_lazy("Empty: as the pages above say.")),
            FieldPanel(
                "topics",
                help_text=gettext_lazy("They take the place of those of the pages above. None: as above."),
            ),
            FieldPanel("points"),
        ],
        base_form_class=PageLabelForm,
    )


class PageClassForm(WagtailAdminModelForm):
    """The key of a built-in class stays: code refers to it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.is_built_in:
            self.fields["key"].disabled = True
            self.fields["name"].help_text = _("Empty: %(name)s") % {
                "name": PageClass.BuiltIn(self.instance.key).label
            }
        else:
            self.fields["name"].required = True


class PageClassIndexView(generic.IndexView):
    """All classes and how many tracked pages have them."""

    page_title = gettext_lazy("Classes of pages")

    @cached_property
    def columns(self) -> list[Column]:
        return [
            TitleColumn("label", label=_("Name"), accessor=str, get_url=self.get_edit_url),
            Column("key", label=_("Key")),
            NumberColumn("page_count", label=_("Viewed pages"), sort_key="page_count"),
        ]

    def get_base_queryset(self) -> QuerySet[PageClass]:
        page_classes.ensure_built_in()
        return PageClass.objects.annotate(page_count=Count("tracked_pages"))


class PageClassViewSet(ModelViewSet):
    """The classes; reached from the page labels."""

    model = PageClass
    name = "wagtail_ma_page_classes"
    url_prefix = "marketing/classes"
    icon = "list-ul"
    menu_label = gettext_lazy("Classes of pages")
    add_to_reference_index = False
    copy_view_enabled = False
    index_view_class = PageClassIndexView
    list_filter: list[str] = []
    edit_handler = ObjectList([FieldPanel("name"), FieldPanel("key")], base_form_class=PageClassForm)


class TopicIndexView(generic.IndexView):
    """All topics and how many tracked pages speak of them."""

    results_template_name = "wagtail_ma/admin/page_labels/topics_results.html"

    @cached_property
    def columns(self) -> list[Column]:
        return [
            self._get_title_column("name"),
            Column("get_kind_display", label=_("Kind"), sort_key="kind"),
            NumberColumn("page_count", label=_("Viewed pages"), sort_key="page_count"),
        ]

    def get_base_queryset(self) -> QuerySet[Topic]:
        return Topic.objects.annotate(page_count=Count("tracked_pages"))


class TopicViewSet(ModelViewSet):
    """The topics; reached from the page labels."""

    model = Topic
    name = "wagtail_ma_topics"
    url_prefix = "marketing/topics"
    icon = "tag"
    menu_label = gettext_lazy("Topics")
    add_to_reference_index = False
    copy_view_enabled = False
    index_view_class = TopicIndexView
    list_filter = ["kind"]
    search_fields = ["name"]
    search_backend_name = None
    edit_handler = ObjectList(
        [
            FieldPanel(
                "name", help_text=gettext_lazy("A product, or something people worry about before they buy.")
            ),
            FieldPanel("kind"),
        ]
    )
