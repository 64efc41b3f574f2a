"""Which scoring model is in force."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from wagtail_ma.conf import conf
from wagtail_ma.scoring import defaults
from wagtail_ma.scoring.models import ScoringModel

# Below this the forward-decayed sums of a long history would leave the range of a float.
MIN_HALF_LIFE_DAYS = 7


def half_life_days() -> int:
    """The half-life that the settings ask for, in days."""
    return max(conf.HALF_LIFE_DAYS, MIN_HALF_LIFE_DAYS)


def settings_of_model() -> dict[str, Any]:
    """What the settings ask of a scoring model: another value asks for another model."""
    return {
        "half_life_days": half_life_days(),
        "fit_thresholds": [float(each) for each in conf.FIT_GRADES],
        "fit_weights": [float(each) for each in conf.FIT_WEIGHTS],
    }


def current_model(now: datetime, *, with_default_rules: bool = True) -> ScoringModel:
    """The scoring model in force; made at first use, together with the default rules.

    :param now: epoch of a new model.
    :param with_default_rules: False where somebody has just deleted the last rule on purpose.
    """
    found = ScoringModel.objects.filter(is_current=True).first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            made = ScoringModel.objects.create(
                **settings_of_model(), epoch=now, is_current=True, created_at=now
            )
            if with_default_rules:
                defaults.ensure_default_rules()
            return made
    except IntegrityError:
        # Another process made it between our look and our insert.
        return ScoringModel.objects.get(is_current=True)


def models_to_write(now: datetime) -> list[ScoringModel]:
    """The model in force and the one being filled beside it, if any."""
    found = list(ScoringModel.objects.filter(retired_at__isnull=True).order_by("pk"))
    if any(model.is_current for model in found):
        return found
    current_model(now)
    return list(ScoringModel.objects.filter(retired_at__isnull=True).order_by("pk"))
