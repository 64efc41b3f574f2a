"""The example site behind Django's page cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.browser.mail_sink import MailSink
from tests.browser.running_site import RunningSite, move_in


class CachedSite(RunningSite):
    """The example site with Django's page cache; ``mode``: a value of the setting PERSONALISATION."""

    mode = "auto"

    def environment(self) -> dict[str, str]:
        more = {"WAGTAIL_MA_PAGE_CACHE": "1", "WAGTAIL_MA_PERSONALISATION": self.mode}
        return {**super().environment(), **more}


@contextmanager
def cached_copy(folder: Path, demo_site: Path, sink: MailSink, *, mode: str = "auto") -> Iterator[CachedSite]:
    """A running copy of the site with visitors."""
    site = CachedSite(folder / "var", sink)
    site.mode = mode
    move_in(site, demo_site)
    try:
        site.start()
        yield site
    finally:
        site.stop()
