"""A publication in words: author and reviewers, findings of its gates, changes.

Used by the pages of agents, the public history and `guichet publish`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from engine.core.values import Plain
from engine.publication.gates import facts_of, problem_of
from engine.publication.publications import EditionRecord
from engine.records.publications import Gate, GateFinding, Origin
from renderers.i18n.translations import REFERENCE, Translations, typographic
from renderers.reports.changes import ChangeLine, ChangeWriter, Comparison
from renderers.reports.problems import render_problem

SIGNATURES: Final[Mapping[str, str]] = {
    "G": "good", "U": "uncertified", "B": "forged", "X": "expired", "Y": "key_expired", "R": "revoked", "E": "unchecked",
    "N": "unsigned",
}  # fmt: skip
_TONES: Final[Mapping[str, str]] = {"good": "ok", "forged": "bad", "revoked": "bad"}
_REPORTED: Final = 3  # changes named in a sentence
DOMAIN: Final = frozenset({"price", "questions", "steps", "visits", "documents", "messages", "data"})


@dataclass(frozen=True, slots=True)
class GateText:
    """One gate. Each of `findings` holds the sentence, its place and the line with a caret."""

    name: str
    passed: bool
    findings: tuple[str, ...]
    more: str


@dataclass(frozen=True, slots=True)
class SignatureText:
    """The state of a signature in words, with its colour."""

    text: str
    tone: str  # `ok`, `bad` or empty


class PublicationWriter:
    """Writes publications in one language."""

    def __init__(self, words: Translations, language: str) -> None:
        self.words, self.language = words, language

    def say(self, key: str, /, **facts: object) -> str:
        """Return the sentence of a key below `publication.`, with its facts filled in."""
        return self.words.say(f"publication.{key}", self.language, {name: str(value) for name, value in facts.items()})

    # -- gates

    def gates(self, gates: tuple[Gate, ...]) -> list[GateText]:
        """Return the gates with their findings and the number of those left out."""
        return [
            GateText(
                self.say(f"gate.{one.name}"), one.passed, tuple(self.finding(found) for found in one.found),
                self.say("more", count=one.left) if one.left else "",
            )
            for one in gates
        ]  # fmt: skip

    def finding(self, found: GateFinding) -> str:
        """Return a problem as the checker prints it, with its stored line, or the sentence of a refusal."""
        if not found.file and self.words.has(f"refusal.{found.code}"):
            return self.refusal(found.code, found.facts)
        lines = "\n" * max(0, found.line - 1) + found.excerpt
        return render_problem(problem_of(found), {found.file: lines}, self.language).rstrip("\n")

    def shut(self, gates: tuple[Gate, ...]) -> str:
        """Return the names of the gates that failed, joined."""
        return ", ".join(self.say(f"gate.{one.name}").lower() for one in gates if not one.passed)

    def refusal(self, code: str, facts: Mapping[str, Plain]) -> str:
        """Return a stored reason as a sentence."""
        return self.words.refusal(code, facts_of(facts), self.language)

    # -- people

    def signature(self, origin: Origin) -> SignatureText | None:
        """Return the state of a signature, None without a commit."""
        state = SIGNATURES.get(origin.signature)
        if state is None:
            return None
        said = self.say(f"signature.{state}")
        return SignatureText(
            self.say("signed_by", state=said, name=origin.signer) if origin.signer else said, _TONES.get(state, "")
        )

    def reviewers(self, origin: Origin) -> str:
        """Return the names of the reviewers, joined."""
        return ", ".join(origin.reviewers)

    # -- the history of a procedure

    def edition(self, one: EditionRecord, force: str, what: str) -> str:
        """Return one sentence about an edition: publication, author, reviewers, validity, changes.

        Example: `Édition 7, publiée le … par A. Mensah, relue par K. Agbeko, en vigueur depuis le 1er mars : …`.
        """
        origin = one.first_publication.origin if one.first_publication else Origin("")
        author = one.edition.published_by or origin.author
        return self.say(
            "history.published", edition=one.edition.edition, moment=self.moment(one.edition.published_at),
            by=self.say("history.by", author=author) if author else "",
            reviewed=self.say("history.reviewed", names=self.reviewers(origin)) if origin.reviewers else "",
            force=force, what=self.say("history.what", what=what) if what else "",
        )  # fmt: skip

    def moment(self, at: datetime) -> str:
        """Return the day and hour of an act in the history."""
        return self.say("history.at", moment=self.words.moment(at, self.language))

    def force(self, begins: date | None, until: date | None, today: date, serving: bool, over: bool) -> str:
        """Return since or until when an edition is in force, empty if it never was."""
        if begins is not None and begins > today:
            return self.say("history.from", day=self._day(begins))
        if serving and begins is not None:
            return self.say("history.since", day=self._day(begins))
        if serving:
            return self.say("history.in_force")
        if until is not None:
            return self.say("history.until", day=self._day(until))
        return self.say("history.over") if over else ""

    def _day(self, day: date) -> str:
        return self.words.plain_day(day, self.language)

    def turns(self, one: EditionRecord) -> Iterator[str]:
        """Yield a sentence for each return to or withdrawal of the edition, with person and reason.

        The order is that of time: a restored edition that is no longer in force was withdrawn later.
        """
        for key, turn in (("back", one.back), ("withdrawn", one.withdrawn)):
            if turn is None:
                continue
            by = self.say("history.by", author=turn.by) if turn.by else ""
            because = self.say("history.because", because=turn.because.rstrip(". ")) if turn.because else ""
            edition = turn.placed[0].edition if turn.placed else ""
            yield self.say(f"history.{key}", moment=self.moment(turn.at), edition=edition, by=by, because=because)


def change_sentence(compared: Comparison | None, words: Translations, language: str) -> str:
    """Return the changes of an edition in one sentence: prices first, three changes, then a count."""
    if compared is None:
        return words.say("publication.history.first", language, {})
    writer = ChangeWriter(compared, words, language)
    lines = [line for chapter in writer.chapters() for line in chapter.lines if line.change.path[0] != "accept"]
    if not lines:
        return words.say("publication.history.no_effect", language, {})
    felt = [line for line in lines if line.change.chapter in DOMAIN] or lines
    reported = [_short(line, words, language) for line in felt[:_REPORTED]]
    left = len(lines) - len(reported)
    more = [words.say("publication.history.more", language, {"count": str(left)})] if left else []
    return (" ; " if language == REFERENCE else "; ").join([*reported, *more])


def _short(line: ChangeLine, words: Translations, language: str) -> str:
    """Return `Passeport, 30 000 → 35 000 FCFA`: an amount is clear without its facet."""
    what = line.what
    if line.change.key in ("amount", "value") and " → " in what:
        what = what.rpartition(typographic(" : ", language))[2]
    return (
        words.say("publication.history.change", language, {"label": line.label, "what": what}) if what else line.label
    )
