"""Renaming: the data of a dossier in the names of a later edition, as its `migrate` declares them.

Pure. It checks nothing: `migration` and `replay` evaluate the result.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, Final, TypeVar

from engine.core.values import Plain, fingerprint
from engine.domain.fields.raw_answers import OTHER, is_blank
from engine.language.diff.equivalence import moves_between
from engine.model import DRAFT, Field, Form, Procedure
from engine.records.dossier import ConfirmedAnswer, CorrectionRequest, Dossier, TakenTransition

T = TypeVar("T")

Names = Mapping[str, str | None]  # dotted old name → dotted new name; None = dropped on purpose
_CHOSEN: Final = ("choice", "choices", "evidence")


def transition_name(names: Names, transition: str) -> str:
    """Return the new id of a transition: of an act, or `state.then`, `clock.then` after their state or time limit.

    A dropped one has its old name, because it was taken.
    """
    if transition in names:
        return names[transition] or transition
    head, dot, key = transition.partition(".")
    return f"{names.get(head) or head}{dot}{key}" if dot else transition


@dataclass(frozen=True)
class Translation:
    """The renaming from one edition to a later one. `names` are the declared ones, composed over editions in between."""

    before: Procedure
    after: Procedure
    names: Names = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def between(cls, before: Procedure, after: Procedure) -> Translation:
        """Return the renaming between two editions of a procedure."""
        return cls(before, after, moves_between(before, after))

    @property
    def comes_over(self) -> bool:
        """True when the later edition accepts dossiers of the earlier one."""
        return self.before.edition in self.after.migrate and self.before.edition < self.after.edition

    def name(self, old: str) -> str | None:
        """Return the new name of an element, None when it was dropped."""
        return self.names.get(old, old)

    def state(self, old: str) -> str | None:
        """Return the new name of a state, None when it was dropped. The draft state has no other name."""
        return old if old == DRAFT else self.name(old)

    def _last(self, path: str) -> str | None:
        """Return the last part of a dotted name: a column, an option. None when it was dropped."""
        own = path.rpartition(".")[2]
        new = self.names.get(path, own)
        return None if new is None else new.rpartition(".")[2]

    # -- answers -------------------------------------------------------------------------------------------------------

    def answers(self, kept: Mapping[str, Plain]) -> dict[str, Plain]:
        """Return the answers under their new names. Where two names become one, an answer replaces a blank."""
        found: dict[str, Plain] = {}
        for old, value in kept.items():
            for new, said in self._answer(old, value, kept):
                if new not in found or is_blank(found[new]):
                    found[new] = said
        return found

    def _answer(self, old: str, value: Plain, kept: Mapping[str, Plain]) -> Iterator[tuple[str, Plain]]:
        asked, new = self._asked.get(old), self.name(old)
        detail = old.removesuffix(f"_{OTHER}")
        if asked is None and detail != old and detail in self._asked:  # the detail of « other » follows its question
            new = self.name(detail)
            new = None if new is None else f"{new}_{OTHER}"
        if new is None:
            return
        form = self.before.tasks.get(old)
        if isinstance(form, Form) and form.each:
            value = self._fillings(form, value, kept)
        elif isinstance(form, Form) and form.services:
            value = dict(self._said_besides(form, value)) if isinstance(value, dict) else value
        elif asked is not None:
            value = self.value(asked, value, old)
        yield new, value

    @cached_property
    def _asked(self) -> Mapping[str, Field]:
        """Every question outside rows, including eligibility."""
        return {**{one.id: one.field for one in self.before.eligibility}, **self.before.fields}

    def value(self, asked: Field, value: Plain, path: str) -> Plain:
        """Return one answer with the new codes of its options and names of its columns. A dropped code is no answer."""
        if asked.type == "rows":
            rows = value if isinstance(value, list) else []
            return [self._row(asked.rows, row, path) if isinstance(row, dict) else row for row in rows]
        if asked.type not in _CHOSEN or asked.list_id is not None:
            return value
        if isinstance(value, list):
            codes = (self._last(f"{path}.{one}") for one in value if isinstance(one, str))
            return [one for one in codes if one is not None]
        if isinstance(value, dict) and isinstance(value.get("is"), str):
            return {**value, "is": self._last(f"{path}.{value['is']}")}
        return self._last(f"{path}.{value}") if isinstance(value, str) else value

    def _row(self, columns: tuple[Field, ...], row: Mapping[str, Plain], path: str) -> dict[str, Plain]:
        known = {column.id: column for column in columns}
        found: dict[str, Plain] = {}
        for old, value in row.items():
            detail = old.removesuffix(f"_{OTHER}")
            column = known.get(old) or known.get(detail)
            name = self._last(f"{path}.{column.id if column else old}")
            if name is not None:
                end = f"_{OTHER}" if column is not None and old != column.id else ""
                whole = column is not None and not end
                found[name + end] = self.value(column, value, f"{path}.{old}") if whole and column else value
        return found

    def _fillings(self, form: Form, value: Plain, kept: Mapping[str, Plain]) -> Plain:
        """Return the fillings of a form per row with new digests. The digest of a row depends on its columns."""
        rows, each = kept.get(form.each or ""), str(form.each)
        asked = self.before.fields.get(each)
        digests = {
            fingerprint(row): fingerprint(self._row(asked.rows, row, each))
            for row in (rows if isinstance(rows, list) else [])
            if asked is not None and isinstance(row, dict)
        }
        found: list[Plain] = []
        for one in value if isinstance(value, list) else []:
            filled = one.get("answers") if isinstance(one, dict) else None
            if isinstance(one, dict) and isinstance(filled, dict):
                of = str(one.get("of"))
                one = {**one, "of": digests.get(of, of), "answers": self._row(form.fields, filled, each)}
            found.append(one)
        return found

    def _said_besides(self, form: Form, value: Mapping[str, Plain]) -> Iterator[tuple[str, Plain]]:
        """Yield the further answers of a round's services."""
        columns = form.asked.fields if form.asked is not None else ()
        for service, said in value.items():
            new = self.name(service)
            if new is not None:
                yield new, self._row(columns, said, form.id) if isinstance(said, dict) else said

    def spot(self, path: str) -> str | None:
        """Return the new path of a file or problem: `enfants.0.acte`. None when its question was dropped."""
        head, *rest = path.split(".")
        new, dotted = self.name(head), head
        found = [new]
        for part in rest:
            if part.isdigit():
                found.append(part)
            else:
                dotted = f"{dotted}.{part}"
                found.append(self._last(dotted))
        return None if None in found else ".".join(str(one) for one in found)

    # -- the whole -----------------------------------------------------------------------------------------------------

    def keys(self, kept: Mapping[str, T]) -> dict[str, T]:
        """Return a map with its keys under their new names, without dropped ones."""
        return {new: one for old, one in kept.items() if (new := self.name(old)) is not None}

    def dossier(self, kept: Dossier) -> Dossier:
        """Return the dossier as if the later edition had recorded it. A dropped state has its old name."""
        owed = {name: replace(one, fee=name) for name, one in self.keys(kept.owed).items()}
        booked = {name: replace(one, appointment=name) for name, one in self.keys(kept.bookings).items()}
        files = tuple(replace(one, field=self.spot(one.field) or one.field) for one in kept.attachments)
        changes: dict[str, Any] = {
            "edition": self.after.edition, "fingerprint": self.after.fingerprint,
            "state": self.state(kept.state) or kept.state, "answers": self.answers(kept.answers),
            "done": self.keys(kept.done), "missed": self.keys(kept.missed), "taken": tuple(map(self._taken, kept.taken)),
            "confirmed": self._confirmed(kept), "originals": self.keys(kept.originals),
            "correction": self._correction(kept.correction) if kept.correction else None, "owed": owed,
            "corrected": tuple(map(self._correction, kept.corrected)),
            "bookings": booked, "attachments": files, "clocks": self.keys(kept.clocks), "links": self.keys(kept.links),
        }  # fmt: skip
        return replace(kept, **changes)

    def _taken(self, one: TakenTransition) -> TakenTransition:
        return replace(
            one,
            transition=transition_name(self.names, one.transition),
            source=self.state(one.source) or one.source,
            target=self.state(one.target) or one.target,
            grounds=tuple(self.name(law) or law for law in one.grounds),
        )

    def _confirmed(self, kept: Dossier) -> dict[str, ConfirmedAnswer]:
        """Return the confirmed answers under their new names, with the new codes of their options."""
        found: dict[str, ConfirmedAnswer] = {}
        for old, one in kept.confirmed.items():
            rows, _, column = old.partition(".")
            if column:
                found.update(self._confirmed_in_row(rows, column.partition(".")[2], old, one))
                continue
            piece, asked = self.name(one.piece) or one.piece, self._asked.get(old)
            value = one.value if asked is None or asked.type == "evidence" else self.value(asked, one.value, old)
            for new, _ in self._answer(old, None, {}):
                found[new] = replace(one, value=value, piece=piece)
        return found

    def _confirmed_in_row(
        self, rows: str, column: str, old: str, one: ConfirmedAnswer
    ) -> Iterator[tuple[str, ConfirmedAnswer]]:  # fmt: skip
        """Yield the confirmed answer of a column under its new name."""
        new, asked = self.spot(old), self._asked.get(rows)
        inner = next((field for field in asked.rows if field.id == column), None) if asked else None
        if new is not None:
            value = one.value if inner is None else self.value(inner, one.value, f"{rows}.{column}")
            yield new, replace(one, value=value, piece=self._last(f"{rows}.{one.piece}") or one.piece)

    def _correction(self, asked: CorrectionRequest) -> CorrectionRequest:
        places = {place: new for place in {*asked.fields, *asked.made} if (new := self.spot(place)) is not None}
        fields = {places[name]: reason for name, reason in asked.fields.items() if name in places}
        made = frozenset(places[name] for name in asked.made if name in places)
        unsent = None if asked.unsent is None else self.answers(asked.unsent)
        before = self.answers(asked.before)
        return replace(
            asked, fields=fields, made=made, offsets={}, unsent=unsent, before=before
        )  # offsets: computed again


_CHOSEN_of_in_use: Final = frozenset({"choice", "choices", "evidence"})


def names_in_use(procedure: Procedure, answers: Mapping[str, Plain]) -> Iterator[str]:
    """Yield the questions, columns and options that a dossier's answers use, in the form that `migrate` uses."""
    asked = {**{one.id: one.field for one in procedure.eligibility}, **procedure.fields}
    for name, answer in answers.items():
        form = procedure.tasks.get(name)
        if isinstance(form, Form) and form.each:
            yield name
            for one in answer if isinstance(answer, list) else []:
                filled = one.get("answers") if isinstance(one, dict) else None
                yield from _columns(form.fields, filled, form.each)
        elif isinstance(form, Form) and form.services:
            columns = form.asked.fields if form.asked is not None else ()
            for said in answer.values() if isinstance(answer, dict) else ():
                yield from _columns(columns, said, name)
        elif name in asked:
            yield from _of(asked[name], answer, name)


def _of(field: Field, answer: Plain, at: str) -> Iterator[str]:
    if is_blank(answer):
        return
    yield at
    if field.type == "rows":
        for row in answer if isinstance(answer, list) else []:
            yield from _columns(field.rows, row, at)
    elif field.type in _CHOSEN_of_in_use and field.list_id is None:
        chosen = answer.get("is") if isinstance(answer, dict) else answer
        codes = chosen if isinstance(chosen, list) else [chosen]
        yield from (f"{at}.{code}" for code in codes if isinstance(code, str) and _has(field, code))


def _has(field: Field, code: str) -> bool:
    """Return True when a code is one of the question's own. Typed text is never a name of the file."""
    own = field.evidence.any_of if field.evidence is not None else field.options
    return any(one.code == code for one in own)


def _columns(columns: tuple[Field, ...], row: Plain, at: str) -> Iterator[str]:
    if isinstance(row, dict):
        for column in columns:
            yield from _of(column, row.get(column.id), f"{at}.{column.id}")
