"""Facts: which page, which visit, which view, which act.

Written once, owned by an identity (a view by that of its visit); ``visitor`` is a copy of
``identity.visitor`` for speed, re-set when the identity is re-pointed. Every writer locks the identity
row first, so that a merge and a hit in flight never leave the copy behind.

The database does not check the copies (``db_constraint=False``): for each constrained column of each row
that is written, PostgreSQL asks a query and locks a row. It checks the chain view → visit → identity →
visitor, so nothing is left of somebody who is deleted; ``ma_doctor`` compares the copies with it.
"""

from __future__ import annotations

from typing import Any

import swapper
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from wagtail.models import Orderable

from wagtail_ma.people.models import Identity, Visitor
from wagtail_ma.tracking.day_numbers import DayNumbers

swapper.set_app_prefix("wagtailcore", "wagtail")


class TrackedPage(models.Model):
    """A page of the site as visitors saw it. Outlives the Wagtail page it stands for.

    Views point here and not at the Wagtail page: deleting a page must not touch millions of rows.
    ``key`` (``page:12`` or ``url:/path/``) never changes, so a deleted page's row stays apart from
    whatever is published at the same address later.
    """

    site = models.ForeignKey("wagtailcore.Site", null=True, on_delete=models.SET_NULL, related_name="+")
    key = models.CharField(max_length=255, unique=True)
    url = models.CharField(max_length=2000)
    title = models.CharField(max_length=255, blank=True)
    page = models.ForeignKey(
        swapper.get_model_name("wagtailcore", "Page"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    # The same for all translations of a page: "viewed P" means P in any language.
    translation_key = models.UUIDField(null=True, db_index=True)
    locale = models.CharField(max_length=12, blank=True)
    first_seen_at = models.DateTimeField()
    # Resolved from the labels of the page tree (page_classes.py); what they were when the page was
    # deleted stays.
    page_class = models.ForeignKey(
        "PageClass", null=True, on_delete=models.SET_NULL, related_name="tracked_pages"
    )
    topics: models.ManyToManyField[Topic, Any] = models.ManyToManyField("Topic", related_name="tracked_pages")
    # When they were resolved; empty: to be done.
    labelled_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("tracked page")
        verbose_name_plural = _("tracked pages")
        indexes = [
            # resolve_due: those that wait, then those looked at longest ago.
            models.Index(fields=["labelled_at"], name="ma_page_labelled"),
        ]

    def __str__(self) -> str:
        return self.title or self.url


class Network(models.Model):
    """Addresses that editors know: a company's, a competitor's, our own, an internet provider's.

    Whoever comes from there is guessed to belong there; people at home, on their phones or behind a
    provider's shared addresses are not. The visit keeps the guess, never the address.
    """

    class Kind(models.TextChoices):
        COMPANY = "company", pgettext_lazy("network", "Company")
        COMPETITOR = "competitor", _("Competitor")
        OWN = "own", _("Our own")
        PROVIDER = "provider", _("Internet provider")

    name = models.CharField(_("name"), max_length=120)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.COMPANY)
    # One CIDR per line, as networks.normalised() writes them.
    ranges = models.TextField(_("addresses"))
    is_excluded = models.BooleanField(_("do not record visits from here"), default=False)

    class Meta:
        verbose_name = _("network")
        verbose_name_plural = _("networks")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Visit(models.Model):
    """A row of page views with less than 30 idle minutes between them."""

    identity = models.ForeignKey(Identity, on_delete=models.CASCADE, related_name="visits", db_index=False)
    visitor = models.ForeignKey(
        Visitor, on_delete=models.CASCADE, related_name="visits", db_index=False, db_constraint=False
    )
    started_at = models.DateTimeField()
    last_at = models.DateTimeField()
    # (Nobody asks for the visits of a landing page, and tracked pages are not deleted.)
    landing = models.ForeignKey(
        TrackedPage, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    referrer_host = models.CharField(max_length=255, blank=True)
    medium = models.CharField(max_length=20)
    source = models.CharField(max_length=100, blank=True)
    campaign = models.CharField(max_length=100, blank=True)
    device = models.CharField(max_length=10, blank=True)
    language = models.CharField(max_length=12, blank=True)
    # Guesses from the address, which itself is not kept (places.py). ISO 3166: "JP", "JP-13"; a region
    # without a known code by its name.
    country = models.CharField(max_length=2, blank=True)
    region = models.CharField(max_length=60, blank=True)
    network = models.ForeignKey(
        Network, null=True, on_delete=models.SET_NULL, related_name="visits", db_index=False
    )
    is_bot = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("visit")
        verbose_name_plural = _("visits")
        indexes = [
            # record_hit: the visit of this browser that is still open.
            models.Index(fields=["identity", "-last_at"], name="ma_visit_open"),
            # rules and timelines: the visits of a visitor in a period.
            models.Index(fields=["visitor", "started_at"], name="ma_visit_visitor"),
            # overview: the people of a period, read from the index alone.
            models.Index(fields=["started_at", "is_bot", "visitor"], name="ma_visit_started"),
            # segments and lists by network, and deleting one; few visits have any.
            models.Index(
                fields=["network", "started_at"],
                condition=models.Q(network__isnull=False),
                name="ma_visit_network",
            ),
            # page reports leave these out; they are few.
            models.Index(fields=["id"], condition=models.Q(is_bot=True), name="ma_visit_bot"),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_id} {self.started_at:%Y-%m-%d %H:%M}"


class PageView(models.Model):
    """One look at one page. ``engaged_seconds`` only grows, up to the cap.

    What stood behind the ``?`` of its address is not kept: it may name a person.
    """

    class Source(models.TextChoices):
        """Who told of it. Only the script measures how long a page was read; for the others it is
        estimated by the next view (see estimates.py)."""

        SCRIPT = "script", _("script")
        SERVER = "server", _("server")
        LOG = "log", _("access log")

    visit = models.ForeignKey(Visit, on_delete=models.CASCADE, related_name="views")
    visitor = models.ForeignKey(
        Visitor, on_delete=models.CASCADE, related_name="views", db_index=False, db_constraint=False
    )
    tracked_page = models.ForeignKey(
        TrackedPage, on_delete=models.CASCADE, related_name="views", db_index=False
    )
    # Made by the browser: retries, duplicates and late beacons find their row.
    view_id = models.UUIDField(unique=True)
    at = models.DateTimeField()
    source = models.CharField(max_length=6, choices=Source.choices, default=Source.SCRIPT)
    # Visible, focused and active; in tenths of a second. An estimate unless the source is the script.
    engaged_seconds = models.FloatField(default=0)
    visible_seconds = models.FloatField(default=0)
    scroll_percent = models.PositiveSmallIntegerField(default=0)
    # Somebody claimed to have read for longer than the page had been open; only what is possible is
    # stored.
    is_doubtful = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("page view")
        verbose_name_plural = _("page views")
        indexes = [
            # rules per visitor, timelines.
            models.Index(fields=["visitor", "at"], name="ma_view_visitor"),
            # rules as a set, page reports.
            models.Index(fields=["tracked_page", "at"], name="ma_view_page"),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_id} {self.tracked_page_id} {self.at:%Y-%m-%d %H:%M}"


class Activity(models.Model):
    """A named act: download, form_view, form_start, form_submit, mail_click, custom …"""

    identity = models.ForeignKey(
        Identity, on_delete=models.CASCADE, related_name="activities", db_index=False
    )
    visitor = models.ForeignKey(
        Visitor, on_delete=models.CASCADE, related_name="activities", db_index=False, db_constraint=False
    )
    kind = models.CharField(max_length=64)
    at = models.DateTimeField()
    visit = models.ForeignKey(Visit, null=True, on_delete=models.SET_NULL, related_name="activities")
    tracked_page = models.ForeignKey(TrackedPage, null=True, on_delete=models.SET_NULL, related_name="+")
    # What it was done to, as (kind, key): ("document", "7"), ("form", "3"), ("mail", "5").
    object_kind = models.CharField(max_length=20, blank=True)
    object_key = models.CharField(max_length=100, blank=True)
    value = models.FloatField(null=True)
    data = models.JSONField(default=dict)
    # Unique per identity: the same act reported twice is one row.
    source_key = models.CharField(max_length=100)

    class Meta:
        verbose_name = _("activity")
        verbose_name_plural = _("activities")
        constraints = [
            models.UniqueConstraint(fields=["identity", "source_key"], name="ma_activity_once"),
        ]
        indexes = [
            # rules per visitor, timelines.
            models.Index(fields=["visitor", "kind", "at"], name="ma_activity_visitor"),
            # rules as a set, reports.
            models.Index(fields=["kind", "at"], name="ma_activity_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_id} {self.kind} {self.at:%Y-%m-%d %H:%M}"


class PageCount(models.Model):
    """Views of a page on one day by people who must not be recognised: no more than a number."""

    tracked_page = models.ForeignKey(TrackedPage, on_delete=models.CASCADE, related_name="counts")
    # In the time zone of the project.
    day = models.DateField()
    views = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("anonymous views")
        verbose_name_plural = _("anonymous views")
        constraints = [
            # One row to add to.
            models.UniqueConstraint(fields=["tracked_page", "day"], name="ma_count_page_day"),
        ]

    def __str__(self) -> str:
        return f"{self.tracked_page_id} {self.day} {self.views}"


class PageClass(models.Model):
    """What kind of page it is: product, pricing, case study …; built-in ones can be renamed, others
    added."""

    class BuiltIn(models.TextChoices):
        PRODUCT = "product", _("Product")
        PRICING = "pricing", _("Pricing")
        CASE = "case", _("Case study")
        FAQ = "faq", _("Questions and answers")
        ARTICLE = "article", _("Article")
        CAREERS = "careers", _("Careers")
        CONTACT = "contact", _("Contact")
        DOWNLOAD = "download", _("Download")
        CANCELLATION = "cancellation", _("Cancellation")
        OTHER = "other", _("Other")

    # Stored in code and settings of host projects; the name may change, the key should not.
    key = models.SlugField(_("key"), max_length=40, unique=True)
    # Empty: the translated name of the built-in class.
    name = models.CharField(_("name"), max_length=80, blank=True)

    class Meta:
        verbose_name = _("page class")
        verbose_name_plural = _("page classes")
        ordering = ["pk"]

    def __str__(self) -> str:
        return self.name or (str(self.BuiltIn(self.key).label) if self.is_built_in else self.key)

    @property
    def is_built_in(self) -> bool:
        """Whether it came with the product."""
        return self.key in self.BuiltIn.values


class Topic(models.Model):
    """What pages speak of: a product, or something people worry about before they buy."""

    class Kind(models.TextChoices):
        PRODUCT = "product", _("product")
        CONCERN = "concern", _("concern")

    name = models.CharField(_("name"), max_length=80, unique=True)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.PRODUCT)

    class Meta:
        verbose_name = _("topic")
        verbose_name_plural = _("topics")
        ordering = ["kind", "name"]

    def __str__(self) -> str:
        return self.name


class PageLabel(models.Model):
    """What an editor said of a page, or of a page and everything below it, in every language.

    By the translations' common key and not by a page: a label survives deleting one language.
    The nearest label wins, class and topics each on its own; empty means "as above".
    """

    translation_key = models.UUIDField(_("page"))
    with_descendants = models.BooleanField(_("the pages below it too"), default=True)
    page_class = models.ForeignKey(
        PageClass,
        verbose_name=_("class"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="labels",
    )
    topics = models.ManyToManyField(Topic, verbose_name=_("topics"), blank=True, related_name="labels")

    class Meta:
        verbose_name = _("page label")
        verbose_name_plural = _("page labels")
        constraints = [
            # One label for the page alone and one for its subtree.
            models.UniqueConstraint(
                fields=["translation_key", "with_descendants"],
                name="ma_label_once",
                violation_error_message=_("This page has such a label already."),
            ),
        ]

    def __str__(self) -> str:
        return str(self.page_class or self.translation_key)


class PageDay(DayNumbers):
    """One page on one day. Kept for ever, also after its views are gone.

    ``visits`` counts visits in which the page was seen; one that goes on after midnight belongs to
    the day on which it began, so that visits can be added up.
    """

    tracked_page = models.ForeignKey(
        TrackedPage, on_delete=models.CASCADE, related_name="days", db_index=False
    )
    # Sum of the views' scroll depths in percent.
    scroll_percents = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = _("page on a day")
        verbose_name_plural = _("pages on a day")
        constraints = [
            # The report of one page.
            models.UniqueConstraint(fields=["tracked_page", "day"], name="ma_page_day_once"),
        ]
        indexes = [
            # Top pages, the list of pages: all pages of a period.
            models.Index(fields=["day", "tracked_page"], name="ma_page_day_day"),
        ]

    def __str__(self) -> str:
        return f"{self.tracked_page_id} {self.day} {self.views}"


class SiteDay(DayNumbers):
    """The whole site on one day; also the mark that this day has been counted, and when."""

    new_visitors = models.PositiveIntegerField(default=0)
    counted_at = models.DateTimeField()
    # Nothing late is expected any more.
    is_settled = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("site on a day")
        verbose_name_plural = _("site on a day")
        constraints = [
            models.UniqueConstraint(fields=["day"], name="ma_site_day_once"),
        ]
        indexes = [
            # roll_up: the few days that are to be counted again.
            models.Index(
                fields=["counted_at"], condition=models.Q(is_settled=False), name="ma_site_day_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.views}"


class ChannelRule(Orderable):
    """An editor's word on where certain visits came from; the first rule that fits wins."""

    class Field(models.TextChoices):
        REFERRER_HOST = "referrer_host", _("Referring site")
        UTM_SOURCE = "utm_source", "utm_source"
        UTM_MEDIUM = "utm_medium", "utm_medium"
        UTM_CAMPAIGN = "utm_campaign", "utm_campaign"
        LANDING_PATH = "landing_path", _("Path of the first page")

    class Comparison(models.TextChoices):
        EQUALS = "equals", _("is")
        CONTAINS = "contains", _("contains")

    # The mediums of channels.py, under the names that reports use.
    class Medium(models.TextChoices):
        ORGANIC = "organic", _("Search")
        PAID = "paid", _("Advertising")
        SOCIAL = "social", _("Social media")
        EMAIL = "email", _("E-mail")
        RSS = "rss", _("Feeds")
        REFERRAL = "referral", _("Other sites")
        DIRECT = "direct", _("Direct")
        AI = "ai", _("AI assistants")
        INTERNAL = "internal", _("Own site")
        OFFLINE = "offline", _("Offline")

    field = models.CharField(_("what is looked at"), max_length=20, choices=Field.choices)
    comparison = models.CharField(
        _("how"), max_length=10, choices=Comparison.choices, default=Comparison.EQUALS
    )
    value = models.CharField(_("text"), max_length=255)
    medium = models.CharField(_("channel"), max_length=20, choices=Medium.choices)
    # Empty: what the link or the referrer says.
    source_name = models.CharField(_("source"), max_length=100, blank=True)

    class Meta(Orderable.Meta):
        verbose_name = _("channel rule")
        verbose_name_plural = _("channel rules")

    def __str__(self) -> str:
        return _("%(field)s %(comparison)s “%(value)s”") % {
            "field": self.get_field_display(),
            "comparison": self.get_comparison_display(),
            "value": self.value,
        }


class ReplayedLog(models.Model):
    """An access log that was read, and how far: reading goes on there."""

    # A keyed hash of its beginning and of what it was read as, so that a log is known again under
    # another name, compressed, or after it has grown.
    fingerprint = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=255)
    # Bytes of the uncompressed text, always the end of a line.
    offset = models.PositiveBigIntegerField(default=0)
    counts = models.JSONField(default=dict)
    started_at = models.DateTimeField()
    read_at = models.DateTimeField()

    class Meta:
        verbose_name = _("replayed log")
        verbose_name_plural = _("replayed logs")

    def __str__(self) -> str:
        return self.name
