"""The states of an experiment: one table of transitions, and nothing changes state except through it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sightline.client.wire import State
from sightline.service.domain.refusals import ConflictError


class Event(StrEnum):
    """What makes an experiment change state. Each event comes with a reason in words, which is kept."""

    SUBMIT = "submitted"
    LEASE = "leased by an agent"
    REPORT = "reported by the agent"
    HAND_BACK = "handed back by the agent"
    CANCEL = "cancelled by a user"
    AGENT_LOST = "agent lost"


@dataclass(frozen=True)
class Transition:
    """``event`` takes an experiment from ``source`` to ``target``."""

    source: State
    event: Event
    target: State


ON_AGENT = (State.PREPARING, State.RUNNING, State.COLLECTING)
"""The states in which an agent holds the experiment's lease."""


def _each(sources: Iterable[State], event: Event, *targets: State) -> list[Transition]:
    return [Transition(source, event, target) for source in sources for target in targets]


TRANSITIONS: tuple[Transition, ...] = (
    Transition(State.CREATED, Event.SUBMIT, State.QUEUED),
    Transition(State.QUEUED, Event.LEASE, State.PREPARING),
    Transition(State.PREPARING, Event.REPORT, State.RUNNING),
    Transition(State.RUNNING, Event.REPORT, State.COLLECTING),
    Transition(State.COLLECTING, Event.REPORT, State.SUCCEEDED),
    *_each(ON_AGENT, Event.REPORT, State.FAILED, State.CANCELLED),
    *_each(ON_AGENT, Event.HAND_BACK, State.QUEUED, State.CANCELLED),
    # A user's cancel takes effect at once only where no agent has to stop anything first.
    *_each([State.CREATED, State.QUEUED], Event.CANCEL, State.CANCELLED),
    # Back in the queue while attempts are left; else failed, or cancelled where that was asked for.
    *_each(ON_AGENT, Event.AGENT_LOST, State.QUEUED, State.FAILED, State.CANCELLED),
)

_ALLOWED = frozenset(TRANSITIONS)


def check(source: State, event: Event, target: State) -> None:
    """Raise `ConflictError` unless the table has this transition."""
    if Transition(source, event, target) in _ALLOWED:
        return
    possible = [t.target for t in TRANSITIONS if t.source is source and t.event is event]
    if source.ended:
        raise ConflictError(f"The experiment has ended ({source}) and does not become {target} any more.")
    may = f"it may become {' or '.join(possible)}" if possible else "nothing follows from that here"
    raise ConflictError(f"The experiment is {source} and cannot become {target} when {event}: {may}.")


def after_agent_lost(attempt: int, max_attempts: int, cancel_requested: bool) -> State:
    """Where an experiment goes when its agent has not been heard of for the lease time.

    ``attempt`` counts from 1.
    """
    if cancel_requested:
        return State.CANCELLED
    return State.QUEUED if attempt < max_attempts else State.FAILED


def diagram() -> str:
    """The transition table as a mermaid state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {State.CREATED}"]
    lines += [f"    {t.source} --> {t.target}: {t.event}" for t in TRANSITIONS]
    lines += [f"    {state} --> [*]" for state in State if state.ended]
    return "\n".join(lines) + "\n"
