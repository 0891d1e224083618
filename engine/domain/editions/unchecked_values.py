"""Values that a document of a later edition would state although nothing checked them, found before a dossier moves.

Proof P13 follows an edition from its start. A dossier that moves has passed some of its states under other rules: an
act, a later form or a register that checks a value there was perhaps never asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from engine.domain.editions.renaming import Translation
from engine.domain.fields.raw_answers import is_blank
from engine.model import Form, Output, Procedure, Transition
from engine.model.graph import done_after, issued_by, never
from engine.model.provenance import ValueSource, confirms, filled_by, source_of, stated_names
from engine.model.types import Scope
from engine.records.dossier import Dossier


def unchecked_value(translation: Translation, there: Dossier, scope: Scope) -> str | None:
    """Return an answer that a document would state unchecked after the move, None without one.

    `there` is the dossier in the names of the later edition.
    """
    procedure = translation.after
    for name, leaves in procedure.once(_stated).items():
        output = procedure.outputs[name]
        for leaf in leaves:
            if _is_unchecked(translation, there, leaf) and _is_issued_without(
                there.state, procedure, output, leaf, scope
            ):
                return leaf.name
    return None


def _stated(procedure: Procedure) -> Mapping[str, tuple[ValueSource, ...]]:
    """Return the answers behind the values that each document states. A price is computed from what was asked for."""
    fees, found = {one.id for one in procedure.fees()}, {}
    for output in procedure.outputs.values():
        names = [one.name for one in stated_names(procedure, output) if one.name not in fees and output.kind != "form"]
        leaves = (leaf for name in dict.fromkeys(names) for leaf in source_of(procedure, name).leaves())
        found[output.id] = tuple(dict.fromkeys(leaves))
    return found


def _is_unchecked(translation: Translation, there: Dossier, leaf: ValueSource) -> bool:
    """Return True when an answer is given and nothing checked it: neither its author nor a comparison."""
    rows = _rows_of(translation.after, leaf.name)
    places = list(_places(there, leaf.name, rows))
    if leaf.kind == "declared":
        return rows not in there.confirmed and any(place not in there.confirmed for place in places)
    before = {(new or "").rpartition(".")[2]: old.rpartition(".")[2] for old, new in translation.names.items()}
    author = source_of(translation.before, before.get(leaf.name, leaf.name))
    return bool(places) and author.kind == "declared"  # the applicant answered what an agent or a register answers now


def _rows_of(procedure: Procedure, name: str) -> str:
    """Return the rows that an answer is a column of, empty when it is none."""
    added = {field.id: form.each for form in procedure.forms() if form.each for field in form.fields}
    own = (one.id for one in procedure.fields.values() if any(column.id == name for column in one.rows))
    return added.get(name) or next(own, "")


def _places(there: Dossier, name: str, rows: str) -> Iterator[str]:
    """Yield where an answer is given, as confirmed answers are named: `nom`, or `voyageurs.0.nom` in each row."""
    if not is_blank(there.answers.get(name)):
        yield name
    kept = there.answers.get(rows)
    for number, row in enumerate(kept if isinstance(kept, list) else ()):
        if isinstance(row, dict) and not is_blank(row.get(name)):
            yield f"{rows}.{number}.{name}"


def _is_issued_without(state: str, procedure: Procedure, output: Output, leaf: ValueSource, scope: Scope) -> bool:
    """Return True when a way from a state issues a document and passes nothing that checks an answer."""
    seen, left = {state}, [state]
    while left:
        for transition in procedure.leaving.get(left.pop(), ()):
            if never(transition.when) or _checks(procedure, transition, leaf, scope):
                continue
            if output.id in issued_by(procedure, transition):
                return True
            if transition.target not in seen:
                seen.add(transition.target)
                left.append(transition.target)
    return False


def _checks(procedure: Procedure, transition: Transition, leaf: ValueSource, scope: Scope) -> bool:
    """Return True when a transition comes with a check of an answer: of an act, or of the tasks done with it."""
    names = {leaf.name, _rows_of(procedure, leaf.name)}
    if confirms(transition.by) and any(names & set(compared) for compared in transition.confirms.values()):
        return True
    for name in done_after(procedure, transition):
        task = procedure.tasks.get(name)
        if not isinstance(task, Form) or not (transition.fills == name or task.when.holds(scope)):
            continue
        compared = task.confirms.values() if confirms(filled_by(procedure, task)) else ()
        given = leaf.kind != "declared" and task.id == leaf.at
        if given or names & set(task.matches) or any(names & set(one) for one in compared):
            return True
    return False
