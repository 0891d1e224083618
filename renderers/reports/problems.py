"""Output of problems: `text` and `short` for people, `json`, `github` and `sarif` for machines.

Pure functions, in French by default. A problem has a sentence, its place with a caret, and the corrected line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, TypeAlias

from engine.core.problems import NOWHERE, Problem, Report
from renderers.i18n.problem_messages import REFERENCE, advice, explanation, message, visible


def annotation(level: str, text: str, **properties: str | int) -> str:
    """Return one workflow command of GitHub, on one line. `level` is notice, warning or error."""
    said = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{level} {said}::{_escaped(text)}\n"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


Sources: TypeAlias = Mapping[str, str]  # the text of each file, by the name problems give it

_WIDEST: Final = 140  # characters of a line in an excerpt
_BOLD_RED, _YELLOW, _BLUE, _GREEN, _PLAIN = "\x1b[1;31m", "\x1b[1;33m", "\x1b[34m", "\x1b[32m", "\x1b[0m"
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "fr": {
        "error": "erreur", "advice": "conseil", "help": "aide", "see": "en savoir plus", "none": "Aucun problème",
        "in": "dans", "of": "sur", "file": "fichier", "files": "fichiers", "errors": "erreurs", "advices": "conseils",
        "closed": "Publication refusée tant qu'il reste des erreurs.",
        "unread": "Les autres contrôles se font une fois ces erreurs corrigées.", "cause": "Pourquoi", "bad": "Refusé",
        "advised": "Signalé", "good": "Accepté", "colon": " : ",
        "kept": "Ce texte est déjà publié et reste valable. Une fois modifié, il sera refusé.",
    },
    "en": {
        "error": "error", "advice": "advice", "help": "help", "see": "learn more", "none": "No problem", "in": "in",
        "of": "of", "file": "file", "files": "files", "errors": "errors", "advices": "pieces of advice",
        "closed": "Publication is refused as long as errors remain.",
        "unread": "The other checks are made once these errors are corrected.", "cause": "Why", "bad": "Refused",
        "advised": "Pointed out", "good": "Accepted", "colon": ": ",
        "kept": "This text is already published and stays valid. Once changed, it will be refused.",
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class LineFix:
    """One line of a file, as it is and as it should be."""

    old: str
    new: str


def render_report(
    report: Report,
    sources: Sources,
    *,
    form: str = "text",
    language: str = REFERENCE,
    colour: bool = False,
    files: int | None = None,
) -> str:
    """Return the report in one of the five forms. `files` is the number of files read, for the last line."""
    if form == "text":
        blocks = [render_problem(one, sources, language, colour) for one in report]
        return "\n".join([*blocks, summary(report, language, files)]) + "\n"
    return _FORMS[form](report, sources, language)


# -- for people --------------------------------------------------------------------------------------------------------


def render_problem(problem: Problem, sources: Sources, language: str = REFERENCE, colour: bool = False) -> str:
    """Return one problem: sentence, place, excerpt with a caret, help with the corrected line."""
    words, paint = _words(language), _painter(colour)
    kind = "error" if problem.is_error else "advice"
    tone = _BOLD_RED if problem.is_error else _YELLOW
    where = problem.where
    gutter = " " * len(str(where.line + 1))
    lines = [paint(tone, f"{words[kind]}[{problem.code}]") + " " + message(problem, language)]
    if where.file:
        lines.append(f"{gutter}{paint(_BLUE, '-->')} {visible(str(where))}")
    excerpt = _excerpt(problem, sources.get(where.file, ""), paint, tone)
    if excerpt:
        lines += [f"{gutter} {paint(_BLUE, '|')}", *excerpt, f"{gutter} {paint(_BLUE, '|')}"]
    help_ = _help(problem, language)
    fixed = correction(problem, sources)
    if help_:
        lines.append(f"{gutter} {paint(_BLUE, '=')} {words['help']}{words['colon']}{help_}")
    if fixed:
        lines.append(paint(_BOLD_RED, f"{gutter} - {visible(fixed.old)}"))
        lines += [paint(_GREEN, f"{gutter} + {visible(line)}") for line in fixed.new.split("\n")]
    return "\n".join(lines) + "\n"


def _excerpt(problem: Problem, text: str, paint: Callable[[str, str], str], tone: str) -> list[str]:
    """Return the line at fault between its neighbours, with a caret under the fault."""
    all_lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    number = problem.where.line
    if not text or not 1 <= number <= len(all_lines):
        return []
    margin = len(str(number + 1))
    shown = []
    for at in (number - 1, number, number + 1):
        line = visible(all_lines[at - 1].replace("\t", " ")) if 1 <= at <= len(all_lines) else ""
        if at != number and not line.strip():
            continue
        start = max(0, problem.where.column - _WIDEST // 2) if len(line) > _WIDEST and at == number else 0
        cut = ("…" + line[start + 1 :] if start else line)[:_WIDEST]
        shown.append(f"{paint(_BLUE, f'{at:>{margin}} |')} {cut}".rstrip())
        if at == number:
            column = problem.where.column - 1 - start
            width = max(1, min(problem.where.width, len(cut) - column))
            shown.append(f"{' ' * margin} {paint(_BLUE, '|')} {' ' * column}{paint(tone, '^' * width)}")
    return shown


def correction(problem: Problem, sources: Sources) -> LineFix | None:
    """Return the corrected line, None if it is unknown.

    The fact `fix` holds a whole line. The fact `put` replaces the underlined text.
    """
    lines = sources.get(problem.where.file, "").removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if not 1 <= problem.where.line <= len(lines):
        return None
    old = lines[problem.where.line - 1]
    fix, put = problem.facts.get("fix"), problem.facts.get("put")
    if isinstance(fix, str):
        new = fix
    elif isinstance(put, (str, int)):
        start, end = problem.where.column - 1, problem.where.column - 1 + problem.where.width
        if end > len(old) or not _is_what_was_meant(old[start:end], problem, str(put)):
            return None
        new = old[:start] + str(put) + old[end:]
    else:
        return None
    return LineFix(old, new) if new != old else None


def _is_what_was_meant(passage: str, problem: Problem, put: str) -> bool:
    """Return whether the underlined text is the one in the facts. A wrong correction is worse than none."""
    spoken = next((str(problem.facts[name]) for name in ("token", "value", "name") if name in problem.facts), passage)
    if put[:1] == "'" and passage[:1] in "'\"" and not (passage[:1] == passage[-1:] and len(passage) > 2):
        return False
    return problem.code in ("S203", "S209") or spoken in passage


def summary(report: Report, language: str = REFERENCE, files: int | None = None) -> str:
    """Return the counts: `3 erreurs, 1 conseil dans 2 fichiers sur 14`."""
    words = _words(language)
    errors, pieces = len(report.errors), len(report.advice)
    read = f" {words['in']} {files} {words['file' if files == 1 else 'files']}" if files is not None else ""
    if not report:
        return f"{words['none']}{read}."
    counts = [
        f"{count} {words[one if count == 1 else many]}"
        for count, one, many in ((errors, "error", "errors"), (pieces, "advice", "advices"))
        if count
    ]
    at_fault = len({problem.where.file for problem in report})
    where = f" {words['in']} {at_fault} {words['file' if at_fault == 1 else 'files']}"
    whole = files is not None and at_fault <= files  # shared files may be at fault, and are not counted
    out_of = f" {words['of']} {files}" if whole else ""
    closed = f" {words['closed']}" if errors else ""
    if any(one.prevents_building for one in report):
        closed += f" {words['unread']}"
    return f"{', '.join(counts)}{where}{out_of}.{closed}"


def explain(code: str, language: str = REFERENCE) -> str | None:
    """Return the rule behind a code with a bad and a good example, None if the code is unknown."""
    found = explanation(code, language)
    if found is None:
        return None
    words = _words(language)
    refused = words["bad" if Problem(code, NOWHERE).is_error else "advised"]
    parts = [f"{code}{words['colon']}{found.title}", f"{words['cause']}{words['colon']}{found.cause}"]
    for label, example in ((refused, found.bad), (words["good"], found.good)):
        lines = "\n".join(f"    {line}" for line in example.split("\n"))
        parts.append(f"{label}{words['colon'].rstrip(' ')}\n{lines}")
    return "\n\n".join(parts) + "\n"


def _help(problem: Problem, language: str) -> str:
    """Return what to write instead. For a published text, also say why its error is only advice."""
    said = (advice(problem, language), _words(language)["kept"] if problem.kept else "")
    return ". ".join(filter(None, said))


def _words(language: str) -> Mapping[str, str]:
    return _WORDS.get(language, _WORDS[REFERENCE])


def _painter(colour: bool) -> Callable[[str, str], str]:
    return (lambda tone, text: f"{tone}{text}{_PLAIN}") if colour else (lambda tone, text: text)


# -- for machines ------------------------------------------------------------------------------------------------------


def _short(report: Report, sources: Sources, language: str) -> str:
    """Return `file:line:column CODE message → repair`, one line for each problem."""
    lines = []
    for one in report:
        help_ = _help(one, language)
        repair = f" → {help_}" if help_ else ""
        lines.append(f"{visible(str(one.where))} {one.code} {message(one, language)}{repair}\n")
    return "".join(lines)


def _json(report: Report, sources: Sources, language: str) -> str:
    found = {
        "errors": len(report.errors),
        "advice": len(report.advice),
        "problems": [_plain(one, sources, language) for one in report],
    }
    return json.dumps(found, ensure_ascii=False, indent=2) + "\n"


def _plain(problem: Problem, sources: Sources, language: str) -> dict[str, Any]:
    fixed = correction(problem, sources)
    where = problem.where
    return {
        "code": problem.code,
        "severity": "error" if problem.is_error else "advice",
        "file": where.file,
        "line": where.line,
        "column": where.column,
        "width": where.width,
        "message": message(problem, language),
        "help": _help(problem, language),
        "fix": {"old": fixed.old, "new": fixed.new} if fixed else None,
        "facts": {name: list(fact) if isinstance(fact, tuple) else fact for name, fact in problem.facts.items()},
    }


def _github(report: Report, sources: Sources, language: str) -> str:
    """Return annotations of a pull request, as workflow commands of GitHub."""
    lines = []
    for one in report:
        level, where = "error" if one.is_error else "warning", one.where
        help_ = _help(one, language)
        said = message(one, language) + (f"\n{help_}" if help_ else "")
        end = where.column + where.width
        place: dict[str, str | int] = {"file": where.file, "line": where.line, "col": where.column, "endColumn": end}
        lines.append(annotation(level, said, **place, title=one.code))
    return "".join(lines)


def _sarif(report: Report, sources: Sources, language: str) -> str:
    """Return SARIF 2.1.0, for platforms that show findings beside the code."""
    rules = []
    for code, _ in groupby(sorted(one.code for one in report)):
        found = explanation(code, language)
        rules.append({
            "id": code,
            "shortDescription": {"text": found.title if found else code},
            "fullDescription": {"text": found.cause if found else code},
            "help": {"text": f"{found.bad}\n→\n{found.good}" if found else code},
        })  # fmt: skip
    indexes = {rule["id"]: number for number, rule in enumerate(rules)}
    run = {
        "tool": {"driver": {"name": "guichet", "rules": rules}},
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, sources, language, indexes[one.code]) for one in report],
    }
    log = {"version": "2.1.0", "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "runs": [run]}
    return json.dumps(log, ensure_ascii=False, indent=2) + "\n"


def _result(problem: Problem, sources: Sources, language: str, rule: int) -> dict[str, Any]:
    where, fixed, help_ = problem.where, correction(problem, sources), _help(problem, language)
    artifact = {"uri": where.file or "procedures"}
    region = {
        "startLine": max(1, where.line),
        "startColumn": max(1, where.column),
        "endColumn": max(1, where.column) + where.width,
    }
    result: dict[str, Any] = {
        "ruleId": problem.code,
        "ruleIndex": rule,
        "level": "error" if problem.is_error else "warning",
        "message": {"text": message(problem, language) + (f". {help_}" if help_ else "")},
        "locations": [{"physicalLocation": {"artifactLocation": artifact, "region": region}}],
    }
    if fixed:
        line = {"startLine": where.line, "startColumn": 1, "endColumn": len(fixed.old) + 1}
        change = {"deletedRegion": line, "insertedContent": {"text": fixed.new}}
        change_of_file = {"artifactLocation": artifact, "replacements": [change]}
        result["fixes"] = [{"description": {"text": help_ or problem.code}, "artifactChanges": [change_of_file]}]
    return result


_FORMS: Final[Mapping[str, Callable[[Report, Sources, str], str]]] = {
    "short": _short,
    "json": _json,
    "github": _github,
    "sarif": _sarif,
}
