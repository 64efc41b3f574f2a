"""Exports that need a permission and cannot carry formulas."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from wagtail.admin.views.mixins import SpreadsheetExportMixin
from wagtail.log_actions import log

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")


def guard(value: Any, *_args: Any, **_kwargs: Any) -> Any:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front.

    Wagtail already writes XLSX cells as text, but CSV cells as they are.
    """
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


class SafeExportMixin(SpreadsheetExportMixin):
    """For index views: exports only with ``export_permission``, guarded, and logged."""

    export_permission = ""

    custom_value_preprocess = {
        **SpreadsheetExportMixin.custom_value_preprocess,
        str: {"csv": guard},
    }

    def setup(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().setup(request, *args, **kwargs)
        self.may_export = not self.export_permission or request.user.has_perm(self.export_permission)
        if self.is_export:
            if not self.may_export:
                raise PermissionDenied
            log(request.user, "wagtail_ma.export", user=request.user, data={"path": request.path})

    @property
    def show_export_buttons(self) -> bool:
        return bool(self.list_export) and getattr(self, "may_export", False)
