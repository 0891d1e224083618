"""Messages that went out with nothing where a name of the book stood: what no reader could make sense of."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.definition.model import Notice, Procedure, Template
from engine.office.telling import Told
from engine.records.dossier import Letter
from engine.sms import to_gsm

_NAME = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def blanks_in(procedure: Procedure, told: Told, known: frozenset[str]) -> Iterator[tuple[str, str]]:
    """The event and the name of each blank in the letters sent since those of `known` ids."""
    assert told.dossier is not None
    with told.stage.office.store.unit() as unit:
        letters = [one for one in unit.letters_of(told.dossier.id) if one.id not in known]
    for letter in letters:
        event = letter.dedupe.split(":", 2)[2] if letter.dedupe.count(":") > 1 else ""
        for notice in procedure.notices:
            if event.startswith(f"{notice.event}:") or event.startswith("before:"):
                yield from ((notice.event, name) for name in _blanks(notice, letter))
        yield from ((event.partition(":")[0], name) for name in _NAME.findall(letter.body))


def _blanks(notice: Notice, letter: Letter) -> Iterator[str]:
    templates = {"sms": notice.sms, "email": notice.email_body, "inbox": notice.inbox or notice.sms}
    template = templates.get(letter.channel)
    if template is not None and template.names:
        yield from _blank_names(template, letter.body)


def _blank_names(template: Template, body: str) -> Iterator[str]:
    """The names that came to nothing, when the body is this template filled."""
    for _, text in template.text.versions:
        parts = _NAME.split(text)
        pattern = "".join("(.*?)" if at % 2 else re.escape(to_gsm(part)) for at, part in enumerate(parts))
        filled = re.fullmatch(pattern, to_gsm(body), re.DOTALL)
        if filled is not None:
            yield from (name for name, said in zip(parts[1::2], filled.groups(), strict=True) if not said.strip())
            return
