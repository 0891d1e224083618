"""Two invented procedures for the access matrix: one with everything that a dossier may hold, one that follows on it."""

from __future__ import annotations

from typing import Final

STALL: Final = """
procedure: etal
edition: 1
title: Étal de marché
summary: Louer un étal.
agency: dgdn
delay: 60 working days
dossier_label: '{nom}'
form:
  vous:
    title: Vous
    fields:
      nom: {label: Nom, example: LEE}
      sante: {label: Votre santé, example: Bonne}
  aides:
    title: Vos aides
    fields:
      aides:
        label: Aides
        type: rows
        row_label: '{prenom}'
        fields:
          prenom: {label: Prénom, example: Ama}
          accord: {label: Accord, type: file}
evidence:
  carte: {label: Carte d'identité, how: [upload, show_original]}
fees:
  place: {label: Place, amount: 5000}
appointments:
  visite: {label: Visite, by: guichet, proposed_by: guichet, lasts: 1 hour, hours: [08:00-10:00]}
  remise: {label: Remise de la clé, by: guichet, lasts: 1 hour, hours: [08:00-10:00]}
opinions:
  services:
    label: Avis
    due: 10 working days
    confidential: [controleur]
    fields:
      note: {label: Note, example: Rien}
    of:
      avis_guichet: {label: Avis du guichet, by: guichet}
      avis_production: {label: Avis de la production, by: production}
later_forms:
  plan:
    title: Le plan
    by: applicant
    fields: {lumiere: {label: Lumière, type: yes_no}}
  tenue:
    title: La tenue de chaque aide
    by: applicant
    each: aides
    fields: {taille: {label: Taille, type: integer, example: 3}}
  constat:
    title: Le constat
    by: controleur
    fields: {vu: {label: Vu, type: yes_no}}
workflow:
  start: examen
  states:
    examen:
      label: Examen
      by: controleur
      due: 20 working days
      transitions:
        consulter: {label: Consulter, to: avis, bulk: true}
        percevoir: {label: Faire payer, to: a_payer}
        corriger: {label: Faire corriger, to: a_corriger, asks: [correction, reason]}
        refuser: {label: Refuser, to: refuse, asks: [reason]}
    avis: {label: Avis, gather: [services, plan, tenue, constat, visite], due: 30 days, then: examen, late: classe}
    a_corriger: {label: À corriger, correct: requested, due: 30 days, then: examen, late: classe}
    a_payer: {label: À payer, pay: place, due: 30 days, then: cle, late: classe}
    cle: {label: Remise de la clé, attend: remise, due: 60 days, then: accorde, late: classe, missed: classe}
    accorde: {label: Accordé, end: granted, issues: permis}
    refuse: {label: Refusé, end: refused}
    classe: {label: Classé, end: abandoned}
    retire: {label: Retiré, end: withdrawn}
  transitions:
    retirer: {from: [examen, a_payer], to: retire, by: applicant, label: Retirer ma demande, asks: [reason]}
outputs:
  permis: {title: Permis d'étal, kind: permit, shows: [nom]}
personal_data:
  purpose: Louer des étals
  sensitive: {sante: {seen_by: [controleur]}}
scenarios:
  simple: {story: Une demande, steps: [{take: percevoir, then: a_payer}]}
"""
RENEWAL: Final = """
procedure: renouvellement
edition: 1
title: Renouveler un étal
summary: Garder son étal.
agency: dgdn
delay: 5 working days
links:
  ancien: {label: L'ancien permis, relation: renews, procedure: etal, row: aides, copies: {chef: prenom}}
form:
  moi:
    title: Moi
    fields: {chef: {label: Qui tient l'étal, example: LEE}}
workflow:
  start: examen
  states:
    examen: {label: Examen, by: chef_sejour, due: 5 working days, transitions: {accorder: {label: Accorder, to: accorde}}}
    accorde: {label: Accordé, end: granted}
personal_data: {purpose: Louer des étals}
scenarios:
  simple: {story: Une demande, steps: [{take: accorder, then: accorde}]}
"""
