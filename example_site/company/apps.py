"""The app of the example company's own pages."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CompanyConfig(AppConfig):
    """Pages of an invented software company."""

    name = "company"
    verbose_name = _("Company site")
    default_auto_field = "django.db.models.BigAutoField"
