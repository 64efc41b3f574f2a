"""The example site has its own settings; its tests run under them, in a run of their own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

UNDER_ITS_SETTINGS = "company" in settings.INSTALLED_APPS
# test_site.py needs the site's models; test_settings.py starts the run that has them, test_demo.py its own.
collect_ignore = ["test_settings.py", "test_demo.py"] if UNDER_ITS_SETTINGS else ["test_site.py"]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    """The suite's own fixture asks for a setting that only the suite's settings have."""


@pytest.fixture(scope="module")
def loaded(django_db_setup: None, django_db_blocker: Any) -> Iterator[list[str]]:
    """The whole example site, loaded once for a module; what the loader said."""
    from company.load import load_site

    said: list[str] = []
    # The rows are rolled back, the files of an earlier run are not; a run must find none.
    shutil.rmtree(settings.MEDIA_ROOT, ignore_errors=True)
    with django_db_blocker.unblock(), transaction.atomic():
        load_site(said.append)
        yield said
        transaction.set_rollback(True)
