"""Sentences about an exported journal, in French and English: chain intact or broken."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from engine.core.problems import Refusal
from engine.core.values import Plain
from engine.journal.chain import Break, entries_in, receipt_in
from engine.journal.checkpoint import Checkpoint, read_note
from engine.services.core.checkpoints import is_signed, note_name
from engine.services.keys.signing_keys import public_keys

_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "fr": {
        "intact": "Journal intact : {n} écritures, aucune modifiée, aucune manquante. Dernière empreinte {hash}.",
        "erased": "Les données personnelles de ce dossier ont été effacées le {day} : le journal reste entier.",
        "broken": "JOURNAL ROMPU à l'écriture {n} : {why}.\n  attendu : {expected}\n  trouvé  : {found}",
        "before": "Les écritures 1 à {n} sont intactes.",
        "unreadable": "Ce fichier n'est pas un journal exporté ({code}).",
        "changed": "son contenu n'est plus celui qui a été scellé",
        "unlinked": "elle n'est pas scellée à celle d'avant",
        "missing": "il manque une écriture",
        "duplicated": "elle est là deux fois",
        "reordered": "elle n'est pas à sa place",
        "foreign": "elle est d'un autre dossier",
        "cut": "la fin annoncée manque",
        "opening": "la réponse montrée n'est pas celle qui a été scellée",
        "receipt": "elle n'est pas dans le journal général que le fichier annonce",
        "included": "Écritures 1 à {n} : dans le journal général de {host}, {size} écritures le {day}.",
        "beyond": "ÉCRITURES {first} À {last} NON SIGNÉES : qui a ce fichier a pu les ajouter. Exportez-le de nouveau, une minute après la dernière.",
        "unchecked": "Qui l'a signé n'a pas été vérifié : --keys jwks.json",
        "signed": "Signé par une clé de ce jeu.",
        "not_signed": "SIGNATURE FAUSSE : aucune clé de ce jeu n'a signé ce journal général. Si ce jeu est d’avant une nouvelle clé, prenez-le de nouveau.",
        "same": "C'est le journal général que vous gardez.",
        "other": "AUTRE JOURNAL : votre copie de {size} écritures n'a pas la même empreinte.",
        "another_length": "Rien n’est comparé : votre note compte {own} écritures, ce fichier {size}. Donnez la note {name}, ou tout le dossier des notes.",
        "no_such_note": "Rien n’est comparé : il n’y a pas de note de {size} écritures ({name}) dans ce dossier.",
        "no_receipt": "Ce fichier ne dit pas sa place dans le journal général : il date d'avant sa première signature, ou elle en a été ôtée.",
        "no_note": "{name} : illisible.",
    },
    "en": {
        "intact": "Journal intact: {n} entries, none changed, none missing. Last hash {hash}.",
        "erased": "The personal data of this dossier were erased on {day}: the journal stays whole.",
        "broken": "JOURNAL BROKEN at entry {n}: {why}.\n  expected: {expected}\n  found:    {found}",
        "before": "Entries 1 to {n} are intact.",
        "unreadable": "This file is not an exported journal ({code}).",
        "changed": "its content is not what was sealed",
        "unlinked": "it is not sealed to the one before",
        "missing": "an entry is missing",
        "duplicated": "it is there twice",
        "reordered": "it is out of place",
        "foreign": "it belongs to another dossier",
        "cut": "the stated end is missing",
        "opening": "the answer shown is not the one that was sealed",
        "receipt": "it is not in the general journal that the file states",
        "included": "Entries 1 to {n}: in the general journal of {host}, {size} entries on {day}.",
        "beyond": "ENTRIES {first} TO {last} NOT SIGNED: who has this file may have added them. Export it again, a minute after the last one.",
        "unchecked": "Who signed it was not checked: --keys jwks.json",
        "signed": "Signed by a key of this set.",
        "not_signed": "WRONG SIGNATURE: no key of this set signed this general journal. If the set is from before a new key, fetch it again.",
        "same": "It is the general journal that you keep.",
        "other": "ANOTHER JOURNAL: your copy of {size} entries has another hash.",
        "another_length": "Nothing is compared: your note counts {own} entries, this file {size}. Give the note {name}, or the whole folder of notes.",
        "no_such_note": "Nothing is compared: there is no note of {size} entries ({name}) in this folder.",
        "no_receipt": "This file does not state its place in the general journal: it is from before its first signature, or it was taken out.",
        "no_note": "{name}: cannot be read.",
    },
}  # fmt: skip


def intact_chain(count: int, last: str, language: str, erased_on: str = "") -> str:
    """Return the sentence for an intact chain. `erased_on` is the ISO day of erasure, or empty."""
    words = _WORDS[language]
    said = words["intact"].format(n=count, hash=last[:16])
    return f"{said}\n{words['erased'].format(day=erased_on)}" if erased_on else said


def broken_chain(found: Break, language: str) -> str:
    """Return the sentence about the first invalid entry, with the expected and the found value."""
    words = _WORDS[language]
    text = words["broken"].format(
        n=found.n, why=words.get(found.reason, found.reason), expected=found.expected, found=found.found
    )
    return text + ("\n" + words["before"].format(n=found.n - 1) if found.n > 1 else "")


def sentence(key: str, language: str, **facts: object) -> str:
    """Return any other sentence of this module. Raises KeyError for an unknown key."""
    return _WORDS[language][key].format(**facts)


def unreadable_export(reason: Refusal, language: str) -> str:
    """Return the sentence for a file that is not an exported journal."""
    return _WORDS[language]["unreadable"].format(code=reason.code)


def receipt_text(export: Plain, keys: Path | None, checkpoint: Path | None, language: str) -> tuple[list[str], int]:
    """Return the lines about the signed journal, and the exit code, for an export with an intact chain."""
    receipt, asked = receipt_in(export), keys is not None or checkpoint is not None
    if receipt is None:
        return [sentence("no_receipt", language)], 1 if asked else 0
    stated = read_note(receipt.checkpoint)
    host = stated.origin.removesuffix("/journal")  # a name, not an address that answers
    said = [sentence("included", language, n=receipt.n, size=stated.size, day=stated.at.date().isoformat(), host=host)]
    code, last = 0, entries_in(export)
    if receipt.n < last:  # their hashes are right, and prove nothing of who wrote them
        said.append(sentence("beyond", language, first=receipt.n + 1, last=last))
        code = 1 if asked else 0
    for key, facts, bad in (*_signed(stated, keys), *_compared(stated, checkpoint)):
        said.append(sentence(key, language, **facts))
        code = max(code, bad)
    return said, code


def _signed(stated: Checkpoint, keys: Path | None) -> Iterator[tuple[str, dict[str, object], int]]:
    if keys is None:
        yield "unchecked", {}, 0
        return
    try:
        ring = public_keys(json.loads(keys.read_text("utf-8")))
    except (OSError, ValueError):
        yield "no_note", {"name": keys.name}, 2
        return
    yield ("signed", {}, 0) if is_signed(stated, ring) else ("not_signed", {}, 1)


def _compared(stated: Checkpoint, checkpoint: Path | None) -> Iterator[tuple[str, dict[str, object], int]]:
    """Compare with the reader's copy: one note, or a folder that may hold the note of the same length."""
    if checkpoint is None:
        return
    if checkpoint.is_dir():
        kept = next(iter(sorted(checkpoint.rglob(note_name(stated.size)))), None)
        if kept is None:
            yield "no_such_note", {"size": stated.size, "name": note_name(stated.size)}, 2
            return
        checkpoint = kept
    try:
        own = read_note(checkpoint.read_text("utf-8"))
    except (OSError, ValueError):
        yield "no_note", {"name": checkpoint.name}, 2
        return
    if own.size != stated.size:
        yield "another_length", {"own": own.size, "size": stated.size, "name": note_name(stated.size)}, 2
    else:
        yield ("same", {}, 0) if own.root == stated.root else ("other", {"size": own.size}, 1)
