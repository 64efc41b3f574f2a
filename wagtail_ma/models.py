"""All models, where Django looks for them. They live in their domains; a test finds any forgotten."""

from __future__ import annotations

from wagtail_ma.forms.models import FormVersion, GatedDocument, LeadForm, LeadFormField, Submission
from wagtail_ma.jobs.models import Heartbeat
from wagtail_ma.messaging.models import (
    Consent,
    Delivery,
    Dispatch,
    Mail,
    MailTopic,
    MailVersion,
    SenderProfile,
    Suppression,
)
from wagtail_ma.messaging.models_of_sending import (
    LinkClick,
    MailCount,
    MailPace,
    RateWindow,
    SendingRules,
    Subscription,
)
from wagtail_ma.people.models import (
    Identity,
    IdentityLink,
    Lead,
    LeadField,
    LeadPhone,
    MergeProposal,
    News,
    Visitor,
)
from wagtail_ma.people.models_of_companies import Affiliation, Company, CompanyAlias, CompanyDomain
from wagtail_ma.personalisation.models import Goal
from wagtail_ma.sales.models import ExclusionRule, HotDefinition, HotEntry, Marking
from wagtail_ma.sales.models_of_tasks import Task
from wagtail_ma.scenarios.models import Enrolment, Scenario, ScenarioVersion, StepRun
from wagtail_ma.scenarios.models_of_webhooks import WebhookCall
from wagtail_ma.scoring.models import (
    CarriedCounts,
    CarriedPoints,
    Interest,
    ScoreEntry,
    ScoringModel,
    ScoringRule,
    Standing,
)
from wagtail_ma.scoring.models_of_given import GivenPoints
from wagtail_ma.segments.models import Membership, PastMembership, Segment, SegmentDay, SegmentDecision
from wagtail_ma.tracking.models import (
    Activity,
    ChannelRule,
    Network,
    PageClass,
    PageCount,
    PageDay,
    PageLabel,
    PageView,
    ReplayedLog,
    SiteDay,
    Topic,
    TrackedPage,
    Visit,
)

__all__ = [
    "Activity",
    "CarriedCounts",
    "CarriedPoints",
    "Affiliation",
    "ChannelRule",
    "Company",
    "CompanyAlias",
    "CompanyDomain",
    "Consent",
    "Delivery",
    "Dispatch",
    "Enrolment",
    "ExclusionRule",
    "FormVersion",
    "GatedDocument",
    "GivenPoints",
    "Heartbeat",
    "Goal",
    "HotDefinition",
    "HotEntry",
    "Identity",
    "IdentityLink",
    "Interest",
    "Lead",
    "LeadField",
    "LeadPhone",
    "LeadForm",
    "LeadFormField",
    "LinkClick",
    "Mail",
    "MailCount",
    "MailPace",
    "MailTopic",
    "MailVersion",
    "Marking",
    "Membership",
    "Network",
    "PastMembership",
    "MergeProposal",
    "News",
    "PageClass",
    "PageCount",
    "PageDay",
    "PageLabel",
    "PageView",
    "RateWindow",
    "ReplayedLog",
    "Scenario",
    "ScenarioVersion",
    "ScoreEntry",
    "ScoringModel",
    "ScoringRule",
    "Segment",
    "SegmentDay",
    "SegmentDecision",
    "SenderProfile",
    "SendingRules",
    "SiteDay",
    "Standing",
    "StepRun",
    "Submission",
    "Subscription",
    "Suppression",
    "Task",
    "Topic",
    "TrackedPage",
    "Visit",
    "Visitor",
    "WebhookCall",
]
