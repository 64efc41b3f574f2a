from __future__ import annotations

from django.db import models


class Row(models.Model):
    """What somebody would write who counts page views in an afternoon."""

    at = models.DateTimeField(db_index=True)
    browser = models.CharField(max_length=40, db_index=True)
    url = models.CharField(max_length=2000)
    seconds = models.FloatField(default=0)

    class Meta:
        app_label = "reference"

    def __str__(self) -> str:
        return self.url
