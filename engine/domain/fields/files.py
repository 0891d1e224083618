"""Answers handed in: file, photo, evidence; and the note, which asks nothing.

Files come by their own way (`with_file`, `without_file`): posted text never names one.
"""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Final

from engine.core.values import Plain
from engine.domain.common.working_time import add_days
from engine.domain.fields.choices import is_open
from engine.domain.fields.dates import DateKind
from engine.domain.fields.field_type import FieldContext, FieldKind, Speech, field_kind
from engine.domain.fields.raw_answers import Fault, Raw, fault, one, tidy
from engine.domain.fields.views import AnswerProblem
from engine.model import EvidenceTerms, Field, Option
from engine.model.types import Value

_ISSUED: Final = "issued"
_DATE: Final = DateKind()


@field_kind("note")
class NoteKind(FieldKind):
    asked: ClassVar[bool] = False

    def read(self, field: Field, raw: Raw, path: str, before: Plain, asking: FieldContext) -> Plain:
        return None

    def adopt(self, field: Field, plain: Plain, asking: FieldContext) -> Plain:
        return None

    def typed(self, field: Field, plain: Plain) -> Value:
        return None

    def problems(self, field: Field, plain: Plain, path: str, asking: FieldContext) -> list[AnswerProblem]:
        return []

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        return ""

    def example(self, field: Field, asking: FieldContext) -> Plain:
        return None


@field_kind("file", "photo")
class FileKind(FieldKind):
    """A list of attachment ids."""

    def read(self, field: Field, raw: Raw, path: str, before: Plain, asking: FieldContext) -> Plain:
        return before

    def adopt(self, field: Field, plain: Plain, asking: FieldContext) -> Plain:
        names = plain if isinstance(plain, list) else [plain] if isinstance(plain, str) else []
        return [str(name) for name in names]

    def typed(self, field: Field, plain: Plain) -> Value:
        return tuple(files_of(plain)) or None

    def faults(self, field: Field, plain: Plain, asking: FieldContext) -> list[Fault]:
        over = len(files_of(plain)) > field.bounds.max_items
        return [fault("files_many", maximum=field.bounds.max_items)] if over else []

    def problems(self, field: Field, plain: Plain, path: str, asking: FieldContext) -> list[AnswerProblem]:
        if not files_of(plain) and field.required.holds(asking.scope):
            return [fault("file").at(path, field)]
        return [one.at(path, field) for one in self.faults(field, plain, asking)]

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        return ""

    def example(self, field: Field, asking: FieldContext) -> Plain:
        return [f"example-{field.id}"]


_ONE_KIND: Final = EvidenceTerms()


def terms_of(field: Field) -> EvidenceTerms:
    return field.evidence or _ONE_KIND


@field_kind("evidence")
class EvidenceKind(FileKind):
    """`{"is": code, "files": [id], "issued": day, "held": bool}`. Posted: `<path>` the alternative, `<path>_issued` the
    day it was issued. Files and `held` are the office's to set."""

    def read(self, field: Field, raw: Raw, path: str, before: Plain, asking: FieldContext) -> Plain:
        kept, terms = evidence_parts(before), terms_of(field)
        if terms.any_of and (chosen := one(raw, path)) is not None:
            kept["is"] = self._alternative(field, tidy(chosen))
        if terms.max_age is not None and (issued := _DATE.posted(field, raw, f"{path}_{_ISSUED}")) is not None:
            kept[_ISSUED] = _DATE.from_text(field, issued, asking)
        return kept

    def controls(self, field: Field, path: str) -> tuple[str, ...]:
        return (path, *_DATE.controls(field, f"{path}_{_ISSUED}"))

    def boxes(self, plain: Plain) -> tuple[str, ...]:
        return _DATE.boxes(evidence_parts(plain)[_ISSUED])

    @staticmethod
    def _alternative(field: Field, code: str) -> Plain:
        return code if any(option.code == code for option in terms_of(field).any_of) else None

    def adopt(self, field: Field, plain: Plain, asking: FieldContext) -> Plain:
        """A code chooses the alternative, with a file; a name or a list of names are files; true and false say whether
        it is provided."""
        kept, terms = evidence_parts(plain if isinstance(plain, dict) else None), terms_of(field)
        if isinstance(plain, dict) or plain is None or plain is False:
            return kept
        kept["files"] = [str(name) for name in plain] if isinstance(plain, list) else [f"example-{field.id}"]
        codes = [option.code for option in terms.any_of]
        if plain in codes:
            kept["is"] = plain
        elif codes:
            kept["is"] = codes[0]
        if isinstance(plain, str) and plain not in codes:
            kept["files"] = [plain]
        if terms.max_age is not None:
            kept[_ISSUED] = asking.scope.today.isoformat()
        if not terms.uploaded:
            kept["files"] = []
        return kept

    def typed(self, field: Field, plain: Plain) -> Value:
        """The chosen alternative's code, or a yes/no *provided*. What is shown or handed over later counts as provided:
        there is nothing to add until then."""
        kept, terms = evidence_parts(plain), terms_of(field)
        if terms.any_of:
            return kept["is"] if isinstance(kept["is"], str) else None
        return bool(kept["files"]) or kept["held"] is True or not terms.uploaded

    def options(self, field: Field, asking: FieldContext) -> tuple[Option, ...]:
        return terms_of(field).any_of

    def problems(self, field: Field, plain: Plain, path: str, asking: FieldContext) -> list[AnswerProblem]:
        kept, terms = evidence_parts(plain), terms_of(field)
        if kept["held"] is True:
            return []
        files, required = files_of(plain), field.required.holds(asking.scope)
        if not required and not files and kept["is"] is None:
            return []
        found: list[tuple[str, Fault]] = []
        if terms.any_of:
            found += [(path, one) for one in self._choice_faults(field, kept["is"], asking)]
        if terms.uploaded and not files:
            found.append((path, fault("file")))
        if terms.uploaded and len(files) > field.bounds.max_items:
            found.append((path, fault("files_many", maximum=field.bounds.max_items)))
        if terms.max_age is not None and (files or not terms.uploaded):
            found += [(f"{path}_{_ISSUED}", one) for one in self._age_faults(field, kept[_ISSUED], asking)]
        return [one.at(where, field) for where, one in found]

    def _choice_faults(self, field: Field, code: Plain, asking: FieldContext) -> list[Fault]:
        option = next((one for one in terms_of(field).any_of if one.code == code), None)
        if option is None:
            return [fault("empty")]
        return [] if is_open(option, asking.scope) else [fault("shut", option.because)]

    @staticmethod
    def _age_faults(field: Field, issued: Plain, asking: FieldContext) -> list[Fault]:
        if issued is None:
            return [fault("issue_date")]
        day, max_age = _DATE.typed(field, issued), terms_of(field).max_age
        if not isinstance(day, date) or max_age is None:
            return _DATE.faults(field, issued, asking) or [fault("date")]
        if day > asking.scope.today:
            return [fault("issue_future")]
        if add_days(day, max_age, asking.calendar) < asking.scope.today:
            return [fault("too_old", span=str(max_age))]
        return []

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        chosen = evidence_parts(plain)["is"]
        options = terms_of(field).any_of
        return next((option.label.in_(speech.language) for option in options if option.code == chosen), "")

    def example(self, field: Field, asking: FieldContext) -> Plain:
        return self.adopt(field, True, asking)


def evidence_parts(plain: Plain) -> dict[str, Plain]:
    """The four parts of a stored piece of evidence, whatever was stored."""
    stored = plain if isinstance(plain, dict) else {}
    files: list[Plain] = list(files_of(stored))
    chosen = stored.get("is")
    return {
        "is": chosen if isinstance(chosen, str) else None,
        "files": files,
        _ISSUED: stored.get(_ISSUED),
        "held": stored.get("held") is True,
    }


def files_of(plain: Plain) -> list[str]:
    """The attachment ids of a stored file, photo or piece of evidence."""
    stored = plain.get("files") if isinstance(plain, dict) else plain
    return [one for one in stored if isinstance(one, str)] if isinstance(stored, list) else []


def with_file(field: Field, plain: Plain, attachment_id: str) -> Plain:
    """The stored answer once a file has come in; where one file is wanted, it takes the place of the other."""
    kept = files_of(plain) if field.bounds.max_items > 1 else []
    return _holding(field, plain, [*(one for one in kept if one != attachment_id), attachment_id])


def without_file(field: Field, plain: Plain, attachment_id: str) -> Plain:
    """The stored answer once a file was taken away."""
    return _holding(field, plain, [one for one in files_of(plain) if one != attachment_id])


def _holding(field: Field, plain: Plain, files: list[str]) -> Plain:
    kept: list[Plain] = list(files)
    return {**evidence_parts(plain), "files": kept} if field.type == "evidence" else kept
