"""Storage of tasks with parts: a round of opinions by service, a later form filled once per row.

An opinion is the answer of its service (`avis_feu: favourable`). Further answers of the service are stored
under the round (`services: {avis_feu: {reserves: …}}`). A form per row stores one filling per row, in order,
with a digest of that row. A row that changes later must be filled again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from engine.core.values import Plain, fingerprint
from engine.model import Consulted, Form, Procedure
from engine.model.types import Scope
from engine.records.dossier import Dossier

SILENT: Final = "silent"
OPINIONS: Final = ("favourable", "reserved", "unfavourable")

Answers = Mapping[str, Plain]


def is_in_parts(form: Form) -> bool:
    """Return True for a round of opinions and for a form filled once per row."""
    return bool(form.services) or form.each is not None


# -- rounds ------------------------------------------------------------------------------------------------------------


def consulted(form: Form, scope: Scope) -> tuple[Consulted, ...]:
    """Return the services that are consulted on this dossier."""
    return tuple(service for service in form.services if service.when.holds(scope))


def quorum_of(form: Form, scope: Scope) -> int:
    """Return how many opinions finish the round, at most the number of consulted services."""
    asked = len(consulted(form, scope))
    wanted = form.quorum.value(scope) if form.quorum is not None else None
    return min(wanted, asked) if isinstance(wanted, int) and not isinstance(wanted, bool) else asked


def opinion_rows(form: Form, answers: Answers, scope: Scope) -> tuple[dict[str, Plain], ...]:
    """Return the round as rows: each consulted service with its opinion (None before), weight and further answers."""
    kept = answers.get(form.id)
    besides = kept if isinstance(kept, dict) else {}
    rows = []
    for service in consulted(form, scope):
        said = besides.get(service.id)
        row: dict[str, Plain] = {"service": service.id, "opinion": answers.get(service.id), "weight": service.weight}
        rows.append({**(said if isinstance(said, dict) else {}), **row})
    return tuple(rows)


# -- fillings per row --------------------------------------------------------------------------------------------------


def fillings(form_id: str, answers: Answers) -> list[Plain]:
    """Return the stored fillings in the order of the rows, None for an unfilled row."""
    kept = answers.get(form_id)
    return kept if isinstance(kept, list) else []


def filling_at(form_id: str, answers: Answers, number: int) -> dict[str, Plain] | None:
    """Return the answers for one row, None until they are given."""
    kept = fillings(form_id, answers)
    one = kept[number] if number < len(kept) else None
    filled = one.get("answers") if isinstance(one, dict) else None
    return filled if isinstance(filled, dict) else None


def person_of(form_id: str, answers: Answers, number: int) -> str | None:
    """Return the account id of the person who filled in one row, None until it is filled."""
    kept = fillings(form_id, answers)
    one = kept[number] if number < len(kept) else None
    by = one.get("by") if isinstance(one, dict) else None
    return by if isinstance(by, str) and by else None


def row_mark(form: Form, answers: Answers, number: int) -> str:
    """Return a digest of one row and its filling. It differs once one of them changed."""
    rows, kept = _rows(form, answers), fillings(form.id, answers)
    return fingerprint([those[number] if number < len(those) else None for those in (rows, kept)])


def with_filling(form: Form, answers: Answers, number: int, filling: Answers, by: str) -> dict[str, Plain]:
    """Return the answers with one row filled by the account `by`."""
    rows = _rows(form, answers)
    kept = [*fillings(form.id, answers), *[None] * len(rows)][: max(len(rows), number + 1)]
    kept[number] = {"of": fingerprint(rows[number]), "by": by, "answers": dict(filling)}
    return {**answers, form.id: kept}


def realigned(form: Form, answers: Answers) -> dict[str, Plain]:
    """Return the answers after a change of rows: each filling follows its row and disappears with it."""
    left = list(fillings(form.id, answers))
    digests = [fingerprint(row) for row in _rows(form, answers)]
    stay = {at for at, digest in enumerate(digests) if at < len(left) and _is_of(left[at], digest)}
    kept: list[Plain] = []
    for number, digest in enumerate(digests):
        moved = (at for at, one in enumerate(left) if at not in stay and _is_of(one, digest))
        place = number if number in stay else next(moved, None)
        kept.append(left[place] if place is not None else None)
        if place is not None:
            left[place] = None
    return {**answers, form.id: kept}


def _is_of(filling: Plain, digest: str) -> bool:
    return isinstance(filling, dict) and filling.get("of") == digest


def _rows(form: Form, answers: Answers) -> list[Plain]:
    kept = answers.get(form.each or "")
    return [row for row in kept if isinstance(row, dict)] if isinstance(kept, list) else []


# -- both --------------------------------------------------------------------------------------------------------------


def parts_left(form: Form, dossier: Dossier, scope: Scope) -> tuple[str, ...]:
    """Return the open parts: ids of services, or numbers of rows (from 0)."""
    if form.services:
        return tuple(one.id for one in consulted(form, scope) if one.id not in dossier.done)
    rows = scope.get(form.each or "")
    count = len(rows) if isinstance(rows, tuple) else 0
    return tuple(str(at) for at in range(count) if filling_at(form.id, dossier.answers, at) is None)


def is_finished(form: Form, dossier: Dossier, scope: Scope) -> bool:
    """Return True when the quorum is reached or every row is filled."""
    left = parts_left(form, dossier, scope)
    if not form.services:
        return not left
    asked = consulted(form, scope)
    return len(asked) - len(left) >= quorum_of(form, scope)


def persons_of_task(procedure: Procedure, dossier: Dossier, task_id: str) -> frozenset[str]:
    """Return the account ids of the persons who did parts of a task."""
    form = procedure.tasks.get(task_id)
    if not isinstance(form, Form):
        return frozenset()
    given = (dossier.done.get(service.id) for service in form.services)
    filled = (one.get("by") for one in fillings(task_id, dossier.answers) if isinstance(one, dict))
    return frozenset({done.by for done in given if done}) | frozenset(str(by) for by in filled if by)


def opened_at(form: Form, dossier: Dossier) -> datetime:
    """Return since when an open task can be done: the entry of the state, or the end of the tasks before it."""
    earlier = (dossier.done[one].at for one in form.after if one in dossier.done)
    return max((dossier.entered_at, *earlier))


def without_parts(form: Form, answers: Answers) -> dict[str, Plain]:
    """Return the answers without those of a task."""
    gone = {form.id, *(field.id for field in form.fields)}
    return {name: kept for name, kept in answers.items() if name not in gone}


def forms_in_parts(procedure: Procedure) -> Iterator[Form]:
    """Yield the forms of a procedure that have parts, in the order of the definition."""
    return (form for form in procedure.forms() if is_in_parts(form))


def sealed_anew(procedure: Procedure, before: Answers, after: Answers) -> dict[str, Plain]:
    """Return the changed answers as the journal commits to them, one commitment for each part."""
    found: dict[str, Plain] = {}
    for name, answer in after.items():
        if name in before and before[name] == answer:
            continue
        form = procedure.tasks.get(name)
        if not isinstance(form, Form) or not is_in_parts(form):
            found[f"answers.{name}"] = answer
        elif isinstance(answer, dict):
            found |= {f"answers.{name}.{service}": said for service, said in answer.items()}
        elif isinstance(answer, list):
            fillings = ((at, one.get("answers")) for at, one in enumerate(answer) if isinstance(one, dict))
            found |= {f"answers.{name}.{at}": filling for at, filling in fillings}
    return found
