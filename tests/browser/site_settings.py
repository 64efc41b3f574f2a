"""Settings of the example site while the browser tests run it: the demo's, with mail to a sink."""

from __future__ import annotations

import os

from example.settings.demo import *  # noqa: F403

EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST = "127.0.0.1"
EMAIL_PORT = int(os.environ["WAGTAIL_MA_TEST_SMTP_PORT"])
EMAIL_TIMEOUT = 10
# Only the signing of cookies and links must be strong here, not the one log-in of the tests.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
