"""An agency's repository as an installation follows it: a bare one to push to, a clone to write in."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.publication import git as publication

SHARED = {
    "shared/agencies.yaml": "mairie:\n  label: Mairie\n  roles: {maire: {label: Maire}}\n",
    "shared/calendar.yaml": "weekend: [saturday, sunday]\nholidays: {2027-01-01: Nouvel an}\n",
}
TEXT = """procedure: essai
edition: 1
title: Autorisation d'essai
summary: Une démarche pour les essais.
agency: mairie
delay: 5 working days
basis: {delay: loi}
legal_basis:
  loi: {title: Une loi, status: sourced, source: JO, article: art. 1, checked: 2026-03-01}
form:
  demande:
    title: Votre demande
    fields:
      nom: {label: Votre nom, example: AMEGAN}
fees:
  droit:
    label: Droit de timbre
    amount: 1000
    basis: loi
workflow:
  start: a_payer
  states:
    a_payer: {label: À payer, pay: droit, due: 10 days, then: examen, late: classe, basis: loi}
    examen:
      label: Examen
      by: maire
      due: 5 working days
      basis: loi
      transitions:
        accorder: {label: Accorder, to: accorde}
    accorde: {label: Accordé, end: granted}
    classe: {label: Classé, end: abandoned}
personal_data: {purpose: Essayer}
scenarios:
  accord:
    story: La demande est accordée
    steps:
      - {pay: 1000, then: examen}
      - {take: accorder, then: accorde}
"""
SECOND = TEXT.replace("edition: 1", "edition: 2").replace("1000", "1500")


def git(folder: Path, *arguments: str, who: str = "Ama Mensah") -> str:
    """Runs git as an author, whatever the machine's own settings say."""
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_TERMINAL_PROMPT": "0"}
    people = ("-c", f"user.name={who}", "-c", "user.email=ama@example.org", "-c", "protocol.file.allow=always")
    done = subprocess.run(
        ["git", "-C", str(folder), *people, *arguments], check=True, capture_output=True, env={**os.environ, **alone}
    )
    return done.stdout.decode().strip()


def another_accounts(patch: pytest.MonkeyPatch) -> None:
    """Every repository is now another account's for git, and no setting of this machine trusts it."""
    ours = publication._surroundings()
    strange = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    patch.setattr(publication, "_surroundings", lambda: {**ours, **strange})


@dataclass
class Agency:
    """`bare` is followed; `clone` is where people write."""

    bare: Path
    clone: Path

    @property
    def file(self) -> Path:
        return self.clone / "procedures" / "essai.yaml"

    def write(self, name: str, text: str) -> None:
        path = self.clone / "procedures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    def commit(self, message: str = "Un changement", *, who: str = "Ama Mensah", push: bool = True) -> str:
        git(self.clone, "add", "-A")
        git(self.clone, "commit", "-q", "--allow-empty", "-m", message, who=who)
        if push:
            self.push()
        return git(self.clone, "rev-parse", "HEAD")

    def push(self, *how: str) -> None:
        git(self.clone, "push", "-q", *how, "origin", "main")

    def publish(self, text: str, message: str = "Un changement", **how: str) -> str:
        self.write("essai.yaml", text)
        return self.commit(message, who=how.get("who", "Ama Mensah"))


def an_agency(place: Path) -> Agency:
    """A repository with one procedure in its first edition."""
    bare, clone = place / "agence.git", place / "agence"
    place.mkdir(parents=True, exist_ok=True)
    git(place, "init", "-q", "--bare", "-b", "main", str(bare))
    git(place, "init", "-q", "-b", "main", str(clone))
    git(clone, "remote", "add", "origin", str(bare))
    agency = Agency(bare, clone)
    for name, text in SHARED.items():
        agency.write(name, text)
    agency.publish(TEXT, "Première édition")
    return agency
