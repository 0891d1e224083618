"""Migration of a reopened draft to the edition in force. The next page shows once what changed."""

from __future__ import annotations

from flask import session

from engine.services.applications.draft_answers import Renewed, renew
from renderers.i18n.translations import quoted
from renderers.web.platform.dossier_context import DossierContext, case, label
from renderers.web.platform.request_context import actor, app_ctx, day_of, language, say
from renderers.web.shared.money import francs

_SAID = "redrafted"


def current_case(number: str) -> DossierContext:
    """Return the dossier, a draft under the edition in force. Raises `NotFound`."""
    one = case(number)
    found = renew(app_ctx(), actor(), one.dossier)
    if found is None:
        return one
    session[_SAID] = {"number": one.dossier.number, "said": _sentence(found)}
    return case(number)


def has_changed(one: DossierContext) -> bool:
    """Return whether a change of this draft is still to be shown."""
    return _kept(one) is not None


def change_of(one: DossierContext) -> str:
    """Return the sentence on what changed in this draft, then forget it. Empty without a change."""
    kept = _kept(one)
    if kept is None:
        return ""
    session.pop(_SAID)
    return str(kept["said"])


def _kept(one: DossierContext) -> dict[str, str] | None:
    """Return the stored change of this draft, None if it is about another draft."""
    kept = session.get(_SAID)
    return kept if isinstance(kept, dict) and kept.get("number") == one.dossier.number else None


def _sentence(found: Renewed) -> str:
    began = found.since is not None and found.since <= app_ctx().day()
    day = day_of(found.since) if began and found.since else ""
    parts = [say("redrafted.since", day=day) if day else say("redrafted.changed")]
    if found.new:
        parts.append(say("redrafted.new", count=found.new))
    if found.prices:
        before, now = (francs(one) for one in found.prices)
        parts.append(say("redrafted.price", before=before, now=now))
    parts.append(say("redrafted.kept"))
    if found.again:
        names = [label(found.definition.fields[one].label) for one in found.again]
        parts.append(say("redrafted.again", questions=", ".join(quoted(one, language()) for one in names)))
    return " ".join(parts)
