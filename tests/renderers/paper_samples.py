"""Sample papers of every kind, as the composer freezes them: short, usual and long ones. `~` is a fixed space."""

from __future__ import annotations

import json
from typing import Any

from engine.core.values import Plain

Paper = dict[str, Plain]

HEADINGS: dict[str, dict[str, Any]] = {
    "justice": {
        "authorities": ["Ministère de la Justice"],
        "service": "Service national du casier judiciaire automatisé",
        "office": "Centre de traitement de Lomé",
    },
    "commune": {
        "authorities": ["Région Maritime", "Préfecture du Golfe"],
        "service": "Commune du Golfe~1",
        "office": "Le Maire – Service d’urbanisme",
    },
    "sceau": {
        "authorities": ["Ministère de la Justice"],
        "service": "Direction du sceau, de la nationalité et de l’identité civile",
    },
    "documentation": {
        "authorities": ["Ministère de la Sécurité et de la Protection civile"],
        "service": "Direction générale de la documentation nationale",
        "office": "Bureau de Lomé",
    },
    "energie": {
        "authorities": ["Ministère chargé de l’Énergie"],
        "service": "Compagnie énergie électrique du Togo",
        "office": "Agence de Kpalimé",
    },
}


def _verify(words: str) -> dict[str, Any]:
    return {
        "title": "À qui reçoit ce document~: vérifiez-le",
        "steps": "Visez le carré avec un téléphone, ou tapez ce code à l’adresse indiquée.",
        "words": words,
        "url": "guichet.tg/v",
        "code": "2539 0315 7648",
        "address": "HTTPS://GUICHET.TG/V/ABCDEFGHIJKLMNOPQRSTUVWXY2",
        "alt": "Code QR~: ouvre la page qui vérifie ce document",
    }


def _paper(kind: str, template: str, heading: str, **zones: Any) -> Paper:
    """Return a paper of this kind. Its numbers are those of the examples; `~` becomes a fixed space."""
    whole = {
        "template": template, "version": 1, "typst": "0.15.2", "lang": "fr", "kind": kind, "specimen": False,
        "heading": HEADINGS[heading], "state": ["République togolaise", "Travail – Liberté – Patrie"],
        "number": "SNCJA-2026-00001", "number_label": "N°", "issued": "2026-11-23T09:41:00+00:00",
        "verify": _verify("La page doit afficher ce numéro, ce nom et le texte de ce document."),
        "labels": {"page": "Page", "of": "/"},
        **zones,
    }  # fmt: skip
    read: Paper = json.loads(json.dumps(whole, ensure_ascii=False).replace("~", "\u00a0"))
    return read


def _signature(quality: str, name: str, day: str = "23~novembre 2026", place: str = "Lomé") -> dict[str, Any]:
    return {
        "place_day": f"Fait à {place}, le {day}",
        "quality": quality,
        "text": f"Signé électroniquement le {day} à 9~h~41",
        "name": name,
    }


IDENTITY: list[list[str]] = [
    ["Nom", "AMEGAN"], ["Prénoms", "Afi Akpédzé"], ["Née le", "12~mars 1994 à Kpalimé"], ["Sexe", "Féminin"],
    ["Fille de", "AMEGAN Kodjo et de LAWSON Akouvi"], ["Identité établie sur", "Acte de naissance n°~212/1994, Kpalimé"],
]  # fmt: skip

BULLETIN = _paper(
    "certificate", "attest", "justice",
    dossier=["Demande", "n°~26 6836 9094 2 du 23~novembre 2026"],
    title="Bulletin n°~3", subtitle="Extrait du casier judiciaire",
    basis=["Loi du 1ᵉʳ~avril 2021 relative au casier judiciaire national automatisé"],
    particulars={"rows": IDENTITY},
    operative=[
        "Le greffier en chef soussigné, après consultation du fichier national automatisé le 23~novembre 2026 à 9~h~02, "
        "certifie que le relevé des condamnations à porter au bulletin n°~3 concernant la personne désignée ci-dessus "
        "est le suivant~:"
    ],
    table={"head": ["Date", "Juridiction", "Nature de l’infraction", "Peine"], "rows": [], "empty": "NÉANT"},
    declared={"title": "Déclaré par la personne, non vérifié", "rows": [["Usage", "emploi"]]},
    validity=["Valable trois mois, jusqu’au 23~février 2027."],
    mentions={"holder": ["Délivré à l’intéressée, sur sa demande, pour servir et valoir ce que de droit."]},
    signatures=[_signature("Le Greffier en chef", "Essi MENSAH")],
    seal={"around": "Casier judiciaire national · Lomé", "middle": "SCEAU\nÉLECTRONIQUE"},
    remedies={
        "title": "Erreur ou contestation",
        "rows": [
            "Bureau des réclamations du casier judiciaire, dans les deux mois de la délivrance. Quiconque falsifie ce "
            "bulletin, ou se le fait délivrer sous un faux nom, s’expose aux peines prévues par le Code pénal."
        ],
    },
    verify=_verify("La page doit afficher ce numéro, ce nom, cette date de naissance et la mention «~Néant~»."),
)  # fmt: skip

TWELVE = {
    **BULLETIN,
    "table": {
        "head": ["Date", "Juridiction", "Nature de l’infraction", "Peine"],
        "rows": [
            [f"{day}\u00a0juin {year}", f"Tribunal de grande instance de {town}", crime, sentence]
            for day, year, town, crime, sentence in [
                (3, 2009, "Lomé", "Vol simple", "Trois mois d’emprisonnement avec sursis"),
                (14, 2010, "Kara", "Abus de confiance", "Six mois d’emprisonnement avec sursis"),
                (22, 2011, "Sokodé", "Conduite sans permis de conduire", "Amende de 50\u00a0000\u00a0F"),
                (5, 2012, "Atakpamé", "Coups et blessures volontaires", "Un an d’emprisonnement, dont six mois avec sursis"),
                (17, 2013, "Kpalimé", "Escroquerie", "Deux ans d’emprisonnement et amende de 500\u00a0000\u00a0F"),
                (28, 2014, "Lomé", "Émission de chèque sans provision", "Amende de 250\u00a0000\u00a0F"),
                (2, 2015, "Dapaong", "Faux et usage de faux en écriture privée", "Dix-huit mois d’emprisonnement avec sursis"),
                (11, 2016, "Tsévié", "Vol en réunion", "Deux ans d’emprisonnement"),
                (19, 2018, "Aného", "Recel", "Huit mois d’emprisonnement"),
                (25, 2020, "Lomé", "Outrage à agent dans l’exercice de ses fonctions", "Amende de 100\u00a0000\u00a0F"),
                (7, 2022, "Notsé", "Destruction de biens d’autrui", "Six mois d’emprisonnement avec sursis"),
                (30, 2024, "Lomé", "Abus de biens sociaux", "Trois ans d’emprisonnement et interdiction de gérer"),
            ]
        ],
    },
}  # fmt: skip

NATIONALITY = _paper(
    "certificate", "attest", "sceau", number="DSNIC-2026-00012", day="Lomé, le 3~avril 2026",
    dossier=["Dossier", "26 4829 1137 4"], title="Certificat de nationalité togolaise",
    basis=["Ordonnance n°~78-34 du 7~septembre 1978 portant code de la nationalité togolaise, article~5-1"],
    particulars={
        "title": "Titulaire",
        "rows": [["Nom", "KƆNYƐ"], ["Prénoms", "Ŋutsu Kɔfi Ɖela"], ["Né le", "1ᵉʳ~mai 1990"], ["À", "Kpalimé-Ʋeta"]],
    },
    operative=[
        "Le Directeur du sceau, de la nationalité et de l’identité civile certifie que M. KƆNYƐ Ŋutsu Kɔfi Ɖela, né le "
        "1ᵉʳ~mai 1990 à Kpalimé-Ʋeta, de KƆNYƐ Yao et de AƉOVI Ɛfui, **est de nationalité togolaise**, en application "
        "de l’article~5-1 du code de la nationalité togolaise.",
        "Il fait foi jusqu’à preuve du contraire.",
    ],
    mentions={
        "holder": ["Il n’est délivré qu’un original. Faites-en certifier des copies."],
        "receiver": "Ce certificat n’est pas une pièce d’identité.",
        "copies": ["Copies", "l’intéressé", "les archives de la direction"],
    },
    signatures=[_signature("Le Directeur", "Kodjo AGBÉKO", "3~avril 2026")],
    seal={"around": "Direction du sceau, de la nationalité et de l’identité civile", "middle": "SCEAU"},
)  # fmt: skip

EXTRACT = _paper(
    "extract", "attest", "commune", number="GOLFE1-2026-00431", day="Lomé, le 23~novembre 2026",
    dossier=["Demande", "26 1190 4410 8"], title="Extrait d’acte de naissance",
    subtitle="Registre des naissances de l’année 1994, acte n°~212",
    particulars={"rows": [*IDENTITY[:4], ["Père", "AMEGAN Kodjo, cultivateur"], ["Mère", "LAWSON Akouvi, commerçante"]]},
    articles=[
        ["Mention du 4~juin 2019", "Mariée à Lomé avec DOSSEH Komi Mawuli, acte n°~88/2019."],
        ["Mention du 12~janvier 2024", "Divorcée par jugement du tribunal de Lomé du 20~décembre 2023."],
    ],
    operative=["**Pour extrait conforme** au registre des naissances de la commune de Kpalimé."],
    signatures=[_signature("L’officier de l’état civil", "Mᵐᵉ Akossiwa LAWSON")],
    seal={"around": "Commune du Golfe 1", "middle": "ÉTAT CIVIL"},
)  # fmt: skip

SEEN = [
    "la loi n°~2018-005 du 14~juin 2018 portant Code foncier et domanial~;",
    "la loi n°~2007-011 du 13~mars 2007 relative à la décentralisation et aux libertés locales, et les textes qui l’ont modifiée~;",
    "le décret n°~2016-043/PR du 1ᵉʳ~avril 2016 portant réglementation de la délivrance des actes d’urbanisme~;",
    "la demande n°~26 8524 4446 5 déposée le 23~novembre 2026 par Mᵐᵉ AMEGAN Afi, née le 12~mars 1994 à Kpalimé, demeurant à Kodjoviakopé, Lomé~;",
    "les plans dressés par LAWSON Têvi, architecte inscrit à l’Ordre national des architectes sous le n°~412~;",
    "le titre foncier n°~12345~RT et le plan parcellaire du terrain, d’une superficie de 600~m²~;",
    "l’avis favorable du Guichet foncier unique du 24~novembre 2026, l’avis des Services techniques, réputé favorable le 7~décembre 2026, et le rapport de visite du 3~décembre 2026~;",
    "la quittance n°~Q-2026-000001 du 23~novembre 2026, de 15~000 francs CFA,",
]
ORDERED = [
    "**Le permis de construire est accordé à Mᵐᵉ AMEGAN Afi** pour la construction neuve d’une villa sans étage, à usage d’habitation, d’une surface de plancher totale de **150~m²**, sur le terrain de 600~m² sis à Kodjoviakopé, près du marché, commune du Golfe~1, objet du titre foncier n°~**12345~RT**.",
    "Les travaux sont exécutés conformément aux plans annexés, visés sous le n°~26 8524 4446 5, et sous la responsabilité de l’architecte. Toute modification fait l’objet d’une nouvelle demande.",
    "Le permis est valable **trois ans, jusqu’au 8~décembre 2029**. Il devient caduc si les travaux ne sont pas entrepris dans les deux ans, soit avant le 8~décembre 2028.",
    "L’ouverture du chantier est déclarée avant tout commencement, puis l’achèvement des fondations, du gros œuvre et de l’ouvrage, aux fins d’inspection. Le présent arrêté est présenté à toute réquisition et son numéro affiché sur le chantier.",
    "Le permis est délivré sous réserve des droits des tiers.",
    "Le présent arrêté peut être contesté dans les deux mois de sa notification~: par recours gracieux devant le Maire, ou devant la Chambre administrative de la cour d’appel de Lomé. Le Protecteur du citoyen peut être saisi sans délai.",
    "Le présent arrêté sera notifié à l’intéressée et publié au registre des actes d’urbanisme de la commune.",
]


def _articles(texts: list[str]) -> list[list[str]]:
    return [[f"Article {'1ᵉʳ' if number == 1 else number}", text] for number, text in enumerate(texts, 1)]


PERMIT = _paper(
    "decision", "act", "commune", number="0002/2026/CG1/PC", title="Arrêté",
    holder="AMEGAN Afi", subtitle="portant permis de construire une habitation à Kodjoviakopé",
    issuer="Le Maire de la commune du Golfe~1", basis=[f"Vu {text}" for text in SEEN], decides="ARRÊTE",
    articles=_articles(ORDERED),
    mentions={"copies": ["Ampliations", "l’intéressée", "l’architecte", "le Service d’urbanisme", "le Guichet foncier unique", "les archives"]},
    declared={"title": "Déclaré par la personne, non vérifié", "rows": [["Adresse", "Kodjoviakopé, rue 12"], ["Téléphone", "90 00 00 01"]]},
    signatures=[_signature("Le Maire", "Komlan LAWSON", "8~décembre 2026")],
    seal={"around": "Commune du Golfe 1 · Le Maire", "middle": "SCEAU\nÉLECTRONIQUE"},
)  # fmt: skip

TWENTY = {
    **PERMIT,
    "articles": _articles([text.replace("~", "\u00a0") for text in [*ORDERED, *(f"Disposition {n}. {ORDERED[n % 5]}" for n in range(13))]]),
}  # fmt: skip

CONTRACT = _paper(
    "contract", "act", "energie", number="CEET-2026-00087", day="Kpalimé, le 23~novembre 2026",
    dossier=["Demande", "26 3321 0087 6"], title="Contrat d’abonnement",
    subtitle="Fourniture d’électricité en basse tension", holder="DOSSEH Komi Mawuli",
    parties={
        "title": "Entre",
        "rows": [
            ["L’agence de Kpalimé de la Compagnie énergie électrique du Togo", "représentée par Mᵐᵉ Ablavi TCHALLA, chef d’agence"],
            ["et M. DOSSEH Komi Mawuli", "né le 4~août 1985 à Atakpamé, carte nationale d’identité n°~0123-456-789"],
        ],
    },
    decides="il est convenu ce qui suit~:",
    articles=_articles([
        "La Compagnie fournit l’électricité au lieu dit Agomé-Tomegbé, maison n°~14, au compteur n°~**7781 2240**, index 00012.",
        "La puissance souscrite est de 5~ampères. Le tarif est le tarif social en vigueur, révisé par décision de l’autorité de réglementation.",
        "Les consommations sont facturées tous les deux mois et payables dans les quinze jours.",
        "Le client ou la cliente peut résilier à tout moment, avec un préavis de quinze jours.",
        "Les litiges sont portés devant l’autorité de réglementation, puis devant le tribunal de Kpalimé.",
    ]),
    signatures=[
        _signature("Pour la Compagnie, le chef d’agence", "Mᵐᵉ Ablavi TCHALLA", place="Kpalimé"),
        {**_signature("Le client", "DOSSEH Komi Mawuli", place="Kpalimé"), "text": "Accepté en ligne le 23~novembre 2026 à 10~h~02"},
    ],
    seal={"around": "Compagnie énergie électrique du Togo", "middle": "CEET"},
)  # fmt: skip

LETTER = _paper(
    "letter", "letter", "sceau", number="DSNIC-2026-00031", day="Lomé, le 3~avril 2026", dossier=["Dossier", "26 4829 1137 4"],
    title="Refus de délivrance d’un certificat de nationalité",
    addressee=["M. AMEGAN Koffi", "Quartier Adidogomé, rue 214", "Lomé"],
    object=["Objet", "votre demande de certificat de nationalité togolaise du 2~mars 2026"],
    basis=[
        "Vu l’ordonnance n°~78-34 du 7~septembre 1978 portant code de la nationalité togolaise~;",
        "Vu la demande n°~26 4829 1137 4 du 2~mars 2026,",
    ],
    considering=[
        "Considérant que l’acte de naissance n°~118/1988 produit à l’appui de la demande ne figure pas au registre de la commune d’Agou~;",
        "Considérant qu’aucune autre pièce n’établit la filiation à l’égard d’un parent togolais,",
    ],
    decides="décide~:",
    articles=[
        ["Article 1ᵉʳ", "**La délivrance du certificat de nationalité togolaise est refusée** à M. AMEGAN Koffi."],
        ["Article 2", "La présente décision lui est notifiée avec les voies et délais de recours."],
    ],
    signatures=[_signature("Le Directeur", "Kodjo AGBÉKO", "3~avril 2026")],
    seal={"around": "Direction du sceau", "middle": "SCEAU"},
    remedies={
        "title": "Recours",
        "rows": [
            "Recours gracieux devant le Directeur, dans les deux mois de la réception de cette lettre.",
            "Tribunal de grande instance de Lomé, dans les six mois.",
            "Protecteur du citoyen, sans délai et sans frais.",
        ],
    },
)  # fmt: skip

CARD = _paper(
    "card", "slip", "documentation", number="DGDN-2026-00012", day="Lomé, le 3~avril 2026", dossier=["Dossier", "26 1234 5678 9"],
    title="Bordereau de remise", subtitle="Carte nationale d’identité",
    particulars={"title": "Titulaire", "rows": [["Nom", "AMEGAN"], ["Prénoms", "Koffi"], ["Né le", "12~mars 1994 à Kpalimé"], ["Carte n°", "0123-456-789"]]},
    operative=[
        "**La carte nationale d’identité n°~0123-456-789**, valable jusqu’au 3~avril 2031, établie au nom de M. AMEGAN Koffi, a été remise en main propre au titulaire le 3~avril 2026.",
        "**Le présent bordereau n’est pas la carte et n’en tient pas lieu.**",
    ],
    mentions={"receiver": "Pièce présentée~: récépissé n°~26 1234."},
    signatures=[_signature("L’agent de remise", "Mᵐᵉ Akossiwa LAWSON", "3~avril 2026")],
)  # fmt: skip

RESIDENCE = _paper(
    "card", "slip", "documentation", number="DGDN-2026-00940", day="Lomé, le 3~avril 2026",
    title="Bordereau de remise", subtitle="Carte de séjour de deux ans",
    particulars={
        "title": "Titulaire",
        "rows": [
            ["Nom", "VAN DER MEULEN-OUÉDRAOGO"], ["Prénoms", "Jean-Baptiste Łukasz Ñandú"], ["Né le", "29~février 1984 à Częstochowa (Pologne)"],
            ["Nationalité", "Burkinabè"], ["Passeport", "n°~A1234567, délivré le 3~mai 2023 à Ouagadougou"], ["Carte n°", "TG-2026-004512"],
        ],
    },
    operative=CARD["operative"],
    mentions={"holder": ["Signalez tout changement d’adresse dans les trente jours."], "receiver": "Pièce présentée~: passeport n°~A1234567."},
    signatures=[_signature("L’agent de remise", "Kossi ATTIOGBÉ", "3~avril 2026")],
    seal={"around": "Documentation nationale · Lomé", "middle": "DGDN"},
)  # fmt: skip

RECEIPT = _paper(
    "receipt", "money", "commune", number="Q-2026-000001", day="Lomé, le 23~novembre 2026", dossier=["Dossier", "26 8524 4446 5"],
    title="Quittance de paiement",
    particulars={"rows": [["Demande", "Permis de construire"], ["Payé par", "90 00 00 01 (Mᵐᵉ AMEGAN Afi)"], ["Payé le", "23~novembre 2026 à 9~h~41"], ["Référence de l’opérateur", "TMONEY-889120"]]},
    lines={
        "head": ["Désignation", "Montant"],
        "rows": [["Frais d’instruction, habitation de moins de 200~m²", "12~000~FCFA"], ["Timbre", "1~000~FCFA"], ["Visite du terrain", "2~000~FCFA"]],
        "total": ["Total", "15~000~FCFA"],
        "words": "Arrêtée la présente quittance à la somme de quinze mille francs CFA.",
    },
    mentions={"holder": ["Gardez cette quittance~: elle prouve votre paiement."]},
)  # fmt: skip

QUOTE = _paper(
    "quote", "money", "energie", number="CEET-D-2026-00087", day="Kpalimé, le 23~novembre 2026", dossier=["Demande", "26 3321 0087 6"],
    title="Devis de branchement", subtitle="Branchement monophasé, 5~ampères", addressee=["M. DOSSEH Komi Mawuli", "Agomé-Tomegbé, maison n°~14"],
    lines={
        "head": ["Désignation", "Quantité", "Prix unitaire", "Montant"],
        "rows": [
            ["Compteur à prépaiement", "1", "35~000~F", "35~000~F"], ["Câble de branchement 2 × 16~mm²", "32~m", "850~F", "27~200~F"],
            ["Poteau de bois traité, 8~m", "1", "48~000~F", "48~000~F"], ["Coffret et disjoncteur", "1", "18~500~F", "18~500~F"], ["Main-d’œuvre et déplacement", "1", "15~000~F", "15~000~F"],
        ],
        "total": ["Total toutes taxes comprises", "143~700~F"],
        "words": "Arrêté le présent devis à la somme de cent quarante-trois mille sept cents francs CFA.",
    },
    operative=["Les travaux sont faits dans les **quinze jours ouvrés** après le paiement."],
    validity=["Valable jusqu’au 23~décembre 2026."],
    signatures=[_signature("Le technicien", "Yawovi AMÉDODJI", place="Kpalimé"), {"quality": "Bon pour accord, le client ou la cliente", "blank": True}],
    seal={"around": "Compagnie énergie électrique du Togo", "middle": "CEET"},
)  # fmt: skip

FORM = _paper(
    "form", "form", "documentation", number="26 1234 5678 9", number_label="Dossier n°", day="23~novembre 2026",
    title="Demande de carte nationale d’identité", subtitle="À apporter au rendez-vous, imprimé ou sur un téléphone", holder="AMEGAN Koffi",
    sections=[
        {"title": "À apporter", "rows": [["L’original de l’acte de naissance", ""], ["Le certificat de nationalité togolaise", ""], ["Deux photos d’identité récentes", ""]]},
        {"title": "Identité", "rows": [["Nom", "AMEGAN"], ["Prénoms", "Koffi"], ["Date de naissance", "12~mars 1994"], ["Lieu de naissance", "Kpalimé"], ["Sexe", "Masculin"]]},
        {"title": "Coordonnées", "rows": [["Quartier", "Adidogomé"], ["Téléphone", "90 00 00 01"]]},
    ],
    mentions={"holder": ["Je certifie que ces réponses sont exactes."]},
    signatures=[{"place_day": "À ………………………, le ………………………", "quality": "Signature du demandeur ou de la demandeuse", "blank": True}],
)  # fmt: skip

LONG_FORM = {
    **FORM,
    "sections": [
        *FORM["sections"],  # type: ignore[misc]
        *({"title": f"Enfant {child}", "rows": [[f"Nom de l’enfant {child}", "AMEGAN"], [f"Prénoms de l’enfant {child}", "Ama Ɖzifa"], [f"Né ou née le, enfant {child}", "1ᵉʳ\u00a0mai 2020"], [f"École de l’enfant {child}", "École primaire publique d’Adidogomé, groupe B"]]} for child in range(1, 9)),
    ],
}  # fmt: skip

ENGLISH = _paper(
    "decision", "act", "documentation", lang="en", number="VISA-2026-00077", number_label="No.", day="Lomé, 3~April 2026",
    title="Visa", subtitle="Authorisation to enter Togo", holder="SMITH Jane", specimen=True,
    particulars={"title": "Holder", "rows": [["Surname", "SMITH"], ["Given names", "Jane Ọlá"], ["Born", "1~May 1990, Lagos"], ["Passport", "A01234567"]]},
    operative=["The Director **authorises Ms SMITH Jane to enter Togo once from 1 to 30~May 2026** and to stay 15~days."],
    signatures=[{"place_day": "Lomé, 3~April 2026", "name": "", "text": "Issued automatically after payment, under the rule of visas on arrival"}],
    seal={"around": "Togo", "middle": ""},
)  # fmt: skip

ENGLISH_TOO = {
    "lang": "en",
    "prevails": [
        "Courtesy translation; the French text prevails.",
        "Traduction de courtoisie\u00a0; le texte français fait foi.",
    ],
}

VISA = _paper(
    "certificate", "attest", "documentation", number="DGDN-2026-00078", day="Lomé, le 23~novembre 2026", title="Visa électronique",
    holder="LEE Anna", specimen=True,
    particulars={"title": "Titulaire", "rows": [["Nom", "LEE"], ["Prénoms", "Anna"], ["Date de naissance", "1ᵉʳ~mai 1990"], ["Passeport", "EB100001"]]},
    operative=["**Autorise Anna LEE**, passeport n°~EB100001, **à entrer au Togo une fois, du 10~décembre 2026 au 9~janvier 2027**."],
    validity=["Valable jusqu’au 9~janvier 2027"],
    mentions={"holder": ["Ce visa ne dispense pas du contrôle à la frontière."]},
    signatures=[_signature("Le chef des visas", "Kossi ATTIOGBÉ")],
    seal={"around": "Documentation nationale", "middle": "DGDN"},
    courtesy=[{
        **ENGLISH_TOO, "title": "Electronic visa",
        "particulars": {"title": "Holder", "rows": [["Surname", "LEE"], ["Given names", "Anna"], ["Date of birth", "1~May 1990"], ["Passport", "EB100001"]]},
        "operative": ["**Authorises Anna LEE**, passport no. EB100001, **to enter Togo once, from 10~December 2026 to 9~January 2027**."],
        "validity": ["Valid until 9~January 2027"],
        "mentions": {"holder": ["This visa does not replace the border check."]},
    }],
)  # fmt: skip

# The table has four columns, so its translation stands below it.
RECORD = {
    **BULLETIN,
    "courtesy": [{
        **ENGLISH_TOO, "title": "Criminal record certificate", "table": {"head": ["Date", "Court", "Offence", "Sentence"], "empty": "NONE"},
        "operative": ["The chief registrar, having searched the national register, certifies that the entries are as follows:"],
        "remedies": {"title": "Remedies", "rows": ["Appeal to the registrar, within two months."]},
    }],
}  # fmt: skip

# The act fills its page, so its translation stands on the next one.
ACT = {
    **PERMIT,
    "courtesy": [{
        **ENGLISH_TOO, "title": "Order", "subtitle": "on a building permit", "decides": "ORDERS:",
        "articles": [[f"Article {number}", f"Translation of article {number}."] for number in range(1, 8)],
    }],
}  # fmt: skip

BARE = {
    **_paper("certificate", "attest", "commune", title="Attestation"),
    "heading": {},
    "state": [],
    "labels": {},
    "verify": {},
}

SAMPLES: dict[str, Paper] = {
    "bulletin": BULLETIN, "nationality": NATIONALITY, "extract": EXTRACT, "permit": PERMIT, "contract": CONTRACT,
    "letter": LETTER, "card": CARD, "residence": RESIDENCE, "receipt": RECEIPT, "quote": QUOTE, "form": FORM,
    "english": ENGLISH, "visa": VISA, "record": RECORD, "bare": BARE, "twelve": TWELVE,
}  # fmt: skip
LONG: dict[str, Paper] = {"twenty": TWENTY, "long_form": LONG_FORM, "translated": ACT}
