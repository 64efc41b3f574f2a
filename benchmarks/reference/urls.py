from __future__ import annotations

from django.urls import path

from benchmarks.reference import views

urlpatterns = [path("nothing/", views.nothing), path("page/", views.page), path("insert/", views.insert)]
