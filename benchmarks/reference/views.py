from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from benchmarks.reference.models import Row


@csrf_exempt
def nothing(request: HttpRequest) -> HttpResponse:
    """Answers, and does nothing."""
    return HttpResponse(status=204)


def page(request: HttpRequest) -> HttpResponse:
    """A page that asks the database nothing."""
    return render(request, "page.html", {"lines": range(40)})


@csrf_exempt
def insert(request: HttpRequest) -> HttpResponse:
    """One INSERT, nothing checked."""
    message = json.loads(request.body)
    Row.objects.create(at=timezone.now(), browser=message["v"], url=message["u"])
    return HttpResponse(status=204)
