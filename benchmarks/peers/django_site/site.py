"""The site as a WSGI server takes it, and people who are signed in."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.peers.django_site.settings")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()


def begin(count: int) -> list[tuple[str, str]]:
    """Signed-in people, each with a draft: its address and their cookie."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model
    from django.contrib.sessions.backends.db import SessionStore
    from django.core.management import call_command

    from benchmarks.peers.django_site.models import Draft

    call_command("migrate", run_syncdb=True, verbosity=0)
    people = []
    for n in range(count):
        user = get_user_model().objects.create_user(f"+228{n:08d}")
        session = SessionStore()
        session[SESSION_KEY], session[HASH_SESSION_KEY] = str(user.pk), user.get_session_auth_hash()
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session.create()
        draft = Draft.objects.create(account=user)
        people.append((f"/drafts/{draft.pk}", f"sessionid={session.session_key}"))
    return people
