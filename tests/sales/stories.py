"""A small site and the people who visit it, told hit by hit through ``flow``."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from tests import factories
from wagtail_ma import flow
from wagtail_ma.people import identify as identification
from wagtail_ma.people import news
from wagtail_ma.people.models import Identity, Visitor
from wagtail_ma.sales.models import HotDefinition, HotEntry
from wagtail_ma.sales.patterns import reason_of
from wagtail_ma.tracking import hits, page_classes
from wagtail_ma.tracking.models import PageClass, TrackedPage


def classed_page(home: Any, title: str, key: str) -> Any:
    """A page below the home page, of a built-in class."""
    from tests.testapp.models import ContentPage
    from wagtail_ma.tracking.models import PageLabel

    page_classes.ensure_built_in()
    page = ContentPage(title=title, slug=uuid4().hex)
    home.add_child(instance=page)
    PageLabel.objects.create(translation_key=page.translation_key, page_class=PageClass.objects.get(key=key))
    return page


@dataclass
class Person:
    """Somebody with a browser and a clock."""

    now: datetime
    key: str | None = None
    views: dict[Any, Any] = field(default_factory=dict)

    def later(self, **delta: float) -> Person:
        self.now += timedelta(**delta)
        return self

    def read(self, page: Any, seconds: float = 5) -> Person:
        """Open a page and read it for so long; the background work follows."""
        hit = factories.page_hit(page, browser_key=self.key)
        self.key = flow.record_hit(hit, now=self.now).browser_key or self.key
        self.later(seconds=seconds + 1)
        engaged = factories.engagement_hit(hit.view_id, seconds, page=page, browser_key=self.key)
        flow.record_hit(engaged, now=self.now)
        return self.settle()

    def act(self, kind: str, page: Any, **data: Any) -> Person:
        """Do something that the script tells, e.g. start a form."""
        hit = factories.page_hit(
            page,
            browser_key=self.key,
            kind=hits.ACTIVITY,
            name=kind,
            event_id=uuid4(),
            data={"form": "1", **data},
        )
        self.key = flow.record_hit(hit, now=self.now).browser_key or self.key
        return self.settle()

    def named(self, email: str, **fields: Any) -> Person:
        identity = Identity.objects.get(kind=Identity.Kind.BROWSER, key=self.key)
        identification.identify(identity, email=email, now=self.now, method="form", **fields)
        return self.settle()

    def settle(self) -> Person:
        """What the background work does within a minute."""
        page_classes.resolve_due(now=self.now)
        while flow.react(now=self.now):
            pass
        return self

    def settle_again(self) -> Person:
        """As after something new: definitions made meanwhile are looked at."""
        news.mark([self.visitor.pk], now=self.now)
        return self.settle()

    def tick(self) -> Person:
        """A round of background work, as cron starts it every minute."""
        flow.run_due(now=self.now)
        return self.settle()

    @property
    def visitor(self) -> Visitor:
        return Identity.objects.get(kind=Identity.Kind.BROWSER, key=self.key).visitor

    @property
    def hot(self) -> list[HotEntry]:
        """By what this person is hot now."""
        found = HotEntry.objects.filter(visitor=self.visitor, closed_at__isnull=True)
        return list(found.select_related("definition").order_by("pk"))

    @property
    def reasons(self) -> list[str]:
        return [reason_of(entry) for entry in self.hot]


def define(kind: str, **fields: Any) -> HotDefinition:
    """A definition of this kind and no other."""
    return HotDefinition.objects.create(name=kind, kind=kind, **fields)


def tracked(page: Any) -> TrackedPage:
    return TrackedPage.objects.get(page_id=page.pk)
