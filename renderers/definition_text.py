"""The whole definition in words, for a jurist: what is asked and when, what is owed, who may do what, what is said and
kept, and on which text each value rests. Read from the compiled book, so that it is what really runs."""

from __future__ import annotations

from collections.abc import Iterator

from engine.definition.directory import Directory
from engine.definition.expressions import Constant
from engine.definition.model import (
    Law,
    Output,
    Procedure,
)
from engine.values import Span
from renderers.definition_circuit import CircuitReader
from renderers.definition_form import FormReader
from renderers.definition_parts import Clause, DefinitionText, LawText, Reader, capital
from renderers.words import Words


def definition_text(procedure: Procedure, directory: Directory, words: Words, language: str) -> DefinitionText:
    """Every chapter, in one language."""
    around = _Reader(procedure, directory, words, language)
    form = FormReader(procedure, directory, words, language)
    circuit = CircuitReader(procedure, directory, words, language)
    own = [question for page in procedure.form.pages for question in page.fields if question.evidence is not None]
    return DefinitionText(
        facts=tuple(around.facts()),
        laws=tuple(around.law(law) for law in procedure.laws.values()),
        eligibility=tuple(form.eligibility()),
        pages=tuple(page for page in map(form.page, procedure.form.pages) if page.questions or page.rules),
        evidence=tuple(form.evidence(one) for one in own),
        fees=tuple(form.fee(fee) for fee in procedure.fees()),
        visits=tuple(form.visit(one) for one in procedure.appointments()),
        later=tuple(form.later()),
        look_ups=tuple(form.look_ups()),
        states=tuple(circuit.state(state) for state in procedure.states.values()),
        roles=tuple(circuit.role(key) for key in circuit.roles()),
        matrix=tuple(circuit.matrix()),
        timers=tuple(circuit.timers()),
        documents=tuple(around.document(one) for one in procedure.outputs.values()),
        notices=tuple(circuit.notices()),
        data=tuple(around.data()),
        sensitive=tuple(around.sensitive()),
        appeals=tuple(around.appeals()),
        accepted=tuple(around.accepted()),
        stories=tuple(around.t(one.story) for one in procedure.scenarios),
    )


class _Reader(Reader):
    """Reads who answers for the procedure, by which law, what it gives and what it keeps."""

    # -- identity and law ----------------------------------------------------------------------------------------------

    def facts(self) -> Iterator[tuple[str, str]]:
        identity = self.book.identity
        agency = self.directory.agencies.get(identity.agency)
        yield self.say("summary"), self.t(identity.summary)
        yield self.say("agency"), self.t(agency.label) if agency else identity.agency
        yield self.say("edition"), str(identity.edition)
        yield self.say("in_force"), self._in_force()
        yield self.say("delay"), " ; ".join(self._delays()) or self.say("none")
        audience = (self.words.say(f"sheet.audience_{one}", self.language, {}) for one in identity.audience)
        yield self.say("audience"), " ; ".join(audience)
        yield self.say("channels"), ", ".join(self.say(f"channel_{one}") for one in identity.channels)
        yield (
            self.say("office"),
            self.expressions.value(self.book.office) if self.book.office else self.say("office_first"),
        )
        yield self.say("start"), self.t(self.book.state(self.book.start).label)

    def _in_force(self) -> str:
        first, last = self.book.identity.from_, self.book.identity.until
        day = {
            name: self.words.plain_day(one, self.language) for name, one in (("first", first), ("last", last)) if one
        }
        if first and last:
            return self.say("in_force_both", **day)
        if first or last:
            return self.say("in_force_from" if first else "in_force_until", day=day["first" if first else "last"])
        return self.say("in_force_open")

    def _delays(self) -> Iterator[str]:
        law = self.basis(self.book.identity, "delay")
        for when, span in self.book.identity.delay.entries:
            said = self.when("when", when)
            yield f"{self.span(span)} {said}".strip() + (f" ({law})" if law else "")

    def law(self, law: Law) -> LawText:
        day = self.words.plain_day(law.checked, self.language) if law.checked else ""
        details = [
            self.say("source", source=law.source) if law.source else "",
            self.say("article", article=law.article) if law.article else "",
            self.say("checked", day=day) if day else "",
            self.t(law.note),
        ]
        kind = {"sourced": "ok", "to_confirm": "act", "plausible": "act"}[law.status]
        return LawText(
            law.id,
            self.t(law.title),
            self.say(f"status_{law.status}"),
            kind,
            ", ".join(filter(None, details)),
            law.url or "",
        )

    # -- what is given, said and kept ----------------------------------------------------------------------------------

    def document(self, one: Output) -> Clause:
        valid = one.valid.node if one.valid else None
        if isinstance(valid, Constant) and isinstance(valid.value, Span):
            holds = self.say("document_valid", span=self.span(valid.value))
        else:
            holds = self.say("document_valid_until", value=self.expressions.value(one.valid)) if one.valid else ""
        lines = (
            self.when("document_when", one.when), holds,
            self.say("document_shows", fields=", ".join(self.label(name) for name in one.shows)) if one.shows else "",
            self.say("document_signed", role=self.role(one.signed_by)) if one.signed_by else "",
            capital(self.say(f"document_verify_{one.verify}")),
        )  # fmt: skip
        kind = self.say("document_grants") if one.grants else self.say("document_letter")
        return Clause(self.t(one.title), tuple(filter(None, lines)), self.basis(one, "valid", "signed_by"), kind)

    def data(self) -> Iterator[tuple[str, str]]:
        data = self.book.personal_data
        yield self.say("purpose"), self.t(data.purpose)
        yield self.say("ground"), self.say(f"ground_{data.ground}")
        if data.declaration:
            yield self.say("declaration"), data.declaration
        kept = [
            self.say("keep_line", outcome=self.say(f"outcome_{name}"), span=self.span(span))
            for name, span in data.keep.items()
        ]
        law = self.basis(data, "keep")
        yield (
            self.say("keep"),
            f"{' ; '.join(kept)}, {self.say(f'afterwards_{data.afterwards}')}." + (f" {law}." if law else ""),
        )

    def appeals(self) -> Iterator[str]:
        agency = self.directory.agencies.get(self.book.identity.agency)
        for one in (self.book.identity.appeals or (agency.appeals if agency else {})).values():
            within = self.say("appeal_within", span=self.span(one.within)) if one.within else ""
            yield ", ".join(filter(None, (self.t(one.label), within, self.basis(one))))

    def accepted(self) -> Iterator[str]:
        for one in self.book.accept:
            until = self.say("accepted_until", day=self.words.plain_day(one.until, self.language)) if one.until else ""
            yield ", ".join(
                filter(None, (self.say("accepted_line", code=one.id, at=one.at, because=one.because), until))
            )

    def sensitive(self) -> Iterator[str]:
        for name, terms in self.book.personal_data.sensitive.items():
            yield self.say("sensitive_line", label=self.label(name), roles=self.roles_text(terms.seen_by))
