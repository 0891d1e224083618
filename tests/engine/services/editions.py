"""A procedure of a city hall in two editions, the later one under other names, and an office that publishes them in turn."""

from __future__ import annotations

from dataclasses import replace

from engine.language.catalogue.catalogue import Catalogue
from engine.model import Procedure
from engine.records.publications import Edition
from tests.engine.services.world import World
from tests.makers import compiled, the_shared

FIRST = """
procedure: kiosque
edition: 1
title: Ouvrir un kiosque
summary: Tenir un kiosque sur la voie publique.
agency: mairie
delay: 25 working days
legal_basis:
  loi: {title: Une loi, status: sourced, source: JO, article: art. 1, checked: 2026-03-01}
form:
  demande:
    title: Votre kiosque
    fields:
      enseigne: {label: Enseigne, example: Chez Afi}
      vente: {label: Que vendez-vous, type: choice, options: {journaux: Journaux, repas: Repas, autre: Autre chose}, example: repas}
      vendeurs:
        label: Vendeurs
        type: rows
        maxItems: 3
        fields:
          nom: {label: Nom, example: AMEGAN}
          age: {label: Âge, type: integer, example: 30}
      telephone_voisin: {label: Téléphone d'un voisin, required: false, example: 90 11 22 33}
fees:
  taxe: {label: Taxe, amount: 2000, when: "vente == 'repas'"}
opinions:
  services:
    label: Avis
    due: 10 working days
    fields:
      reserves: {label: Réserves, when: opinion == 'reserved', example: Reculer d'un mètre}
    of:
      avis_voirie: {label: Voirie, by: voirie, silence: favourable}
      avis_foncier: {label: Foncier, by: gfu/conservateur}
later_forms:
  badge:
    title: Badge de chaque vendeur
    by: urbaniste
    each: vendeurs
    fields:
      couleur: {label: Couleur, type: choice, options: {bleu: Bleu, vert: Vert}, example: bleu}
workflow:
  start: examen
  clocks:
    silence: {label: Accord tacite, lasts: 3 months, runs_in: [examen, avis, a_payer, badges], paused_in: [a_completer], then: accorde}
  states:
    examen:
      label: Examen
      by: urbaniste
      due: 5 working days
      transitions:
        consulter: {label: Consulter, to: avis}
        completer: {label: Faire compléter, to: a_completer, asks: [correction, reason]}
        refuser: {label: Refuser, to: refuse, asks: [reason]}
    a_completer: {label: À compléter, correct: requested, due: 30 days, then: examen, late: abandonne}
    avis: {label: Avis, gather: [services], due: 20 working days, then: a_payer}
    a_payer: {label: À payer, pay: taxe, due: 30 days, then: badges, late: abandonne}
    badges: {label: Badges, gather: [badge], due: 10 days, then: decision}
    decision:
      label: Décision
      by: urbaniste
      due: 5 working days
      transitions:
        signer: {label: Signer, to: accorde, not_same_as: consulter}
        refuser_enfin: {label: Refuser, to: refuse, asks: [reason]}
    accorde: {label: Accordé, end: granted, issues: [permis]}
    refuse: {label: Refusé, end: refused}
    abandonne: {label: Sans suite, end: abandoned}
outputs:
  permis: {title: Permis de kiosque, kind: permit, shows: [enseigne]}
personal_data: {purpose: Tenir les kiosques, keep: {granted: 2 years, refused: 1 year, abandoned: 30 days}}
scenarios:
  simple: {story: Un kiosque, steps: [{take: refuser, reason: Trop près, then: refuse}]}
"""

RENAMES = (
    ("edition: 1\n", "edition: 2\n"),
    ("enseigne", "nom_du_kiosque"),
    ("repas", "plats"),
    ("journaux", "presse"),
    ("vendeurs", "employes"),
    ("          nom:", "          nom_complet:"),
    ("taxe", "redevance"),
    ("services", "consultation"),
    ("avis_voirie", "avis_routes"),
    ("      reserves", "      conditions"),
    ("badge:", "carte:"),
    ("[badge]", "[carte]"),
    ("couleur", "teinte"),
    ("{bleu: Bleu", "{azur: Bleu"),
    ("example: bleu", "example: azur"),
    ("    examen:", "    instruction:"),
    ("start: examen", "start: instruction"),
    ("then: examen", "then: instruction"),
    ("[examen, avis", "[instruction, avis"),
    ("consulter", "demander_avis"),
    ("silence: {label: Accord", "tacite: {label: Accord"),
    ("      telephone_voisin: {label: Téléphone d'un voisin, required: false, example: 90 11 22 33}\n", ""),
)
MAP = """
migrate:
  1:
    enseigne: nom_du_kiosque
    vente.repas: plats
    vente.journaux: presse
    vendeurs: employes
    vendeurs.nom: nom_complet
    taxe: redevance
    services: consultation
    avis_voirie: avis_routes
    services.reserves: conditions
    badge: carte
    vendeurs.couleur: teinte
    vendeurs.couleur.bleu: azur
    examen: instruction
    consulter: demander_avis
    silence: tacite
    telephone_voisin: null
"""


def edition(*edits: tuple[str, str], text: str = FIRST, map_: str = "") -> Procedure:
    """The first edition with some passages replaced everywhere, and what it says of those before it."""
    for old, new in edits:
        assert old in text, f"no « {old} » in the edition"
        text = text.replace(old, new)
    at = text.index("scenarios:")
    return compiled(text[:at] + map_.lstrip("\n") + text[at:], "kiosque.yaml")


def first() -> Procedure:
    return edition()


def renamed(*edits: tuple[str, str], map_: str = MAP) -> Procedure:
    """The later edition: everything under another name, and `edits` on top."""
    return edition(*RENAMES, *edits, map_=map_)


def publish(world: World, book: Procedure) -> None:
    """Puts an edition in force; those before it stay for the dossiers they have."""
    office = world.office
    edition_ = Edition(book.id, book.edition, book.fingerprint, book.source, book.expanded, office.now())
    with office.store.unit(write=True) as unit:
        unit.add_edition(edition_)
        kept = unit.editions(book.id)
    texts = {one.fingerprint: one for one in kept}
    catalogue = Catalogue.of([*office.catalogue.all(), book], the_shared())
    catalogue = catalogue.with_editions(kept, lambda _, fingerprint: texts.get(fingerprint))
    world.office = replace(office, catalogue=catalogue)
