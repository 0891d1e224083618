"""Tasks done in parts: fillings follow their rows, rounds count their opinions."""

from __future__ import annotations

from functools import cache

import pytest

from engine.core.values import Plain
from engine.domain.common.task_parts import filling_at, is_finished, parts_left, quorum_of, realigned, with_filling
from engine.domain.fields.scope import scope_of
from engine.model import Form, Procedure
from engine.records.dossier import Done
from tests.makers import NOW, TODAY, a_procedure, a_sent_dossier, changed, the_directory

A: Plain = {"nom": "A"}
B: Plain = {"nom": "B"}
C: Plain = {"nom": "C"}


@cache
def travellers() -> Form:
    procedure = a_procedure("""
    form: {demande: {title: D, fields: {voyageurs: {label: V, type: rows, fields: {nom: {label: Nom}}}}}}
    later_forms: {decision: {title: D, by: maire, each: voyageurs, fields: {accorde: {label: A, type: yes_no}}}}
    """)
    form = procedure.tasks["decision"]
    assert isinstance(form, Form)
    return form


@pytest.mark.parametrize(
    ("after", "kept"),
    [
        ([A, B], [True, False]),
        ([B, A], [False, True]),
        ([B], [False]),
        ([C, A, B], [None, True, False]),
        ([A, C], [True, None]),
        ([A, A, B], [True, None, False]),
        ([], []),
    ],
)
def test_a_filling_follows_the_row_it_judged(after: list[Plain], kept: list[bool | None]) -> None:
    form = travellers()
    answers: dict[str, Plain] = {"voyageurs": [A, B]}
    answers = with_filling(form, answers, 1, {"accorde": False}, "yao")
    answers = with_filling(form, answers, 0, {"accorde": True}, "afi")
    changed_rows = realigned(form, {**answers, "voyageurs": after})
    found = [filling_at("decision", changed_rows, number) for number in range(len(after))]
    assert [one["accorde"] if one else None for one in found] == kept


def a_round(quorum: str) -> Procedure:
    return a_procedure(f"""
    form: {{demande: {{title: D, fields: {{feu: {{label: F, type: yes_no, example: true}}, combien: {{label: C, type: integer, required: false}}}}}}}}
    opinions:
      tour:
        label: Tour
        due: 3 days
        quorum: {quorum}
        of:
          un: {{label: Un, by: voirie}}
          deux: {{label: Deux, by: inspecteur}}
          trois: {{label: Trois, by: urbaniste, when: feu}}
    """)


@pytest.mark.parametrize(
    ("quorum", "feu", "needed"),
    [("all", True, 3), ("all", False, 2), ("any", True, 1), ("2", True, 2), ("9", True, 3), ("combien", True, 3)],
)
def test_a_quorum_is_never_more_than_are_asked(quorum: str, feu: bool, needed: int) -> None:
    procedure = a_round(quorum)
    dossier = a_sent_dossier(procedure, feu=feu)
    form = procedure.tasks["tour"]
    assert isinstance(form, Form)
    scope = scope_of(procedure, dossier, TODAY, the_directory())
    assert quorum_of(form, scope) == needed
    assert len(parts_left(form, dossier, scope)) == (3 if feu else 2)
    given = changed(dossier, done={name: Done(NOW, "afi") for name in ("un", "deux", "trois")[:needed]})
    assert is_finished(form, given, scope)
    assert not is_finished(form, changed(dossier, done=dict(list(given.done.items())[1:])), scope)
