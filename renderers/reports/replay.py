"""Report of `guichet replay`: differences that closed dossiers would meet under a proposed edition."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine.domain.editions.replay import Difference
from engine.model import DRAFT, Procedure
from engine.operations.replay import Replay
from renderers.i18n.translations import Translations, in_language

_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "missing": ("missing", "wrong"), "fee": ("fee",), "refused": ("stopped", "refused"), "end": ("end", "unfinished"),
}  # fmt: skip
_SHOWN: Final = 20  # differences shown in one group
_NUMBERS: Final = 5  # dossiers shown for each difference


class ReplayWriter:
    """Writes one replay in one language."""

    def __init__(self, found: Replay, words: Translations, language: str) -> None:
        self.found, self.words, self.language = found, words, language
        self._definitions = (*reversed(found.definitions), found.proposed)

    def say(self, key: str, /, **facts: object) -> str:
        """Return the sentence of a key below `replay.`, with its facts filled in."""
        return self.words.say(f"replay.{key}", self.language, {name: str(value) for name, value in facts.items()})

    def text(self) -> str:
        """Return the report as the command prints it, with 20 differences at most in each group."""
        found = self.found
        title = in_language(found.proposed.identity.title, self.language)
        lines = [self.say("title", name=title, edition=found.proposed.edition), ""]
        lines.append(f"  {self.say('played', count=found.played) if found.played else self.say('none')}")
        if found.played:
            lines.append(f"  {self.say('same', count=found.same) if found.same else self.say('same_none')}")
        for key, kinds in _GROUPS.items():
            lines += self._group(key, [one for one in found.found if one.kind in kinds])
        left = (("erased", found.erased), ("unfaithful", len(found.unfaithful)))
        reported = [f"  {self.say(key, count=count)}" for key, count in left if count]
        reported += [f"  {self.say('more')}"] if found.more else []
        return "\n".join([*lines, *([""] if reported else []), *reported]) + "\n"

    def _group(self, key: str, those: list[Difference]) -> Iterator[str]:
        if not those:
            return
        yield ""
        yield f"  {self.say(f'title_{key}')}"
        for one in those[:_SHOWN]:
            numbers = self.found.found[one]
            shown = ", ".join(numbers[:_NUMBERS]) + ("…" if len(numbers) > _NUMBERS else "")
            yield f"    {self.say('dossiers', count=len(numbers))} : {self.sentence(one)}  [{shown}]"
        if len(those) > _SHOWN:
            yield f"    {self.words.say('migration.others', self.language, {'count': str(len(those) - _SHOWN)})}"

    def sentence(self, one: Difference) -> str:
        """Return one difference in words: a fee, another end, a missing answer or a refusal."""
        if one.kind == "fee":
            key = "fee_changed" if one.before and one.after else "fee_new" if one.after else "fee_gone"
            return self.say(key, at=self._label(one.at), before=self._money(one.before), after=self._money(one.after))
        if one.kind in ("end", "unfinished"):
            return self.say(one.kind, before=self._state(one.before, self._definitions), after=self._state(one.after))
        return self.say(one.kind, at=self._label(one.at), state=self._state(one.state))

    def _money(self, francs: str) -> str:
        return self.words.money(int(francs), self.language) if francs else ""

    def _state(self, name: str, procedures: tuple[Procedure, ...] = ()) -> str:
        if name == DRAFT:
            return self.words.say("migration.draft", self.language, {})
        for procedure in procedures or (self.found.proposed, *self._definitions):
            if name in procedure.states:
                return in_language(procedure.states[name].label, self.language)
        return name

    def _label(self, at: str) -> str:
        """Return the label of an element in the proposed or an earlier edition, or its name if unknown."""
        head = at.rpartition(".")[2] or at
        for procedure in (self.found.proposed, *self._definitions):
            thing: Any = procedure.fields.get(at) or procedure.tasks.get(at) or procedure.things.get(at)
            label = getattr(thing, "label", None) or getattr(thing, "title", None)
            label = label or next(
                (transition.label for transition in procedure.transitions if transition.id == at), None
            )
            if label:
                return in_language(label, self.language)
        return head if head == at else at

    def json(self) -> str:
        """Return the report as JSON. Keys are never renamed or removed."""
        found = self.found
        plain: dict[str, Any] = {
            "procedure": found.proposed.id,
            "edition": found.proposed.edition,
            "fingerprint": found.proposed.fingerprint,
            "against": [{"edition": one.edition, "fingerprint": one.fingerprint} for one in found.definitions],
            "exit_code": exit_code(found),
            "played": found.played,
            "same": found.same,
            "erased": found.erased,
            "unfaithful": list(found.unfaithful),
            "more": found.more,
            "differences": [
                {"kind": one.kind, "at": one.at, "before": one.before, "after": one.after, "state": one.state,
                 "sentence": self.sentence(one), "count": len(numbers), "dossiers": list(numbers)}
                for one, numbers in found.found.items()
            ],
        }  # fmt: skip
        return json.dumps(plain, ensure_ascii=False, indent=2) + "\n"


def exit_code(found: Replay) -> int:
    """Return 0 without difference, 3 with differences."""
    return 3 if found.found else 0
