"""The page types of the company site."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel
from wagtail.fields import StreamField
from wagtail.models import Page
from wagtail.search import index

from .blocks import FigureBlock, PlanBlock, PositionBlock, body_blocks, form_body_blocks


class CompanyPage(Page):
    """What all pages have: an introduction, a picture and a body."""

    heading = models.CharField(
        _("heading"),
        max_length=160,
        blank=True,
        help_text=_("First heading of the page, if it differs from the short title."),
    )
    introduction = models.TextField(_("introduction"), blank=True)
    picture = models.ForeignKey(
        "wagtailimages.Image",
        verbose_name=_("picture"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    content_panels: ClassVar[list[Any]] = [
        *Page.content_panels,
        FieldPanel("heading"),
        FieldPanel("introduction"),
        FieldPanel("picture"),
    ]
    search_fields: ClassVar[list[Any]] = [
        *Page.search_fields,
        index.SearchField("heading"),
        index.SearchField("introduction"),
    ]

    class Meta:
        abstract = True

    def children(self) -> list[Page]:
        """The published pages directly below this one, as their own types, in tree order."""
        return list(self.get_children().live().specific())


class BodyPage(CompanyPage):
    """A page with the ordinary body."""

    body = StreamField(body_blocks(), verbose_name=_("body"), blank=True)

    content_panels: ClassVar[list[Any]] = [*CompanyPage.content_panels, FieldPanel("body")]
    search_fields: ClassVar[list[Any]] = [
        *CompanyPage.search_fields,
        index.SearchField("body"),
    ]

    class Meta:
        abstract = True


class FormBodyPage(CompanyPage):
    """A page whose body may hold a form."""

    body = StreamField(form_body_blocks(), verbose_name=_("body"), blank=True)

    content_panels: ClassVar[list[Any]] = [*CompanyPage.content_panels, FieldPanel("body")]
    search_fields: ClassVar[list[Any]] = [
        *CompanyPage.search_fields,
        index.SearchField("body"),
    ]

    class Meta:
        abstract = True

    def has_form(self) -> bool:
        """Whether the body asks for something, so that nothing is handed out beside it."""
        return any(block.block_type == "lead_form" for block in self.body)


class HomePage(BodyPage):
    """The front page of one language."""

    parent_page_types: ClassVar[list[str]] = ["wagtailcore.Page"]

    class Meta:
        verbose_name = _("home page")
        verbose_name_plural = _("home pages")


class StandardPage(BodyPage):
    """A page of text."""

    class Meta:
        verbose_name = _("text page")
        verbose_name_plural = _("text pages")


class ProductPage(BodyPage):
    """A product."""

    class Meta:
        verbose_name = _("product page")
        verbose_name_plural = _("product pages")


class PricingPage(BodyPage):
    """The price list."""

    plans = StreamField([("plan", PlanBlock())], verbose_name=_("plans"), blank=True)

    content_panels: ClassVar[list[Any]] = [
        *CompanyPage.content_panels,
        FieldPanel("plans"),
        FieldPanel("body"),
    ]

    class Meta:
        verbose_name = _("pricing page")
        verbose_name_plural = _("pricing pages")


class CaseStudyIndexPage(BodyPage):
    """The list of case studies."""

    subpage_types: ClassVar[list[str]] = ["company.CaseStudyPage"]

    class Meta:
        verbose_name = _("list of case studies")
        verbose_name_plural = _("lists of case studies")


class CaseStudyPage(BodyPage):
    """How one (invented) firm uses a product."""

    client = models.CharField(_("client"), max_length=120)
    industry = models.CharField(_("industry"), max_length=80)
    headcount = models.CharField(_("headcount"), max_length=40)
    figures = StreamField([("figure", FigureBlock())], verbose_name=_("figures"), blank=True)

    parent_page_types: ClassVar[list[str]] = ["company.CaseStudyIndexPage"]
    content_panels: ClassVar[list[Any]] = [
        *CompanyPage.content_panels,
        FieldPanel("client"),
        FieldPanel("industry"),
        FieldPanel("headcount"),
        FieldPanel("figures"),
        FieldPanel("body"),
    ]

    class Meta:
        verbose_name = _("case study")
        verbose_name_plural = _("case studies")


class FaqPage(BodyPage):
    """Frequently asked questions."""

    class Meta:
        verbose_name = _("FAQ page")
        verbose_name_plural = _("FAQ pages")


class BlogIndexPage(BodyPage):
    """The list of articles, newest first."""

    subpage_types: ClassVar[list[str]] = ["company.ArticlePage"]

    class Meta:
        verbose_name = _("blog")
        verbose_name_plural = _("blogs")

    def articles(self) -> models.QuerySet[ArticlePage]:
        """The published articles, newest first, with their pictures in the same query."""
        articles = ArticlePage.objects.child_of(self).live().select_related("picture")
        return articles.order_by("-published_on", "-pk")


class ArticlePage(BodyPage):
    """An article of the blog."""

    published_on = models.DateField(_("date"))
    author = models.CharField(_("author"), max_length=80, blank=True)

    parent_page_types: ClassVar[list[str]] = ["company.BlogIndexPage"]
    content_panels: ClassVar[list[Any]] = [
        *CompanyPage.content_panels,
        FieldPanel("published_on"),
        FieldPanel("author"),
        FieldPanel("body"),
    ]

    class Meta:
        verbose_name = _("article")
        verbose_name_plural = _("articles")


class CareersPage(BodyPage):
    """Open positions."""

    positions = StreamField([("position", PositionBlock())], verbose_name=_("positions"), blank=True)

    content_panels: ClassVar[list[Any]] = [
        *CompanyPage.content_panels,
        FieldPanel("body"),
        FieldPanel("positions"),
    ]

    class Meta:
        verbose_name = _("careers page")
        verbose_name_plural = _("careers pages")


class ContactPage(FormBodyPage):
    """How to reach the company."""

    class Meta:
        verbose_name = _("contact page")
        verbose_name_plural = _("contact pages")


class WhitepaperPage(FormBodyPage):
    """A paper to download."""

    document = models.ForeignKey(
        "wagtaildocs.Document",
        verbose_name=_("document"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    content_panels: ClassVar[list[Any]] = [
        *CompanyPage.content_panels,
        FieldPanel("document"),
        FieldPanel("body"),
    ]

    class Meta:
        verbose_name = _("whitepaper page")
        verbose_name_plural = _("whitepaper pages")

    def get_context(self, request: HttpRequest, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Offer the plain download only while no form asks for an address first."""
        context: dict[str, Any] = super().get_context(request, *args, **kwargs)
        context["open_document"] = None if self.has_form() else self.document
        return context
