"""Submit, lease, report, cancel, wait, sweep and restart in any order, against a model."""

import tempfile
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from sightline.client.wire import State
from sightline.service.domain.refusals import RefusedError
from sightline.service.domain.states import ON_AGENT, TRANSITIONS, Event
from sightline.service.store import experiments
from sightline.service.store.database import Database
from sightline.service.store.migrate import upgrade
from tests.service.store.scene import TERMS, Scene

STEPS = {(t.source, t.target) for t in TRANSITIONS}
MEMORY = Path("/dev/shm")


@dataclass
class Known:
    """What must be true of one experiment."""

    live: tuple[str, float] | None = None  # token and when it runs out
    last: str = ""  # the token of the last lease
    tokens: set[str] = field(default_factory=set)
    ended: State | None = None


class LeaseMachine(RuleBasedStateMachine):
    held = Bundle("held")

    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.database = Database(f"sqlite:///{self.folder.name}/test.db")
        upgrade(self.database)
        self.scene = Scene.create(self.database)
        self.time = 0.0
        self.known: dict[str, Known] = {}
        self.submit()

    def teardown(self) -> None:
        if hasattr(self, "database"):
            self.database.close()
            self.folder.cleanup()

    @rule()
    def submit(self) -> None:
        if len(self.known) < 3:
            # Of those that were queued in the same moment, random ids would say which is leased first.
            self.wait(1 / 64)  # exact in binary and in microseconds
            self.known[self.scene.submit()] = Known()

    @rule(target=held)
    def lease(self) -> Any:
        waiting = [e for e in self.known if self.scene.row(e).state is State.QUEUED]
        leased = self.scene.lease()
        assert (leased is None) == (not waiting)
        if leased is None:
            return multiple()
        experiment, token = leased
        known = self.known[experiment]
        assert known.live is None, "two live leases for one experiment"
        known.live = (token, self.time + TERMS.lease_s)
        assert token not in known.tokens
        known.tokens.add(token)
        known.last = token
        return leased

    @rule(lease=held)
    def heartbeat(self, lease: tuple[str, str]) -> None:
        self._act(lease, lambda: self.scene.heartbeat(*lease))

    @rule(lease=held, state=st.sampled_from(State))
    def report(self, lease: tuple[str, str], state: State) -> None:
        def act() -> None:
            self.scene.report(*lease, state)
            row = self.scene.row(lease[0])
            if row.state.ended or row.state is State.QUEUED:
                self.known[lease[0]].live = None

        self._act(lease, act, final=state if state.ended else None)

    def _act(self, lease: tuple[str, str], act: Any, final: State | None = None) -> None:
        experiment, token = lease
        known = self.known[experiment]
        mine = known.live is not None and known.live[0] == token and self.time < known.live[1]
        before = self.scene.history(experiment)
        try:
            act()
        except RefusedError:
            if not mine:
                assert self.scene.history(experiment) == before
            return
        if not mine:
            assert self.scene.history(experiment) == before, "a lost lease changed something"
            row = self.scene.row(experiment)
            assert row.state is final, "a lost lease was served"  # but the last report may come twice
            assert token == known.last
        elif known.live is not None:
            known.live = (token, self.time + TERMS.lease_s)

    @rule(choice=st.integers(0, 2))
    def cancel(self, choice: int) -> None:
        for experiment in list(self.known)[choice : choice + 1]:
            with self.database.write() as session:
                row = experiments.locked(session, experiment)
                assert row is not None
                if row.state is State.QUEUED:
                    experiments.change(session, row, Event.CANCEL, State.CANCELLED, "no more", self.scene.now)
                elif not row.state.ended:
                    row.cancel_requested = True

    @rule(seconds=st.sampled_from([1, 10, 29, 30, 45]))
    def wait(self, seconds: float) -> None:
        self.scene.advance(seconds)
        self.time += seconds

    @rule()
    def sweep(self) -> None:
        lost = set(self.scene.sweep())
        for experiment, known in self.known.items():
            ran_out = known.live is not None and self.time >= known.live[1]
            assert ran_out == (experiment in lost)
            if ran_out:
                known.live = None
                row = self.scene.row(experiment)
                assert row.state in (State.QUEUED, State.FAILED, State.CANCELLED)
                assert row.reason.startswith("agent lost: agent-1 was not heard of")

    @rule()
    def restart(self) -> None:
        self.scene.grace()
        for known in self.known.values():
            if known.live is not None:
                known.live = (known.live[0], self.time + TERMS.lease_s)

    @invariant()
    def all_is_as_it_should_be(self) -> None:
        for experiment, known in getattr(self, "known", {}).items():
            row, lease = self.scene.row(experiment), self.scene.lease_row(experiment)
            is_live = lease is not None and lease.ended_at is None
            assert is_live == (known.live is not None) == (row.state in ON_AGENT)
            assert row.attempt - row.handed_back <= TERMS.max_attempts
            assert row.reason
            assert known.ended in (None, row.state), "an end was undone"
            known.ended = row.state if row.state.ended else None
            states = [State(state) for state, reason in self.scene.history(experiment) if reason]
            assert states[0] is State.CREATED
            assert states[-1] is row.state
            steps = set(pairwise(states))
            assert all(step in STEPS or step[0] is step[1] for step in steps)


TestLeaseMachine = LeaseMachine.TestCase
TestLeaseMachine.settings = settings(
    max_examples=25,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
