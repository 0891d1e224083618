"""The compiler: what the surface of a file becomes in the kernel, and what is wrong with it, everything at once."""

from __future__ import annotations

import copy
import dataclasses
import random
import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from engine.core.values import Span
from engine.language.catalogue.catalogue import check_definition
from engine.language.compiler.compile import build_procedure
from engine.language.compiler.tables import table_function
from engine.language.source.loader import read_source, walk
from engine.model import APPLICANT, APPLICATION, Appointment, Fee, Form, Procedure
from engine.model.types import Expression, Scope, Value
from tests.effort import tries
from tests.engine.language.bad_files import BadFile, bad_files
from tests.engine.language.building import PROCEDURES, built, codes, compiled, the_shared

SHIPPED = sorted(PROCEDURES.glob("*.yaml"))


def holds(expression: Expression, **values: Value) -> bool:
    return expression.holds(Scope(values, date(2026, 11, 24)))


def value(expression: Expression | None, **values: Value) -> Value:
    assert expression is not None
    return expression.value(Scope(values, date(2026, 11, 24)))


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_procedures_compile_without_a_word(path: Path) -> None:
    procedure, problems = build_procedure(read_source(path.read_bytes(), str(path)), the_shared())
    assert procedure is not None
    assert not problems


ALONE = [
    bad for bad in bad_files("NES") if bad.code not in ("N313", "N314")
]  # those need the other files of the folder


@pytest.mark.parametrize("bad", ALONE, ids=str)
def test_bad_files_are_told_where_they_are_wrong_and_nothing_else_is(bad: BadFile) -> None:
    checked = check_definition(bad.path.read_bytes(), str(bad.path), the_shared())
    found = [(one.code, one.where.line, one.where.column) for one in checked.report.errors]
    assert set(found) == {(bad.code, bad.line, bad.column)}
    assert checked.procedure is None


def test_computed_values_that_share_their_parts_are_read_once_each() -> None:
    """Each names the two before it: looked at again at every mention, the last would never come."""
    sums = "".join(f"      v{at}: {{label: V, type: integer, value: v{at - 1} + v{at - 2}}}\n" for at in range(2, 45))
    procedure = compiled(f"""
form:
  tout:
    title: Tout
    fields:
      v0: {{label: V, type: integer, example: 1}}
      v1: {{label: V, type: integer, example: 1}}
{sums}""")
    assert procedure.order[-1] == "v44"


BRACES = {
    "label of a question": "form: {p: {title: P, fields: {nom: {label: 'Nom de {nom}'}}}}",
    "help, in English": "form: {p: {title: P, fields: {nom: {label: Nom, help: {fr: Aide, en: 'As {nom}'}}}}}",
    "title of a page": "form: {p: {title: 'Page de {nom}', fields: {nom: {label: Nom}}}}",
    "an option": "form: {p: {title: P, fields: {nom: {label: Nom, type: choice, options: {a: 'De {nom}', b: B}}}}}",
    "message of a check": "form: {p: {title: P, fields: {nom: {label: Nom}}, checks: {un: {must: 'length(nom) > 1', message: 'Pas {nom}'}}}}",
    "label of a piece": "evidence: {acte: {label: 'Acte de {nom}'}}",
    "title of a document": "outputs: {acte: {title: 'Acte de {nom}', operative: Un acte.}}",
    "title of the procedure": "title: 'Carte de {nom}'",
    "why one is stopped": "eligibility: {un: {ask: 'Oui ?', stop_when: un, because: 'Car {nom}'}}",
}


@pytest.mark.parametrize("text", BRACES.values(), ids=BRACES)
def test_a_name_in_braces_is_refused_where_it_would_be_printed_with_its_braces(text: str) -> None:
    procedure, problems = built(text)
    found = [(one.code, one.facts["name"], one.where.width) for one in problems if one.code[0] == "N"]
    assert found == [("N315", "nom", 5)]
    assert procedure is not None, "a kept text with braces is still compiled"


# -- questions ---------------------------------------------------------------------------------------------------------


def test_a_prefix_renames_the_questions_of_a_block_and_their_conditions() -> None:
    procedure = compiled("""
    form:
      demande:
        title: Demande
        fields: {qualite: {label: Qualité, type: choice, options: {seul: Seul, deux: Deux}}}
      autre:
        title: Autre
        use: {block: identite, prefix: autre_, except: [niu], when: qualite == 'deux'}
        fields:
          autre_nom: {label: Son nom}
          autre_prenoms: null
    """)
    fields = [one.id for one in procedure.form.pages[1].fields]
    assert fields == ["autre_nom", "autre_sexe", "autre_date_naissance", "autre_lieu_naissance"]
    nom = procedure.fields["autre_nom"]
    assert str(nom.label) == "Son nom"
    assert nom.bounds.max_length == 60  # the block's, kept
    assert holds(nom.when, qualite="deux")
    assert not holds(nom.when, qualite="seul")


def test_a_fault_in_a_block_is_told_in_the_block() -> None:
    shared = the_shared()
    block = read_source("block: b\ntitle: B\nfields:\n  x: {label: X, when: yy}\n", "blocks/b.yaml")
    _, problems = built("form: {p: {use: b}}", replace(shared, blocks={"b": block}))
    assert [(one.code, str(one.where)) for one in problems] == [("N301", "blocks/b.yaml:4:23")]


def test_a_page_takes_the_title_of_its_block() -> None:
    procedure = compiled("form: {identite: {use: identite}}")
    assert procedure.form.pages[0].title.in_("en") == "Identity"


def test_evidence_stands_on_a_last_page_of_its_own() -> None:
    procedure = compiled("""
    form:
      pieces: {title: Des pièces, fields: {nom: {label: Nom}}}
    evidence:
      titre: {label: Titre, any_of: {foncier: Titre foncier, certificat: Certificat}, how: [upload, hand_over], copies: 2}
      plan: {label: Plan, when: titre == 'foncier', max_age: 3 months, held_by: {procedure: cadastre, of: nom}}
    """)
    page = procedure.form.pages[-1]
    assert page.id != "pieces"
    assert page.title.in_("fr") == "Vos pièces"
    titre, plan = page.fields
    assert titre.evidence is not None
    assert plan.evidence is not None
    assert titre.type == "evidence"
    assert titre.value_type.codes == {"foncier", "certificat"}
    assert titre.evidence.how == ("upload", "hand_over")
    assert titre.evidence.copies == 2
    assert plan.value_type.kind == "yes_no"
    assert (plan.evidence.max_age, plan.evidence.held_by, plan.evidence.held_of) == (
        Span(3, "month"),
        "cadastre",
        "nom",
    )


def test_other_adds_an_option_and_a_detail_that_expressions_know() -> None:
    procedure = compiled("""
    form:
      demande:
        title: Demande
        fields:
          motif: {label: Motif, type: choice, options: {emploi: Emploi}, other: true}
          suite: {label: Suite, when: motif == 'other' and motif_other == 'Stage'}
    """)
    assert [one.code for one in procedure.fields["motif"].options] == ["emploi", "other"]
    assert holds(procedure.fields["suite"].when, motif="other", motif_other="Stage")


def test_computed_values_have_inferred_types_and_come_after_what_they_need() -> None:
    procedure = compiled("""
    form:
      demande:
        title: Demande
        fields:
          total: {label: Total, value: 'sum(lots, prix) + taxe'}
          taxe: {label: Taxe, value: round_up(base * 0.1)}
          base: {label: Base, type: integer}
          lots:
            label: Lots
            type: rows
            fields:
              unites: {label: Unités, type: integer}
              prix: {label: Prix, value: unites * facteur}
              facteur: {label: Facteur, value: unites + base}
    """)
    order = procedure.order
    assert procedure.fields["total"].value_type.kind == "integer"
    assert order.index("base") < order.index("taxe") < order.index("total")
    assert order.index("base") < order.index("lots") < order.index("total")
    assert value(procedure.fields["taxe"].value, base=15) == 2


def test_answers_that_need_each_other_are_a_circle() -> None:
    found = codes("""
    form:
      demande:
        title: Demande
        fields:
          a: {label: A, value: b + 1}
          b: {label: B, value: a + 1}
          c: {label: C, value: a * 2}
    """)
    assert {code for code, _ in found} == {"E420"}


@pytest.mark.parametrize(
    ("field", "example"),
    [
        ("type: integer", 1),
        ("type: integer, minimum: 18", 18),
        ("type: integer, maximum: 0", 0),
        ("type: money, minimum: 500", 500),
        ("type: decimal, maximum: 0.5", Decimal("0.5")),
        ("type: date", date(1990, 1, 1)),
        ("type: date, minimum: today", date(2026, 11, 24)),
        ("type: date, maximum: 1950-01-01", date(1950, 1, 1)),
        ("type: phone", "+22890123456"),
        ("type: yes_no", True),
        ("type: choice, options: {b: B, a: A}", "b"),
        ("type: choices, options: {b: B, a: A}", ("b",)),
        ("type: choices, options: {b: B, a: A}, example: [a]", ("a",)),
        ("type: choice, options: series_bac", "a4"),
        ("type: identifier, scheme: niu", "1234567890"),
        ("type: country", "tgo"),
        ("type: place", "agoe_nyive_1"),
        ("example: demande", "demande"),
        ("type: date, example: today + days(2)", date(2026, 11, 26)),
    ],
)
def test_every_question_has_a_plausible_example(field: str, example: Value) -> None:
    procedure = compiled("form: {demande: {title: D, fields: {q: {label: Q, " + field + "}}}}")
    assert value(procedure.fields["q"].example) == example


def test_usual_bounds() -> None:
    procedure = compiled("""
    form:
      demande:
        title: Demande
        fields:
          court: {label: Court}
          long: {label: Long, lines: 4}
          lots: {label: Lots, type: rows, unique: [a, [b, c]], fields: {a: {label: A}, b: {label: B}, c: {label: C}}}
          plan: {label: Plan, type: file, accept: [pdf, png], max_size: 20 MB, maxItems: 3}
    """)
    bounds = {name: field.bounds for name, field in procedure.fields.items()}
    assert (bounds["court"].min_length, bounds["court"].max_length) == (1, 100)
    assert bounds["long"].max_length == 2000
    assert (bounds["lots"].min_items, bounds["lots"].max_items) == (1, 20)
    assert (bounds["plan"].accept, bounds["plan"].max_size, bounds["plan"].max_items) == (("pdf", "png"), 20_000_000, 3)
    assert procedure.fields["lots"].unique == (("a",), ("b", "c"))


def test_careless_not_is_advice_only_where_the_answer_may_be_missing() -> None:
    form = """
    form:
      demande:
        title: Demande
        fields:
          societe: {{label: Société, type: yes_no}}
          rccm: {{label: RCCM, type: choice, options: {{oui: Oui, non: Non}}, when: societe}}
          suite: {{label: Suite, when: "{when}"}}
    """
    assert codes(form.format(when="not societe")) == []
    assert codes(form.format(when="societe and not rccm == 'oui'")) == [("V720", "not rccm == 'oui'")]
    assert codes(form.format(when="not answered(rccm) or rccm == 'non'")) == []
    guarded = form.replace(
        'suite: {{label: Suite, when: "{when}"}}', "suite: {{label: S, when: societe, required: not rccm == 'oui'}}"
    )
    assert codes(guarded.format()) == []


# -- tasks -------------------------------------------------------------------------------------------------------------


def test_a_fee_without_lines_is_one_line_and_lines_rest_on_the_law_of_their_fee() -> None:
    procedure = compiled("""
    form: {demande: {title: D, fields: {copies: {label: Copies, type: integer}}}}
    fees:
      seul: {label: Seul, amount: 500, times: copies, per: copie, basis: loi}
      deux:
        label: Deux
        basis: loi
        lines:
          un: {label: Un, amount: 100}
          autre: {label: Autre, amount: 200, basis: {amount: usage}}
        reductions: [{when: copies > 3, percent: 10, because: Grand nombre, basis: usage}]
    """)
    seul, deux = procedure.fees()
    assert [line.id for line in seul.lines] == ["seul"]
    assert value(seul.lines[0].times, copies=3) == 3
    assert [line.law_of("amount") for line in deux.lines] == ["loi", "usage"]
    assert (value(deux.reductions[0].percent), deux.reductions[0].basis) == (10, "usage")


def test_tables_are_read_as_functions() -> None:
    procedure = compiled("""
    form:
      demande:
        title: D
        fields:
          profil: {label: P, type: choice, options: {eleve: Élève, autre: Autre}}
          duree: {label: D, type: choice, options: {un: Un, deux: Deux}}
    tables:
      prix: {by: [profil, duree], rows: {eleve: {un: 100, deux: 150}, autre: {un: 200, deux: 300}}}
      calibre: {by: [{from: integer}], gives: integer, rows: {0: 5, 1100: 10}}
      tarif: {by: [{from: date}], rows: {2026-01-01: 500, 2027-01-01: 600}, otherwise: 400}
    fees:
      frais: {label: Frais, amount: 'prix(profil, duree)'}
    """)
    prix, calibre, tarif = (table_function(procedure.tables[name]) for name in ("prix", "calibre", "tarif"))
    assert [prix("eleve", "deux"), prix("autre", "un"), prix("autre", None)] == [150, 200, None]
    assert [calibre(0), calibre(1099), calibre(1100), calibre(-1)] == [5, 5, 10, None]
    assert [tarif(date(2025, 1, 1)), tarif(date(2026, 12, 31)), tarif(date(2027, 1, 1))] == [400, 500, 600]


def test_later_forms_look_ups_and_appointments_are_tasks() -> None:
    procedure = compiled("""
    appointments:
      visite: {label: Visite, by: instructeur, lasts: 20 minutes, weekdays: [monday, friday], hours: [08:00-10:00], lead: 2 days}
    later_forms:
      rapport: {title: Rapport, by: instructeur, after: visite, due: 3 working days, fields: {bon: {label: Bon, type: yes_no}}}
    look_ups:
      fichier: {label: Fichier, register: casier_national, with: [nom]}
    workflow:
      start: examen
      states:
        examen: {label: Examen, gather: [visite, rapport, fichier], due: 9 days, then: [{when: bon and mentions == 0, to: fin}, {to: fin}]}
        fin: {label: Fin, end: granted}
    scenarios: {}
    """)
    visite, rapport, fichier = (procedure.tasks[name] for name in ("visite", "rapport", "fichier"))
    assert isinstance(visite, Appointment)
    assert isinstance(rapport, Form)
    assert isinstance(fichier, Form)
    assert (visite.by, visite.weekdays, visite.lead) == (("obac/instructeur",), (0, 4), Span(2, "day"))
    assert rapport.after == ("visite",)
    assert (fichier.by, fichier.sends, fichier.due) == (("system",), ("nom",), Span(1, "day"))
    assert procedure.fields["mentions"].value_type.kind == "integer"
    assert procedure.tasks[APPLICATION].by == (APPLICANT,)


# -- circuit -----------------------------------------------------------------------------------------------------------

CIRCUIT = """
form: {demande: {title: D, fields: {montant: {label: M, type: money}}}}
fees: {frais: {label: Frais, amount: 500}}
appointments: {visite: {label: Visite, by: instructeur, lasts: 1 hour}}
workflow:
  start: a_payer
  clocks:
    silence: {label: Silence, lasts: 30 days, runs_in: [examen], then: tacite, without: [visite]}
  states:
    a_payer: {label: P, pay: frais, due: 5 days, then: rdv, late: classe}
    rdv: {label: R, attend: visite, due: 9 days, then: examen, late: classe, missed: classe}
    examen:
      label: E
      by: instructeur
      transitions:
        passer:
          label: Passer
          when: montant > 0
          to: [{when: montant > 100, to: visa}, {when: montant > 10, to: rdv, reopens: [visite]}, {to: delivre}]
    visa: {label: V, by: [directeur, obac/instructeur], transitions: {viser: {label: Viser, to: delivre, within: 2 days}}}
    delivre: {label: D, by: applicant, issues: acte, due: 1 year, late: fini}
    usage: {label: U, by: applicant, due: 1 year, late: fini}
    fini: {label: F, end: expired}
    tacite: {label: T, end: granted}
    classe: {label: C, end: abandoned}
  transitions:
    utiliser: {label: Utiliser, from: [delivre], to: usage}
    retirer: {label: Retirer, from: open, by: applicant, to: classe}
    sauter: {from: rdv, event: visite, when: montant > 5, to: examen}
outputs: {acte: {title: Acte, kind: permit}}
scenarios: {simple: {story: S, steps: [{wait: 6 days, then: classe}]}}
"""


@pytest.fixture(scope="module")
def circuit() -> Procedure:
    return compiled(CIRCUIT)


def test_a_first_match_list_is_one_way_an_entry_each_less_those_before(circuit: Procedure) -> None:
    ways = [way for way in circuit.leaving["examen"] if way.id == "passer"]
    assert [(way.target, way.rank, way.reopens) for way in ways] == [
        ("visa", 0, ()), ("rdv", 1, ("visite",)), ("delivre", 2, ()),
    ]  # fmt: skip
    for amount, taken in ((500, [0]), (50, [1]), (5, [2]), (0, [])):
        assert [way.rank for way in ways if holds(way.when, montant=amount)] == taken


def test_what_a_state_does_by_itself_are_ways_with_events(circuit: Procedure) -> None:
    automatic = {way.id: (way.event, way.target) for way in circuit.leaving["rdv"] if way.event}
    assert automatic == {
        "rdv.then": ("done", "examen"), "rdv.late": ("due", "classe"), "rdv.missed": ("missed", "classe"),
        "sauter": ("visite", "examen"),
    }  # fmt: skip


def test_a_clock_opens_a_way_out_of_each_state_it_runs_in(circuit: Procedure) -> None:
    (way,) = (way for way in circuit.transitions if way.event == "silence")
    assert (way.source, way.target, way.without) == ("examen", "tacite", ("visite",))
    assert value(circuit.clocks["silence"].lasts) == Span(30, "day")


def test_open_is_every_state_that_is_no_end(circuit: Procedure) -> None:
    sources = {way.source for way in circuit.transitions if way.id == "retirer"}
    assert sources == {"a_payer", "rdv", "examen", "visa", "delivre", "usage"}


def test_an_act_belongs_to_the_actor_of_its_state(circuit: Procedure) -> None:
    by = {way.id: way.by for way in circuit.transitions if way.event is None}
    assert by["passer"] == ("obac/instructeur",)
    assert by["viser"] == ("obac/directeur", "obac/instructeur")
    assert by["utiliser"] == ("applicant",)


def test_public_labels_are_derived(circuit: Procedure) -> None:
    assert {name: state.public for name, state in circuit.states.items()} == {
        "a_payer": "to_pay", "rdv": "to_book", "examen": "in_review", "visa": "in_review", "delivre": "accepted",
        "usage": "accepted", "fini": "closed", "tacite": "accepted", "classe": "closed",
    }  # fmt: skip


def test_an_act_of_nobody_is_told() -> None:
    found = codes("""
    later_forms: {rapport: {title: R, by: instructeur, fields: {bon: {label: Bon}}}}
    workflow:
      start: examen
      states:
        examen: {label: E, gather: [rapport], then: fin, transitions: {sauter: {label: Sauter, to: fin}}}
        fin: {label: F, end: granted}
    scenarios: {s: {story: S, steps: [{do: rapport, then: fin}]}}
    """)
    assert found == [("S202", "sauter")]


# -- what is given and said --------------------------------------------------------------------------------------------


def test_outputs_and_notices() -> None:
    procedure = compiled("""
    form: {demande: {title: D, fields: {nom: {label: N}, tel: {label: T, type: phone}, fin: {label: F, type: date}}}}
    definitions: {grand: length(nom) > 3}
    outputs:
      carte: {title: Carte, kind: card, number: 'C-{year}-{serial}', valid: fin, signed_by: directeur, shows: [nom]}
      lettre: {title: Lettre, kind: letter, valid: 3 months, body: 'Bonjour {nom}'}
    notices:
      accorde:
        - {sms: 'Dossier {dossier} de {nom} : {grand}', to: tel}
        - {before: 2 days, email: {subject: S, body: '{link}'}, to: directeur}
    workflow:
      start: examen
      states:
        examen: {label: E, by: instructeur, transitions: {accorder: {label: A, to: accorde}}}
        accorde: {label: Accordé, end: granted, issues: [carte, lettre]}
    """)
    carte, lettre = procedure.outputs.values()
    assert (carte.grants, carte.signed_by, lettre.grants) == (True, "obac/directeur", False)
    assert value(carte.valid, fin=date(2030, 1, 1)) == date(2030, 1, 1)
    assert value(lettre.valid) == Span(3, "month")
    first, second = procedure.notices
    assert (first.to, second.to, second.before) == ("tel", "obac/directeur", Span(2, "day"))
    assert first.sms is not None
    assert first.sms.names == {"dossier", "nom", "grand"}
    assert value(procedure.definitions["grand"], nom="AMEGAN") is True


def test_a_document_states_one_text_in_two_languages_without_a_list() -> None:
    """Written as any other text. A list of one clause means the same."""
    outputs = "outputs: {acte: {title: A, kind: letter, operative: %s}}"
    said = "{fr: 'Accordé à {nom}.', en: 'Granted to {nom}.'}"
    plain, listed = (compiled(outputs % one).outputs["acte"].paper for one in (said, f"[{{text: {said}}}]"))
    assert plain is not None
    assert plain.operative == listed.operative  # type: ignore[union-attr]
    assert dict(plain.operative[0].text.text.versions) == {"fr": "Accordé à {nom}.", "en": "Granted to {nom}."}


def test_a_dossier_is_named_by_its_first_two_texts_unless_the_file_says() -> None:
    form = (
        "form: {d: {title: D, fields: {age: {label: A, type: integer}, nom: {label: N}, x: {label: X}, z: {label: Z}}}}"
    )
    assert str(compiled(form).identity.dossier_label.text) == "{nom} {x}"
    assert str(compiled(form + "\ndossier_label: '{z} ({age})'").identity.dossier_label.text) == "{z} ({age})"
    assert codes(form + "\ndossier_label: '{w}'")[0][0] == "N308"


def test_all_outcomes_are_kept_some_time() -> None:
    keep = compiled("personal_data: {purpose: P, keep: {refused: 5 years}}").personal_data.keep
    assert keep["refused"] == Span(5, "year")
    assert keep["granted"] == Span(20, "year")
    assert keep.keys() == {"granted", "refused", "withdrawn", "abandoned", "expired", "revoked"}


def test_a_story_like_another_gives_what_it_does_not_say() -> None:
    procedure = compiled("""
    scenarios:
      base: {story: B, at: 2026-01-05, given: {nom: A}, steps: [{take: accorder}]}
      suite: {story: S, like: base, given: {nom: B}, steps: [{expect: {state: examen}}]}
      fin: {story: F, like: suite, steps: [{take: accorder, who: autre, then: accorde}]}
    """)
    base, suite, fin = procedure.scenarios
    assert (fin.at, fin.given["nom"], suite.at) == (date(2026, 1, 5), "B", base.at)
    assert (suite.steps[0].verb, fin.steps[0].verb) == ("", "take")
    assert (fin.steps[0].value, fin.steps[0].options, fin.steps[0].then) == ("accorder", {"who": "autre"}, "accorde")


def test_stories_alike_in_a_circle() -> None:
    found = codes("scenarios: {a: {story: A, like: b, steps: []}, b: {story: B, like: a, steps: []}}")
    assert [code for code, _ in found] == ["E420", "E420"]


@pytest.mark.parametrize(
    "given",
    ["given: {nom: X, ne: 1990-02-30}", "given: {gens: [{ne: 2026-13-01}]}", "steps: [{correct: {ne: 2026-02-29}}]"],
)
def test_a_date_of_a_story_that_does_not_exist(given: str) -> None:
    """Where it stands, unless the story is about its refusal. Dates are typed in other ways too."""
    day = re.findall(r"\d{4}-\d\d-\d\d", given)[0]
    assert codes(f"scenarios: {{a: {{story: A, {given}}}}}") == [("S203", day)]
    for right in (given.replace(day, "1990-02-28"), given.replace(day, "28/02/1990"), f"refuses: [nom], {given}"):
        assert "steps" in right or codes(f"scenarios: {{a: {{story: A, {right}}}}}") == []
    refused = given.replace("}}]", "}, refused: true}]")
    assert "steps" not in given or codes(f"scenarios: {{a: {{story: A, {refused}}}}}") == []


# -- the whole ---------------------------------------------------------------------------------------------------------


def test_a_preset_lies_under_the_file() -> None:
    preset = read_source(
        "preset: p\ntitle: P\nneeds: {fee: frais}\nworkflow:\n  start: a\n  states:\n"
        "    a: {label: A, pay: frais, due: 3 days, then: b, late: c}\n    b: {label: B, end: granted}\n"
        "    c: {label: C, end: abandoned}\nscenarios:\n  p: {story: P, steps: [{pay: owed, then: b}]}\n",
        "presets/p.yaml",
    )
    shared = replace(the_shared(), presets={"p": preset})
    text = "extends: p\nfees: {frais: {label: F, amount: 100}}\nworkflow: {states: {a: {due: 9 days}}}\nscenarios: {}"
    procedure = compiled(text, shared)
    assert value(procedure.states["a"].due) == Span(9, "day")
    assert procedure.states["b"].where.file == "presets/p.yaml"
    assert [one.id for one in procedure.scenarios] == ["p"]
    assert ("N301", "p") in codes(text.replace("frais: ", "taxe: "), shared)


def test_a_round_is_rows_one_choice_per_service_and_what_each_is_asked() -> None:
    procedure = compiled("""
    opinions:
      services:
        label: Services
        due: 3 days
        quorum: any
        silence: favourable
        fields: {remarque: {label: Remarque, required: false}}
        of:
          avis: {label: Avis, by: instructeur, silence: unfavourable, weight: 2}
          autre: {label: Autre, by: sncja/reclamations}
    workflow:
      start: examen
      states:
        examen: {label: E, gather: [services], due: 3 days, then: [{when: avis == 'favourable', to: fin}, {to: fin}]}
        fin: {label: F, end: granted}
    scenarios: {s: {story: S, steps: [{opinion: {avis: favourable}}]}}
    """)
    asked = procedure.tasks["services"]
    assert isinstance(asked, Form)
    assert asked.by == ("obac/instructeur", "sncja/reclamations")
    assert [(one.id, one.silence, one.weight) for one in asked.services] == [
        ("avis", "unfavourable", 2), ("autre", "favourable", 1),
    ]  # fmt: skip
    assert asked.quorum is not None
    assert [column.id for column in procedure.fields["services"].rows] == ["service", "opinion", "weight", "remarque"]
    assert procedure.fields["avis"].value_type.codes == {"favourable", "reserved", "unfavourable", "silent"}
    assert asked.asked is not None
    assert [field.id for field in asked.asked.fields] == ["opinion", "remarque"]
    assert procedure.round_of("avis") == asked


def test_everything_is_frozen(circuit: Procedure) -> None:
    with pytest.raises(TypeError):
        circuit.states["x"] = circuit.states["examen"]  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        circuit.states["examen"].public = "closed"  # type: ignore[misc]
    for thing in circuit.things.values():
        with pytest.raises(TypeError):
            thing.basis["x"] = "y"  # type: ignore[index]


def test_the_namespace_holds_every_kind(circuit: Procedure) -> None:
    kinds = {
        name: type(circuit.things[name]).__name__ for name in ("montant", "frais", "visite", "examen", "passer", "acte")
    }
    assert list(kinds.values()) == ["Field", "Fee", "Appointment", "State", "Transition", "Output"]
    assert isinstance(circuit.tasks["frais"], Fee)


def test_a_fault_that_follows_from_another_is_not_told_again() -> None:
    found = codes("""
    form:
      demande:
        title: Demande
        fields:
          un: {label: X, value: inconnu + 1}
          deux: {label: Y, value: un + 1}
          trois: {label: Z, when: deux > 1}
    fees: {frais: {label: F, amount: deux * 100}}
    """)
    assert found == [("N301", "inconnu")]


JUNK = [
    None, True, 1, Decimal("1.5"), "x", "", "applicant", [], {}, ["a"], [{}], {"a": 1}, {"to": "x"}, "nom", "a_payer",
    "demande", -3, "2026-01-01", "3 days", [[["a"]]], {"fr": "x"}, {"fields": {}}, "today + days(1)",
    {"fields": {"a": {"type": "rows", "fields": {"b": {"value": "b + 1"}}}}},
]  # fmt: skip


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
@pytest.mark.fuzz
@pytest.mark.slow
def test_no_tree_of_any_shape_is_a_traceback(path: Path) -> None:
    dice = random.Random(path.stem)
    source = read_source(path.read_bytes(), str(path))
    paths = [place for place, _ in walk(source.tree) if place]
    for _ in range(tries(10)):
        tree = copy.deepcopy(source.tree)
        for place in dice.sample(paths, 3):
            _spoil(tree, place, dice)
        procedure, problems = build_procedure(replace(source, tree=tree), the_shared())
        assert procedure is not None or any(one.is_error for one in problems)


def _spoil(tree: object, place: tuple[str | int, ...], dice: random.Random) -> None:
    node = tree
    try:
        for step in place[:-1]:
            node = node[step]  # type: ignore[index]
        node[place[-1]] = copy.deepcopy(dice.choice(JUNK))  # type: ignore[index]
    except (KeyError, IndexError, TypeError):
        return
