import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.client.wire import State
from sightline.service.domain.refusals import ConflictError
from sightline.service.domain.states import (
    ON_AGENT,
    TRANSITIONS,
    Event,
    Transition,
    after_agent_lost,
    check,
    diagram,
)


@given(st.sampled_from(State), st.sampled_from(Event), st.sampled_from(State))
def test_only_the_transitions_of_the_table_are_possible(source: State, event: Event, target: State) -> None:
    if Transition(source, event, target) in TRANSITIONS:
        check(source, event, target)
    else:
        with pytest.raises(ConflictError):
            check(source, event, target)


def test_an_experiment_that_ended_changes_no_more() -> None:
    assert not [t for t in TRANSITIONS if t.source.ended]
    with pytest.raises(ConflictError, match=r"has ended \(failed\)"):
        check(State.FAILED, Event.REPORT, State.RUNNING)


def test_every_state_is_reached_and_every_other_one_left() -> None:
    assert {t.target for t in TRANSITIONS} | {State.CREATED} == set(State)
    assert {t.source for t in TRANSITIONS} == {state for state in State if not state.ended}


def test_from_every_state_there_is_a_way_to_an_end() -> None:
    ending = {state for state in State if state.ended}
    while more := {t.source for t in TRANSITIONS if t.target in ending} - ending:
        ending |= more
    assert ending == set(State)


def test_a_refusal_says_what_is_possible() -> None:
    with pytest.raises(ConflictError, match="may become running or failed or cancelled"):
        check(State.PREPARING, Event.REPORT, State.SUCCEEDED)
    with pytest.raises(ConflictError, match="nothing follows from that here"):
        check(State.RUNNING, Event.CANCEL, State.CANCELLED)


@given(st.integers(1, 5), st.integers(1, 5), st.booleans())
def test_what_follows_a_lost_agent_is_always_in_the_table(attempt: int, most: int, cancel: bool) -> None:
    target = after_agent_lost(attempt, most, cancel)
    for source in ON_AGENT:
        check(source, Event.AGENT_LOST, target)
    assert (target is State.QUEUED) == (attempt < most and not cancel)


def test_the_diagram_has_a_line_for_every_transition() -> None:
    lines = diagram().splitlines()
    assert lines[0] == "stateDiagram-v2"
    assert len(lines) == len(TRANSITIONS) + 5
    assert "    running --> queued: agent lost" in lines
    assert "    succeeded --> [*]" in lines
