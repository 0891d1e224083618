"""Builder of papers: what a document states, zone by zone (`engine/model/paper.py`)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from engine.core.values import Text
from engine.language.compiler.build_context import PLACEHOLDER, frozen
from engine.language.compiler.namespace import PARTS, TASKS
from engine.language.compiler.symbols import SymbolContext
from engine.language.expressions.parse_context import Vocabulary
from engine.language.source.loader import Path
from engine.model.paper import Mentions, OutputPaper, PaperClause, PaperTable, PaperText, placeholders_of
from engine.model.types import TRUE, YES_NO

PAPER_KEYS: Final = (
    "subtitle", "addressee", "cites", "issuer", "preamble", "particulars", "operative", "articles", "lines_of", "declared",
    "mentions", "reason_of", "remedies", "sealed_by", "accepted_by", "place", "courtesy",
)  # fmt: skip
SYSTEM_WORDS: Final = frozenset(
    {
        "dossier",
        "number",
        "title",
        "office",
        "agency",
        "issuer",
        "town",
        "issued",
        "sent",
        "until",
        "reason",
        "grounds",
        "pieces",
    }
)
_BEFORE_NAME: Final = re.compile(r"^(?:(?:day|hour|actor|number|opinions) of |(?:words|list): |agree (?=[a-z]))")
_DATED: Final = (*PARTS, *TASKS, "transition", "output")


def build_paper(symbols: SymbolContext, path: Path, words: Vocabulary, answers: set[str]) -> OutputPaper | None:
    """Return the paper of an output, None when it has no key of a paper. A form that shows every answer has one."""
    written = symbols.build.entries(path)
    whole_form = written.get("kind") == "form" and not {"shows", "body"} & written.keys()
    token = isinstance(written.get("verify"), dict)
    if not token and not whole_form and not any(key in written for key in PAPER_KEYS):
        return None
    return _Papers(symbols, path, words, answers).paper()


class _Papers:
    """Builds the zones of one output. `answers` are the names that its texts may print."""

    def __init__(self, symbols: SymbolContext, path: Path, words: Vocabulary, answers: set[str]) -> None:
        self.symbols, self.build, self.path, self.words, self.answers = symbols, symbols.build, path, words, answers
        self.printed = {*answers, *symbols.names.of("fee", "definition"), *SYSTEM_WORDS}

    def paper(self) -> OutputPaper:
        """Return all zones."""
        build, path = self.build, self.path
        remedies = (*path, "remedies")
        return OutputPaper(
            subtitle=self.text((*path, "subtitle")),
            cites=tuple(self.laws((*path, "cites"))),
            addressee=self.text((*path, "addressee")),
            issuer=self.text((*path, "issuer")),
            preamble=tuple(self.clauses((*path, "preamble"))),
            particulars=self.particulars((*path, "particulars")),
            operative=tuple(self.clauses((*path, "operative"))),
            articles=tuple(self.clauses((*path, "articles"))),
            lines_of=next(iter(self.symbols.names.checked(build, (*path, "lines_of"), "fee")), None),
            declared=tuple(self.names((*path, "declared"))),
            mentions=self.mentions((*path, "mentions")),
            reason_of=self.symbols.names.checked(build, (*path, "reason_of"), "transition"),
            remedies=tuple(self.appeals(remedies)) if build.at(remedies) is not None else None,
            sealed=build.at((*path, "sealed_by")) is not None,
            accepted_by=build.role((*path, "accepted_by")),
            place=build.text((*path, "place")),
            courtesy=build.ids((*path, "courtesy")),
            verify_shows=self.shown((*path, "verify")),
        )

    def shown(self, path: Path) -> tuple[str, ...] | None:
        """Return the answers that verification shows, None for the default."""
        there = (*path, "shows")
        return tuple(self.names(there)) if self.build.at(there) is not None else None

    def names(self, path: Path) -> Iterator[str]:
        """Yield the names of answers at a path. Report N301 for an unknown one."""
        known = {*self.answers, *self.symbols.names.of("definition")}
        for name, there in self.build.named(path):
            if name in known:
                yield name
            else:
                self.build.unknown("N301", there, name, known)

    def laws(self, path: Path) -> Iterator[str]:
        """Yield the laws cited. Report N306 for an unknown one."""
        for name, there in self.build.named(path):
            if name in self.build.laws:
                yield name
            else:
                self.build.unknown("N306", there, name, self.build.laws)

    def appeals(self, path: Path) -> Iterator[str]:
        """Yield the appeals named. Report N304 for an unknown one."""
        agency = self.build.library.directory.agencies.get(self.build.agency)
        known = self.build.entries(("appeals",)) or (agency.appeals if agency else {})
        for name, there in self.build.named(path):
            if name in known:
                yield name
            else:
                self.build.unknown("N304", there, name, known, kind="appeal")

    def particulars(self, path: Path) -> Mapping[str, Text | None]:
        """Return the answers printed as particulars, with their label where the file gives one."""
        found: dict[str, Text | None] = {}
        for at, one in enumerate(self.build.items(path)):
            here = (*path, at)
            if isinstance(one, dict):
                found.update({name: self.build.text((*here, name)) for name in self.known(one, here)})
            elif isinstance(one, str):
                found.update(dict.fromkeys(self.names(here)))
        return frozen(found)

    def known(self, entry: Mapping[str, object], path: Path) -> Iterator[str]:
        """Yield the keys of a map that are names of answers. Report N301 for the others."""
        known = {*self.answers, *self.symbols.names.of("definition")}
        for name in entry:
            if name in known:
                yield name
            else:
                self.build.unknown("N301", (*path, name), name, known)

    def mentions(self, path: Path) -> Mentions:
        """Return what the document says to its holder and to the person who receives it."""
        return Mentions(
            tuple(self.clauses((*path, "holder"))),
            self.text((*path, "receiver")),
            tuple(self.clauses((*path, "copies_to"))),
        )

    def clauses(self, path: Path) -> Iterator[PaperClause]:
        """Yield the clauses of a zone: a text, or a list of texts and of `{when, text, table}`."""
        places = [(*path, at) for at, _ in enumerate(self.build.items(path))] or [path]
        for place in places:
            entry = self.build.entries(place)
            inner = "text" in entry
            text = self.text((*place, "text") if inner else place)
            if text is None:
                continue
            when = self.build.or_else((*place, "when"), self.words, YES_NO, TRUE) if inner else TRUE
            yield PaperClause(text, when, self.table((*place, "table")) if inner else None)

    def table(self, path: Path) -> PaperTable | None:
        """Return the rows printed under a text, None when there are none."""
        rows = self.build.words((*path, "of"))
        if rows is None:
            return None
        known = self.symbols.words.rows
        if rows not in known:
            self.build.unknown("N301", (*path, "of"), rows, known)
            return None
        columns = []
        for name, there in self.build.named((*path, "columns")):
            if name in known[rows]:
                columns.append(name)
            else:
                self.build.unknown("N301", there, name, known[rows])
        return PaperTable(rows, tuple(columns), self.build.text((*path, "empty")))

    def text(self, path: Path) -> PaperText | None:
        """Return a text with placeholders, None when there is none. Report N308 for each one that is not known."""
        text = self.build.template(path)
        if text is None:
            return None
        used: set[str] = set()
        for language, words in text.versions:
            there = path if isinstance(self.build.at(path), str) else (*path, language)
            read = {one.start: one for one in placeholders_of(words)}
            for found in PLACEHOLDER.finditer(words):
                one = read.get(found.start())
                name = one.name if one is not None else found[1]
                known = self.printed
                if one is not None and one.kind in ("day", "hour", "actor", "number", "opinions"):
                    known = set(self.symbols.names.of(*(("output",) if one.kind == "number" else _DATED)))
                if one is not None and name in known:
                    used.add(name)
                elif name not in self.build.broken:
                    at = found.start(1) + (
                        len(found[1]) - len(_BEFORE_NAME.sub("", found[1])) if one is not None else 0
                    )
                    where = self.build.placed.inside(there, at, max(1, len(name)))
                    of = "document" if known is self.printed else "event"
                    self.build.unknown_at("N308", where, name, known, of=of)
        return PaperText(text, frozenset(used))
