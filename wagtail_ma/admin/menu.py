"""The one "Marketing" menu."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _
from wagtail.admin.viewsets.base import ViewSetGroup

from wagtail_ma.admin.channels import ChannelRuleViewSet
from wagtail_ma.admin.companies import CompanyViewSet
from wagtail_ma.admin.exclusions import ExcludedViewSet
from wagtail_ma.admin.forms import LeadFormViewSet
from wagtail_ma.admin.gates import GatedDocumentViewSet
from wagtail_ma.admin.goals import GoalViewSet
from wagtail_ma.admin.hot_leads import HotLeadsViewSet
from wagtail_ma.admin.identifications import IdentificationViewSet
from wagtail_ma.admin.interests import InterestsViewSet
from wagtail_ma.admin.leads import LeadFieldViewSet, LeadViewSet
from wagtail_ma.admin.mail_settings import MailTopicViewSet, SendingRulesViewSet
from wagtail_ma.admin.mails import SenderProfileViewSet
from wagtail_ma.admin.networks import NetworkViewSet
from wagtail_ma.admin.overview import OverviewViewSet
from wagtail_ma.admin.page_classes import PageLabelViewSet
from wagtail_ma.admin.page_report import PageReportViewSet
from wagtail_ma.admin.proposals import ProposalViewSet
from wagtail_ma.admin.scoring import ScoringRuleViewSet
from wagtail_ma.admin.segments import SegmentViewSet
from wagtail_ma.admin.tasks import TaskViewSet
from wagtail_ma.admin.visitors import VisitorViewSet


class MarketingGroup(ViewSetGroup):
    """Everything of ours in one place; mails and scenarios (snippets) join by ``submenu_hook``."""

    menu_label = _("Marketing")
    menu_name = "wagtail-ma"
    menu_icon = "wagtail-ma"
    menu_order = 250
    submenu_hook = "register_wagtail_ma_menu_item"
    items = (
        OverviewViewSet,
        HotLeadsViewSet,
        VisitorViewSet,
        InterestsViewSet,
        LeadViewSet,
        CompanyViewSet,
        ExcludedViewSet,
        IdentificationViewSet,
        ProposalViewSet,
        PageReportViewSet,
        SegmentViewSet,
        PageLabelViewSet,
        ChannelRuleViewSet,
        NetworkViewSet,
        ScoringRuleViewSet,
        TaskViewSet,
        GoalViewSet,
        LeadFormViewSet,
        LeadFieldViewSet,
        GatedDocumentViewSet,
        SenderProfileViewSet,
        MailTopicViewSet,
        SendingRulesViewSet,
    )
