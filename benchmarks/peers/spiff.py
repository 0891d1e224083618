"""The circuit of acts with SpiffWorkflow, each act kept in SQLite (FULL) with what an office owes: rights, entry, timer, row.

An act is taken by an agent whose roles hold the lane of the task. With the workflow it keeps a sealed entry (its digest covers the
one before it), the due date of the next task, and the row that lists are read from. `README.md` says what it lacks.
`python -m benchmarks.peers.spiff FILE TASKS` answers each line COUNT with microseconds of processor an act.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import pairwise

from lxml import etree
from SpiffWorkflow import TaskState
from SpiffWorkflow.bpmn.parser import BpmnParser
from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer
from SpiffWorkflow.bpmn.workflow import BpmnWorkflow

ROLE, DUE = "obac/instructeur", timedelta(days=7)
_NS = "http://www.omg.org/spec/BPMN/20100524/MODEL"
SCHEMA = """
CREATE TABLE agent (id TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE agent_role (agent TEXT NOT NULL REFERENCES agent, role TEXT NOT NULL, PRIMARY KEY (agent, role));
CREATE TABLE dossier (
    id TEXT PRIMARY KEY, state TEXT NOT NULL, due TEXT, changed TEXT NOT NULL, version INTEGER NOT NULL, workflow TEXT NOT NULL);
CREATE INDEX dossier_by_due ON dossier (state, due);
CREATE TABLE entry (
    dossier TEXT NOT NULL REFERENCES dossier, number INTEGER NOT NULL, at TEXT NOT NULL, body TEXT NOT NULL, seal TEXT NOT NULL,
    PRIMARY KEY (dossier, number));
CREATE TABLE timer (dossier TEXT NOT NULL REFERENCES dossier, name TEXT NOT NULL, at TEXT NOT NULL, PRIMARY KEY (dossier, name));
CREATE INDEX timer_by_time ON timer (at);
"""


class Forbidden(Exception):
    """The agent lacks the role of the lane."""


class Stale(Exception):
    """The dossier was changed meanwhile."""


@dataclass(frozen=True)
class Agent:
    id: str
    roles: frozenset[str]


def bpmn(tasks: int) -> bytes:
    """That many tasks one after another, in the lane of one role."""
    names = ["debut", *(f"etape{n}" for n in range(tasks)), "fin"]
    drawn = "".join(f'<manualTask id="{name}" name="{name}"/>' for name in names[1:-1])
    flows = "".join(
        f'<sequenceFlow id="f{n}" sourceRef="{one}" targetRef="{other}"/>'
        for n, (one, other) in enumerate(pairwise(names))
    )
    inside = "".join(f"<flowNodeRef>{name}</flowNodeRef>" for name in names)
    lanes = f'<laneSet id="lanes"><lane id="lane" name="{ROLE}">{inside}</lane></laneSet>'
    ends = '<startEvent id="debut"/>', '<endEvent id="fin"/>'
    process = f'<process id="route" isExecutable="true">{lanes}{ends[0]}{drawn}{ends[1]}{flows}</process>'
    return f'<definitions xmlns="{_NS}" id="d" targetNamespace="mesures">{process}</definitions>'.encode()


class Office:
    """Dossiers in a file; each act loads one, takes a task and keeps it again, in one transaction."""

    def __init__(self, path: str, tasks: int) -> None:
        parser = BpmnParser()
        parser.add_bpmn_xml(etree.parse(BytesIO(bpmn(tasks))), filename="route.bpmn")
        self.spec, self.tasks = parser.get_spec("route"), tasks
        self.serializer = BpmnWorkflowSerializer()
        self.db = sqlite3.connect(path, isolation_level=None)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=1", "cache_size=-16000"):
            self.db.execute(f"PRAGMA {pragma}")
        self.db.executescript(SCHEMA)
        self.db.execute("INSERT INTO agent VALUES ('mesures', 'Mesures')")
        self.db.execute("INSERT INTO agent_role VALUES ('mesures', ?)", (ROLE,))

    def agent(self, ident: str) -> Agent:
        rows = self.db.execute("SELECT role FROM agent_role WHERE agent = ?", (ident,))
        return Agent(ident, frozenset(role for (role,) in rows))

    def open(self) -> str:
        """A new dossier before its first task; returns its id."""
        ident, flow, now = secrets.token_hex(16), BpmnWorkflow(self.spec), datetime.now(UTC)
        flow.do_engine_steps()
        self.db.execute("BEGIN IMMEDIATE")
        row = (ident, "etape0", (now + DUE).isoformat(), now.isoformat(), 0, self.serializer.serialize_json(flow))
        self.db.execute("INSERT INTO dossier VALUES (?, ?, ?, ?, ?, ?)", row)
        self._sealed(ident, 0, now, {"did": "opened"})
        self.db.execute("INSERT INTO timer VALUES (?, 'due etape0', ?)", (ident, (now + DUE).isoformat()))
        self.db.execute("COMMIT")
        return ident

    def act(self, who: str, ident: str, name: str) -> str:
        """Takes the task of that name; returns the state the dossier is in then. Raises `Forbidden`, `Stale`, `LookupError`."""
        self.db.execute("BEGIN IMMEDIATE")
        try:
            state = self._taken(self.agent(who), ident, name)
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            raise
        return state

    def _taken(self, agent: Agent, ident: str, name: str) -> str:
        row = self.db.execute("SELECT version, workflow FROM dossier WHERE id = ?", (ident,)).fetchone()
        if row is None:
            raise LookupError(ident)
        version, flow, now = row[0], self.serializer.deserialize_json(row[1]), datetime.now(UTC)
        ready = {task.task_spec.bpmn_id: task for task in flow.get_tasks(state=TaskState.READY, manual=True)}
        if name not in ready:
            raise LookupError(name)
        if ready[name].task_spec.lane not in agent.roles:
            raise Forbidden(name)
        ready[name].run()
        flow.do_engine_steps()
        left = flow.get_tasks(state=TaskState.READY, manual=True)
        state, due = (left[0].task_spec.bpmn_id, (now + DUE).isoformat()) if left else ("fin", None)
        sql = (
            "UPDATE dossier SET state = ?, due = ?, changed = ?, version = ?, workflow = ? WHERE id = ? AND version = ?"
        )
        kept = (state, due, now.isoformat(), version + 1, self.serializer.serialize_json(flow), ident, version)
        if not self.db.execute(sql, kept).rowcount:
            raise Stale(ident)
        self._sealed(ident, version + 1, now, {"did": name, "by": agent.id, "from": name, "to": state})
        self.db.execute("DELETE FROM timer WHERE dossier = ? AND name = ?", (ident, f"due {name}"))
        if due is not None:
            self.db.execute("INSERT INTO timer VALUES (?, ?, ?)", (ident, f"due {state}", due))
        return state

    def _sealed(self, ident: str, number: int, now: datetime, said: dict[str, str]) -> None:
        """Appends an entry whose digest covers the one before it."""
        before = self.db.execute(
            "SELECT seal FROM entry WHERE dossier = ? AND number = ?", (ident, number - 1)
        ).fetchone()
        body = json.dumps({**said, "number": number, "at": now.isoformat()}, sort_keys=True, separators=(",", ":"))
        seal = hashlib.sha256(f"{before[0] if before else ident}\n{body}".encode()).hexdigest()
        self.db.execute("INSERT INTO entry VALUES (?, ?, ?, ?, ?)", (ident, number, now.isoformat(), body, seal))

    def walk(self, count: int) -> float:
        """Microseconds of processor an act, of that many dossiers from one end to the other."""
        idents = [self.open() for _ in range(count)]
        began = time.process_time()
        ends = {[self.act("mesures", ident, f"etape{n}") for n in range(self.tasks)][-1] for ident in idents}
        if ends != {"fin"}:
            raise SystemExit(f"dossiers ended at {ends}")
        return 1e6 * (time.process_time() - began) / count / self.tasks


if __name__ == "__main__":
    office = Office(sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin:
        print(office.walk(int(line)), flush=True)
