"""Report of a trial publication for its author: text, comment of a merge request, annotations, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from engine.core.problems import Problem, Report
from engine.publication.dry_run import Trial
from engine.publication.gates import found_of, problem_of
from engine.records.codec import to_plain
from engine.records.publications import GateFinding
from renderers.i18n.problem_messages import message, visible
from renderers.i18n.translations import Translations, in_language
from renderers.reports.changes import Comparison
from renderers.reports.changes_report import Sides, render_changes
from renderers.reports.problems import annotation, render_problem, render_report
from renderers.reports.publication import PublicationWriter, change_sentence

_PAINT: Final[Mapping[bool, str]] = {True: "\x1b[32m", False: "\x1b[1;31m"}
_PLAIN: Final = "\x1b[0m"


def trial_report(one: Trial, words: Translations, *, form: str, language: str, colour: bool = False) -> str:
    """Return the report in one of the four forms. Raises KeyError for an unknown form."""
    report = _Report(one, words, language, colour)
    made: Mapping[str, Callable[[], str]] = {
        "text": report.text, "markdown": report.markdown, "github": report.annotations, "json": report.json
    }  # fmt: skip
    return made[form]()


class _Report:
    """Writes one trial in all forms."""

    def __init__(self, one: Trial, words: Translations, language: str, colour: bool) -> None:
        self.one, self.words, self.language, self.colour = one, words, language, colour
        self.writer = PublicationWriter(words, language)
        self.comparisons = {
            candidate.procedure.id: Comparison.of(
                candidate.before, candidate.procedure, one.directory, day=one.day
            ).placed(one.places.name)
            for candidate in one.candidates
            if candidate.before is not None
        }  # fmt: skip

    # -- what all forms say

    def head(self) -> Iterator[str]:
        one, say = self.one, self.writer.say
        yield say("check.title", reference=visible(one.reference), commit=one.origin.commit[:7])
        if one.against:
            yield say("check.against", reference=visible(one.against), commit=one.against_commit[:7])
        if one.alone:
            yield say(f"check.{one.alone}", branch=one.origin.branch, count=one.refused)
        elif one.refused:
            yield say("check.passed_over", count=one.refused)
        if one.against:
            yield say("check.going_back")
        people = [say("by_author", author=one.origin.author)]
        if one.origin.reviewers:
            people.append(say("reviewed", names=self.writer.reviewers(one.origin)))
        signature = self.writer.signature(one.origin)
        if signature is not None:
            people.append(signature.text[:1].upper() + signature.text[1:] + ".")
        yield " ".join(people)
        if one.dirty:
            yield say("check.dirty", folder="procedures")

    def end(self) -> Iterator[str]:
        one, say = self.one, self.writer.say
        if not one.passed:
            yield say("check.refused", gates=self.writer.shut(one.gates))
            return
        yield say("check.passed") + ("" if one.candidates or one.removed else " " + say("check.nothing"))
        for candidate in one.candidates:
            procedure = candidate.procedure
            facts = {
                "title": in_language(procedure.identity.title, self.language), "edition": procedure.edition, "print": procedure.fingerprint[:7]
            }  # fmt: skip
            begins = procedure.identity.from_
            later = begins is not None and begins > one.day
            if later and begins is not None:
                yield say("check.later", **facts, day=self.words.day(begins, self.language))
            else:
                yield say("check.now", **facts)
            if candidate.before is not None and candidate.before.edition != procedure.edition:
                yield "  " + say("check.back", name=procedure.id, edition=candidate.before.edition)
        for name in one.removed:
            yield say("check.removed", name=name)

    def sheets(self, form: str) -> Iterator[tuple[str, str]]:
        for name, compared in self.comparisons.items():
            sides = Sides(self.one.against_commit[:7], self.one.origin.commit[:7])
            colour = self.colour and form == "text"
            yield (
                name,
                render_changes(compared, self.words, form=form, language=self.language, sides=sides, colour=colour),
            )

    def advice(self) -> Iterator[str]:
        """Yield the errors of published texts that the commit does not change, as advice."""
        for one in self.one.advice:
            texts = {self.one.places.name(one.where.file): self.one.places.text(one.where.file)}
            yield render_problem(self._named(one), texts, self.language).rstrip("\n")

    def _named(self, one: Problem) -> Problem:
        """Return a problem whose file has the name that its authors know."""
        return replace(one, where=replace(one.where, file=self.one.places.name(one.where.file)))

    # -- forms

    def text(self) -> str:
        lines = [*self.head(), "", self.writer.say("gates").upper()]
        for gate in self.writer.gates(self.one.gates):
            mark = "✓" if gate.passed else "✗"
            lines.append(f"  {self._painted(mark, gate.passed)} {gate.name}")
            for finding in gate.findings:
                lines += ["", *(f"      {line}".rstrip() for line in finding.split("\n")), ""]
            if gate.more:
                lines.append(f"      {gate.more}")
        lines += ["", *self.advice(), ""] if self.one.advice else []
        for _, sheet in self.sheets("text"):
            lines += ["", sheet.rstrip("\n")]
        end = list(self.end())
        return "\n".join([*lines, "", self._painted(end[0], self.one.passed), *end[1:]]) + "\n"

    def _painted(self, text: str, good: bool) -> str:
        return f"{_PAINT[good]}{text}{_PLAIN}" if self.colour else text

    def markdown(self) -> str:
        """Return the comment for a merge request. Text of authors is fenced, so it cannot become markup."""
        title, *rest = self.head()
        mark = "✅" if self.one.passed else "❌"
        end = list(self.end())
        lines = [
            f"### {mark} {_inline(title)}",
            "",
            *map(_inline, rest),
            "",
            *(f"{_inline(line.strip())}  " for line in end),
            "",
        ]
        for gate in self.writer.gates(self.one.gates):
            lines.append(f"- {'✅' if gate.passed else '❌'} {gate.name}" + (f" ({gate.more})" if gate.more else ""))
            for finding in gate.findings:
                lines += ["", *_fenced(finding, "  "), ""]
        for finding in self.advice():
            lines += ["", *_fenced(finding)]
        for name, sheet in self.sheets("text"):
            sentence = change_sentence(self.comparisons[name], self.words, self.language)
            lines += ["", f"**{name}** : {_inline(sentence)}", "", f"<details><summary>{name}</summary>", ""]
            lines += [*_fenced(sheet.rstrip("\n")), "", "</details>"]
        return "\n".join(lines) + "\n"

    def annotations(self) -> str:
        lines = []
        for gate in self.one.gates:
            for found in gate.found:
                lines.append(_annotated(found, self._said(found), self.writer.say(f"gate.{gate.name}")))
        if self.one.advice:
            named = Report(tuple(map(self._named, self.one.advice)))
            lines.append(render_report(named, {}, form="github", language=self.language))
        lines += [sheet for _, sheet in self.sheets("github")]
        level = "notice" if self.one.passed else "error"
        return "".join([*lines, annotation(level, "\n".join(self.end()), title=next(self.head()))])

    def _said(self, found: GateFinding) -> str:
        return message(problem_of(found), self.language) if found.file else self.writer.finding(found)

    def json(self) -> str:
        """Return the report as JSON. Keys are never renamed or removed."""
        one = self.one
        plain: dict[str, Any] = {
            "passed": one.passed,
            "commit": one.origin.commit,
            "author": one.origin.author,
            "reviewers": list(one.origin.reviewers),
            "signature": one.origin.signature,
            "against": one.against_commit or None,
            "gates": [to_plain(gate) for gate in one.gates],
            "editions": [
                {
                    "procedure": candidate.procedure.id,
                    "edition": candidate.procedure.edition,
                    "fingerprint": candidate.procedure.fingerprint,
                    "in_force": str(candidate.procedure.identity.from_ or "") or None,
                    "before": candidate.before.edition if candidate.before else None,
                    "changes": change_sentence(self.comparisons.get(candidate.procedure.id), self.words, self.language),
                }
                for candidate in one.candidates
            ],
            "removed": list(one.removed),
            "advice": [to_plain(found_of(found, one.places)) for found in one.advice],
        }
        return json.dumps(plain, ensure_ascii=False, indent=2) + "\n"


def _annotated(found: GateFinding, said: str, title: str) -> str:
    if not found.file:
        return annotation("error", said, title=title)
    name = f"{title} ({found.code})"
    return annotation("error", said, file=found.file, line=found.line, col=found.column, title=name)


def _inline(text: str) -> str:
    """Return a line with all characters of Markdown escaped."""
    kept = "".join(f"\\{sign}" if sign in "\\`*_{}[]<>#|!~@" else sign for sign in text)
    return kept.replace("\n", " ")


def _fenced(text: str, before: str = "") -> list[str]:
    fence = "```"
    while fence in text:
        fence += "`"
    return [f"{before}{fence}text", *(f"{before}{line}" for line in text.split("\n")), f"{before}{fence}"]
