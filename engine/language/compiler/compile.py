"""The compiler from a file to a procedure: it includes presets and blocks, resolves names and types expressions.

`build_procedure` never raises an error and never stops at the first fault. It reports all faults, and returns a
procedure only when there is no error.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from engine.core.problems import InvalidDefinition, Problem, Report, set_once
from engine.language.compiler.build_context import BuildContext, Library, frozen
from engine.language.compiler.build_form import build_application, build_eligibility
from engine.language.compiler.build_legal import (
    build_accept,
    build_annotations,
    build_identity,
    build_laws,
    build_migrate,
    build_personal_data,
)
from engine.language.compiler.build_outputs import build_notices, build_outputs
from engine.language.compiler.build_scenarios import build_scenarios
from engine.language.compiler.build_tasks import build_tasks
from engine.language.compiler.build_workflow import BuiltWorkflow, build_circuit
from engine.language.compiler.canonical import contract, expand, library_used
from engine.language.compiler.evaluation_order import order_of
from engine.language.compiler.includes import CombinedTree, combine
from engine.language.compiler.namespace import read_namespace
from engine.language.compiler.shared_files import Shared
from engine.language.compiler.symbols import SymbolContext, read_vocabularies
from engine.language.compiler.tables import build_tables
from engine.language.expressions.parser import parse_expression
from engine.language.source.loader import Source
from engine.model import APPLICATION, Criterion, Field, Form, NamedElement, Output, Procedure, Task
from engine.model.directory import Directory
from engine.model.types import Expression


def build_procedure(source: Source, shared: Shared) -> tuple[Procedure | None, list[Problem]]:
    """Return the compiled procedure and all faults of names and expressions. None when one prevents it."""
    placed, problems = combine(source, shared.blocks, shared.presets)
    return build_spliced(placed, problems, shared)


def build_spliced(
    placed: CombinedTree, problems: list[Problem], shared: Shared
) -> tuple[Procedure | None, list[Problem]]:
    """Return the compiled procedure and all faults of a file already combined with its preset and blocks.

    None when one prevents compilation. `problems` are those of `combine`.
    """
    if lacks_preset(problems):  # what else is missing may be in the preset
        return None, problems
    build = BuildContext(placed, Library(shared.lists, shared.schemes, shared.directory))
    build.broken.update(str(one.facts["name"]) for one in problems if one.code == "N301")  # what the preset needs
    procedure = _compile(build)
    found = set_once([*problems, *build.problems])
    return (None if any(one.prevents_building for one in found) else procedure), found


def lacks_preset(problems: Iterable[Problem]) -> bool:
    """Return whether the preset that a file extends does not exist."""
    return any(one.code == "N304" and one.facts.get("kind") == "preset" for one in problems)


def build_from_expanded(expanded: str, source: Source, directory: Directory) -> Procedure:
    """Return a past edition from its canonical form. Later changes of blocks and lists have no effect.

    A role or an office missing in the live directory is accepted, and so is all that does not prevent compilation:
    rules are for texts that are not published yet. Raises `InvalidDefinition` when the form cannot be compiled.
    """
    tree, library = contract(expanded, directory)
    build = BuildContext(CombinedTree(tree, source), library)
    procedure = _compile(build)
    faults = [one for one in build.problems if one.prevents_building and one.code != "N304"]
    if procedure is None or faults:
        raise InvalidDefinition(Report.of(faults))
    return replace(procedure, expanded=expanded, fingerprint=fingerprint_of(expanded))


def fingerprint_of(expanded: str) -> str:
    """Return the SHA-256 of a canonical form, in hexadecimal. It identifies an edition."""
    return hashlib.sha256(expanded.encode("utf-8")).hexdigest()


def _compile(build: BuildContext) -> Procedure | None:
    """The procedure, whatever is missing. None when there is no first state."""
    names = read_namespace(build)
    symbols = SymbolContext(build, names, read_vocabularies(build, names))
    eligibility = build_eligibility(symbols)
    form = build_application(symbols)
    tasks: dict[str, Task] = {APPLICATION: form}
    for task in build_tasks(symbols):
        tasks.setdefault(task.id, task)
    outputs = {one.id: one for one in build_outputs(symbols)}
    circuit = build_circuit(symbols, tasks, outputs)
    tables = {one.id: one for one in build_tables(symbols)}
    fields = _fields(eligibility, tasks)
    order = order_of(build, names, fields, form.pages)
    used = library_used(build.placed, build.library)
    expanded = expand(build.placed, used)
    procedure = Procedure(
        identity=build_identity(symbols, form),
        laws=frozen({law.id: law for law in build_laws(build)}),
        eligibility=eligibility,
        form=form,
        things=frozen(_things(fields, tasks, circuit, outputs, tables)),
        fields=frozen(fields),
        order=order,
        tasks=frozen(tasks),
        states=circuit.states,
        start=circuit.start,
        office=circuit.office,
        transitions=circuit.transitions,
        leaving=circuit.leaving,
        clocks=circuit.clocks,
        tables=frozen(tables),
        definitions=frozen(dict(_definitions(symbols))),
        outputs=frozen(outputs),
        notices=tuple(build_notices(symbols)),
        annotations=frozen({one.id: one for one in build_annotations(build)}),
        personal_data=build_personal_data(symbols),
        scenarios=tuple(build_scenarios(symbols)),
        migrate=MappingProxyType(dict(build_migrate(build))),
        accept=tuple(build_accept(build)),
        lists=used.lists,
        schemes=used.schemes,
        fingerprint=fingerprint_of(expanded),
        source=build.placed.base.text,
        expanded=expanded,
    )
    return procedure if circuit.start else None


def _fields(eligibility: tuple[Criterion, ...], tasks: Mapping[str, Task]) -> dict[str, Field]:
    """All questions outside rows, in the order of the file."""
    found: dict[str, Field] = {one.id: one.field for one in eligibility}
    for task in tasks.values():
        if isinstance(task, Form) and task.each is None:
            for field in task.fields:
                found.setdefault(field.id, field)
    return found


def _things(
    fields: Mapping[str, Field], tasks: Mapping[str, Task], circuit: BuiltWorkflow, outputs: Mapping[str, Output],
    tables: Mapping[str, NamedElement],
) -> dict[str, NamedElement]:  # fmt: skip
    """The namespace. Of several transitions of one act, the first."""
    found: dict[str, NamedElement] = {}
    everything: tuple[Mapping[str, NamedElement], ...] = (
        fields,
        tasks,
        tables,
        circuit.clocks,
        circuit.states,
        outputs,
    )
    for things in everything:
        for name, thing in things.items():
            found.setdefault(name, thing)
    for transition in circuit.transitions:
        found.setdefault(transition.id, transition)
    return found


def _definitions(symbols: SymbolContext) -> Iterator[tuple[str, Expression]]:
    """The named values outside rows, for messages that print them. Their faults were reported."""
    words = replace(symbols.words.everywhere, maybe_empty=None)
    for name, definition in words.definitions.items():
        found, problems = parse_expression(name, words, definition.where)
        if found is not None and not any(one.prevents_building for one in problems):
            yield name, found
