"""Settings of the demo: everything it writes lies below one directory."""

from __future__ import annotations

import contextlib
import os
import secrets

from .base import *  # noqa: F403
from .base import VAR


def _secret_key() -> str:
    """Read this installation's own key, drawn at the first start.

    The web server and the worker may start at the same moment: the key is written aside and
    linked into place whole, so that both read the one that came first.
    """
    path = VAR / "secret_key"
    if not path.exists():
        draft = VAR / f"secret_key.{os.getpid()}"
        draft.write_text(secrets.token_urlsafe(50), encoding="ascii")
        draft.chmod(0o600)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_text(encoding="ascii")


SECRET_KEY = _secret_key()
DEBUG = os.environ.get("WAGTAIL_MA_DEBUG", "") == "1"

EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = VAR / "mail"
