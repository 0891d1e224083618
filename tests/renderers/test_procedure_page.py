"""The public sheet: what is said of prices and of how long a document holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.model import Procedure
from renderers.procedure.page import ProcedureSheet, SheetWriter
from renderers.procedure.steps import SheetStep
from tests.makers import PROCEDURES, TODAY, a_procedure, the_directory, the_procedure, the_words

TWO = """
form:
  demande:
    title: Demande
    fields:
      qui: {label: Le permis est pour, type: choice, options: {moi: Moi, etat: L'État}}
fees:
  taxe: {label: Taxe, amount: 5000, exempt_when: {is: qui == 'etat', for: Pour l'État}}
outputs:
  provisoire: {title: Permis provisoire, kind: permit, valid: 4 months}
  permis: {title: Permis, kind: permit, valid: LONG}
"""


def sheet(text: str) -> ProcedureSheet:
    procedure: Procedure = a_procedure(text)
    return SheetWriter(procedure, the_directory(), the_words(), "fr", TODAY).sheet()


def validity(text: str) -> list[tuple[str, ...]]:
    seen = sheet(text)
    return [fact.lines for fact in seen.facts if fact.label == "Validité"] or [(seen.valid,)]


def test_documents_that_hold_as_long_are_said_once_else_each_by_its_name() -> None:
    assert validity(TWO.replace("LONG", "4 months")) == [("Valable 4 mois.",)]
    assert validity(TWO.replace("LONG", "5 years")) == [("Permis provisoire\u00a0: 4 mois", "Permis\u00a0: 5 ans")]


def test_a_document_that_holds_until_a_day_leaves_the_others_their_name() -> None:
    assert validity(TWO.replace("LONG", "'date(year(today), 12, 31)'")) == [("Permis provisoire\u00a0: 4 mois",)]


LAWS = """
legal_basis:
  sur: {title: Un décret, status: sourced, source: JO, article: art. 1, checked: 2026-03-01}
  suppose: {title: Une valeur supposée, status: plausible}
"""


@pytest.mark.parametrize(
    ("law", "verified", "to_confirm"),
    [("sur", "papiers", "prix, délai, validité"), ("suppose", "", "prix, délai, papiers, validité")],
)
def test_what_is_official_is_said_apart_by_nouns(law: str, verified: str, to_confirm: str) -> None:
    """Each noun rests on the laws of its own values: here that of the label, not that of the help."""
    other = {"sur": "suppose", "suppose": "sur"}[law]
    asked = f"evidence: {{etude: {{label: Étude, help: Au laboratoire, basis: {{label: {law}, help: {other}}}}}}}\n"
    seen = sheet(LAWS + TWO.replace("LONG", "4 months") + asked)
    assert (seen.verified, seen.to_confirm) == (verified, to_confirm)


def test_a_price_that_no_text_says_is_marked_on_its_line() -> None:
    """Money is never presented surer than it is; papers and the delay are named beside the sheet only."""
    for law, mark in (("suppose", "à confirmer"), ("sur", "")):
        seen = sheet(LAWS + TWO.replace("LONG", "4 months").replace("amount: 5000", f"amount: 5000, basis: {law}"))
        assert [one.mark for one in seen.fees] == [mark]
        assert [fact.label for fact in seen.facts if fact.mark] == (["Prix"] if mark else [])


def test_who_does_not_pay_by_a_supposed_law_is_said_so() -> None:
    [line] = sheet(LAWS + TWO.replace("LONG", "4 months").replace(
        "for: Pour l'État}", "for: Pour l'État}, basis: {amount: sur, exempt_when: suppose}"
    )).fees  # fmt: skip
    assert (line.mark, line.when.endswith("l’État, à confirmer)")) == ("", True)


def test_who_pays_by_the_piece_reads_the_price_of_one_and_what_comes_at_the_end() -> None:
    """Of the building permit the sheet said « Selon votre situation » and « le document demandé »."""
    seen = SheetWriter(the_procedure("permis-de-construire"), the_directory(), the_words(), "fr", TODAY).sheet()
    assert seen.price.replace("\u00a0", " ") == "100 FCFA par m²", "who does not pay at all is beside the price"
    assert seen.steps[-1].lines == ("Arrêté portant permis de construire", "Certificat de conformité")
    assert seen.audience.endswith(". Une autre personne dépose la demande pour elle.")


def test_the_form_to_bring_and_the_time_to_pay_are_announced() -> None:
    seen = SheetWriter(the_procedure("passeport-ordinaire"), the_directory(), the_words(), "fr", TODAY).sheet()
    last = seen.evidence[-1]
    assert (last.label, last.how) == (
        "Formulaire du rendez-vous", "il sera dans votre dossier avant le rendez-vous"
    )  # fmt: skip
    assert [fact.lines for fact in seen.facts if fact.label == "Où"] == [
        ("DGDN, Lomé ou DGDN, Kara", "Direction générale de la documentation nationale")
    ], "its full name once"
    paying = next(step for step in seen.steps if step.icon == "pay")
    assert paying.lines == ("dans un délai de 30 jours",)


FEES = """
form:
  demande:
    title: Demande
    fields:
      qui: {label: Qui, type: choice, options: {moi: Moi, toi: Toi}}
      neuf: {label: Neuf, type: yes_no}
      pays: {label: Pays, type: country}
fees:
  taxe: {label: Taxe, when: neuf, for: Pour du neuf, lines: {un: {label: Un, amount: 5000, when: "WHEN"}}}
"""


def test_the_conditions_of_a_fee_and_of_its_line_hold_together() -> None:
    [line] = sheet(FEES.replace('"WHEN"', "qui == 'moi', for: Pour vous")).fees
    assert line.when == "Pour du neuf, pour vous"


def test_a_condition_that_the_file_does_not_say_is_never_left_out() -> None:
    [line] = sheet(FEES.replace("when: neuf, for: Pour du neuf, ", "").replace("WHEN", "qui == 'moi'")).fees
    assert line.when == "Selon vos réponses"


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("age(ne_le) < 18", "Pour un enfant"),
        ("not (age(ne_le) < 18)", "Pour une personne majeure"),
        ("age(ne_le) >= 21", "Pour une personne de 21 ans ou plus"),
        ("age(ne_le) < 21", "Pour une personne de moins de 21 ans"),
        ("neuf", "Pour du neuf"),
        ("not neuf", "Selon vos réponses"),
        ("neuf and age(ne_le) < 18", "Selon vos réponses"),
    ],
)
def test_an_age_is_said_and_the_words_of_a_name_wherever_it_stands_alone(when: str, said: str) -> None:
    text = """
form:
  demande:
    title: Demande
    fields: {ne_le: {label: Né le, type: date}, etat: {label: État, type: choice, options: {neuf: Neuf, use: Usé}}}
definitions: {neuf: {is: etat == 'neuf', for: Pour du neuf}}
evidence: {acte: {label: Acte, when: "WHEN"}}
"""
    [situation] = sheet(text.replace("WHEN", when)).situations
    assert situation.title == said


@pytest.mark.parametrize("procedure", sorted(path.stem for path in PROCEDURES.glob("*.yaml")))
def test_no_sheet_quotes_a_question(procedure: str) -> None:
    seen = SheetWriter(the_procedure(procedure), the_directory(), the_words(), "fr", TODAY).sheet()
    said = [one.title for one in seen.situations] + [one.when for one in seen.fees]
    said += [line for fact in seen.facts for line in fact.lines]
    assert not [one for one in said if "si «" in one or "oui à «" in one or "Selon vos réponses" in one]


VISIT = """
form: {demande: {title: Demande, fields: {nom: {label: Nom, example: LEE}}}}
appointments: {releve: {label: Relevé, by: maire, lasts: 1 hour, place: PLACE}}
later_forms: {constat: {title: Constat, by: maire, due: 2 days, after: releve, fields: {vu: {label: Vu, type: yes_no}}}}
workflow:
  start: rendez_vous
  states:
    rendez_vous: {label: Visite, gather: [releve, constat], due: 9 days, then: accorde, missed: sans_suite}
    accorde: {label: Accordé, end: granted}
    sans_suite: {label: Sans suite, end: abandoned}
scenarios: {un: {story: Rien, steps: [{wait: 1 day}]}}
"""


def test_a_visit_awaited_with_other_things_is_a_step_too() -> None:
    assert SheetStep("come", "Vous venez", "au bureau") in sheet(VISIT.replace("PLACE", "office")).steps
    assert SheetStep("come", "Nous venons", "sur place") in sheet(VISIT.replace("PLACE", "applicant")).steps


def test_who_does_not_pay_is_said_beside_the_price() -> None:
    [line] = sheet(TWO.replace("LONG", "5 years")).fees
    assert plain(line.when) == "(gratuit : pour l’État)"


COPIES = """
form:
  demande:
    title: Demande
    fields:
      combien: {label: Combien, type: integer, minimum: 1}
      envoi: {label: Par la poste, type: yes_no}
evidence: {ancienne: {label: Ancienne copie, required: false}}
fees: {taxe: {label: Copies, lines: LINES}}
outputs:
  copie: {title: Copie, when: not envoi}
  pli: {title: Pli, when: envoi}
"""
ONE = "{une: {label: Copie, amount: 500, times: combien, per: copie}}"


def test_what_each_costs_is_said_where_only_the_number_is_unknown() -> None:
    assert plain(sheet(COPIES.replace("LINES", ONE)).price) == "500 FCFA par copie"
    two = ONE[:-1] + ", port: {label: Port, amount: 200, when: envoi}}"
    assert plain(sheet(COPIES.replace("LINES", two)).price) == "à partir de 500 FCFA"
    unknown = two.replace("500", "combien * 3").replace(", times: combien, per: copie", ", when: not envoi")
    assert sheet(COPIES.replace("LINES", unknown).replace(", minimum: 1", "")).price == "Selon votre situation"


def test_a_price_is_marked_by_the_lines_that_make_it() -> None:
    lines = "{une: {label: U, amount: 500, basis: sur}, port: {label: P, amount: 200, when: envoi, basis: suppose}}"
    [price, *_] = sheet(LAWS + COPIES.replace("LINES", lines)).facts
    assert (*map(plain, price.lines), price.mark) == ("à partir de 500 FCFA", "")


def test_a_paper_nobody_must_give_is_said_optional() -> None:
    [paper] = sheet(COPIES.replace("LINES", ONE)).evidence
    assert paper.how.startswith("facultatif, ")


def test_what_the_answers_decide_is_one_of_several_documents() -> None:
    issued = """
workflow:
  start: examen
  states:
    examen: {label: Examen, by: maire, due: 5 days, transitions: {accorder: {label: Accorder, to: accorde, issues: [copie, pli]}}}
    accorde: {label: Accordé, end: granted}
personal_data: {purpose: Essayer, keep: {granted: 2 years}}
"""
    *_, last = sheet(COPIES.replace("LINES", ONE) + issued).steps
    assert (last.icon, plain(last.verb), last.detail) == ("get", "Vous recevez :", "Copie ou Pli")


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_the_sheet_names_only_official_texts_that_were_read() -> None:
    """Where a value was found, what was supposed and what nobody checked stand on the definition's page, not here."""
    laws = """
legal_basis:
  texte: {title: Un décret, status: sourced, official: true, source: JO, url: 'https://jo.example/1', checked: 2026-03-01}
  cite: {title: Un code, status: sourced, article: 3, source: JO, checked: 2026-03-01}
  presse: {title: Prix de 500 F, status: sourced, url: 'https://journal.example/2', checked: 2026-03-01}
  nomme: {title: Un site, status: sourced, article: art. 4, checked: 2026-03-01, official: false}
  jamais_lu: {title: Un arrêté jamais lu, status: sourced, official: true, article: art. 5}
  nulle_part: {title: Un avis sans adresse, status: sourced, official: true, checked: 2026-03-01}
  deduit: {title: Greffier (déduit), status: to_confirm, official: true}
  suppose: {title: Valeur supposée, status: plausible}
"""
    seen = sheet(laws + TWO.replace("LONG", "4 months"))
    assert [one.label for one in seen.laws] == ["Un décret", "Un code"]
    assert [one.source for one in seen.laws] == ["", "source\u00a0: JO"]
    assert [one.article for one in seen.laws] == ["", "art. 3"]
    assert seen.to_confirm, "values are still told from what is sure"


COSTS = """
form: {demande: {title: Demande, fields: {surface: {label: Surface, type: integer, example: 12}}}}
EVIDENCE
fees: {taxe: {label: Taxe, amount: AMOUNT, basis: LAW}}
"""
KNOWN = "Personne ne peut vous demander plus d’argent pour cette démarche."


def costs(law: str = "sur", evidence: str = "", amount: str = "5000") -> str:
    text = COSTS.replace("LAW", law).replace("EVIDENCE", evidence).replace("AMOUNT", amount)
    return plain(" ".join(sheet(LAWS + text).costs))


def test_no_more_money_is_promised_only_where_each_cost_is_known() -> None:
    assert costs() == KNOWN
    here = "Nous ne vous demandons ici que ces montants."
    assert costs(law="suppose") == "Nous ne vous demandons ici que ces montants, à confirmer."
    assert (
        costs(amount="surface * 100 + 1 if surface > 3 else 2") == f"{here} Une partie du prix dépend de votre dossier."
    )
    photo = "evidence: {photo: {label: Photo}, acte: {label: Acte de naissance}}"
    said = "Ces pièces peuvent coûter de l’argent ailleurs : Photo et Acte de naissance."
    assert costs(evidence=photo) == f"{here} {said}"
    many = f"evidence: {{{', '.join(f'p{number}: {{label: Pièce {number}}}' for number in range(6))}}}"
    assert "Les pièces peuvent coûter de l’argent ailleurs." in costs(evidence=many)


def test_a_free_procedure_says_what_may_cost_elsewhere() -> None:
    form = "form: {demande: {title: Demande, fields: {nom: {label: Nom}}}}\n"
    assert [plain(one) for one in sheet(form).costs] == ["Personne ne peut vous demander d’argent pour cette démarche."]
    said = " ".join(map(plain, sheet(form + "evidence: {photo: {label: Photo}}\n").costs))
    assert said.startswith("Nous ne vous demandons rien à payer ici. Ces pièces peuvent coûter")


@pytest.mark.parametrize("procedure", sorted(path.stem for path in PROCEDURES.glob("*.yaml")))
def test_no_shipped_procedure_promises_what_is_not_known(procedure: str) -> None:
    seen = SheetWriter(the_procedure(procedure), the_directory(), the_words(), "fr", TODAY)
    assert KNOWN not in map(plain, seen.sheet().costs), "no price was read in its text"
    assert seen.card().mark == "à confirmer"


def test_an_office_that_was_not_checked_is_to_be_confirmed() -> None:
    directory = the_directory()
    office = directory.offices_of("obac")[0]
    checked = replace(directory, offices={office.id: replace(office, checked=TODAY)})
    procedure = the_procedure("duplicata-bac")
    marks = [
        [one.mark for one in SheetWriter(procedure, known, the_words(), "fr", TODAY).offices()]
        for known in (directory, checked)
    ]
    assert marks == [["à confirmer"] * len(marks[0]), [""]]


@pytest.mark.parametrize("channels", ["", "channels: [web]", "channels: [web, counter, paper, api, ussd]"])
def test_the_sheet_promises_no_way_to_apply_that_is_not_served(channels: str) -> None:
    """A kept edition may name a channel that is not served yet: its page names the others."""
    counter, paper = "Au guichet d’un bureau", "Sur un formulaire papier signé"
    expected = {"channels: [web]": ("Non\u00a0: seulement en ligne, sur cette page",), "": (counter,)}.get(
        channels, (paper, counter)
    )
    assert sheet(channels).channels == expected


GROUP = """
form:
  groupe:
    title: Le groupe
    fields:
      voyageurs:
        label: Voyageurs
        type: rows
        fields:
          nom: {label: Nom}
          ne_le: {label: Né le, type: date}
          page: {label: Page d'identité, type: file}
          accord: {label: Accord des parents, type: file, when: {is: age(ne_le) < 18, for: Pour un enfant}}
evidence: {billet: {label: Billet}}
"""


def test_what_each_row_of_a_list_gives_is_told_before_one_starts() -> None:
    """It is not folded, unless a condition of the row decides; what it costs to obtain it is shown too."""
    seen = sheet(GROUP)
    assert [one.label for one in seen.evidence] == ["Billet"]
    told = [(one.title, [paper.label for paper in one.evidence], one.heading) for one in seen.situations]
    each = "Voyageurs"
    assert told == [(each, ["Page d’identité"], each), (f"{each}, pour un enfant", ["Accord des parents"], "")]
    assert {paper.how for one in seen.situations for paper in one.evidence} == {"photo ou PDF"}
    assert "Page d’identité" in " ".join(seen.costs)


def test_travellers_learn_every_paper_from_the_page_of_the_visa() -> None:
    procedure = the_procedure("e-visa")
    seen = SheetWriter(procedure, the_directory(), the_words(), "en", TODAY).sheet()
    told = [(one.title, [paper.label for paper in one.evidence], one.heading) for one in seen.situations]
    papers = ["Identity page of the passport", "Passport photograph", "Yellow fever certificate"]
    assert told[0] == ("Travellers", papers, "Travellers")
    assert ["Parental authorisation"] in [labels for _, labels, _ in told]


def test_who_applies_online_only_is_told_the_service_and_no_place() -> None:
    seen = SheetWriter(the_procedure("e-visa"), the_directory(), the_words(), "fr", TODAY).sheet()
    named = {one.label: one.lines for one in seen.facts}
    assert named["Service"] == ("Direction générale de la documentation nationale",)
    assert "Où" not in named


def test_the_sheet_says_once_that_the_form_is_in_french() -> None:
    of = {name: the_procedure(name) for name in ("branchement-eau", "e-visa")}
    said = {name: SheetWriter(one, the_directory(), the_words(), "en", TODAY).sheet() for name, one in of.items()}
    assert (said["branchement-eau"].title, said["e-visa"].spoken) == ("Water connection", "")
    assert said["branchement-eau"].spoken == "The form and the messages of this procedure are in French."
    assert said["e-visa"].offices == (), "nothing is done there"


@pytest.mark.parametrize("procedure", sorted(path.stem for path in PROCEDURES.glob("*.yaml")))
def test_every_shipped_title_and_summary_has_english(procedure: str) -> None:
    identity = the_procedure(procedure).identity
    assert {"fr", "en"} <= identity.title.languages & identity.summary.languages


def test_files_and_photos_of_the_form_are_papers_to_prepare() -> None:
    seen = sheet("form: {kiosque: {title: Kiosque, fields: {plan: {label: Plan, type: file}, nom: {label: Nom}}}}")
    assert [(paper.label, paper.how) for paper in seen.evidence] == [("Plan", "photo ou PDF")]


@pytest.mark.parametrize(
    ("audience", "said"),
    [
        ("natural_person, national", "Une personne, de nationalité togolaise."),
        (
            "natural_person, legal_person, national, foreigner",
            "Une personne, une entreprise ou une association, de nationalité togolaise ou de nationalité étrangère.",
        ),
        ("legal_person", "Une entreprise ou une association."),
    ],
)
def test_who_may_apply_is_one_list(audience: str, said: str) -> None:
    assert sheet(f"audience: [{audience}]\n" + TWO.replace("LONG", "4 months")).audience == said


def test_a_line_of_prices_says_once_that_it_is_to_confirm() -> None:
    [line] = sheet(LAWS + TWO.replace("LONG", "4 months").replace(
        "for: Pour l'État}", "for: Pour l'État}, basis: suppose"
    )).fees  # fmt: skip
    assert (line.mark, line.when) == ("à confirmer", "(gratuit\u00a0: pour l’État)")


@pytest.mark.parametrize(
    ("when", "said"),
    [("gros(tuyau) > 0", [("20 mm", "50")]), ("urgent", [("15 mm, pose urgente", "0"), ("20 mm, pose urgente", "50")])],
)
def test_a_line_owed_above_zero_lists_no_case_at_zero(when: str, said: list[tuple[str, str]]) -> None:
    """The sheet of water said « 15 mm, Au-dessus de 15 mm : 0 FCFA »."""
    seen = sheet(f"""
form:
  demande:
    title: Demande
    fields:
      tuyau: {{label: Tuyau, type: choice, options: {{dn15: 15 mm, dn20: 20 mm}}}}
      urgent: {{label: Urgent, type: yes_no}}
tables:
  gros: {{by: [tuyau], rows: {{dn15: 0, dn20: 50}}}}
fees:
  pose:
    label: Pose
    lines:
      taille: {{label: Supplément, amount: gros(tuyau), when: {{is: {when}, for: Pose urgente}}}}
""")
    assert [(one.when.replace("\u00a0", " "), one.amount.split("\u00a0")[0]) for one in seen.fees] == said
