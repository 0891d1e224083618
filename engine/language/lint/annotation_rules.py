"""The rules C601 to C603: labels of annotations that are too long or given twice, and names of something else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from engine.core.problems import Position, Problem, problem
from engine.core.values import Text
from engine.language.lint.rule_registry import rule, written_at
from engine.language.source.loader import Path
from engine.model import Annotation, Procedure
from engine.model.directory import Directory

LONGEST_LABEL: Final = 30  # characters

_Labelled = tuple[str, Text, Position]  # the name of an annotation or option, its label and its place


@rule("C601")
def label_too_long(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C601 for each label of an annotation or of its option that does not fit a line of the list."""
    for name, label, where in (*_annotations(procedure), *_every_option(procedure)):
        text = max((text for _, text in label.versions), key=len, default="")
        if len(text) > LONGEST_LABEL:
            yield problem("C601", where, at=name, text=text, count=len(text), maximum=LONGEST_LABEL)


@rule("C602")
def same_label(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C602 for each label that two annotations, or two options of one, have."""
    yield from _twice(_annotations(procedure))
    for one in procedure.annotations.values():
        yield from _twice(_options(procedure, one))


@rule("C603")
def name_of_something_else(procedure: Procedure, directory: Directory) -> Iterator[Problem]:
    """Yield C603 for each annotation that has the name of a question, task, state, act or document."""
    for one in procedure.annotations.values():
        if one.id in procedure.things or one.id in procedure.definitions:
            yield problem("C603", one.where, at=one.id, name=one.id)


def _twice(labelled: Iterable[_Labelled]) -> Iterator[Problem]:
    known: dict[str, str] = {}
    for name, label, where in labelled:
        for text in dict.fromkeys(text.casefold() for _, text in label.versions):
            other = known.setdefault(text, name)
            if other != name:
                yield problem("C602", where, at=name, text=str(label), name=name, other=other)
                break


def _annotations(procedure: Procedure) -> Iterator[_Labelled]:
    for one in procedure.annotations.values():
        yield one.id, one.label, _place(procedure, one, "label")


def _every_option(procedure: Procedure) -> Iterator[_Labelled]:
    for one in procedure.annotations.values():
        yield from _options(procedure, one)


def _options(procedure: Procedure, one: Annotation) -> Iterator[_Labelled]:
    for code, label in one.options.items():
        yield f"{one.id}.{code}", label, _place(procedure, one, "options", code)


def _place(procedure: Procedure, one: Annotation, *keys: str) -> Position:
    path: Path = ("annotations", one.id, *keys)
    return written_at(procedure, path, one.where)
