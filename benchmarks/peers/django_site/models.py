"""What the site keeps: a draft and its audit row. Accounts and sessions are Django's own."""

from __future__ import annotations

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models


class Draft(models.Model):
    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE)
    answers = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    changed = models.DateTimeField(auto_now=True)


class Audit(models.Model):
    draft = models.ForeignKey(Draft, on_delete=models.PROTECT)
    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT)
    at = models.DateTimeField(auto_now_add=True)
    what = models.CharField(max_length=20)
