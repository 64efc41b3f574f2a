"""The Japanese catalogues are complete, fit the sources and are compiled."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from babel.messages.catalog import Message
from django.utils.translation import override

from wagtail_ma.rules.sentences import sentence
from wagtail_ma.rules.tree import Group

ROOT = Path(__file__).resolve().parent.parent


def load() -> ModuleType:
    """The catalogue script: it stands outside every package."""
    spec = importlib.util.spec_from_file_location("messages_script", ROOT / "scripts" / "messages.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


messages = load()
