"""The time limit of a state that waits for an agent: whom its end concerns."""

from __future__ import annotations

import pytest

from engine.language.lint.linter import lint
from tests.makers import a_procedure, the_directory

VISIT = """
appointments: {visite: {label: Visite, by: urbaniste%s, lasts: 30 minutes}}
workflow:
  start: a_visiter
  states:
    a_visiter: {label: V, %s: visite, due: 30 days, then: examen, late: %s%s}
    examen: {label: E, by: maire, due: 5 days, transitions: {accorder: {label: A, to: accorde}}}
    relance: {label: R, wait: 5 days, then: %s}
    reprise: {label: R, by: maire, due: 5 days, transitions: {clore: {label: C, to: fini}, proposer: {label: P, to: a_visiter}}}
    accorde: {label: F, end: granted}
    fini: {label: Fini, end: %s}
scenarios:
  rien: {story: Rien, steps: [{wait: 1 day}]}
"""
PROPOSED = ", proposed_by: maire"


@pytest.mark.parametrize(("proposed", "mode", "late", "after", "outcome", "told"), [
    (PROPOSED, "attend", "fini", "fini", "abandoned", True),
    (PROPOSED, "book", "fini", "fini", "expired", True),
    (PROPOSED, "attend", "relance", "fini", "abandoned", True),  # a wait is no agent
    (PROPOSED, "attend", "relance", "reprise", "abandoned", False),
    (PROPOSED, "attend", "reprise", "fini", "abandoned", False),
    ("", "attend", "fini", "fini", "abandoned", False),  # the applicant books
    (PROPOSED, "attend", "fini", "fini", "refused", False),
])  # fmt: skip
def test_a_slot_that_no_agent_proposed_ends_no_request(
    proposed: str, mode: str, late: str, after: str, outcome: str, told: bool
) -> None:
    missed = ", missed: reprise" if mode == "attend" else ""
    problems = lint(a_procedure(VISIT % (proposed, mode, late, missed, after, outcome)), the_directory())
    assert [one.facts["end"] for one in problems if one.code == "V771"] == ["fini"] * told


WAITED = """
appointments: {visite: {label: Visite, by: urbaniste, lasts: 30 minutes}}
opinions: {avis: {label: Avis, due: 3 days, of: {feu: {label: Feu, by: sapeurs_pompiers/prevention}}}}
later_forms:
  releve: {title: Relevé, by: urbaniste, fields: {ok: {label: Conforme, type: yes_no}}}
  ajout: {title: Ajout, by: applicant, fields: {note: {label: Note, example: Rien}}}
workflow:
  start: attente
  states:
    attente: {label: V, %s, due: 30 days, late: %s%s}
    suite: {label: S, by: applicant, due: 5 days, late: fini, transitions: {avancer: {label: A, to: accorde}}}
    accorde: {label: F, end: granted}
    fini: {label: Fini, end: abandoned}
scenarios:
  rien: {story: Rien, steps: [{wait: 1 day}]}
"""


@pytest.mark.parametrize(("waits", "late", "told"), [
    ("gather: [visite, releve], then: accorde", "fini", ["form"]),
    ("gather: [ajout, releve], then: accorde", "fini", ["form"]),
    ("gather: [releve], then: accorde", "suite", []),  # the applicant has time again
    ("gather: [visite, avis], then: accorde", "fini", []),  # a round ends with its own time
    ("gather: [visite, ajout], then: accorde", "fini", []),
    ("by: maire, transitions: {accorder: {label: A, to: accorde}}", "fini", ["act"]),
    ("by: applicant, transitions: {accorder: {label: A, to: accorde}}", "fini", []),
    ("by: maire, public: ready, transitions: {accorder: {label: A, to: accorde}}", "fini", []),  # the applicant comes
])  # fmt: skip
def test_what_an_agent_did_not_do_ends_no_request(waits: str, late: str, told: list[str]) -> None:
    missed = ", missed: fini" if "visite" in waits else ""
    problems = lint(a_procedure(WAITED % (waits, late, missed)), the_directory())
    assert [one.facts["fault"] for one in problems if one.code == "V771"] == told
