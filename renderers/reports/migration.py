"""Report of `guichet migrate`: dossiers that move, changed names, dossiers that stay and why."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from engine.model import DRAFT, Procedure
from engine.operations.migration import Migration, Staying
from renderers.i18n.translations import Translations, in_language

_SHOWN: Final = 8  # numbers of dossiers after each reason


class MigrationWriter:
    """Writes one migration in one language."""

    def __init__(self, found: Migration, words: Translations, language: str) -> None:
        self.found, self.words, self.language = found, words, language

    def say(self, key: str, /, **facts: object) -> str:
        """Return the sentence of a key below `migration.`, with its facts filled in."""
        return self.words.say(f"migration.{key}", self.language, {name: str(value) for name, value in facts.items()})

    def text(self) -> str:
        """Return the report as the command prints it. The largest groups of staying dossiers come first."""
        found = self.found
        title = in_language(found.definition.identity.title, self.language)
        lines = [self.say("title", name=title, edition=found.definition.edition), ""]
        lines += list(self._moves()) or [f"  {self.say('nothing')}"]
        lines += self._names()
        lines += self._stays()
        counts = (("there", found.there), ("closed", found.closed))
        lines += ["", *(f"  {self.say(key, count=count)}" for key, count in counts if count)]
        if found.more:
            lines.append(f"  {self.say('more')}")
        return "\n".join(lines).rstrip() + "\n"

    def _moves(self) -> Iterator[str]:
        transitions = Counter((one.edition, one.source, one.target) for one in self.found.moved)
        for (edition, source, target), count in sorted(transitions.items()):
            names = self._state(self.found.before.get(edition), source), self._state(self.found.definition, target)
            key = "would" if self.found.dry_run else "did"
            yield f"  {self.say(key, count=count, edition=edition, source=names[0], target=names[1])}"

    def _state(self, procedure: Procedure | None, name: str) -> str:
        if name == DRAFT:
            return self.say("draft")
        state = procedure.states.get(name) if procedure else None
        return in_language(state.label, self.language) if state else name

    def _names(self) -> list[str]:
        names = Counter(pair for one in self.found.moved for pair in one.names.items())
        lines = [
            self.say("dropped" if new is None else "renamed", count=count, old=old, new=new or "")
            for (old, new), count in sorted(names.items(), key=lambda item: item[0][0])
        ]
        return ["", f"  {self.say('names')}", *(f"    {line}" for line in lines)] if lines else []

    def _stays(self) -> Iterator[str]:
        groups: dict[str, list[Staying]] = {}
        for one in self.found.staying:
            groups.setdefault(self.why(one), []).append(one)
        for why, those in sorted(groups.items(), key=lambda item: -len(item[1])):
            shown = ", ".join(one.number for one in those[:_SHOWN])
            others = len(those) - _SHOWN
            numbers = f"{shown} {self.say('others', count=others)}" if others > 0 else shown
            yield from (
                "",
                f"  {self.say('stay', count=len(those), why=why)}",
                f"    {self.say('numbers', numbers=numbers)}",
            )

    def why(self, one: Staying) -> str:
        """Return why a dossier stays, with labels of states in place of their names."""
        facts = self.words.facts(one.why.facts, self.language)
        if "state" in facts:
            facts["state"] = self._state(self.found.before.get(one.edition), facts["state"])
        if "to" in facts:
            facts["to"] = self._state(self.found.definition, facts["to"])
        return self.say(f"stays.{one.why.code}", **facts)

    def json(self) -> str:
        """Return the report as JSON. Keys are never renamed or removed."""
        found = self.found
        plain: dict[str, Any] = {
            "procedure": found.definition.id,
            "edition": found.definition.edition,
            "fingerprint": found.definition.fingerprint,
            "dry_run": found.dry_run,
            "exit_code": exit_code(found),
            "moved": [
                {"number": one.number, "edition": one.edition, "from": one.source, "to": one.target, "names": dict(one.names)}
                for one in found.moved
            ],
            "staying": [
                {"number": one.number, "edition": one.edition, "state": one.state, "code": one.why.code,
                 "facts": dict(one.why.facts), "sentence": self.why(one)}
                for one in found.staying
            ],
            "there": found.there,
            "closed": found.closed,
            "more": found.more,
        }  # fmt: skip
        return json.dumps(plain, ensure_ascii=False, indent=2) + "\n"


def exit_code(found: Migration) -> int:
    """Return 0 if nothing is left to move, 2 if some dossiers can be moved, 3 if some stay."""
    if found.staying:
        return 3
    return 2 if found.more or (found.dry_run and found.moved) else 0
