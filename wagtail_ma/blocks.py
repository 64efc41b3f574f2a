"""Public StreamField blocks: import them from here."""

from __future__ import annotations

from wagtail_ma.forms.blocks import LeadFormBlock
from wagtail_ma.messaging.blocks import NewsletterListBlock
from wagtail_ma.personalisation.blocks import PersonalisedBlock, personalised_block
from wagtail_ma.tracking.blocks import RecordedBlock

__all__ = ["LeadFormBlock", "NewsletterListBlock", "PersonalisedBlock", "RecordedBlock", "personalised_block"]
