"""Problems as people and machines read them: every code has words, every sentence survives missing facts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from engine.core.problems import NOWHERE, RETIRED, InvalidDefinition, Position, Problem, Report, problem
from engine.language.catalogue.catalogue import Catalogue, check_definition
from engine.language.compiler.shared_files import load_shared
from engine.language.lint.rule_registry import RULES
from engine.language.source.loader import read_source
from engine.language.source.schema import check_shape
from engine.simulation.player import play
from renderers.i18n import problem_messages as problem_words
from renderers.i18n.problem_messages import advice, codes, message
from renderers.i18n.translations import load_words
from renderers.reports.problems import correction, explain, render_problem, render_report, summary
from tests.engine.language.bad_files import BadFile, bad_files
from tests.engine.language.building import a_file, compiled, the_shared

ROOT = Path(__file__).parents[2]
HOLES = re.compile(r"[{}]|\[\[|\]\]|None|…\s*[»”]|\s{2,}")


def documented_codes() -> set[str]:
    """The codes of the table of `docs/language.md` §17."""
    table = (ROOT / "docs" / "language.md").read_text("utf-8").split("## 17.")[1]
    found = set(re.findall(r"\b([YSNECLPRTV]\d{3})\b", table)) | {f"P{number}" for number in (*range(1, 11), 13, 17)}
    for first, last in re.findall(r"\bY(\d+)–Y(\d+)", table):
        found |= {f"Y{number}" for number in range(int(first), int(last) + 1)}
    return found


def report_of(text: str, file: str = "f.yaml") -> Report:
    try:
        source = read_source(text, file)
    except InvalidDefinition as invalid:
        return invalid.report
    return Report.of([*source.advice, *check_shape(source)])


def test_every_documented_code_has_words_and_no_other() -> None:
    assert set(codes()) | RETIRED == documented_codes()
    assert not (set(codes()) | set(RULES)) & RETIRED, "a retired code keeps its meaning"


@pytest.mark.parametrize("language", ["fr", "en"])
@pytest.mark.parametrize("code", codes())
def test_every_code_speaks_even_without_facts(code: str, language: str) -> None:
    bare = Problem(code, NOWHERE)
    assert message(bare, language)
    assert not re.search(r"\[\[|\]\]|\s{2,}", message(bare, language) + advice(bare, language))
    text = explain(code, language)
    assert text
    assert text.startswith(code)


def test_both_languages_hold_the_same_variants() -> None:
    french, english = (
        read_source(
            (Path(problem_words.__file__).parent / "catalogues" / f"problems.{language}.yaml").read_bytes(), language
        ).tree
        for language in ("fr", "en")
    )
    assert keys(french) == keys(english)


def keys(tree: Any) -> Any:
    return {name: keys(value) for name, value in sorted(tree.items())} if isinstance(tree, dict) else None


def test_a_break_says_its_values_and_the_line_that_accepts_it() -> None:
    told = problem("R804", NOWHERE, name="delai.due", edition=4, before="10 days", after="8 days")
    assert "« delai.due » (10 days → 8 days)" in message(told)
    assert "détriment" not in message(told), "a delay that shortens harms nobody"
    assert advice(told).endswith("accept: [{code: R804, at: delai.due, because: …, edition: 4}]")
    assert not advice(problem("R804", NOWHERE)).endswith("]")


def test_a_missing_key_offers_every_choice() -> None:
    told = problem("S202", NOWHERE, name="until", names=("until",), others=("edition",))
    assert advice(told) == "ajoutez « until: … », ou « edition »"


def test_an_unknown_code_is_not_explained() -> None:
    assert explain("Z999") is None


@pytest.mark.parametrize("bad", bad_files("YS"), ids=str)
def test_real_facts_fill_every_hole(bad: BadFile) -> None:
    for one in report_of(bad.path.read_text("utf-8", errors="surrogatepass")):
        for language in ("fr", "en"):
            assert not HOLES.search(message(one, language).replace("{", "").replace("}", "")), one
            assert advice(one, language) or one.code == "S203", f"{one}: what should be written instead?"


def repairable() -> list[BadFile]:
    """The bad files whose corrected line can be guessed."""
    texts = {bad: bad.path.read_text("utf-8") for bad in bad_files("YS")}
    return [bad for bad in texts if any(correction(one, {"f.yaml": texts[bad]}) for one in report_of(texts[bad]))]


def test_most_punctuation_and_slips_have_a_correction() -> None:
    mended = {bad.code for bad in repairable()}
    assert {"Y110", "Y111", "Y112", "Y113", "Y114", "Y115", "S201", "S203", "S209"} <= mended


@pytest.mark.parametrize("bad", repairable(), ids=str)
def test_a_proposed_line_mends_the_fault(bad: BadFile) -> None:
    text = bad.path.read_text("utf-8")
    [one] = [found for found in report_of(text) if found.code == bad.code]
    fixed = correction(one, {"f.yaml": text})
    assert fixed
    lines = text.split("\n")
    lines[one.where.line - 1] = fixed.new
    assert bad.code not in [found.code for found in report_of("\n".join(lines))]


def test_the_layout_of_one_problem() -> None:
    text = "form:\n  identite:\n    use: identite\n    titel: Vous\n    help: Comme sur la carte\n"
    [one] = [found for found in report_of(text, "p/x.yaml") if found.code == "S201"]
    assert render_problem(one, {"p/x.yaml": text}) == (
        "erreur[S201] « titel » n'est pas une clé de cette rubrique\n"
        " --> p/x.yaml:4:5\n"
        "  |\n"
        "3 |     use: identite\n"
        "4 |     titel: Vous\n"
        "  |     ^^^^^\n"
        "5 |     help: Comme sur la carte\n"
        "  |\n"
        "  = aide : vouliez-vous dire « title » ?\n"
        "  -     titel: Vous\n"
        "  +     title: Vous\n"
    )


def test_the_caret_stands_under_the_fault_after_accents_and_tabs() -> None:
    for text, under in (("é: {égouts: Où ?, b: c}\n", "?"), ("été: \tb\n", " ")):
        [one] = report_of(text)
        lines = render_problem(one, {"f.yaml": text}).split("\n")
        at = next(number for number, line in enumerate(lines) if line.strip(" |^") == "" and "^" in line)
        assert lines[at - 1][lines[at].index("^")] == under


def test_a_long_line_is_cut_around_its_fault() -> None:
    text = "a: {" + ", ".join(f"k{number}: valeur" for number in range(100)) + ", titre: Bon ?}\n"
    [one] = report_of(text)
    shown = render_problem(one, {"f.yaml": text}).split("\n")
    assert len(shown[3]) < 160
    assert shown[3][shown[4].index("^")] == "?"


def test_a_hostile_text_cannot_write_on_the_terminal() -> None:
    text = "a: \x1b[2J\n"
    [one] = report_of(text)
    assert "\x1b" not in render_problem(one, {"f.yaml": text})
    named = problem("N301", Position("f.yaml", 1, 1), name="\x1b[31m")
    assert "\x1b" not in render_report(Report.of([named]), {"f.yaml": text}, form="short")


def test_colours_only_when_asked() -> None:
    report = report_of("a: 1\na: 2\n")
    assert "\x1b[" not in render_report(report, {"f.yaml": "a: 1\na: 2\n"})
    assert "\x1b[" in render_report(report, {"f.yaml": "a: 1\na: 2\n"}, colour=True)


@pytest.mark.parametrize(
    ("written", "language", "said"),
    [
        ([], "fr", "Aucun problème dans 3 fichiers."),
        ([("Y115", "a")], "fr", "1 conseil dans 1 fichier sur 3."),
        ([("N301", "a"), ("N301", "b"), ("V711", "b")], "fr",
         "2 erreurs, 1 conseil dans 2 fichiers sur 3. Publication refusée tant qu'il reste des erreurs. "
         "Les autres contrôles se font une fois ces erreurs corrigées."),
        ([("N301", "a")], "en", "1 error in 1 file of 3. Publication is refused as long as errors remain. "
         "The other checks are made once these errors are corrected."),
        ([("C507", "a")], "fr", "1 erreur dans 1 fichier sur 3. Publication refusée tant qu'il reste des erreurs."),
    ],
)  # fmt: skip
def test_the_last_line_counts(written: list[tuple[str, str]], language: str, said: str) -> None:
    report = Report.of(problem(code, Position(file, 1, 1)) for code, file in written)
    assert summary(report, language, 3) == said


def test_the_last_line_counts_no_shared_file_among_the_files_read() -> None:
    report = Report.of(problem("V711", Position(file, 1, 1)) for file in ("a.yaml", "shared/agencies.yaml"))
    assert summary(report, "en", 1) == "2 pieces of advice in 2 files."


def test_each_question_mark_of_a_line_names_its_own_text() -> None:
    found = report_of("form:\n  a: {label: {fr: Ici ?, en: Here?}, type: yes_no}\n")
    assert [one.facts["text"] for one in found if one.code == "Y110"] == ["Ici ?", "Here?"]


# -- for machines ------------------------------------------------------------------------------------------------------

TEXT = "edition: 1\nnom: Art. 3: le maire\nb: yes\n"


def rendered(form: str, language: str = "fr") -> str:
    return render_report(report_of(TEXT, "p/x.yaml"), {"p/x.yaml": TEXT}, form=form, language=language)


def test_short_is_one_line_a_problem() -> None:
    first, second = rendered("short").splitlines()
    assert first.startswith("p/x.yaml:2:12 Y113 deux-points")
    assert " → mettez le texte entre guillemets" in first
    assert second.startswith("p/x.yaml:3:4 Y115 ")


def test_json_holds_everything() -> None:
    found = json.loads(rendered("json"))
    assert (found["errors"], found["advice"]) == (1, 1)
    first = found["problems"][0]
    assert (first["code"], first["severity"], first["file"], first["line"], first["column"]) == (
        "Y113", "error", "p/x.yaml", 2, 12,
    )  # fmt: skip
    assert first["fix"] == {"old": "nom: Art. 3: le maire", "new": "nom: 'Art. 3: le maire'"}
    assert found["problems"][1]["severity"] == "advice"


def test_annotations_cannot_be_broken_out_of() -> None:
    first, second = rendered("github", "en").splitlines()
    assert first.startswith("::error file=p/x.yaml,line=2,col=12,endColumn=13,title=Y113::")
    assert "%0A" in first
    assert second.startswith("::warning ")
    hostile = problem("N301", Position("a,b:c\n.yaml", 1, 1), name="x\n::error::100%")
    text = render_report(Report.of([hostile]), {}, form="github")
    assert text.count("\n") == 1
    assert "file=a%2Cb%3Ac%0A.yaml" in text
    assert "100%25" in text


def test_sarif_names_rules_places_and_fixes() -> None:
    [run] = json.loads(rendered("sarif"))["runs"]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["Y113", "Y115"]
    first = run["results"][0]
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "p/x.yaml"
    assert place["region"] == {"startLine": 2, "startColumn": 12, "endColumn": 13}
    [change] = first["fixes"][0]["artifactChanges"][0]["replacements"]
    assert change["insertedContent"]["text"] == "nom: 'Art. 3: le maire'"
    assert [result["level"] for result in run["results"]] == ["error", "warning"]


EXAMPLE = (Path(__file__).parents[1] / "bad" / "P3_no_time_to_pay.yaml").read_text("utf-8").replace("0 days", "9 days")


@pytest.mark.parametrize(("right", "wrong", "code", "said"), [
    ("type: phone}", "type: date, example: 02/04/1985}", "E401", "« 1985-04-02 »"),
    ("type: phone}", "type: yes_no, when: today < 02/04/2027, example: true}", "E401", "« date(2027, 4, 2) »"),
    ("type: phone}", "type: date, maximum: today + 15 days, example: 2026-12-01}", "E401", "« days(15) »"),
    ("type: phone}", "type: date, maximum: today + 1 working day}", "E401", "« working_days(1) »"),
    ("amount: 1000", "amount: 15 000", "E413", "« 15000 »"),
    ("pay: 1000", "pay: 1\u202f000", "S203", "« 1000 »"),
    ("{take: refuser", "{take: jeter", "N301", "« workflow »"),
    ("pay: frais", "pay: taxes", "N301", "« fees »"),
    ("pay: 1000", "pay: mille", "S203", "« 7500 »"),
])  # fmt: skip
def test_the_help_says_what_to_write(right: str, wrong: str, code: str, said: str) -> None:
    assert right in EXAMPLE
    shared, _ = load_shared(Path(__file__).parents[2] / "procedures")
    one, *_ = check_definition(EXAMPLE.replace(right, wrong, 1), "exemple.yaml", shared).report
    assert one.code == code
    assert said in advice(one)


# -- what to write instead ---------------------------------------------------------------------------------------------

FORM = "form: {p: {title: P, fields: {oui: {label: Oui, type: yes_no}, lien: {label: L, type: yes_no, when: oui}, c: {label: C, value: \"'a' if oui else 'b'\"}}}}\n"
OFFICE = """form: {{p: {{title: P, fields: {{nom: {{label: Nom}}, bureau: {{label: Bureau, type: {1}}}}}}}}}
workflow:
  start: examen
  office: {0}
  states:
    examen:
      label: Examen
      by: instructeur
      due: 5 working days
      transitions:
        accorder: {{label: Accorder, to: accorde}}
    accorde: {{label: Accordé, end: granted}}
"""
QUESTION = "form: {{p: {{title: P, fields: {{q: {{label: Q, {}}}}}}}}}\n"
MENDED = {
    "an amount with spaces and a unit": (
        "fees: {droit: {label: Droit, amount: 5 000 F}}\n", "E401", "« 5 000 F » : un nombre s'écrit sans unité", "écrivez « 5000 »",
    ),
    "a paper as a text": (
        "evidence: {acte: Acte de naissance}\n", "S203", "« acte » : il faut une rubrique", "écrivez « {label: 'Acte de naissance'} »",
    ),
    "a key of other forms": (QUESTION.format("type: integer, min: 1"), "S201", "« min » n'est pas une clé", "« minimum »"),
    "an administration as the office": (
        OFFICE.format("obac", "text"), "N301", "« obac » n'existe pas ici", "une question « type: office », ou d'un bureau",
    ),
    "a text as the office": (
        OFFICE.format("nom", "office"), "E413", "il faut : bureau", "une question « type: office » (bureau)",
    ),
    "a role as the act of another person": (
        OFFICE.format("bureau", "office").replace("to: accorde}", "to: accorde, not_same_as: instructeur}"), "N301",
        "« instructeur » n'existe pas ici", "une transition de « workflow »",
    ),
    "a law of no name close": (
        "fees: {droit: {label: Droit, amount: 1000, basis: zzz}}\n", "N306", "« zzz » n'est pas dans", "écrivez un texte de « legal_basis » (loi ou usage)",
    ),
    "a day that does not exist": (
        QUESTION.format("type: date, example: 2026-02-30"), "S203", "« 2026-02-30 » n'est pas une date qui existe", "année-mois-jour",
    ),
    "a time as the French write it": (
        QUESTION.format("type: time, example: 18 h 30"), "E401", "une heure s'écrit avec deux-points", "écrivez « 18:30 »",
    ),
    "a type of another format": (
        QUESTION.format("type: number, example: 1"), "S203", "« number » n'est pas permis ici", "« integer » ou « decimal »",
    ),
    "a role of no name close": (
        "later_forms: {avis: {title: Avis, by: zzz, fields: {note: {label: Note}}}}\n", "N304", "le rôle « zzz » n'existe pas", "écrivez un rôle de cette administration (",
    ),
    "a key at the level of its own map": (
        "fees:\n  droit:\n  label: Droit\n  amount: 1000\n", "S203", "« droit » est vide : ses clés se trouvent à son niveau",
        "décalez « label » et « amount » de deux espaces vers la droite, sous « droit »",
    ),
    "names at the level of their own map": (
        "form:\n  p:\n    title: P\n    fields:\n    nom: {label: Nom}\n", "S203", "« fields » est vide", "décalez « nom » de deux espaces",
    ),
    "a page at the level of the form": (
        "form:\n  p:\n  title: P\n  fields:\n    nom: {label: Nom}\n", "S203", "« p » est vide", "décalez « title » et « fields »",
    ),
    "a key of another section": (
        "form: {p: {title: P, fields: {nom: {label: Nom, sensitive: true}}}}\n", "S201", "« sensitive » n'est pas une clé",
        "écrivez-la dans « personal_data »",
    ),
    "a table without all options": (
        "form: {p: {title: P, fields: {m: {label: M, type: choice, options: {a: A, b: B}}}}}\ntables: {t: {by: [m], rows: {a: 1}, basis: loi}}\n",
        "S230", "le tableau ne dit rien pour « b »", "« otherwise: 5000 »",
    ),
    "a table read by a computed value": (
        f"{FORM}tables: {{t: {{by: [c], rows: {{a: 1}}, basis: loi}}}}\n", "N305", "« c » est une valeur calculée, sans options",
        "« type: choice, options: {a: …, b: …} »",
    ),
    "a list without an option": (
        "form: {p: {title: P, fields: {m: {label: M, type: choice, options: {a: A, b: B}}, autre: {label: Autre, when: 'm in []'}}}}\n",
        "E410", "la liste qui suit « in » est vide", "« motif in ['perte', 'vol'] »",
    ),
    "a dossier that no state waits for": (
        "links: {ancien: {label: Votre permis, relation: needs, procedure: essai}}\n", "C507",
        "aucun état n'attend la fin du dossier lié par « ancien »", "« await: ancien »",
    ),
    "a form that no state waits for": (
        "later_forms: {avis: {title: Avis, by: instructeur, fields: {note: {label: Note}}}}\n", "C507", "aucun état n'attend le formulaire « avis »",
        "« gather: [avis] »",
    ),
    "a long form after the submission": (
        "later_forms: {avis: {title: Avis, by: instructeur, fields: {"
        + ", ".join(f"q{number}: {{label: Q}}" for number in range(8))
        + "}}}\n", "V711", "le formulaire « avis » a 8 questions", "faites-en deux formulaires",
    ),
    "a key without value": (QUESTION.format("help: null"), "S203", "« help » : il faut un texte, et non rien", "ôtez la ligne « help »"),
    "an answer of a later form in a question": (
        "form: {p: {title: P, fields: {nom: {label: Nom, when: note == 'x'}}}}\n"
        "later_forms: {avis: {title: Avis, by: instructeur, fields: {note: {label: Note}}}}\n",
        "N301", "« note » n'est pas encore connu ici", "elle est donnée après",
    ),
    "a number between apostrophes": (
        QUESTION.format("type: integer, required: q > '20'"), "E410", "« > » ne va pas entre entier et texte", "« surface > 20 »",
    ),
    "an amount with its unit in a table": (
        "form: {p: {title: P, fields: {m: {label: M, type: choice, options: {a: A, b: B}}}}}\n"
        "tables: {t: {by: [m], rows: {a: 1, b: 3000 F}, basis: loi}}\n",
        "E413", "« 3000 F » est lu comme texte, et il faut : montant", "un nombre s'écrit sans unité",
    ),
    "a state without a wait": (
        OFFICE.format("bureau", "office").replace("      by: instructeur\n", "").replace("Accorder,", "Accorder, by: instructeur,"),
        "S204", "l'état « examen » n'attend rien", "dites ce qu'il attend, par une de ces clés : by, pay",
    ),
    "a list where the other questions have no dash": (
        "form:\n  p:\n    title: P\n    fields:\n      - nom:\n        label: Nom\n      age:\n        label: Age\n",
        "Y100", "ce tiret commence une liste", "enlevez le tiret",
    ),
    "a yes or no that may be absent": (
        f"{FORM}evidence: {{acte: {{label: Acte, when: not lien, basis: loi}}}}\n", "V720",
        "« not lien » est vrai aussi quand « lien » n'a pas de réponse", "« lien == false »",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "code", "said", "repair"), MENDED.values(), ids=MENDED)
def test_a_message_says_what_is_wrong_and_what_to_write(text: str, code: str, said: str, repair: str) -> None:
    found = [
        one
        for one in check_definition(a_file(text), "essai.yaml", the_shared()).report
        if one.code[0] in "SNEC" or one.code == code
    ]
    assert [one.code for one in found if one.code == code or one.code[0] in "SNE"] == [code]
    [one] = [one for one in found if one.code == code]
    assert said in message(one)
    assert repair in advice(one)
    assert said not in message(one, "en")


def test_a_text_without_translation_is_named_at_its_place() -> None:
    text = a_file(
        "languages: [fr, en]\n"
        "opinions:\n  avis: {label: {fr: Avis, en: Opinion}, due: 3 days, of: {avis_feu: {label: Pompiers, by: instructeur}}}\n"
    )
    found = [one for one in check_definition(text, "essai.yaml", the_shared()).report if one.code == "V701"]
    assert all(one.where.line for one in found)
    [service] = [one for one in found if one.facts["text"] == "Pompiers"]
    assert text.split("\n")[service.where.line - 1][service.where.column - 1 :].startswith("avis_feu")
    assert message(service) == "« Pompiers » n'est pas traduit : il manque « en »"


def test_another_refusal_than_the_one_expected_says_why() -> None:
    procedure = compiled(
        "form: {p: {title: P, fields: {jour: {label: Jour, type: date, example: 2026-03-01}}, "
        "checks: {tard: {must: jour > today, message: Trop tôt.}}}}\n"
        "scenarios: {faux: {story: Faux, given: {jour: 2027-02-30}, refuses: [tard]}}\n"
    )
    failure = play(procedure, Catalogue.of([procedure], the_shared()), load_words(), procedure.scenarios[0]).failure
    assert failure is not None
    assert message(failure) == (
        "l'histoire attend un refus de tard, et trouve jour : « 2027-02-30 » est une date qui n'existe pas"
    )


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ("{a: Un, b: , c: Trois}", "Y111", "« b » n'a pas de valeur"),
        ("{vivres, repas}", "Y112", "l'option « vivres » n'a pas de libellé"),
    ],
)
def test_an_option_without_label_is_not_called_a_cut_text(options: str, code: str, said: str) -> None:
    text = QUESTION.format(f"type: choice, options: {options}")
    [one] = report_of(text)
    assert (one.code, message(one)) == (code, said)
    assert text[one.where.column - 1 :].startswith(str(one.facts["text"]))
    assert correction(one, {"f.yaml": text}) is None, "a label is for the author to write"


def test_a_delay_without_its_unit_is_shown_with_one() -> None:
    bare = problem("S203", NOWHERE, expected="span_or_date", found="integer", name="due", value=15)
    assert "« 15 days », « 15 working days »" in advice(bare)


@pytest.mark.parametrize("proof", ["P2", "P4", "P5", "P6", "P7", "P8", "P10", "P13", "P17"])
@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_proof_that_did_not_end_says_of_what_in_words(proof: str, language: str) -> None:
    told = message(problem("V790", NOWHERE, name="droit", proof=proof), language)
    assert not re.search(r"P\d", told), "the number of a proof says nothing to an author"
    assert "maxItems" in advice(problem("V790", NOWHERE, name="droit", proof=proof), language)
