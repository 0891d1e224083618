"""SpiffWorkflow walking the same circuit, each step kept in SQLite. Run by the Python of the peers' environment, which knows
nothing of ours: reads `synchronous count` lines, answers seconds of processor and of the wall, and steps, as JSON."""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from io import BytesIO
from itertools import pairwise
from pathlib import Path

STEPS = 8
_NS = "http://www.omg.org/spec/BPMN/20100524/MODEL"


def bpmn() -> bytes:
    """The tasks one after another."""
    names = ["debut", *(f"etape{n}" for n in range(STEPS)), "fin"]
    tasks = "".join(f'<manualTask id="{name}" name="{name}"/>' for name in names[1:-1])
    flows = "".join(
        f'<sequenceFlow id="f{n}" sourceRef="{one}" targetRef="{other}"/>'
        for n, (one, other) in enumerate(pairwise(names))
    )
    process = (
        f'<process id="route" isExecutable="true"><startEvent id="debut"/>{tasks}<endEvent id="fin"/>{flows}</process>'
    )
    return f'<definitions xmlns="{_NS}" id="d" targetNamespace="mesures">{process}</definitions>'.encode()


class Walker:
    """Workflows kept in a file, loaded and kept again at each step."""

    def __init__(self, path: Path) -> None:
        from lxml import etree
        from SpiffWorkflow.bpmn.parser import BpmnParser
        from SpiffWorkflow.bpmn.serializer import BpmnWorkflowSerializer

        parser = BpmnParser()
        parser.add_bpmn_xml(etree.parse(BytesIO(bpmn())), filename="route.bpmn")
        self.spec = parser.get_spec("route")
        self.serializer = BpmnWorkflowSerializer()
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode=WAL")
        self.db.execute("CREATE TABLE IF NOT EXISTS flow (id INTEGER PRIMARY KEY, version INTEGER, body TEXT)")
        self.db.execute("CREATE TABLE IF NOT EXISTS event (flow INTEGER, n INTEGER, at REAL, PRIMARY KEY (flow, n))")

    def begin(self) -> int:
        from SpiffWorkflow.bpmn.workflow import BpmnWorkflow

        flow = BpmnWorkflow(self.spec)
        flow.do_engine_steps()
        body = self.serializer.serialize_json(flow)
        return int(self.db.execute("INSERT INTO flow (version, body) VALUES (0, ?)", (body,)).lastrowid or 0)

    def step(self, ident: int) -> bool:
        from SpiffWorkflow import TaskState

        self.db.execute("BEGIN IMMEDIATE")
        version, body = self.db.execute("SELECT version, body FROM flow WHERE id = ?", (ident,)).fetchone()
        flow = self.serializer.deserialize_json(body)
        flow.get_tasks(state=TaskState.READY, manual=True)[0].run()
        flow.do_engine_steps()
        self.db.execute(
            "UPDATE flow SET version = ?, body = ? WHERE id = ? AND version = ?",
            (version + 1, self.serializer.serialize_json(flow), ident, version),
        )
        self.db.execute("INSERT INTO event VALUES (?, ?, ?)", (ident, version + 1, time.time()))
        self.db.execute("COMMIT")
        return bool(flow.completed)

    def walk(self, synchronous: int, count: int) -> dict[str, float]:
        self.db.execute(f"PRAGMA synchronous={synchronous}")
        idents = [self.begin() for _ in range(count)]
        cpu, wall = time.process_time(), time.perf_counter()
        for ident in idents:
            done = [self.step(ident) for _ in range(STEPS)]
            if done != [False] * (STEPS - 1) + [True]:
                raise SystemExit("the workflow did not end where it should")
        return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "steps": count * STEPS}


if __name__ == "__main__":
    walker = Walker(Path(sys.argv[1]))
    print("ready", flush=True)
    for line in sys.stdin:
        mode, many = map(int, line.split())
        print(json.dumps(walker.walk(mode, many)), flush=True)
