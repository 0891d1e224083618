"""The five longest journeys, each a story of its own told beside those of the shipped file, and who lives it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from engine.language.catalogue.catalogue import check_definition
from engine.language.compiler.shared_files import Shared
from engine.model import Scenario
from renderers.html.controls import national
from tests.engine.services.world import pdf
from tests.web.form_filler import FormFiller
from tests.web.portal import PASSWORD, ROOT
from tests.web.scenario_journey import ScenarioJourney

LONGEST: Final = {
    # a minor: corrected once, paid after a failure, two visits, made, handed over
    "passeport-ordinaire": """
    like: adulte
    given: {date_naissance: 2014-05-02}
    steps:
      - {take: faire_corriger, fields: [acte_naissance], reason: Acte illisible, then: a_corriger}
      - {wait: 2 days}
      - {correct: {acte_naissance: acte.jpg}, then: conformite}
      - {take: conforme, then: a_payer}
      - {pay: 30000, ends: failed}
      - {pay: 30000, then: rendez_vous}
      - {book: {depot: 2026-12-02 08:30}}
      - {visit: attended, then: originaux}
      - {take: ajourner, reason: Photo sur fond bleu, then: rendez_vous}
      - {book: {depot: 2026-12-07 08:30}}
      - {visit: attended, then: originaux}
      - {take: originaux_conformes, then: production}
      - {take: fabriquer, then: pret}
      - {take: remettre, then: remis}
""",
    # an architect: opinions, a visit, a refusal, the appeal, the permit, its inspections
    "permis-de-construire": """
    like: pompiers
    steps:
      - {take: recevoir}
      - {pay: 15000}
      - {opinion: {avis_voirie: favourable, avis_foncier: favourable, avis_feu: unfavourable}}
      - {book: {visite: 2026-12-01 07:30}}
      - {visit: attended}
      - {do: rapport_visite, then: commission}
      - {take: proposer_refus, reason: Une seule issue}
      - {take: signer_refus, then: refuse}
      - {take: former_recours, reason: Deuxième issue dessinée}
      - {take: rouvrir, who: adjoint, reason: Plans modifiés, then: instruction}
      - {opinion: {avis_voirie: favourable, avis_foncier: favourable, avis_feu: favourable}, then: instruction}
      - {do: rapport_visite, then: commission}
      - {take: proposer_accord, who: afi, then: signature}
      - {take: signer, who: kofi, then: permis}
      - {take: ouvrir_chantier, then: chantier}
      - {take: declarer_phase, with: {phase: achevement}, then: inspection}
      - {book: {controle: 2026-12-24 07:30}}
      - {visit: attended}
      - {do: constat, then: conformite}
      - {take: signer_conformite, then: conforme}
""",
    # a quote paid in two parts, works, a check failed once
    "raccordement-electricite": """
    like: maison
    steps:
      - {pay: 2000, then: visite_technique}
      - {book: {visite: 2026-11-26 08:30}}
      - {visit: attended}
      - {do: releve, with: {extension: true}, then: chiffrage}
      - {take: chiffrer, then: a_regler}
      - {pay: 39000, then: a_regler}
      - {pay: 78000, then: pose}
      - {take: poser, then: essai}
      - {take: controler, with: {installation_conforme: false}, then: reprise}
      - {take: reparer, then: essai}
      - {take: controler, then: mise_en_service}
      - {take: mettre_en_service, then: en_service}
""",
    # a family of four, one refused
    "e-visa": """
    like: famille
    given:
      voyageurs:
        - {nom: LEE, passeport: EB100001}
        - {nom: LEE, prenoms: Anna, passeport: EB100004}
        - {nom: LEE, prenoms: Tom, date_naissance: 2015-01-01, passeport: EB100002}
        - {nom: DOSSOU, nationalite: ben, passeport: EB100003}
    steps:
      - {pay: 135000, then: instruction}
      - {do: decision_visa, rows: [{}, {}, {}, {accorde: false, raison_refus: Passeport signalé}], then: signature}
      - {take: signer, then: delivre}
""",
    # a company, by somebody it trusts
    "casier-judiciaire-b3": """
    like: societe
    steps:
      - {pay: 500, then: interrogation}
      - {look_up: {recherche: not_found}, then: piece}
      - {take: comparer, then: signature}
      - {take: signer, then: a_retirer}
      - {take: remettre, then: remis}
""",
}
BY_PROXY: Final = "casier-judiciaire-b3"
COMPANY: Final = "SOTOGO SARL"


def longest_story(slug: str, shared: Shared) -> Scenario:
    """The story, read as the stories of the file are."""
    path = ROOT / "procedures" / f"{slug}.yaml"
    text = path.read_text("utf-8").rstrip("\n") + f"\n  longest:\n    story: La plus longue{LONGEST[slug]}"
    checked = check_definition(text, str(path), shared)
    assert checked.procedure is not None, list(checked.report)
    return next(one for one in checked.procedure.scenarios if one.id == "longest")


@dataclass
class ProxyWalk(ScenarioJourney):
    """A walk for a company: its manager showed who they are and trusts somebody, who acts for it."""

    paper: Path = Path()

    def _enter(self) -> None:
        self.paper.write_bytes(pdf())
        manager = self.people["manager"] = self.enters("manager", False)
        self._known_as(manager, f"+22891{self.phone[-6:]}")
        manager.tap('main a[href="/compte/entreprises/nouvelle"]')
        manager.write("[name=number]", f"TG-LOM 2024 B {int(self.phone[-5:]) + 1}")
        manager.write("[name=name]", COMPANY)
        manager.input_method.attach(manager.page.locator("[name=proof]"), str(self.paper))
        manager.tap("main form button.button")
        self._accepted()
        manager.go("/compte/entreprises")
        manager.tap("main form[action='/compte/agir'] button[name=mandate]")
        manager.go("/compte/entreprises")
        manager.tap('main a[href="/compte/entreprises/inviter"]')
        manager.write("[name=phone]", national(self.phone))
        manager.tick("[name=role][value=agent]")
        manager.tap("main form button.button")
        self._known_as(self.me, self.phone)
        self.me.tap("main form[action='/compte/agir'] button[name=mandate]")

    def _known_as(self, person: FormFiller, phone: str) -> None:
        person.go("/connexion?suite=/compte/entreprises")
        self._sign_in(person, phone)

    def _accepted(self) -> None:
        chief = self.people["administration"] = self.enters("administration", True)
        chief.go("/agent/connexion?suite=/agent/representants")
        chief.write("[name=login]", "administration")
        chief.write("[name=password]", PASSWORD)
        chief.tap("main form button.button")
        chief.write("main [name=name]", "SOTOGO")
        chief.tap("main button[value=accept]")
