"""Exports that need a permission, cannot carry formulas, and speak the language of who asked."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone, translation
from wagtail.admin.views.mixins import SpreadsheetExportMixin
from wagtail.log_actions import log

from wagtail_ma.core.spreadsheets import BYTE_ORDER_MARK, guard


def local_cell(value: datetime) -> datetime:
    """A time as the reader's clock shows it: spreadsheets know no time zones."""
    return timezone.localtime(value).replace(tzinfo=None) if timezone.is_aware(value) else value


def local_text(value: datetime) -> str:
    """The same for CSV, to the second: ``2026-03-03 10:00:00``."""
    return local_cell(value).isoformat(sep=" ", timespec="seconds")


class SafeExportMixin(SpreadsheetExportMixin):
    """For index views: exports only with ``export_permission``, guarded, and logged."""

    export_permission = ""

    custom_value_preprocess = {
        **SpreadsheetExportMixin.custom_value_preprocess,
        str: {"csv": guard},
        datetime: {"csv": local_text, "xlsx": local_cell},
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

    def write_csv_response(self, queryset: Any) -> StreamingHttpResponse:
        response: StreamingHttpResponse = super().write_csv_response(queryset)
        lines = super().stream_csv(queryset)
        language, zone = translation.get_language(), timezone.get_current_timezone()
        response.streaming_content = _spoken(lines, language, zone)
        response.headers["Content-Type"] = "text/csv; charset=utf-8"
        return response


def _spoken(lines: Iterator[str], language: str | None, zone: Any) -> Iterator[str]:
    """The lines, each made in this language and time zone.

    A streamed answer is written when the view, and with it the reader's language, is over.
    """
    yield BYTE_ORDER_MARK
    while True:
        with translation.override(language), timezone.override(zone):
            line = next(lines, None)
        if line is None:
            return
        yield line
