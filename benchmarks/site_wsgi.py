from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

from wagtail_ma.web.wsgi import answer_hits_first

os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.site_settings"
application = answer_hits_first(get_wsgi_application())
