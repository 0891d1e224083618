"""Preview for authors: a procedure in its own installation.

It has persons of every role and a movable clock. Actions go through the scenario player, so forms,
states and time behave as in production. Nothing is shared with an installation: the folder belongs to
the preview.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from threading import RLock
from types import MappingProxyType
from typing import Final, Protocol

from engine.core.clock import MovedClock, local, local_day
from engine.core.values import Plain, Text
from engine.domain.common.text_provider import Wording
from engine.integrations.gateways import InboxSender
from engine.integrations.registers import FileRegister, RegisterAnswer
from engine.integrations.simulated_operator import SandboxOperator
from engine.language.catalogue.catalogue import Catalogue
from engine.language.compiler.shared_files import Shared
from engine.model import Procedure, Scenario, Step
from engine.model.roles import roles_of
from engine.records.dossier import Account, Attachment, Dossier, Timer
from engine.records.people import Session
from engine.services.applications.drafts import check, drop_draft
from engine.services.context.app_context import AppContext, AppSettings
from engine.services.keys.secrets import hash_secret, new_token, token_digest
from engine.services.keys.signing_keys import SigningKeys
from engine.services.sign_in.demo_accounts import AUDITOR, PASSWORD, demo_agents
from engine.services.sign_in.sessions import SignedIn
from engine.simulation.environment import (
    OPENING,
    PHONE,
    ScenarioEnvironment,
    ScenarioRegister,
    fresh_token,
    keep_specimen,
    story_providers,
)
from engine.simulation.next_steps import FAR, QUIET, NextSteps, roles_named
from engine.simulation.player import ScenarioRun
from engine.storage.files.attachments import AttachmentStore
from engine.storage.sqlite.store import SqliteStore

APPLICANT_ID: Final = "applicant"
NEVER: Final = timedelta(days=36_500)  # no session ends because the clock was moved


class StatePaths(Protocol):
    """Finds a scenario that ends in a state, from that day on; None without one."""

    def __call__(self, procedure: Procedure, shared: Shared, day: date, state: str) -> Scenario | None: ...


class _Registers(ScenarioRegister):
    """Registers read from files, except while a scenario sets their answers."""

    def __init__(self, files: FileRegister) -> None:
        super().__init__()
        self.files, self.telling = files, False

    def ask(self, register_id: str, sent: Mapping[str, Plain]) -> RegisterAnswer:
        return super().ask(register_id, sent) if self.telling else self.files.ask(register_id, sent)


class _RealStage(ScenarioEnvironment):
    """A test environment whose files can be opened."""

    def paper(self, name: str, place: str, by: str | None = None, dossier: str = "") -> Attachment:
        kept = keep_specimen(self.office.attachments, place)
        now = self.clock.now()
        return Attachment(name, place, kept.name, kept.kind, kept.size, kept.sha256, now, kept.pages, by=by)


@dataclass
class PreviewSession:
    """The installation of one author. One action runs at a time."""

    stage: ScenarioEnvironment
    operator: SandboxOperator
    registers: _Registers
    lock: RLock
    secret: str  # hash of the password of all accounts, which is public

    @classmethod
    def open(cls, folder: Path, registers: Path, wording: Wording, address: str) -> PreviewSession:
        """Create an empty preview in `folder`, without a procedure."""
        clock = MovedClock()
        store = SqliteStore(folder / "tryout.db")
        store.migrate()
        operator = SandboxOperator(folder / "operator.db", clock, new_token().encode())
        inbox, files = InboxSender(), _Registers(FileRegister(registers))
        office = AppContext(
            Catalogue.of([], Shared()), store, AttachmentStore(folder / "files"), story_providers(operator),
            {"sms": inbox, "email": inbox, "inbox": inbox}, {"*": files}, clock, wording, SigningKeys.generate(),
            AppSettings(
                base_url=address, short_url=address, demo=True, idle=NEVER, agent_idle=NEVER, session_lasts=NEVER,
                kept_lasts=NEVER,
            ),
        )  # fmt: skip
        account = Account(APPLICANT_ID, "applicant", "", PHONE)
        with store.unit(write=True) as unit:
            unit.put_account(account)
        return cls(_RealStage(office, clock, files, account.actor()), operator, files, RLock(), hash_secret(PASSWORD))

    @property
    def office(self) -> AppContext:
        """The application context of the preview."""
        return self.stage.office

    @property
    def procedure(self) -> Procedure | None:
        """The procedure shown, None before the first one."""
        return next(iter(self.office.catalogue.all()), None)

    # -- a new version of the file -------------------------------------------------------------------------------------

    def renew(self, procedure: Procedure, shared: Shared) -> None:
        """Serve the present procedure. Existing dossiers continue under it if it still has their state."""
        with self.lock:
            before = self.office.catalogue
            older = {**before.older, **{(one.id, one.fingerprint): one for one in before.all()}}
            catalogue = replace(Catalogue.of([procedure], shared), older=MappingProxyType(older))
            self.stage.office = replace(self.office, catalogue=catalogue)  # written, not published: no gate
            self._cast(procedure)
            for dossier_id in list(self.office.store.all_dossiers()):
                self._carry_over(procedure, dossier_id)

    def _cast(self, procedure: Procedure) -> None:
        """Create two accounts for each role with a part, and an auditor. The first one acts in scenarios."""
        roles = {*roles_named(procedure), *roles_of(procedure)}
        people = [one for one in demo_agents(self.office.directory) if one.role in roles]
        with self.office.store.unit(write=True) as unit:
            if unit.account(AUDITOR) is None:
                unit.put_account(Account(AUDITOR, "auditor", AUDITOR, AUDITOR, self.secret))
            for one in people:
                account = Account(one.login, "agent", one.name, one.login, self.secret, (one.role,))
                if unit.account(account.id) is None:
                    unit.put_account(account)
                self.stage.people.setdefault(one.role, account.actor())

    def _carry_over(self, procedure: Procedure, dossier_id: str) -> None:
        with self.office.store.unit(write=True) as unit:
            dossier = unit.dossier(dossier_id)
            if dossier is None or dossier.fingerprint == procedure.fingerprint or dossier.procedure != procedure.id:
                return
            if dossier.is_draft or dossier.state in procedure.states:
                moved = replace(
                    dossier, fingerprint=procedure.fingerprint, edition=procedure.edition, revision=dossier.revision + 1
                )
                unit.put_dossier(moved, dossier.revision)

    # -- people --------------------------------------------------------------------------------------------------------

    def let_in(self, account_id: str) -> SignedIn:
        """Open a session without code or password: all persons are invented. Raises `LookupError`."""
        now, token = self.office.now(), new_token()
        with self.office.store.unit(write=True) as unit:
            account = unit.account(account_id)
            if account is None:
                raise LookupError(account_id)
            unit.put_session(Session(token_digest(token), account.id, now, now, now + NEVER))
        return SignedIn(token, self.office.person(account))

    def holder(self, role: str) -> str | None:
        """Return the account that acts for a role (`agency/role`), None without one."""
        known = self.stage.people.get(role)
        return known.id if known is not None else None

    def newest(self) -> Dossier | None:
        """Return the latest dossier of the applicant, None without one."""
        with self.office.store.unit() as unit:
            lines = unit.dossiers_of(APPLICANT_ID, 1)
            return unit.dossier(lines[0].id) if lines else None

    # -- requests of the author ----------------------------------------------------------------------------------------

    def fill(self, better: Callable[[], Scenario | None]) -> Dossier:
        """Fill the present draft, or a new one, with examples; existing answers stay.

        If the examples contradict one another, use the answers of a scenario that can be submitted
        (`better`). Raises `ScenarioFailed`.
        """
        with self.lock:
            draft = self._draft()
            filled = self._filled(draft, {})
            if check(self.office, self.stage.applicant, filled.id).errors:
                story = better()
                filled = self._filled(draft, story.given) if story is not None else filled
            return filled

    def _filled(self, draft: Dossier | None, given: Mapping[str, Plain]) -> Dossier:
        own = dict(draft.answers) if draft is not None else {}
        day, said = local_day(self.office.now()), {**given, **self._as_written(own)}
        reported = self._reported(Scenario(id="tryout", story=Text(()), at=day, given=said))
        reported.prepare()
        assert reported.dossier is not None
        made, papers = self.stage.dossier(reported.dossier.id), draft.attachments if draft is not None else ()
        heavy = {name: kept for name, kept in own.items() if kept and not self._is_plain(name, kept)}
        return self._put(replace(made, answers={**made.answers, **heavy}, attachments=(*papers, *made.attachments)))

    def _draft(self) -> Dossier | None:
        newest = self.newest()
        return newest if newest is not None and newest.is_draft and newest.closed_at is None else None

    def _as_written(self, answers: Mapping[str, Plain]) -> dict[str, Plain]:
        """Return the answers that a scenario writes in their stored form."""
        return {name: kept for name, kept in answers.items() if kept not in (None, "") and self._is_plain(name, kept)}

    def _is_plain(self, name: str, kept: Plain) -> bool:
        known = self.procedure.fields.get(name) if self.procedure is not None else None
        return known is not None and known.value is None and not isinstance(kept, (dict, list))

    def play(self, story: Scenario) -> Dossier | None:
        """Play a whole scenario from the morning of its day.

        Raises `ScenarioFailed` where it does not go as stated.
        """
        with self.lock:
            self._turn_to(story)
            reported = self._reported(story)
            self.registers.telling = True
            try:
                if reported.prepare():
                    reported.submit()
                    self._follow(reported, story.steps)
            finally:
                self.registers.telling = False
            return self.stage.dossier(reported.dossier.id) if reported.dossier is not None else None

    def _follow(self, reported: ScenarioRun, steps: tuple[Step, ...]) -> None:
        for step in steps:
            reported.step = step
            reported.do(self._now_free(reported, step))

    def _now_free(self, reported: ScenarioRun, step: Step) -> Step:
        """Return a booking step with the first free slot.

        Another dossier of the preview may hold the stated one.
        """
        if step.verb != "book" or not isinstance(step.value, dict):
            return step
        free = [one for one in NextSteps(reported, {}, "").steps() if one.verb == "book"]
        return next(
            (one for one in free if isinstance(one.value, dict) and one.value.keys() == step.value.keys()), step
        )

    def _turn_to(self, story: Scenario) -> None:
        """Discard the present draft and set the clock to the morning of the scenario.

        Only one draft is allowed at a time.
        """
        draft = self._draft()
        if draft is not None:
            drop_draft(self.office, self.stage.applicant, draft.id, token=fresh_token())
        day, morning = story.at, {"hour": OPENING, "minute": 0, "second": 0}
        now = local(self.office.now())
        self.stage.clock.instant = now.replace(year=day.year, month=day.month, day=day.day, **morning)  # type: ignore[arg-type]

    def next_day(self) -> date:
        """Return the first day whose morning is still to come: scenarios begin in the morning."""
        now = local(self.office.now())
        return now.date() if now.hour < OPENING else now.date() + timedelta(days=1)

    def _reported(self, story: Scenario) -> ScenarioRun:
        procedure = self.procedure
        assert procedure is not None
        return ScenarioRun(procedure, story, self.stage)

    def _put(self, dossier: Dossier) -> Dossier:
        kept = replace(dossier, revision=dossier.revision + 1)
        with self.office.store.unit(write=True) as unit:
            unit.put_dossier(kept, dossier.revision)
        return kept

    # -- time ----------------------------------------------------------------------------------------------------------

    def due(self) -> Timer | None:
        """Return the next timer of the newest dossier, or of another if it has none; None without any."""
        newest = self.newest()
        with self.office.store.unit() as unit:
            every = unit.due_timers(self.office.now() + FAR, 50)
        timers = [one for one in every if one.name == "draft" or not one.name.startswith(QUIET)]
        own = [one for one in timers if newest is not None and one.dossier == newest.id]
        return next(iter(own or timers), None)

    def pass_time_by(self, by: timedelta) -> None:
        """Let time pass; everything due meanwhile happens at its hour."""
        with self.lock:
            self.stage.pass_time(self.office.now() + by)

    def move_to_due(self) -> None:
        """Let time pass until just after the next timer, without effect if there is none."""
        timer = self.due()
        if timer is not None:
            self.pass_time_by(max(timedelta(), timer.due_at - self.office.now()) + timedelta(seconds=1))
