"""Columns of our lists."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from wagtail.admin.ui.tables import Column


class MomentColumn(Column):
    """Day and hour of something that may be still to come. (Wagtail's ``DateColumn`` says how long ago
    something was: of the day after tomorrow "0 minutes ago".)"""

    def get_value(self, instance: Any) -> str:
        at = super().get_value(instance)
        return date_format(timezone.localtime(at), "SHORT_DATETIME_FORMAT") if at else ""
