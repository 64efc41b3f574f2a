"""Companies, and who belongs to them since when."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from wagtail_ma.conf import conf
from wagtail_ma.people import company_names, corporate_number
from wagtail_ma.people.models import Lead


def check_corporate_number(text: str) -> None:
    """Validator of the field."""
    if not corporate_number.is_valid(text):
        raise ValidationError(_("These are not the 13 digits of a corporate number."), code="invalid")


class Company(models.Model):
    """A company whose people visit the site."""

    name = models.CharField(_("name"), max_length=160)
    corporate_number = models.CharField(
        _("corporate number"),
        max_length=13,
        blank=True,
        db_index=True,
        validators=[check_corporate_number],
        help_text=_("Thirteen digits, if it is a Japanese corporation."),
    )
    website = models.URLField(_("web site"), max_length=255, blank=True)
    is_customer = models.BooleanField(_("customer"), default=False)
    is_competitor = models.BooleanField(_("competitor"), default=False)
    is_own = models.BooleanField(_("our own company"), default=False)
    # The three marks as its people were last looked at for them (sales/exclusions.py): 1, 2, 4 added up.
    followed_marks = models.PositiveSmallIntegerField(default=0, editable=False)
    # From the name, whenever it is saved: what is searched for when somebody names a company.
    strict_key = models.CharField(max_length=160, editable=False)
    reading_key = models.CharField(max_length=320, editable=False)
    created_at = models.DateTimeField(_("first seen"))

    class Meta:
        # (Of a person, the word may be another: the name of their company.)
        verbose_name = pgettext_lazy("organisation", "company")
        verbose_name_plural = _("companies")
        indexes = [
            # companies.find: the company of a name that somebody typed.
            models.Index(fields=["strict_key"], name="ma_company_key"),
            # companies.similar: those that may be the same one.
            models.Index(fields=["reading_key"], name="ma_company_reading"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: object, **kwargs: object) -> None:
        self.corporate_number = corporate_number.plain(self.corporate_number)
        keys = company_names.keys(self.name)
        self.strict_key = keys.strict[:160]
        self.reading_key = keys.reading[:320]
        super().save(*args, **kwargs)  # type: ignore[arg-type]


class CompanyDomain(models.Model):
    """A mail domain of a company. Free-mail and provider domains are never among them."""

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="domains")
    domain = models.CharField(_("domain"), max_length=254, unique=True)
    # Several companies of a group have such addresses: which one, only the name tells.
    is_shared = models.BooleanField(_("shared by several companies"), default=False)

    class Meta:
        ordering = ["domain"]
        verbose_name = _("mail domain")
        verbose_name_plural = _("mail domains")

    def __str__(self) -> str:
        return self.domain


class CompanyAlias(models.Model):
    """Another name of a company: in English, abbreviated, a former one, how people call it."""

    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="aliases")
    name = models.CharField(_("name"), max_length=160)
    # From the name, as that of the company itself.
    strict_key = models.CharField(max_length=160, editable=False)

    class Meta:
        ordering = ["pk"]
        verbose_name = _("other name")
        verbose_name_plural = _("other names")
        indexes = [
            # companies.find, after the companies' own names.
            models.Index(fields=["strict_key"], name="ma_alias_key"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: object, **kwargs: object) -> None:
        self.strict_key = company_names.keys(self.name).strict[:160]
        super().save(*args, **kwargs)  # type: ignore[arg-type]


class Affiliation(models.Model):
    """That somebody belongs, or belonged, to a company."""

    lead = models.ForeignKey(Lead, on_delete=models.CASCADE, related_name="affiliations")
    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="affiliations")
    department = models.CharField(_("department"), max_length=120, blank=True)
    title = models.CharField(_("job title"), max_length=120, blank=True)
    # What told us: a method of identify(), or "manual".
    source = models.CharField(max_length=20, blank=True)
    since = models.DateTimeField(_("since"))
    until = models.DateTimeField(_("until"), null=True, blank=True)

    class Meta:
        ordering = ["-since", "-pk"]
        verbose_name = _("affiliation")
        verbose_name_plural = _("affiliations")
        constraints = [
            models.UniqueConstraint(
                fields=["lead"], condition=models.Q(until__isnull=True), name="ma_affiliation_current"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.company} {self.since:%Y-%m-%d}"


class ExactJSONEncoder(DjangoJSONEncoder):
    """With times to the microsecond, so that they are the same when they come back (Django's cuts them)."""

    def default(self, o: Any) -> Any:
        """What is no JSON by itself."""
        return o.isoformat() if isinstance(o, datetime) else super().default(o)


class CompanyMerge(models.Model):
    """That two companies were made one: what is needed to make them two again."""

    # By id: a company that is merged itself is gone, and comes back with this when that is undone.
    kept_key = models.PositiveBigIntegerField(db_index=True)
    # The row of the one that went.
    other = models.JSONField(encoder=ExactJSONEncoder)
    # What changed the company, by kind: ids of "leads", "affiliations", "domains", "aliases"; under "named"
    # that of the alias that its name became.
    moved = models.JSONField()
    # Values that the kept one got: {"website": [before, after]}.
    gained = models.JSONField(encoder=ExactJSONEncoder)
    at = models.DateTimeField(_("merged"))
    decided_by = models.ForeignKey(conf.user_model(), null=True, on_delete=models.SET_NULL, related_name="+")
    undone_at = models.DateTimeField(_("undone"), null=True)

    class Meta:
        ordering = ["-pk"]
        verbose_name = _("merge of companies")
        verbose_name_plural = _("merges of companies")

    def __str__(self) -> str:
        return str(self.other["name"])
