"""How far one must go: visits to an office, papers fetched there, somebody who comes; only all online is said to be."""

from __future__ import annotations

import pytest

from renderers.i18n.translations import load_words
from renderers.procedure.appointments import visit_lines, visits_of, visits_tag
from tests.makers import a_procedure

READY = """
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions:
        accorder: {label: Accorder, to: TARGET}
    pret: {label: À retirer, by: maire, public: ready, due: 30 days, transitions: {remettre: {label: Remis, to: accorde}}}
    accorde: {label: Accordé, end: granted}
"""
CHOICE = """
form:
  vous:
    title: Vous
    fields:
      retrait: {label: Retrait, type: choice, options: {bureau: Au bureau, poste: Par la poste}}
"""
VISIT = """
appointments:
  visite: {label: Visite, by: maire, lasts: 1 hour, place: PLACE}
"""
EITHER = CHOICE + READY.replace("TARGET", "[{when: 'retrait == ''bureau''', to: pret}, {to: a_la_poste}]").replace(
    "    accorde:",
    "    a_la_poste: {label: À la poste, by: maire, public: ready, due: 30 days, transitions: {donner: {label: Donné, to: accorde}}}\n"
    "    accorde:",
)
PLAIN = "form: {vous: {title: Vous, fields: {nom: {label: Nom, example: LEE}}}}"
FETCHED = PLAIN + READY.replace("TARGET", "pret")
PERHAPS = CHOICE + READY.replace("TARGET", "[{when: retrait == 'bureau', to: pret}, {to: accorde}]").replace(
    "== 'bureau',", '== "bureau",'
)
CALLED = (
    PLAIN
    + """
appointments:
  audience: {label: Audience, by: maire, lasts: 1 hour}
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: maire
      due: 5 working days
      transitions:
        accorder: {label: Accorder, to: accorde}
        convoquer: {label: Convoquer, to: entendu, reopens: [audience]}
    entendu: {label: Entendu, attend: audience, due: 30 days, then: examen, late: clos, missed: clos}
    accorde: {label: Accordé, end: granted}
    clos: {label: Clos, end: abandoned}
"""
)
PAPER = PLAIN + "\nevidence: {acte: {label: Acte, how: [show_original]}}"


@pytest.mark.parametrize(
    ("book", "tag", "lines"),
    [
        (PLAIN, "100 % en ligne", ("Non, tout se fait en ligne",)),
        (FETCHED, "En ligne + retrait au bureau", ("1 fois : À retirer",)),
        (PERHAPS, "En ligne, ou retrait au bureau", ("1 fois : À retirer (selon vos réponses)",)),
        (EITHER, "En ligne, ou retrait au bureau", ("1 fois : À retirer ou À la poste (selon vos réponses)",)),
        (
            CHOICE + VISIT.replace("place: PLACE", "when: 'retrait == ''bureau'''"),
            "En ligne + rendez-vous",
            ("1 fois : Visite (selon vos réponses)",),
        ),
        (
            FETCHED.replace(PLAIN, CHOICE) + VISIT.replace("place: PLACE", "when: 'retrait == ''bureau'''"),
            "En ligne + rendez-vous",
            ("de 1 à 2 fois : Visite (selon vos réponses), À retirer",),
        ),
        (CALLED, "En ligne + rendez-vous", ("1 fois : Audience (si on vous y convoque)",)),
        (PAPER, "En ligne + papiers à remettre", ("Non, sauf pour remettre des papiers",)),
        (PLAIN + VISIT.replace("PLACE", "office"), "En ligne + rendez-vous", ("1 fois : Visite",)),
        (FETCHED + VISIT.replace("PLACE", "office"), "En ligne + rendez-vous", ("2 fois : Visite, À retirer",)),
        (
            PLAIN + VISIT.replace("PLACE", "applicant"),
            "En ligne + notre visite",
            ("Non, tout se fait en ligne", "Nous venons sur place : Visite."),
        ),
    ],
)
def test_visits(book: str, tag: str, lines: tuple[str, ...]) -> None:
    words = load_words()

    def say(key: str, **facts: object) -> str:
        return words.say(key, "fr", {name: str(value) for name, value in facts.items()}).replace("\u00a0", " ")

    found = visits_of(a_procedure(book), "fr")
    assert (visits_tag(found, say), visit_lines(found, say, "fr")) == (tag, lines)
