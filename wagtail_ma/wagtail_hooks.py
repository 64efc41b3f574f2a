"""Where Wagtail meets wagtail_ma. Thin: each hook is one call."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.templatetags.static import static
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _
from wagtail import hooks
from wagtail.snippets.models import register_snippet

from wagtail_ma.admin import home, page_panel, userbar
from wagtail_ma.admin.companies import CompanyChooserViewSet
from wagtail_ma.admin.exclusions import ExclusionRuleViewSet
from wagtail_ma.admin.hot_definitions import HotDefinitionViewSet
from wagtail_ma.admin.mails import MailViewSet
from wagtail_ma.admin.menu import MarketingGroup
from wagtail_ma.admin.page_classes import PageClassViewSet, TopicViewSet
from wagtail_ma.admin.permissions import permissions
from wagtail_ma.admin.scenario_bulk import ScenarioBulkAction
from wagtail_ma.admin.scenarios import ScenarioViewSet
from wagtail_ma.admin.segments import SegmentChooserViewSet, StoredSegmentChooserViewSet
from wagtail_ma.admin.visitor_bulk import ACTIONS
from wagtail_ma.personalisation import http
from wagtail_ma.tracking import page_classes
from wagtail_ma.web import downloads, server_side

register_snippet(MailViewSet)
register_snippet(ScenarioViewSet)


@hooks.register("register_admin_viewset")
def register_viewsets() -> list[Any]:
    return [
        MarketingGroup(),
        SegmentChooserViewSet("wagtail_ma_segment_chooser"),
        CompanyChooserViewSet("wagtail_ma_company_chooser"),
        StoredSegmentChooserViewSet("wagtail_ma_stored_segment_chooser"),
        HotDefinitionViewSet(),
        ExclusionRuleViewSet(),
        PageClassViewSet(),
        TopicViewSet(),
    ]


for action in [*ACTIONS, ScenarioBulkAction]:
    hooks.register("register_bulk_action", action)


# After everybody else: all page types are registered, none of their views is built.
@hooks.register("register_admin_viewset", order=1000)
def add_visitors_panel() -> list[Any]:
    page_panel.install()
    return []


@hooks.register("after_move_page")
def label_moved_pages(request: HttpRequest, page: Any) -> None:
    page_classes.mark(page)


@hooks.register("construct_homepage_panels")
def add_home_panels(request: HttpRequest, panels: list[Any]) -> None:
    home.add_panels(request, panels)


@hooks.register("construct_wagtail_userbar")
def add_userbar_items(request: HttpRequest, items: list[Any], page: Any) -> None:
    userbar.add_items(request, items, page)


@hooks.register("register_permissions")
def register_permissions() -> Any:
    return permissions()


@hooks.register("register_icons")
def register_icons(icons: list[str]) -> list[str]:
    names = ("", "-people", "-segment", "-score", "-scenario", "-gate", "-hot")
    return [*icons, *(f"wagtail_ma/icons/wagtail-ma{name}.svg" for name in names)]


@hooks.register("insert_global_admin_css")
def admin_css() -> str:
    return format_html_join(
        "",
        '<link rel="stylesheet" href="{}">',
        [(static(f"wagtail_ma/admin/{name}.css"),) for name in ("admin", "charts", "sales")],
    )


@hooks.register("register_log_actions")
def register_log_actions(actions: Any) -> None:
    actions.register_action("wagtail_ma.view_lead", _("View lead"), _("Looked at the page of a lead"))
    actions.register_action("wagtail_ma.mail_test", _("Test a mail"), _("Sent a test of the mail"))
    actions.register_action("wagtail_ma.send", _("Send a mail"), _("Sent the mail, or held its sending"))
    actions.register_action("wagtail_ma.view_company", _("View company"), _("Looked at a company"))
    actions.register_action(
        "wagtail_ma.view_submissions", _("View answers"), _("Looked at what was sent with the form")
    )
    actions.register_action("wagtail_ma.own_data", _("Own data"), _("The person took their data along"))
    actions.register_action("wagtail_ma.own_erasure", _("Own erasure"), _("The person erased their data"))
    actions.register_action(
        "wagtail_ma.do_not_record", _("Do not record"), _("Nothing that the person does is recorded any more")
    )
    actions.register_action(
        "wagtail_ma.record_again", _("Record again"), _("What the person does is recorded again")
    )
    actions.register_action("wagtail_ma.erase", _("Erase"), _("Erased a person"))
    actions.register_action("wagtail_ma.merge", _("Merge"), _("Decided whether two people are one"))
    actions.register_action("wagtail_ma.merge_companies", _("Merge companies"), _("Merged two companies"))
    actions.register_action(
        "wagtail_ma.unmerge_companies", _("Undo a merge of companies"), _("Made two companies of one again")
    )
    actions.register_action(
        "wagtail_ma.move_people", _("Move people"), _("Moved people to the present version")
    )
    actions.register_action("wagtail_ma.export", _("Export"), _("Exported personal data"))


@hooks.register("before_serve_page")
def remember_request(page: Any, request: HttpRequest, args: Any, kwargs: Any) -> None:
    http.begin(request, page)


@hooks.register("before_serve_document")
def gate_document(document: Any, request: HttpRequest) -> HttpResponse | None:
    return downloads.gate(document, request)


@hooks.register("on_serve_page", order=-100)
def protect_personalised(next_handler: Any) -> Any:
    def serve(page: Any, request: HttpRequest, args: Any, kwargs: Any) -> HttpResponse:
        return http.protect_when_rendered(request, next_handler(page, request, args, kwargs))

    return serve


# Outside of the one above: it sets the cookie on the finished answer.
@hooks.register("on_serve_page", order=-200)
def record_served(next_handler: Any) -> Any:
    def serve(page: Any, request: HttpRequest, args: Any, kwargs: Any) -> HttpResponse:
        return server_side.record_when_rendered(page, request, next_handler(page, request, args, kwargs))

    return serve
