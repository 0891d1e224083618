"""Answers, files and reasons of a dossier against the commitments of its journal, for `fsck`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from engine.core.values import Plain
from engine.domain.common.task_parts import is_in_parts
from engine.domain.workflow.confirmations import commitments_of
from engine.domain.workflow.transition_context import codes
from engine.journal.chain import COMMITS, JournalEntry, commit_value
from engine.journal.present_names import MIGRATED
from engine.model import Form, Procedure
from engine.records.dossier import Dossier
from engine.services.audit.integrity_rows import is_salt
from engine.storage.results import IntegrityFinding

Seals: TypeAlias = Mapping[str, tuple[tuple[Plain, str | None], ...]]


def of_written(
    procedure: Procedure, dossier: Dossier, entries: tuple[JournalEntry, ...], salts: Mapping[int, Mapping[str, str]]
) -> Iterator[IntegrityFinding]:
    """Check answers, files and reasons against the commitments of the journal.

    Nothing can be checked once all is erased.
    """
    if dossier.erased_at is not None:
        return
    seals = seals_of(entries, salts)
    answers = {f"answers.{name}": answer for whole, answer in dossier.answers.items()
               for name, answer in _parts(procedure, whole, answer)}  # fmt: skip
    blank = {name for name, answer in answers.items() if answer is None and name not in seals}  # asked, never answered
    changed = [name for name in answers.keys() - blank if not is_sealed(seals, name, answers[name])]
    changed += _former_unsealed(dossier, entries, seals)
    if changed:
        yield IntegrityFinding("answers_differ", dossier.id, {"answers": codes(changed)})
    confirmed = commitments_of(dossier.confirmed)
    differing = [name for name, kept in confirmed.items() if not is_sealed(seals, name, kept)]
    if differing:
        names = [name.partition(".")[2] for name in differing]
        yield IntegrityFinding("confirmed_differ", dossier.id, {"answers": codes(names)})
    files = {one.id for one in dossier.attachments if is_sealed(seals, f"files.{one.id}", one.sha256)}
    strange = {one.id for one in dossier.attachments} ^ files | (set(_files(dict(dossier.answers))) - files)
    if strange:
        yield IntegrityFinding("files_differ", dossier.id, {"files": codes(strange)})
    moves = [entry for entry in entries if entry.kind == "transition"]
    for entry, taken in zip(moves, dossier.taken, strict=False):
        reported = seals_of((entry,), salts)
        if ("reason" in reported) != bool(taken.reason) or (
            taken.reason and not is_sealed(reported, "reason", taken.reason)
        ):
            yield IntegrityFinding("reason_differs", dossier.id, {"transition": taken.transition})


def _former_unsealed(dossier: Dossier, entries: tuple[JournalEntry, ...], seals: Seals) -> list[str]:
    """Return the former answers, kept since the last change of edition, that no commitment fits."""
    renamed = max((entry.at for entry in entries if entry.kind == MIGRATED), default=dossier.created_at)
    kept = (one.before for one in dossier.corrected if one.sent_at and one.sent_at >= renamed)
    former = ((f"answers.{name}", answer) for before in kept for name, answer in before.items() if answer is not None)
    return [name for name, answer in former if not any(_opens(*seal, answer) for seal in seals.get(name, ()))]


def seals_of(entries: tuple[JournalEntry, ...], salts: Mapping[int, Mapping[str, str]]) -> Seals:
    """Return every commitment to each name, oldest first, with its salt.

    Fillings of a form by row share one name.
    """
    found: dict[str, tuple[tuple[Plain, str | None], ...]] = {}
    for entry in entries:
        commits = entry.body.get(COMMITS) if isinstance(entry.body, dict) else None
        for name, sealed in commits.items() if isinstance(commits, dict) else ():
            found[name] = (*found.get(name, ()), (sealed, salts.get(entry.n, {}).get(name)))
    return found


def is_sealed(seals: Seals, name: str, value: Plain) -> bool:
    """Return whether the last commitment to a name fits the value.

    Rows may have moved: any filling of the form fits.
    """
    form, _, row = name.rpartition(".")
    if row.endswith("*"):
        rows = (one for reported, all_ in seals.items() if reported.rpartition(".")[0] == form for one in all_)
        return any(_opens(sealed, salt, value) for sealed, salt in rows)
    last = seals.get(name, ())[-1:]
    return any(_opens(sealed, salt, value) for sealed, salt in last)


def _opens(sealed: Plain, salt: str | None, value: Plain) -> bool:
    return salt is not None and is_salt(salt) and sealed == commit_value(salt, value)


def _parts(procedure: Procedure, name: str, answer: Plain) -> Iterator[tuple[str, Plain]]:
    """Yield an answer under the names of its commitments; one given in parts yields each part."""
    form = procedure.tasks.get(name)
    if not isinstance(form, Form) or not is_in_parts(form):
        yield name, answer
    elif isinstance(answer, dict):
        yield from ((f"{name}.{service}", said) for service, said in answer.items())
    elif isinstance(answer, list):
        fillings = (one.get("answers") for one in answer if isinstance(one, dict))
        yield from ((f"{name}.{at}*", filling) for at, filling in enumerate(fillings))


def _files(answers: Plain) -> Iterator[str]:
    """Yield the files that answers name."""
    if isinstance(answers, dict):
        files = answers.get("files")
        yield from (one for one in files if isinstance(one, str)) if isinstance(files, list) else ()
    inner = answers.values() if isinstance(answers, dict) else answers if isinstance(answers, list) else ()
    for one in inner:
        yield from _files(one)
