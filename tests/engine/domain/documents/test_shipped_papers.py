"""Every document that any story of the shipped procedures issues: what an official would refuse to sign."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import replace
from datetime import date
from itertools import combinations
from pathlib import Path

import pytest

from engine.core.clock import local_day
from engine.core.values import Plain
from engine.domain.documents.content import is_still_open
from engine.domain.fields.scope import evaluate_answers
from engine.language.catalogue.check import check_definition
from engine.language.lint.refusal_rules import DECIDING
from engine.model import Output
from engine.model.paper import placeholders_of
from tests.engine.domain.documents.story_papers import PROCEDURES as FOLDER
from tests.engine.domain.documents.story_papers import StoryPaper, issued, papers_of, shipped
from tests.makers import the_shared, the_words

CERTIFYING = ("certificate", "decision", "extract", "card", "quote", "contract", "receipt")
PROCEDURES = sorted(path.stem for path in FOLDER.glob("*.yaml"))

pytestmark = pytest.mark.xdist_group("stories of the shipped procedures")  # played once


def stated(paper: StoryPaper) -> str:
    """The operative text, or the articles of a decision."""
    zones = paper.document.paper or {}
    return " ".join([*map(str, zones.get("operative") or ()), *(str(one[1]) for one in zones.get("articles") or ())])


def texts(zone: Plain) -> list[str]:
    if isinstance(zone, dict):
        return [words for one in zone.values() for words in texts(one)]
    return [words for one in zone for words in texts(one)] if isinstance(zone, list) else [str(zone)]


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_each_output_is_issued_and_states_something(procedure: str) -> None:
    made = issued(procedure)
    assert {one.document.output for one in made} == set(shipped().procedures[procedure].outputs)
    for one in made:
        assert one.document.paper is not None, one.name
        assert stated(one) or one.procedure.outputs[one.document.output].kind == "form", one.name
        assert "{" not in stated(one), stated(one)
        assert "  " not in stated(one), stated(one)


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_no_label_of_a_paper_is_a_question(procedure: str) -> None:
    for one in issued(procedure):
        zones = one.document.paper or {}
        shown = [zones.get("particulars"), zones.get("declared"), zones.get("sections"), zones.get("verify")]
        assert not [words for zone in shown for words in texts(zone) if words.endswith("?")], one.name


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_the_signatory_is_the_person_who_took_the_act_that_issues(procedure: str) -> None:
    for one in issued(procedure):
        output, document = one.procedure.outputs[one.document.output], one.document
        assert output.paper is not None
        if output.kind == "form" or output.paper.sealed:
            assert document.signed_by is None, one.name
            continue
        acts = [taken for taken in one.dossier.taken if taken.at == document.issued_at and taken.by_kind == "agent"]
        assert document.signed_by in {taken.by for taken in acts}, one.name
        signature = texts((document.paper or {})["signatures"])
        assert document.signed_by in signature
        assert any("Signé électroniquement" in words for words in signature)


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_the_place_and_the_day_of_issue_stand_once(procedure: str) -> None:
    for one in issued(procedure):
        zones = one.document.paper or {}
        signed = [str(signature.get("place_day", "")) for signature in zones.get("signatures", [])]  # type: ignore[union-attr]
        assert len([words for words in (str(zones.get("day", "")), *signed) if words]) == 1, one.name


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_no_paper_writes_de_or_que_before_a_vowel(procedure: str) -> None:
    """« au nom d’Afi », « certifie qu’AMEGAN Afi »."""
    for one in issued(procedure):
        wrong = re.findall(r"\b(?:de|que) \**[AEIOUÉÈ]\w+", " ".join(texts(one.document.paper)))
        assert not wrong, one.name


@pytest.mark.parametrize(("name", "said"), [
    ("Écho SARL", "d’**Écho SARL**"), ("ATIVOH Afi", "d’**ATIVOH Afi**"), ("Yves ADJO", "d’**Yves ADJO**"),
    ("Yao KOFFI", "de **Yao KOFFI**"), ("Onze Plus", "de **Onze Plus**"), ("LAWSON Afi", "de **LAWSON Afi**"),
])  # fmt: skip
def test_de_is_elided_as_it_is_spoken(name: str, said: str) -> None:
    text = (Path(__file__).resolve().parents[3] / "good" / "letter-to-another.yaml").read_text("utf-8")
    text = text.replace("example: LAWSON Akouvi", f"example: {name}")
    text = text.replace("La demande n° {dossier} **est", "La demande de **{inscrit}** **est")
    procedure = check_definition(text.encode(), "letter-to-another.yaml", the_shared()).procedure
    assert procedure is not None
    papers = papers_of(procedure, shipped(), the_words())
    assert {stated(one) for one in papers} == {f"La demande {said} **est refusée**."}


def test_a_quote_names_its_client() -> None:
    quotes = [one for name in PROCEDURES for one in issued(name) if (one.document.paper or {})["kind"] == "quote"]
    assert len({one.procedure.id for one in quotes}) == 2
    for one in quotes:
        rows = texts((one.document.paper or {})["particulars"]["rows"])  # type: ignore[index, call-overload]
        assert " ".join(rows).count(one.document.holder.split()[0]) == 1, one.name


def test_a_decision_rests_on_one_sentence() -> None:
    """« Vu … ; Vu …, ARRÊTE »: the last line ends with a comma, unless a reason follows it."""
    decisions = [one for one in issued("permis-de-construire") if (one.document.paper or {})["kind"] == "decision"]
    assert {one.document.output for one in decisions} == {"arrete", "arrete_refus"}
    for one in decisions:
        zones = one.document.paper or {}
        *before, last = texts(zones["basis"])
        assert all(words.endswith("\u00a0;") for words in before), one.name
        assert last.endswith("\u00a0;" if zones.get("considering") else ","), one.name


def test_a_refused_record_is_notified_to_who_asked_for_it() -> None:
    """Not to the dead person of the record."""
    [one] = [
        one for one in issued("copie-acte-etat-civil") if one.story == "deces" and one.document.output == "lettre_rejet"
    ]
    zones = one.document.paper or {}
    assert zones["addressee"] == ["LAWSON Têvi"]
    assert "Akouvi" in texts(zones["declared"])


def test_a_letter_without_addressee_of_its_own_goes_to_its_holder() -> None:
    text = (Path(__file__).resolve().parents[3] / "good" / "letter-to-another.yaml").read_text("utf-8")
    procedure = check_definition(text.encode(), "letter-to-another.yaml", the_shared()).procedure
    assert procedure is not None
    said = {one.story: (one.document.paper or {})["addressee"] for one in papers_of(procedure, shipped(), the_words())}
    assert said == {"une_autre": ["LAWSON Têvi"], "moi": ["LAWSON Akouvi"]}


@pytest.mark.parametrize("procedure", ["permis-de-construire", "copie-acte-etat-civil"])
def test_each_paper_of_a_commune_bears_a_number_of_that_commune(procedure: str) -> None:
    for one in issued(procedure):
        assert one.dossier.office is not None
        assert one.dossier.office.upper().replace("_", "-") in one.document.number, one.name


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_each_refusal_gives_its_reason_and_the_remedies(procedure: str) -> None:
    for one in issued(procedure):
        output, zones = one.procedure.outputs[one.document.output], one.document.paper or {}
        if output.kind == "letter" or (output.kind == "decision" and not output.grants):
            assert zones.get("remedies"), one.name
            own = output.paper is not None and any(text.names for text in output.paper.texts())
            assert zones.get("considering") or own, one.name


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_a_refusal_and_the_page_of_its_dossier_name_the_same_appeals(procedure: str) -> None:
    """Before an appeal: after it, one of them is closed."""
    for one in issued(procedure):
        dossier, definition, output = one.dossier, one.procedure, one.procedure.outputs[one.document.output]
        state = definition.states.get(dossier.state)
        if output.grants or output.kind not in DECIDING or state is None or state.outcome != "refused":
            continue
        agency = shipped().directory.agencies[definition.identity.agency]
        appeals = (definition.identity.appeals or agency.appeals).values()
        if {taken.transition for taken in dossier.taken} & {appeal.act for appeal in appeals if appeal.act}:
            continue
        on_page = [appeal.label.in_("fr") for appeal in appeals if is_still_open(appeal, definition, dossier)]
        said = texts((one.document.paper or {})["remedies"]["rows"])  # type: ignore[index,call-overload]
        assert len(said) == len(on_page), (one.name, said, on_page)


# of companies, whose refusals no administrative judge hears; the passport and three others refuse before the appeal only
WITHOUT_JUDGE = {"branchement-eau", "creation-entreprise"}


@pytest.mark.parametrize("procedure", sorted(set(PROCEDURES) - WITHOUT_JUDGE))
def test_no_letter_leaves_the_mediator_as_the_only_appeal(procedure: str) -> None:
    """The Protecteur du citoyen conciliates: who can undo the decision comes first."""
    for one in issued(procedure):
        remedies = (one.document.paper or {}).get("remedies")
        named = texts(remedies["rows"]) if isinstance(remedies, dict) else []
        assert not named or "Protecteur" not in named[0], (one.name, named)


def test_a_letter_says_where_an_appeal_of_the_dossier_is_lodged() -> None:
    """Where the act of the appeal leaves the end. Other appeals are lodged elsewhere, and no file says where."""
    online = re.compile(r"\(délai : 2 mois, jusqu’au [^)]+\) ; en ligne : [\w.:]+/d/(\d{11})$")
    for name, story, count in (
        ("casier-judiciaire-b3", "piece_insuffisante", 1),
        ("permis-de-construire", "irrecevable", 0),
    ):
        one = next(
            one
            for one in issued(name)
            if one.story == story and one.procedure.outputs[one.document.output].kind == "letter"
        )
        said = [words.replace("\u00a0", " ") for words in texts((one.document.paper or {})["remedies"]["rows"])]  # type: ignore[index,call-overload]
        found = [hit[1] for words in said if (hit := online.search(words))]
        assert found == [one.dossier.number] * count, said


def test_a_document_is_made_in_a_town() -> None:
    """A commune such as Golfe 1 is no place."""
    towns = [office.town.in_("fr") for office in shipped().directory.offices.values() if office.town is not None]
    assert "Lomé" in towns
    assert not [town for town in towns if re.search(r"\d", town)]


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_no_refusal_stays_valid_beside_what_is_granted_since(procedure: str) -> None:
    """An appeal was allowed: the square of the refusal says that it was withdrawn."""
    outputs = shipped().procedures[procedure].outputs
    for one in issued(procedure):
        mine = [other for other in one.dossier.documents if other.row == one.document.row]
        since = [other for other in mine if outputs[other.output].grants and other.issued_at >= one.document.issued_at]
        refused = (
            outputs[one.document.output].kind in ("letter", "decision") and not outputs[one.document.output].grants
        )
        assert not (refused and since) or one.document.status != "valid", one.name


def fact_of(one: StoryPaper, output: Output) -> tuple[object, ...]:
    """What the registers and agents say of the fact that a document certifies: choices, yes or no, variants."""
    evaluated = evaluate_answers(one.procedure, one.dossier, local_day(one.document.issued_at), shipped().directory)
    assert output.paper is not None
    found: list[object] = []
    for clause in output.paper.operative:
        found.append(clause.when.holds(evaluated.scope))
        for placeholder in placeholders_of(clause.text.text.in_("fr")):
            field = one.procedure.fields.get(placeholder.name)
            if field is not None and field.type in ("choice", "yes_no") and output.per is None:
                found.append(evaluated.scope.get(placeholder.name))
    return tuple(found)


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_documents_that_certify_other_facts_never_say_the_same(procedure: str) -> None:
    by_output: dict[str, dict[tuple[object, ...], set[str]]] = defaultdict(lambda: defaultdict(set))
    for one in issued(procedure):
        output = one.procedure.outputs[one.document.output]
        if output.kind in CERTIFYING:
            table = texts((one.document.paper or {}).get("table"))
            masked = re.sub(r"\d", "0", " ".join([stated(one), *table]))
            by_output[output.id][fact_of(one, output)].add(masked)
    for output_id, facts in by_output.items():
        for mine, other in combinations(facts, 2):
            assert not facts[mine] & facts[other], output_id


def test_the_criminal_record_says_nothing_or_lists_every_conviction() -> None:
    said = {
        one.story: one.document.paper or {}
        for one in issued("casier-judiciaire-b3")
        if one.document.output == "bulletin"
    }
    assert "NÉANT" in texts(said["neant"]["operative"])[0]
    assert "table" not in said["neant"]
    assert "NÉANT" not in texts(said["condamnations"]["operative"])[0]
    assert ["14 mai 2019", "Tribunal de Lomé", "Vol", "Six mois avec sursis"] in [
        [words.replace("\u00a0", " ") for words in row]
        for row in said["condamnations"]["table"]["rows"]  # type: ignore[index,call-overload]
    ]


@pytest.mark.parametrize(("written", "printed"), [
    ("[Gardez ce document.]", True), ("[{text: Gardez ce document.}]", True), ("[{text: {fr: Gardez ce document.}}]", True),
    ("[{when: surface == 40, text: Gardez ce document.}]", True), ("[{when: surface > 500, text: Gardez ce document.}]", False),
])  # fmt: skip
def test_a_mention_is_printed_where_its_condition_holds(written: str, printed: bool) -> None:
    text = (Path(__file__).resolve().parents[3] / "good" / "paper-in-full.yaml").read_text("utf-8")
    text = text.replace("[Gardez ce document.]", written)
    procedure = check_definition(text.encode(), "paper-in-full.yaml", the_shared()).procedure
    assert procedure is not None
    made = {one.document.output: one.document.paper or {} for one in papers_of(procedure, shipped(), the_words())}
    assert ("Gardez ce document." in texts(made["decision"]["mentions"])) is printed


def test_a_document_names_the_one_that_the_same_act_issues_before_it() -> None:
    text = (Path(__file__).resolve().parents[3] / "good" / "paper-in-full.yaml").read_text("utf-8")
    text = text.replace("{number of decision}.", "{number of decision}, signé par {actor of decision}.")
    procedure = check_definition(text.encode(), "paper-in-full.yaml", the_shared()).procedure
    assert procedure is not None
    made = {one.document.output: one for one in papers_of(procedure, shipped(), the_words())}
    assert stated(made["contrat"]).endswith(
        f"l’arrêté n°\u00a0{made['decision'].document.number}, signé par {made['decision'].document.signed_by}."
    )


def test_convictions_found_for_another_identity_are_not_printed() -> None:
    """The name is corrected after the check, and the register then knows no person of the corrected name."""
    [said] = [one.document.paper or {} for one in issued("casier-judiciaire-b3") if one.story == "autre_identite"]
    assert "NÉANT" in texts(said["operative"])[0]
    assert "table" not in said


@pytest.mark.parametrize(
    ("procedure", "story", "said", "never"),
    [
        ("regularite-fiscale", "constat_perime", "MENSAH Kodjo", "d’après le constat"),
        ("duplicata-certificat-nationalite", "autre_certificat", "AMEGAN Afi", "LAWSON"),
    ],
    ids=["taxes", "duplicate"],
)
def test_what_was_found_before_a_correction_is_not_printed(procedure: str, story: str, said: str, never: str) -> None:
    """An agent found something, the key of the search is corrected, and the register then answers."""
    [paper] = [
        one for one in issued(procedure) if one.story == story and one.procedure.outputs[one.document.output].grants
    ]
    assert said in stated(paper)
    assert never not in stated(paper)


def test_a_visa_names_its_own_traveller_and_no_other() -> None:
    """Twelve digits show the initials of the holder, and the microprint the name."""
    visas = [one.document for one in issued("e-visa") if one.document.output == "visa"]
    assert any(one.row for one in visas)
    for one in visas:
        paper = one.paper or {}
        rows = dict(paper["particulars"]["rows"])  # type: ignore[index, call-overload, union-attr]
        assert one.holder == paper["holder"] == f"{rows['Nom']} {rows['Prénoms']}"
    letters = [one.document for one in issued("e-visa") if one.document.output in ("lettre_refus", "lettre_maintien")]
    assert len({one.holder for one in letters}) > 2
    for one in letters:
        assert (one.paper or {})["addressee"] == [one.holder]
        surname, given = one.holder.rsplit(" ", 1)
        assert f"**{given} {surname}**" in texts((one.paper or {})["operative"])[0]


@pytest.mark.parametrize(("days", "said"), [(1, "y séjourner 1 jour au plus"), (2, "y séjourner 2 jours au plus")])
def test_a_visa_counts_its_days(days: int, said: str) -> None:
    visa = shipped().procedures["e-visa"]
    [story] = [one for one in visa.scenarios if one.id == "famille"]
    [at] = [number for number, step in enumerate(story.steps) if step.verb == "do"]
    decided = replace(
        story.steps[at],
        options={**story.steps[at].options, "rows": [{"jours_accordes": days}] * 2 + [{"accorde": False}]},
    )
    steps = (*story.steps[:at], decided, story.steps[at + 1])
    papers = papers_of(replace(visa, scenarios=(replace(story, steps=steps),)), shipped(), the_words())
    texts_of = [stated(one).replace("\u00a0", " ") for one in papers if one.document.output == "visa"]
    assert len(texts_of) == 2
    assert all(said in words for words in texts_of), texts_of


def test_a_visa_says_what_it_does_not_replace() -> None:
    visas = [one.document.paper or {} for one in issued("e-visa") if one.document.output == "visa"]
    assert visas
    for said in visas:
        assert "ne dispense pas du contrôle" in " ".join(texts(said["mentions"]))
        assert texts(said["operative"])[0].startswith("La Direction générale")


def test_a_reason_ends_as_a_sentence_whatever_its_author_typed() -> None:
    given = [words for name in PROCEDURES for one in issued(name)
             for words in texts((one.document.paper or {}).get("considering") or [])]  # fmt: skip
    assert given
    assert not [words for words in given if not words.endswith((".", "!", "?", ";", "…"))]
    assert not [words for words in given if words.startswith("Considérant que")]


def test_the_seal_of_a_commune_bears_its_name() -> None:
    seals = {texts((one.document.paper or {})["seal"])[0] for one in issued("copie-acte-etat-civil")}
    assert "Commune Golfe 1" in seals
    assert "Mairie de la commune" not in seals


def test_the_seal_of_an_agency_without_a_short_name_prints_no_identifier() -> None:
    catalogue = shipped()
    agency = catalogue.directory.agencies["mairie"]
    named = replace(
        catalogue.directory,
        agencies={**catalogue.directory.agencies, "mairie": replace(agency, id="ma_mairie", short=None)},
    )
    procedure = catalogue.procedures["copie-acte-etat-civil"]
    papers = papers_of(procedure, replace(catalogue, shared=replace(catalogue.shared, directory=named)), the_words())
    assert {texts((one.document.paper or {})["seal"])[1] for one in papers} == {"MA MAIRIE"}


def test_a_paper_bears_the_head_of_the_agency_that_signs_it() -> None:
    heads = {one.document.output: (one.document.paper or {})["heading"] for one in issued("creation-entreprise")}
    assert heads["motif_greffe"]["service"] == "Tribunal de commerce", "the court refuses the registration"  # type: ignore[index, call-overload]
    assert heads["lettre_refus"]["service"] == "Centre de Formalités des Entreprises"  # type: ignore[index, call-overload]


def test_a_visa_of_thirty_days_ends_on_its_thirtieth() -> None:
    visas = [one for one in issued("e-visa") if one.document.output == "visa"]
    assert visas
    for one in visas:
        until, said = one.document.valid_until, stated(one)
        [days] = re.findall(r"séjourner (\d+)", said)
        first = next(
            date.fromisoformat(str(row["premier_jour"])) for row in _rows_of(one.dossier.answers["decision_visa"])
            if row.get("jours_accordes") == int(days)
        )  # fmt: skip
        assert until is not None
        assert (until - first).days + 1 == int(days)


def _rows_of(filled: Plain) -> list[dict[str, Plain]]:
    """Return the decisions of a form filled once for each traveller, in whatever form they are stored."""
    found = filled.values() if isinstance(filled, dict) else filled if isinstance(filled, list) else []
    rows = [one for one in found if isinstance(one, dict)]
    return [one for one in rows if "premier_jour" in one] or [two for one in rows for two in _rows_of(one)]
