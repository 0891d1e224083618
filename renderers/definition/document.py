"""The whole definition in sentences, for a jurist: questions, fees, rights, messages, data and the law of each value.

The text comes from the compiled procedure, so it describes what runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.core.values import Span
from engine.model import Annotation, Appeal, Law, Output, Procedure
from engine.model.directory import Directory
from engine.model.types import Constant
from renderers.definition.expressions import ExpressionWriter
from renderers.definition.fees import MoneyReader
from renderers.definition.papers import PaperReader
from renderers.definition.parts import Clause, DefinitionText, LawText, capital
from renderers.definition.reader import TitleOf, spelled
from renderers.definition.tasks import WaitReader, spelled_name
from renderers.definition.workflow import CircuitReader
from renderers.i18n.problem_messages import explanation
from renderers.i18n.translations import Translations, quoted

CHAPTERS: Final = (
    "identity", "laws", "eligibility", "questions", "evidence", "fees", "tables", "visits", "opinions", "later", "look_ups",
    "links", "states", "matrix", "timers", "documents", "notices", "data", "appeals", "lists", "numbers", "editions", "accepted",
    "stories",
)  # fmt: skip
OPTIONAL: Final = frozenset({  # left out of the contents if empty
    "eligibility", "tables", "visits", "opinions", "later", "look_ups", "links", "appeals", "lists", "numbers", "editions",
    "accepted", "stories",
})  # fmt: skip


def definition_text(
    procedure: Procedure, directory: Directory, words: Translations, language: str, title_of: TitleOf = spelled
) -> DefinitionText:
    """Return all chapters in one language. `title_of` returns the title of another procedure."""
    form = WaitReader(procedure, directory, words, language, title_of)
    around = _Reader(procedure, directory, words, language, title_of)
    money = MoneyReader(procedure, directory, words, language, title_of)
    circuit = CircuitReader(procedure, directory, words, language, title_of)
    own = [question for page in procedure.form.pages for question in page.fields if question.evidence is not None]
    return DefinitionText(
        facts=(*around.facts(), (around.say("application"), form.application())),
        laws=tuple(around.law(law) for law in procedure.laws.values()),
        eligibility=tuple(form.eligibility()),
        pages=tuple(
            page for page in map(form.page, procedure.form.pages) if page.questions or page.rules or page.notes
        ),
        evidence=tuple(form.evidence(one) for one in own),
        fees=tuple(money.fee(fee) for fee in procedure.fees()),
        tables=tuple(money.tables()),
        visits=tuple(money.visit(one) for one in procedure.appointments()),
        opinions=tuple(form.opinions()),
        later=tuple(form.later()),
        look_ups=tuple(form.look_ups()),
        links=tuple(form.links()),
        states=tuple(circuit.state(state) for state in procedure.states.values()),
        roles=tuple(circuit.role(key) for key in circuit.roles()),
        matrix=tuple(circuit.matrix()),
        timers=tuple(circuit.timers()),
        documents=tuple(around.document(one) for one in procedure.outputs.values()),
        notices=tuple(circuit.notices()),
        data=tuple(around.data()),
        sensitive=tuple(around.sensitive()),
        appeals=tuple(around.appeals()),
        lists=tuple(form.lists()),
        numbers=tuple(form.numbers()),
        editions=tuple(around.editions()),
        accepted=tuple(around.accepted()),
        stories=tuple(around.t(one.story) for one in procedure.scenarios),
    )


class _Reader(PaperReader):
    """Reads identity, laws, outputs, personal data, appeals and editions of a procedure."""

    # -- identity and law ----------------------------------------------------------------------------------------------

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield the label and the value of each fact of the identity."""
        identity = self.definition.identity
        agency = self.directory.agencies.get(identity.agency)
        yield self.say("name"), self.t(identity.title)
        yield self.say("summary"), self.t(identity.summary)
        yield self.say("agency"), self.t(agency.label) if agency else identity.agency
        contact = identity.contact or (agency.contact if agency else None)
        if contact is not None:
            yield self.say("contact"), self.values.of("contact", contact)
        yield self.say("edition"), str(identity.edition)
        yield self.say("in_force"), self._in_force()
        yield self.say("delay"), " ; ".join(self._delays()) or self.say("none")
        yield self.say("audience"), self._listed("sheet.audience", identity.audience, " ; ")
        yield self.say("representative"), self.say(f"representative_{identity.representative}")
        yield self.say("channels"), self._listed("definition.channel", identity.channels)
        yield self.say("languages"), self._listed("definition.language", identity.languages)
        if identity.category:
            key = f"theme.{identity.category}"
            known = self.words.has(key)
            yield (
                self.say("category"),
                self.words.say(key, self.language, {}) if known else spelled_name(identity.category),
            )
        if identity.life_events:
            yield self.say("life_events"), ", ".join(map(self._life_event, identity.life_events))
        yield (
            self.say("office"),
            self.expressions.value(self.definition.office) if self.definition.office else self.say("office_first"),
        )
        yield self.say("start"), self.t(self.definition.state(self.definition.start).label)
        yield self.say("dossier_named"), self.template(identity.dossier_label)
        if law := self.basis(identity, "identity"):
            yield self.say("laws"), law
        for said in self.rest(identity, "identity", "edition", "title", "summary", "agency", "category", "life_events",
                              "languages", "channels", "from", "until", "delay", "contact", "appeals", "audience",
                              "dossier_label", "representative"):  # fmt: skip
            yield self.say("also"), said

    def _life_event(self, name: str) -> str:
        key = f"definition.life_event.{name}"
        return self.words.say(key, self.language, {}) if self.words.has(key) else spelled_name(name)

    def _listed(self, group: str, names: tuple[str, ...], between: str = ", ") -> str:
        return between.join(self.words.say(f"{group}_{one}", self.language, {}) for one in names)

    def _in_force(self) -> str:
        first, last = self.definition.identity.from_, self.definition.identity.until
        day = {
            name: self.words.plain_day(one, self.language) for name, one in (("first", first), ("last", last)) if one
        }
        if first and last:
            return self.say("in_force_both", **day)
        if first or last:
            return self.say("in_force_from" if first else "in_force_until", day=day["first" if first else "last"])
        return self.say("in_force_open")

    def _delays(self) -> Iterator[str]:
        identity = self.definition.identity
        law = self.law_title(identity.law_of("delay") or "") or self.say("no_law")
        if identity.delay.law:
            yield self.say("delay_law")
        for when, span in identity.delay.entries:
            said = self.when("when", when)
            yield f"{self.span(span)} {said}".strip() + f" ({law})"

    def law(self, law: Law) -> LawText:
        """Return a text of law with its status, source and day of the last check."""
        day = self.words.plain_day(law.checked, self.language) if law.checked else ""
        details = [
            self.say("official") if law.official else "",
            self.say("source", source=law.source) if law.source else "",
            self.say("article", article=law.article) if law.article else "",
            self.say("checked", day=day) if day else "",
            self.say("cite", text=self.t(law.cite)) if law.cite else "",
            self.t(law.note),
            *self.rest(
                law, "law", "title", "status", "official", "source", "article", "url", "checked", "cite", "note"
            ),
        ]
        kind = {"sourced": "ok", "to_confirm": "act", "plausible": "act"}[law.status]
        return LawText(
            self.t(law.title), self.say(f"status_{law.status}"), kind, ", ".join(filter(None, details)), law.url or ""
        )

    # -- what is given -------------------------------------------------------------------------------------------------

    def document(self, one: Output) -> Clause:
        """Return an output: what issues it, its validity, number, content and signature."""
        lines = (
            self.say("document_made", where=", ".join(self._makers(one))), self.when("document_when", one.when),
            self.say("document_per", rows=self.label(one.per)) if one.per else "", self._valid(one),
            self.say("document_number", number=self._number(one.number)),
            self.say("document_serial", of=", ".join(map(self._part, one.serial_per))),
            self.say("document_gapless") if one.gapless else "",
            self.say("document_shows", fields=", ".join(self.label(name) for name in one.shows)) if one.shows else "",
            self.say("document_body", text=self.template(one.body)) if one.body else "",
            self.say("document_signed", role=self.role(one.signed_by)) if one.signed_by else self.say("document_sealed"),
            *self.paper(one),
            capital(self.say(f"document_verify_{one.verify}")),
            self.say("document_register", fields=", ".join(self.label(name) for name in one.register)) if one.register else "",
            *self.rest(one, "outputs", "title", "kind", "grants", "per", "when", "number", "serial_per", "gapless", "valid",
                       "signed_by", "shows", "body", "verify", "register", "paper"),
        )  # fmt: skip
        kind = self.say(f"kind_{one.kind}") + (f", {self.say('document_grants')}" if one.grants else "")
        return Clause(
            self.t(one.title),
            tuple(filter(None, lines)),
            self.basis(one, "outputs", needs="valid" if one.valid else ""),
            kind,
        )

    def _makers(self, one: Output) -> Iterator[str]:
        """Yield the states and acts that issue an output, between quotation marks."""
        found = [self.t(state.label) for state in self.definition.states.values() if one.id in state.effects.issues]
        found += [
            self.t(transition.label)
            for transition in self.definition.transitions
            if one.id in transition.effects.issues
        ]
        return (quoted(name, self.language) for name in dict.fromkeys(found))

    def _valid(self, one: Output) -> str:
        if one.valid is None:
            return self.say("document_valid_ever")
        node = one.valid.node
        if isinstance(node, Constant) and isinstance(node.value, Span):
            return self.say("document_valid", span=self.span(node.value))
        key = "document_valid" if one.valid.type.kind == "span" else "document_valid_until"
        said = ExpressionWriter(self.definition, self.directory, self.words, self.language, "issued").value(one.valid)
        return self.say(key, span=said, value=said)

    def _number(self, pattern: str) -> str:
        for name in ("agency", "office", "procedure", "year", "serial"):
            pattern = pattern.replace(f"{{{name}}}", f"{{{self._part(name)}}}")
        return pattern

    def _part(self, name: str) -> str:
        return self.say(f"number_{name}")

    # -- what is kept --------------------------------------------------------------------------------------------------

    def data(self) -> Iterator[tuple[str, str]]:
        """Yield the facts of the personal data: purpose, ground, declaration and retention."""
        data = self.definition.personal_data
        yield self.say("purpose"), self.t(data.purpose)
        yield self.say("ground"), self.say(f"ground_{data.ground}")
        if data.declaration:
            yield self.say("declaration"), data.declaration
        kept = [
            self.say("keep_line", outcome=self.say(f"outcome_{name}"), span=self.span(span))
            for name, span in data.keep.items()
        ]
        yield self.say("keep"), f"{' ; '.join(kept)}, {self.say(f'afterwards_{data.afterwards}')}."
        if self.definition.annotations:
            yield self.say("annotations"), " ; ".join(map(self._annotation, self.definition.annotations.values()))
        if law := self.basis(data, "personal_data"):
            yield self.say("laws"), law
        for said in self.rest(
            data, "personal_data", "purpose", "ground", "declaration", "keep", "afterwards", "sensitive"
        ):
            yield self.say("also"), said

    def _annotation(self, one: Annotation) -> str:
        """Return what agents keep about a dossier for themselves: label, type, options, whether the list shows it."""
        parts = (
            self.say("annotation_line", label=self.t(one.label), type=self.say(f"type.{one.type}")),
            self.say("values", options=", ".join(map(self.t, one.options.values()))) if one.options else "",
            self.say("annotation_listed") if one.show else "",
            *self.rest(one, "annotations", "label", "type", "options", "show"),
        )
        return ", ".join(filter(None, parts))

    def sensitive(self) -> Iterator[str]:
        """Yield one sentence for each sensitive answer: the roles that see it, in which states, how long it is
        stored.
        """
        for name, terms in self.definition.personal_data.sensitive.items():
            said = [self.say("sensitive_line", label=self.label(name), roles=self.roles_text(terms.seen_by))]
            if terms.states:
                states = ", ".join(
                    quoted(self.t(self.definition.state(one).label), self.language) for one in terms.states
                )
                said.append(self.say("sensitive_states", states=states))
            if terms.keep:
                said.append(self.say("sensitive_keep", span=self.span(terms.keep)))
            yield ", ".join([*said, *self.rest(terms, "sensitive", "seen_by", "states", "keep")])

    def appeals(self) -> Iterator[str]:
        """Yield the appeals of the procedure, or those of its agency if it has none."""
        agency = self.directory.agencies.get(self.definition.identity.agency)
        for one in (self.definition.identity.appeals or (agency.appeals if agency else {})).values():
            yield ", ".join(filter(None, self._appeal(one)))

    def _appeal(self, one: Appeal) -> Iterator[str]:
        yield self.t(one.label)
        yield self.say("appeal_within", span=self.span(one.within)) if one.within else ""
        yield self.say("appeal_act", act=self.label(one.act)) if one.act else ""
        yield self.basis(one, "appeals")
        yield from self.rest(one, "appeals", "label", "within", "act")

    # -- editions ------------------------------------------------------------------------------------------------------

    def editions(self) -> Iterator[str]:
        """Yield what happens to the dossiers of each earlier edition."""
        for edition, names in self.definition.migrate.items():
            yield self.say("migrates", edition=edition)
            kept = dict.fromkeys(new for new in names.values() if new is not None)
            for new in kept:
                yield self.say("migrates_to", edition=edition, label=self._carried(new))
            gone = [
                quoted(old.rpartition(".")[2].replace("_", " "), self.language)
                for old, new in names.items()
                if new is None
            ]
            if gone:
                yield self.say("migrates_gone", edition=edition, count=len(gone), names=", ".join(gone))

    def _carried(self, name: str) -> str:
        """Return the label of the element that replaces a name. An option is named with its question."""
        of, _, code = name.rpartition(".")
        field = self.definition.fields.get(of)
        option = next((one for one in field.options if one.code == code), None) if field is not None else None
        if option is not None:
            facts = {"question": self.label(of), "option": self.t(option.label)}
            return self.words.say("changes.name.option", self.language, facts)
        return self._at(name)

    def accepted(self) -> Iterator[str]:
        """Yield the advices of the linter that the authors accepted, with their reason and end."""
        for one in self.definition.accept:
            until = self.say("accepted_until", day=self.words.plain_day(one.until, self.language)) if one.until else ""
            edition = self.say("accepted_edition", edition=one.edition) if one.edition else ""
            line = self.say(
                "accepted_line", code=_named(one.id, self.language), at=self._at(one.at), because=one.because
            )
            others = self.rest(one, "accept", "at", "because", "until", "edition", "used")
            yield ", ".join(filter(None, (line, until, edition, *others)))

    def _at(self, place: str) -> str:
        """Return the element that an advice is about: a text of law, an element of the procedure, or one of its
        values.
        """
        name, _, rest = place.partition(".")
        law = self.definition.laws.get(name)
        if law is not None:
            return self.t(law.title)
        transition = next((one for one in self.definition.transitions if one.id == place), None)
        said = self.t(transition.label) if transition else self.label(name)
        facet = f"changes.facet.{rest}"
        if rest and self.words.has(facet):
            return f"{said}, {self.words.say(facet, self.language, {})}"
        return said if said != name else spelled_name(place)


def _named(code: str, language: str) -> str:
    """Return the title of an advice. Its code is of use to authors only."""
    known = explanation(code, language)
    return known.title if known else code
