"""Spelling suggestions: the known names closest to an unknown one, also from common French words."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Final

# The words of the language that a French word, or a word of other formats, may stand for.
_FRENCH: Final[Mapping[str, tuple[str, ...]]] = {
    "actions": ("transitions",), "aide": ("help",), "annexes": ("evidence",), "apres": ("after",),
    "archivage": ("keep",), "article": ("article",), "attend": ("wait", "attend"), "avant": ("before",),
    "avis": ("opinions",), "base_legale": ("legal_basis",), "blocs": ("use",), "bureau": ("office",), "dimanche": ("sunday",), "entier": ("integer",), "fichier": ("file",),
    "jeudi": ("thursday",), "lieu": ("place",), "lundi": ("monday",), "mardi": ("tuesday",), "mercredi": ("wednesday",),
    "oui_non": ("yes_no",), "pays": ("country",), "samedi": ("saturday",), "telephone": ("phone",), "texte": ("text",),
    "vendredi": ("friday",), "accorde": ("granted",), "adresse": ("address",), "nombre": ("integer", "decimal"),
    "calendrier": ("calendar",), "champs": ("fields",), "choix": ("options", "choice"), "circuit": ("workflow",),
    "condition": ("when",), "conditions": ("eligibility",), "conservation": ("keep",), "copies": ("copies",),
    "date": ("at",), "debut": ("start",), "de": ("from",), "delai": ("due", "delay", "lasts"), "depart": ("start",),
    "desistement": ("withdrawn",), "documents": ("evidence", "outputs"), "donnees_personnelles": ("personal_data",),
    "duree": ("lasts",), "echeance": ("due",), "etape": ("states",), "etapes": ("steps", "states"),
    "etats": ("states",), "exemple": ("example",), "exigences": ("eligibility",), "fin": ("end",),
    "finalite": ("purpose",), "fois": ("times",), "formulaire": ("form",), "frais": ("fees",), "horaires": ("hours",),
    "intitule": ("label", "title"), "jours": ("weekdays",), "langues": ("languages",), "libelle": ("label",),
    "lignes": ("lines",), "loi": ("basis",), "maximum": ("maximum",), "minimum": ("minimum",), "modele": ("pattern",),
    "montant": ("amount",), "motif": ("reason", "because"), "nom": ("label", "title"), "notifications": ("notices",),
    "objet": ("subject",), "obligatoire": ("required",), "par": ("by",), "payer": ("pay",), "pieces": ("evidence",),
    "prix": ("amount",), "public": ("audience",), "puis": ("then",), "quand": ("when",), "question": ("ask",),
    "questions": ("fields",), "recours": ("appeals",), "rendez_vous": ("appointments",), "requis": ("required",),
    "resume": ("summary",), "retard": ("late",), "scenarios": ("scenarios",), "si": ("when",),
    "sorties": ("outputs",), "statut": ("status",), "tarif": ("amount",), "tarifs": ("fees", "tables"),
    "titre": ("title",), "unite": ("unit",), "valable": ("valid",), "valeur": ("value",), "validite": ("valid",),
    "vers": ("to",), "bool": ("yes_no",), "boolean": ("yes_no",), "float": ("decimal",), "int": ("integer",),
    "number": ("integer", "decimal"), "string": ("text",), "min": ("minimum",), "max": ("maximum",),
    "mandatory": ("required",), "description": ("help", "summary"), "placeholder": ("example",),
}  # fmt: skip


def plain(name: str) -> str:
    """Return a name without accents, capitals or punctuation: `Délai légal` → `delai_legal`."""
    flat = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return "_".join("".join(sign if sign.isalnum() else " " for sign in flat).split())


def _squeezed(name: str) -> str:
    return name.lower().replace("_", "")


def close_names(name: str, known: Iterable[str], most: int = 3) -> tuple[str, ...]:
    """Return the known names closest to an unknown one, the best first. Empty when none is close."""
    if len(name) > 64:
        return ()
    names = sorted(one for one in set(known) if one.isascii())  # a name with accents is another problem
    flat, squeezed = plain(name), plain(name).replace("_", "")
    same = [one for one in names if squeezed in (_squeezed(one), _squeezed(one.rpartition("/")[2]))]
    meant = [one for one in _FRENCH.get(flat, _FRENCH.get(flat.removesuffix("s"), ())) if one in names]
    close = difflib.get_close_matches(flat, names, n=most, cutoff=0.66)
    return tuple(dict.fromkeys([*same, *meant] or close))[:most]
