"""The page, asked and posted."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from benchmarks.peers.django_site.forms import LongPage
from benchmarks.peers.django_site.models import Audit, Draft


@login_required
def page(request: HttpRequest, number: int) -> HttpResponse:
    draft = get_object_or_404(Draft, pk=number, account=request.user)
    form = LongPage(request.POST or None, initial=draft.answers)
    if request.method == "POST" and form.is_valid():
        draft.answers = form.cleaned_data
        with transaction.atomic():
            draft.save(update_fields=["answers", "changed"])
            Audit.objects.create(draft=draft, account=request.user, what="saved")
        answer = redirect("page", number)
        answer.status_code = 303
        return answer
    return render(request, "page.html", {"form": form}, status=422 if form.errors else 200)
