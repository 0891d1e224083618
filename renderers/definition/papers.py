"""What each document states, and where each of its values comes from, in sentences (`docs/language.md` §14, P13)."""

from __future__ import annotations

from collections.abc import Iterator

from engine.model import Form, Output
from engine.model.paper import OutputPaper, PaperClause, PaperText, Placeholder, placeholders_of
from engine.model.provenance import Confirmation, ValueSource, sources_of
from renderers.definition.reader import ProcedureReader
from renderers.i18n.translations import in_language, quoted

_OWN_HOLES = ("words", "list", "day", "hour", "actor", "number", "opinions")


class PaperReader(ProcedureReader):
    """Reads the papers of one procedure: the zones of each, then the source of each value."""

    def paper(self, one: Output) -> Iterator[str]:
        """Yield one sentence for each part of a document, in the order of the page, then those of its sources."""
        paper = one.paper
        if paper is None:
            return
        yield from self._head(paper)
        yield from self._clauses("paper_preamble", paper.preamble)
        if paper.particulars:
            labels = (self.t(label) or self.printed(name) for name, label in paper.particulars.items())
            yield self.say("paper_particulars", fields=self._joined(labels))
        yield from self._clauses("paper_states", paper.operative)
        for at, clause in enumerate(paper.articles, 1):
            yield from self._clauses("paper_article", (clause,), number=at)
        if paper.lines_of:
            yield self.say("paper_lines", fee=self.label(paper.lines_of))
        if paper.declared:
            yield self.say("paper_declared", fields=self._joined(map(self.printed, paper.declared)))
        yield from self._foot(paper)
        yield from self.sources(one)

    def _head(self, paper: OutputPaper) -> Iterator[str]:
        if paper.subtitle is not None:
            yield self.say("paper_subtitle", text=self.paper_text(paper.subtitle))
        if paper.cites:
            yield self.say("paper_cites", laws=self._joined(self._cited(name) for name in paper.cites))
        if paper.issuer is not None:
            yield self.say("paper_issuer", text=self.paper_text(paper.issuer))

        if paper.addressee is not None:
            yield self.say("paper_addressee", text=self.paper_text(paper.addressee))

    def _cited(self, name: str) -> str:
        law = self.definition.laws.get(name)
        return self.t(law.cite or law.title) if law is not None else name

    def _clauses(self, key: str, clauses: tuple[PaperClause, ...], **facts: object) -> Iterator[str]:
        for clause in clauses:
            said = self.say(key, text=self.paper_text(clause.text), **facts)
            notes = [self.when("when", clause.when), self._table(clause)]
            yield f"{said} ({' ; '.join(filter(None, notes))})" if any(notes) else said

    def _table(self, clause: PaperClause) -> str:
        table = clause.table
        if table is None:
            return ""
        said = self.say("paper_table", rows=self.printed(table.of))
        if table.columns:
            said += f", {self.say('paper_columns', fields=self._joined(map(self.printed, table.columns)))}"
        return f"{said}, {self.say('paper_empty', text=self.t(table.empty))}" if table.empty is not None else said

    def _foot(self, paper: OutputPaper) -> Iterator[str]:
        mentions = paper.mentions
        yield from self._clauses("paper_holder", mentions.holder)
        if mentions.receiver is not None:
            yield self.say("paper_receiver", text=self.paper_text(mentions.receiver))
        yield from self._clauses("paper_copies", mentions.copies_to)
        if paper.reason_of:
            yield self.say("paper_reason", acts=self._joined(map(self._act, paper.reason_of)))
        if paper.remedies is not None:
            said = self._joined(map(self._appeal_label, paper.remedies))
            yield self.say("paper_remedies", appeals=said) if said else self.say("paper_no_remedy")
        if paper.accepted_by:
            yield self.say("paper_accepted", role=self.role(paper.accepted_by))
        if paper.place is not None:
            yield self.say("paper_place", place=self.t(paper.place))
        yield from self.courtesy(paper)
        if paper.verify_shows is not None:
            yield self.say("paper_verify_shows", fields=self._joined(map(self.printed, paper.verify_shows)))

    def _appeal_label(self, name: str) -> str:
        agency = self.directory.agencies.get(self.definition.identity.agency)
        appeal = self.definition.identity.appeals.get(name) or (agency.appeals.get(name) if agency else None)
        return self.t(appeal.label) if appeal is not None else name

    def _joined(self, names: Iterator[str] | map[str]) -> str:
        return ", ".join(quoted(name, self.language) for name in dict.fromkeys(names))

    # -- texts ---------------------------------------------------------------------------------------------------------

    def printed(self, name: str) -> str:
        """Return the label of an answer as documents print it: its noun if it has one."""
        field = self.definition.fields.get(name) or self.expressions.columns.get(name)
        return self.t(field.printed_label) if field is not None else self.hole(name)

    def paper_text(self, one: PaperText) -> str:
        """Return a text of a document with labels as its placeholders: `{Montant, en lettres}`."""
        text = in_language(one.text, self.language)
        said, last = "", 0
        for found in placeholders_of(text):
            said += text[last : found.start] + self._placeholder(found)
            last = found.end
        return " ".join((said + text[last:]).replace("**", "").split())

    def _placeholder(self, one: Placeholder) -> str:
        if one.kind == "agree":
            return "/".join(one.forms)
        if one.kind in _OWN_HOLES:
            name = self.printed(one.name) if one.kind in ("words", "list") else self._act(one.name)
            return f"{{{self.say(f'paper_hole_{one.kind}', name=name)}}}"
        return f"{{{self.printed(one.name)}}}"

    def _act(self, name: str) -> str:
        found = next((one for one in self.definition.transitions if one.id == name), None)
        return self.t(found.label) if found is not None else self.label(name)

    # -- sources -------------------------------------------------------------------------------------------------------

    def sources(self, one: Output) -> Iterator[str]:
        """Yield one sentence for each source of a document, with all values that come from it."""
        found: dict[str, list[str]] = {}
        for name, source in sources_of(self.definition, one).items():
            found.setdefault(self.source(source), []).append(self.printed(name))
        for said, names in found.items():
            yield self.say("source_line", fields=self._joined(iter(names)), source=said)

    def source(self, one: ValueSource) -> str:
        """Return where a value comes from, in words."""
        if one.kind == "computed":
            names = self._joined(self.printed(part.name) for part in one.computed_from)
            said = dict.fromkeys(self.source(leaf) for leaf in one.leaves())
            return self.say("source_computed", fields=names, source=" ; ".join(said))
        if one.kind == "register":
            return self.say("source_register", register=self._register(one.at))
        if one.kind == "form":
            return self.say("source_form", form=self.label(one.at), roles=self.roles_text(one.by))
        if one.kind == "system":
            return self.say("source_system")
        checks = dict.fromkeys(map(self._confirmation, one.confirmed))
        if (one.zones and one.only_declared) or not checks:
            return self.say("source_declared")
        return " ; ".join(checks)

    def _confirmation(self, one: Confirmation) -> str:
        if one.by_kind == "look_up":
            return self.say("source_matched", register=self._register(one.at), answer=self.label(one.against))
        key = "source_confirmed_act" if one.by_kind == "act" else "source_confirmed_form"
        at = self._act(one.at) if one.by_kind == "act" else self.label(one.at)
        return self.say(key, piece=self.printed(one.against), at=at, roles=self.roles_text(one.by))

    def _register(self, look_up: str) -> str:
        task = self.definition.tasks.get(look_up)
        register = self.directory.registers.get(task.register or "") if isinstance(task, Form) else None
        return self.t(register.label) if register is not None else self.label(look_up)
