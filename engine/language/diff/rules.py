"""The impact of each facet of each kind of element, and of a whole element that appears or disappears.

The classes are those of `docs/decisions/0009-changes.md`. A facet without a rule is to be reviewed, so nothing
counts as safe by omission.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from engine.language.diff.elements import Element
from engine.language.diff.impact import (
    BREAKING,
    REVIEW,
    SAFE,
    EditionPair,
    FacetPair,
    ImpactDetail,
    Judge,
    always,
    by_condition,
    by_presence,
    by_set,
    by_size,
    when_moved,
)
from engine.language.diff.judges import (
    FEWER_PLACES,
    LESS_TIME,
    LONGER_KEPT,
    LOOSER,
    MORE_PLACES,
    MORE_TIME,
    PRICE,
    RECIPIENT,
    SHORTER_KEPT,
    STRICTER,
    WAITS_LESS,
    WAITS_LONGER,
    announced,
    by_applicant,
    capacity,
    confidential,
    fewer_cuts,
    first_day,
    flag,
    last_day,
    law_kept,
    must_answer,
    readable_in,
    readers,
    representative,
    required,
    shown,
    time_of_state,
    value_of_row,
    verified,
)
from engine.model import APPLICANT, SYSTEM
from engine.model.roles import awaited_roles, role_key, roles_of
from engine.model.types import TRUE, Expression

# -- facets ------------------------------------------------------------------------------------------------------------

_WORDING: Final = always(ImpactDetail("safe", "wording"))
_LAYOUT: Final = always(ImpactDetail("safe", "layout"))
_REUSED: Final = flag(ImpactDetail("safe", "taken_over"), ImpactDetail("safe", "asked_anew"))

# Facets that mean the same wherever they are.
_ANYWHERE: Final[Mapping[str, Judge]] = {
    **dict.fromkeys(
        (
            "label",
            "title",
            "help",
            "short_label",
            "for_agents",
            "row_label",
            "message",
            "because",
            "confirm",
            "unit",
            "for",
            "exempt_for",
            "delay_for",
        ),
        _WORDING,
    ),
    **dict.fromkeys(("order", "page", "lines"), _LAYOUT),
    "basis": law_kept,
}

_ASKED: Final[Mapping[str, Judge]] = {
    "type": always(ImpactDetail("breaking", "another_type")),
    "level": always(ImpactDetail("breaking", "another_type")),
    "when": shown,
    "required": required,
    **dict.fromkeys(("default", "prefill", "example", "upper"), always(SAFE)),
    "minimum": by_size(STRICTER, LOOSER, given=STRICTER, dropped=LOOSER),
    "maximum": by_size(LOOSER, STRICTER, given=STRICTER, dropped=LOOSER),
    "min_length": by_size(STRICTER, LOOSER),
    "max_length": by_size(LOOSER, STRICTER),
    "min_items": by_size(STRICTER, LOOSER),
    "max_items": by_size(LOOSER, STRICTER),
    "max_size": by_size(LOOSER, STRICTER),
    "accept": by_set(STRICTER, LOOSER),
    "pattern": by_presence(STRICTER, LOOSER),
    "scheme": by_presence(STRICTER, LOOSER),
    "unique": by_presence(STRICTER, LOOSER),
    "total": by_presence(STRICTER, LOOSER),
    "other": flag(LOOSER, STRICTER),
    "reuse": _REUSED,
    # evidence
    "how": by_set(STRICTER, LOOSER),
    "copies": by_size(ImpactDetail("review", "more_copies"), ImpactDetail("safe", "fewer_copies")),
    "max_age": by_size(LOOSER, STRICTER, given=STRICTER, dropped=LOOSER),
    "held_by": by_presence(ImpactDetail("safe", "not_asked_again"), ImpactDetail("review", "asked_again")),
    "held_of": always(REVIEW),
    # eligibility
    "instead": always(SAFE),
    "instead_title": always(SAFE),
}

_FACETS: Final[Mapping[str, Mapping[str, Judge]]] = {
    "identity": {
        "procedure": always(BREAKING),  # its address, and the name that its dossiers store
        **dict.fromkeys(("summary", "category", "life_events", "contact", "dossier_label", "from"), always(SAFE)),
        "languages": by_set(ImpactDetail("review", "fewer_languages"), SAFE),
        "channels": by_set(ImpactDetail("review", "fewer_channels"), SAFE),
        "audience": by_set(ImpactDetail("review", "fewer_people"), ImpactDetail("safe", "more_people")),
        "until": last_day,
        "delay": when_moved(announced, ("waits_less",)),
        "representative": representative,
    },
    "law": {
        # what a value is said to rest on, and how sure that is, is never changed without a reader
        **dict.fromkeys(("title", "status", "source", "article", "url", "official", "checked"), always(REVIEW)),
        "note": always(SAFE),
    },
    "appeals": {"within": by_size(MORE_TIME, LESS_TIME, given=LESS_TIME, dropped=MORE_TIME)},
    "annotations": {"show": _LAYOUT},
    "eligibility": _ASKED,
    "questions": _ASKED,
    "evidence": _ASKED,
    "pages": {"when": always(REVIEW), "reuse": _REUSED},
    "options": {
        "when": by_condition(LOOSER, STRICTER),
        "from": first_day,
        "until": last_day,
    },
    "checks": {
        "warns": flag(LOOSER, STRICTER),
        "when": by_condition(STRICTER, LOOSER),
        "at": always(SAFE),
    },
    "fees": {
        "exempt": by_presence(ImpactDetail("safe", "pays_less"), ImpactDetail("review", "pays_more"), ImpactDetail("review", "pays_otherwise")),
        "reductions": fewer_cuts,
        "at_least": by_size(
            ImpactDetail("review", "pays_more"), ImpactDetail("safe", "pays_less"),
            given=ImpactDetail("review", "pays_more"), dropped=ImpactDetail("safe", "pays_less"),
        ),
        "at_most": by_size(
            ImpactDetail("review", "pays_more"), ImpactDetail("safe", "pays_less"),
            given=ImpactDetail("safe", "pays_less"), dropped=ImpactDetail("review", "pays_more"),
        ),
        "valid_for": by_size(MORE_TIME, LESS_TIME),
        "instalments": by_presence(SAFE, REVIEW),
        "methods": by_set(ImpactDetail("review", "fewer_methods"), SAFE),
        "deposit": flag(ImpactDetail("safe", "given_back"), ImpactDetail("review", "not_given_back")),
    },
    "lines": {
        "amount": PRICE,
        "per": always(SAFE),
        "from": always(REVIEW),
        "until": always(REVIEW),
    },
    "tables": {"otherwise": always(REVIEW)},
    "rows": {"value": value_of_row, "gives": always(SAFE)},
    "appointments": {
        "lasts": by_size(ImpactDetail("review", "longer_visit"), ImpactDetail("safe", "shorter_visit")),
        **dict.fromkeys(("weekdays", "hours", "desks", "quota"), capacity),
        "lead": by_size(WAITS_LONGER, WAITS_LESS),
        "horizon": by_size(MORE_PLACES, FEWER_PLACES),
        "hold": always(SAFE),
        "moves": by_size(SAFE, STRICTER),
        "moves_until": by_size(STRICTER, SAFE),
        "no_show": by_size(SAFE, STRICTER),
        "reminders": by_set(ImpactDetail("review", "told_less"), SAFE),
        "when": by_condition(REVIEW, SAFE),
    },
    "later_forms": {"due": by_size(WAITS_LONGER, WAITS_LESS), "seen_by": confidential},
    "opinions": {"due": by_size(WAITS_LONGER, WAITS_LESS), "seen_by": confidential},
    "links": {"required": required, "when": by_condition(REVIEW, SAFE)},
    "services": {"due": by_size(WAITS_LONGER, WAITS_LESS)},
    "look_ups": {"due": by_size(WAITS_LONGER, WAITS_LESS), "sends": by_set(SAFE, RECIPIENT)},
    "states": {
        "due": time_of_state,
        "wait": by_size(WAITS_LONGER, WAITS_LESS),
        "public": always(ImpactDetail("safe", "wording")),
        **dict.fromkeys(("escalate", "remind"), always(SAFE)),
        "issues": by_set(REVIEW, SAFE),
    },
    "acts": {
        "within": by_size(MORE_TIME, LESS_TIME, given=LESS_TIME, dropped=MORE_TIME),
        "asks": by_set(REVIEW, SAFE),
        "from": by_set(ImpactDetail("review", "fewer_ways"), SAFE),
        "other_than": by_set(ImpactDetail("review", "fewer_eyes"), ImpactDetail("safe", "more_eyes")),
        "by": by_set(REVIEW, REVIEW),
        "issues": by_set(REVIEW, SAFE),
        "when": by_condition(SAFE, REVIEW),
        "bulk": flag(ImpactDetail("review", "in_bulk"), ImpactDetail("safe", "one_by_one")),
    },
    "clocks": {
        "lasts": when_moved(
            by_size(ImpactDetail("review", "clock_longer"), ImpactDetail("review", "clock_shorter")), ("clock_shorter",)
        ),
    },
    "outputs": {
        "valid": by_size(
            ImpactDetail("safe", "valid_longer"), ImpactDetail("review", "valid_less"),
            given=ImpactDetail("review", "valid_less"), dropped=ImpactDetail("safe", "valid_longer"),
        ),
        "verify": verified,
        "register": by_set(SAFE, RECIPIENT),
        "body": _WORDING,
    },
    "notices": dict.fromkeys(("sms", "email_subject", "email_body", "inbox"), by_presence(
        ImpactDetail("safe", "told_more"), ImpactDetail("review", "told_less"), ImpactDetail("safe", "wording"),
    )),
    "personal_data": {
        "purpose": always(ImpactDetail("breaking", "new_purpose")),
        "ground": always(ImpactDetail("breaking", "new_ground")),
        "declaration": always(SAFE),
        "afterwards": flag(REVIEW, REVIEW),
    },
    "keep": {"keep": by_size(LONGER_KEPT, SHORTER_KEPT)},
    "sensitive": {
        "seen_by": readers,
        "states": readable_in,
        "keep": by_size(LONGER_KEPT, SHORTER_KEPT, given=SHORTER_KEPT, dropped=LONGER_KEPT),
    },
    "lists": {"source": always(REVIEW)},
    "schemes": {"example": always(SAFE)},
    "definitions": {"value": _WORDING},
    "scenarios": {"count": by_size(SAFE, REVIEW)},
}  # fmt: skip


def weigh(pair: FacetPair) -> ImpactDetail:
    """Return the impact of a changed facet."""
    own = _FACETS.get(pair.after.noun, {})
    judge = own.get(pair.facet) or _ANYWHERE.get(pair.facet)
    return judge(pair) if judge else REVIEW


# -- elements that appear or disappear----------------------------------------------------------------------------------


NEW_READERS: Final = ImpactDetail("review", "new_readers")
_ADDED: Final[Mapping[str, ImpactDetail]] = {
    "law": REVIEW,
    "eligibility": ImpactDetail("review", "one_more_condition"),
    "checks": ImpactDetail("review", "one_more_refusal"),
    "fees": ImpactDetail("review", "one_more_fee"),
    "lines": ImpactDetail("review", "pays_more"),
    "rows": REVIEW,
    "options": ImpactDetail("safe", "one_more_choice"),
    "opinions": ImpactDetail("review", "one_more_opinion"),
    "services": ImpactDetail("review", "one_more_opinion"),
    "links": REVIEW,
    "appointments": ImpactDetail("review", "one_more_visit"),
    "look_ups": RECIPIENT,
    "notices": ImpactDetail("safe", "told_more"),
    "clocks": REVIEW,
    "sensitive": ImpactDetail("safe", "fewer_readers"),
}

_REMOVED: Final[Mapping[str, ImpactDetail]] = {
    "law": REVIEW,
    "pages": SAFE,
    "definitions": SAFE,
    "eligibility": ImpactDetail("safe", "one_less_condition"),
    "checks": ImpactDetail("safe", "one_less_refusal"),
    "lines": ImpactDetail("safe", "pays_less"),
    "options": ImpactDetail("review", "one_less_choice"),
    "notices": ImpactDetail("review", "told_less"),
    "appeals": ImpactDetail("review", "one_less_appeal"),
    "sensitive": ImpactDetail("breaking", "new_recipient"),
}


def weigh_added(element: Element, around: EditionPair) -> ImpactDetail:
    """Return the impact of a new element."""
    if element.section == "annotations":
        return SAFE
    if element.noun in ("questions", "evidence"):
        return _asked_anew(element, around)
    if element.noun == "checks" and element.facets.get("warns"):
        return SAFE
    if element.noun == "look_ups" and not element.facets.get("sends"):
        return SAFE
    weight, readers = _ADDED.get(element.noun, SAFE), _new_readers(element, around)
    if not readers:
        return weight
    return replace(weight if weight != SAFE else NEW_READERS, facts={**weight.facts, "readers": readers})


def _new_readers(element: Element, around: EditionPair) -> tuple[str, ...]:
    """Return the roles (`agency/role`) that have a part in the procedure through a new step, and had none before."""
    if element.noun not in ("states", "acts", "later_forms", "opinions", "services", "appointments"):
        return ()
    by = element.facets.get("by")
    named = (role_key(around.after, role) for role in (by if isinstance(by, tuple) else ()))
    roles = awaited_roles(around.after, element.path[-1]) if element.noun == "states" else named
    return tuple(sorted(frozenset(roles) - roles_of(around.before) - {APPLICANT, SYSTEM}))


def _asked_anew(element: Element, around: EditionPair) -> ImpactDetail:
    what = "paper" if element.noun == "evidence" else "question"
    if element.facets.get("value") is not None or not by_applicant(element, around.after):
        return SAFE
    if not must_answer(element):
        return ImpactDetail("safe", f"one_more_optional_{what}")
    when = element.facets.get("when")
    feel = f"one_more_{what}" if not isinstance(when, Expression) or when == TRUE else f"one_more_{what}_if"
    return ImpactDetail("breaking" if around.moved else "review", feel)


def weigh_removed(element: Element, around: EditionPair) -> ImpactDetail:
    """Return the impact of a removed element, when that is declared or no dossier holds it."""
    if element.noun == "checks" and element.facets.get("warns"):
        return SAFE
    if element.section == "annotations":
        return REVIEW
    if element.noun == "options" and around.moved:
        return replace(BREAKING, feel="one_less_choice")
    if element.noun in ("questions", "evidence"):
        return ImpactDetail("review", "one_less_paper" if element.noun == "evidence" else "one_less_question")
    return _REMOVED.get(element.noun, REVIEW)
