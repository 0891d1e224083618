"""The addresses of the site."""

from __future__ import annotations

from django.urls import path

from benchmarks.peers.django_site.views import page

urlpatterns = [path("drafts/<int:number>", page, name="page")]
