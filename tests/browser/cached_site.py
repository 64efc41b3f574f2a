"""The example site behind Django's page cache."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.browser.mail_sink import MailSink
from tests.browser.running_site import RunningSite


class CachedSite(RunningSite):
    """The example site with Django's page cache; ``mode``: a value of the setting PERSONALISATION."""

    mode = "auto"

    def environment(self) -> dict[str, str]:
        more = {"WAGTAIL_MA_PAGE_CACHE": "1", "WAGTAIL_MA_PERSONALISATION": self.mode}
        return {**super().environment(), **more}


@contextmanager
def cached_copy(folder: Path, bare_site: Path, sink: MailSink, *, mode: str = "auto") -> Iterator[CachedSite]:
    """A running copy of the bare site with a few visitors."""
    shutil.copytree(bare_site, folder / "var")
    site = CachedSite(folder / "var", sink)
    site.mode = mode
    site.manage("ma_demo", "--visitors", "10", "--days", "5")
    try:
        site.start()
        yield site
    finally:
        site.stop()
