"""All models, where Django looks for them. They live in their domains; a test finds any forgotten."""

from __future__ import annotations

from wagtail_ma.forms.models import FormVersion, GatedDocument, LeadForm, LeadFormField, Submission
from wagtail_ma.jobs.models import Heartbeat
from wagtail_ma.messaging.models import (
    Consent,
    Delivery,
    Mail,
    MailVersion,
    SenderProfile,
    Suppression,
)
from wagtail_ma.people.models import Identity, IdentityLink, Lead, News, Visitor
from wagtail_ma.scenarios.models import Enrolment, Scenario, ScenarioVersion, StepRun
from wagtail_ma.scoring.models import (
    CarriedCounts,
    CarriedPoints,
    ScoreEntry,
    ScoringModel,
    ScoringRule,
    Standing,
)
from wagtail_ma.segments.models import Membership, Segment, SegmentDay, SegmentDecision
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
    "CarriedCounts",
    "CarriedPoints",
    "Activity",
    "ChannelRule",
    "Consent",
    "Delivery",
    "Enrolment",
    "FormVersion",
    "GatedDocument",
    "Heartbeat",
    "Identity",
    "IdentityLink",
    "Lead",
    "LeadForm",
    "LeadFormField",
    "Mail",
    "MailVersion",
    "Membership",
    "Network",
    "News",
    "PageClass",
    "PageCount",
    "PageDay",
    "PageLabel",
    "PageView",
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
    "SiteDay",
    "Standing",
    "StepRun",
    "Submission",
    "Suppression",
    "Topic",
    "TrackedPage",
    "Visit",
    "Visitor",
]
