"""Settings of the example site with a moved clock (see moved_clock.py)."""

from __future__ import annotations

from tests.browser.moved_clock import install
from tests.browser.site_settings import *  # noqa: F403

install()
