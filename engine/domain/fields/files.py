"""Field types of files (file, photo, evidence) and the note, which takes no answer.

Files arrive by `with_file` and `without_file`. Posted text never names a file.
"""

from __future__ import annotations

from collections.abc import Mapping
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

FILE_TYPES: Final = frozenset({"file", "photo", "evidence"})
_ISSUED: Final = "issued"
_HELD_AS: Final = "held_as"
_DATE: Final = DateKind()


@field_kind("note")
class NoteKind(FieldKind):
    """A text on the page without any answer."""

    asked: ClassVar[bool] = False

    def read(self, field: Field, raw: Raw, path: str, before: Plain, asking: FieldContext) -> Plain:
        """Return None: nothing can be posted."""
        return None

    def adopt(self, field: Field, plain: Plain, asking: FieldContext) -> Plain:
        """Return None: nothing can be given."""
        return None

    def typed(self, field: Field, plain: Plain) -> Value:
        """Return None: a note has no value."""
        return None

    def problems(self, field: Field, plain: Plain, path: str, asking: FieldContext) -> list[AnswerProblem]:
        """Return no problem."""
        return []

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        """Return empty text: there is no answer."""
        return ""

    def example(self, field: Field, asking: FieldContext) -> Plain:
        """Return None: no answer is possible."""
        return None


@field_kind("file", "photo")
class FileKind(FieldKind):
    """A list of attachment ids."""

    def read(self, field: Field, raw: Raw, path: str, before: Plain, asking: FieldContext) -> Plain:
        """Return the stored ids: a post changes none."""
        return before

    def adopt(self, field: Field, plain: Plain, asking: FieldContext) -> Plain:
        """Return one id or a list of ids as a list."""
        names = plain if isinstance(plain, list) else [plain] if isinstance(plain, str) else []
        return [str(name) for name in names]

    def typed(self, field: Field, plain: Plain) -> Value:
        """Return the ids as a tuple, None without any."""
        return tuple(files_of(plain)) or None

    def faults(self, field: Field, plain: Plain, asking: FieldContext) -> list[Fault]:
        """Return `files_many` above the allowed number."""
        over = len(files_of(plain)) > field.bounds.max_items
        return [fault("files_many", maximum=field.bounds.max_items)] if over else []

    def problems(self, field: Field, plain: Plain, path: str, asking: FieldContext) -> list[AnswerProblem]:
        """Return `file` when a required file is missing, else `files_many` above the allowed number."""
        if not files_of(plain) and field.required.holds(asking.scope):
            return [fault("file").at(path, field)]
        return [one.at(path, field) for one in self.faults(field, plain, asking)]

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        """Return empty text: the view lists the files separately."""
        return ""

    def example(self, field: Field, asking: FieldContext) -> Plain:
        """Return one placeholder id."""
        return [f"example-{field.id}"]


_ONE_KIND: Final = EvidenceTerms()


def terms_of(field: Field) -> EvidenceTerms:
    """Return the evidence terms of a field, the default ones when the definition has none."""
    return field.evidence or _ONE_KIND


@field_kind("evidence")
class EvidenceKind(FileKind):
    """Evidence, stored as `{"is": code, "files": [id], "issued": day, "held": bool}`.

    A post gives the alternative in `<path>` and the day of issue in `<path>_issued`. Only services set the
    files and `held`.
    """

    def read(self, field: Field, raw: Raw, path: str, before: Plain, asking: FieldContext) -> Plain:
        """Return the stored evidence with the posted alternative and day of issue."""
        kept, terms = evidence_parts(before), terms_of(field)
        if terms.any_of and (chosen := one(raw, path)) is not None:
            kept["is"] = self._alternative(field, tidy(chosen))
        if terms.max_age is not None and (issued := _DATE.posted(field, raw, f"{path}_{_ISSUED}")) is not None:
            kept[_ISSUED] = _DATE.from_text(field, issued, asking)
        return kept

    def controls(self, field: Field, path: str) -> tuple[str, ...]:
        """Return the control of the alternative and those of the day of issue."""
        return (path, *_DATE.controls(field, f"{path}_{_ISSUED}"))

    def boxes(self, plain: Plain) -> tuple[str, ...]:
        """Return the boxes of the day of issue."""
        return _DATE.boxes(evidence_parts(plain)[_ISSUED])

    @staticmethod
    def _alternative(field: Field, code: str) -> Plain:
        return code if any(option.code == code for option in terms_of(field).any_of) else None

    def adopt(self, field: Field, plain: Plain, asking: FieldContext) -> Plain:
        """Return evidence given as data in stored form.

        A code chooses the alternative and adds a file. Other text, or a list, names files. True adds a
        placeholder file, and False leaves the evidence empty. It is never held.
        """
        kept, terms = without_held(plain if isinstance(plain, dict) else None), terms_of(field)
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
        """Return the code of the chosen alternative, or whether the evidence is provided.

        Evidence that is only shown or handed over later counts as provided.
        """
        kept, terms = evidence_parts(plain), terms_of(field)
        if terms.any_of:
            return kept["is"] if isinstance(kept["is"], str) else None
        return bool(kept["files"]) or kept["held"] is True or not terms.uploaded

    def options(self, field: Field, asking: FieldContext) -> tuple[Option, ...]:
        """Return the alternatives among which the applicant chooses."""
        return terms_of(field).any_of

    def problems(self, field: Field, plain: Plain, path: str, asking: FieldContext) -> list[AnswerProblem]:
        """Return what is wrong with alternative, files and age. Held evidence has no problem."""
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
            return [fault("issue_future", maximum=asking.scope.today.isoformat())]
        if add_days(day, max_age, asking.calendar) < asking.scope.today:
            return [fault("too_old", span=str(max_age))]
        return []

    def text(self, field: Field, plain: Plain, asking: FieldContext, speech: Speech) -> str:
        """Return number and day of a held document, else the label of the chosen alternative, empty without one."""
        kept, options = evidence_parts(plain), terms_of(field).any_of
        if held := kept.get(_HELD_AS):
            return _held_text(held, speech)
        chosen = kept["is"]
        return next((option.label.in_(speech.language) for option in options if option.code == chosen), "")

    def example(self, field: Field, asking: FieldContext) -> Plain:
        """Return evidence with a placeholder file and the first alternative."""
        return self.adopt(field, True, asking)


def evidence_parts(plain: Plain) -> dict[str, Plain]:
    """Return the four parts of stored evidence, with defaults for anything invalid. Held evidence has a fifth."""
    stored = plain if isinstance(plain, dict) else {}
    files: list[Plain] = list(files_of(stored))
    chosen = stored.get("is")
    parts: dict[str, Plain] = {
        "is": chosen if isinstance(chosen, str) else None,
        "files": files,
        _ISSUED: stored.get(_ISSUED),
        "held": stored.get("held") is True,
    }
    document = stored.get(_HELD_AS)
    return {**parts, _HELD_AS: document} if parts["held"] and isinstance(document, dict) else parts


def without_held(plain: Plain) -> dict[str, Plain]:
    """Return the four parts of stored evidence as those of evidence that is not held."""
    parts = evidence_parts(plain)
    parts.pop(_HELD_AS, None)
    return {**parts, "held": False}


def with_held(field: Field, plain: Plain, document: Plain, output: str) -> Plain:
    """Return stored evidence that is held as `document`, or not held once a file was handed in.

    The alternative named like the output is chosen.
    """
    parts = without_held(plain)
    if parts["files"]:
        return parts
    chosen = next((one.code for one in terms_of(field).any_of if one.code == output), parts["is"])
    return {**parts, "is": chosen, "held": True, _HELD_AS: document}


def _held_text(document: Plain, speech: Speech) -> str:
    facts = document if isinstance(document, dict) else {}
    day = speech.wording.day(date.fromisoformat(str(facts["issued"])), speech.language)
    return speech.wording.say("piece.held", speech.language, {"number": str(facts["number"]), "day": day})


def files_of(plain: Plain) -> list[str]:
    """Return the attachment ids of a stored file, photo or evidence."""
    stored = plain.get("files") if isinstance(plain, dict) else plain
    return [one for one in stored if isinstance(one, str)] if isinstance(stored, list) else []


def with_file(field: Field, plain: Plain, attachment_id: str) -> Plain:
    """Return the stored answer with one more file. Where only one is allowed, it replaces the other."""
    kept = files_of(plain) if field.bounds.max_items > 1 else []
    return _holding(field, plain, [*(one for one in kept if one != attachment_id), attachment_id])


def without_file(field: Field, plain: Plain, attachment_id: str) -> Plain:
    """Return the stored answer without a file."""
    return _holding(field, plain, [one for one in files_of(plain) if one != attachment_id])


def _holding(field: Field, plain: Plain, files: list[str]) -> Plain:
    kept: list[Plain] = list(files)
    return {**without_held(plain), "files": kept} if field.type == "evidence" else kept


def without_files(answers: Mapping[str, Plain], ids: frozenset[str]) -> dict[str, Plain]:
    """Return the answers without these attachment ids, wherever one is listed."""
    return {name: _without(answer, ids) for name, answer in answers.items()}


def _without(plain: Plain, ids: frozenset[str]) -> Plain:
    if isinstance(plain, dict):
        return {name: _without(one, ids) for name, one in plain.items()}
    return [_without(one, ids) for one in plain if one not in ids] if isinstance(plain, list) else plain
