"""Django's view of wagtail_ma: one app, label ``wagtail_ma``."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _

DOMAINS = (
    "people",
    "tracking",
    "segments",
    "scoring",
    "personalisation",
    "messaging",
    "forms",
    "sales",
    "scenarios",
)


class WagtailMAConfig(AppConfig):
    """Loads what the domains register, then what host projects register."""

    name = "wagtail_ma"
    label = "wagtail_ma"
    verbose_name = _("Marketing")
    # Not the host's setting: a project on AutoField would get migrations written into our package.
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        import_module("wagtail_ma.checks")
        for domain in DOMAINS:
            for part in (
                "belongings",
                "checks",
                "facts",
                "mails",
                "steps",
                "waiting_steps",
                "flow_steps",
                "people_steps",
                "offer_steps",
                "record_steps",
                "notify_steps",
                "webhook_steps",
            ):
                _import_if_there(f"wagtail_ma.{domain}.{part}")
        autodiscover_modules("wagtail_ma_plugins")
        _listen()


def _listen() -> None:
    """To the host's own signals only; nothing of ours talks by signals."""
    from django.contrib.auth.signals import user_logged_in

    host = import_module("wagtail_ma.web.host")
    host.address_given.connect(host.on_address_given, dispatch_uid="wagtail_ma")
    user_logged_in.connect(host.on_logged_in, dispatch_uid="wagtail_ma")


def _import_if_there(dotted: str) -> None:
    try:
        import_module(dotted)
    except ModuleNotFoundError as error:
        if error.name != dotted:
            raise
