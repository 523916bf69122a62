from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.client.wire import Policy, ReleaseDecision, ReleaseRule, ReleaseState, State, Variant
from sightline.service.domain.refusals import ConflictError
from sightline.service.domain.release import Ended, on_decision, on_end, strictest

AUTO = Policy(release=ReleaseRule.AUTO, max_release_bytes=1000)
OWNER = Policy(release=ReleaseRule.OWNER)
DONE = Ended(State.SUCCEEDED, "digits", Variant.HIDDEN, AUTO, artifact_count=2, artifact_bytes=1000)


def test_within_the_budget_artifacts_are_released_automatically() -> None:
    assert on_end(DONE).state is ReleaseState.APPROVED


def test_over_the_budget_the_owner_decides() -> None:
    verdict = on_end(replace(DONE, artifact_bytes=1001))
    assert verdict.state is ReleaseState.PENDING
    assert "more than the 1000 B" in verdict.reason


def test_where_the_owner_decides_nothing_is_automatic() -> None:
    assert on_end(replace(DONE, policy=OWNER)).state is ReleaseState.PENDING


@pytest.mark.parametrize("state", [State.FAILED, State.CANCELLED])
def test_what_an_unsuccessful_job_left_waits_for_the_owner(state: State) -> None:
    assert on_end(replace(DONE, state=state)).state is ReleaseState.PENDING


def test_what_was_made_from_the_sample_is_free() -> None:
    assert on_end(replace(DONE, variant=Variant.SAMPLE, policy=OWNER)).state is ReleaseState.APPROVED


def test_without_artifacts_there_is_nothing_to_release() -> None:
    assert on_end(replace(DONE, artifact_count=0, artifact_bytes=0)).state is ReleaseState.NONE


@given(
    st.builds(
        Ended,
        state=st.sampled_from([s for s in State if s.ended]),
        dataset=st.just("digits"),
        variant=st.just(Variant.HIDDEN),
        policy=st.builds(Policy, max_release_bytes=st.integers(1, 10_000)),
        artifact_count=st.integers(0, 3),
        artifact_bytes=st.integers(0, 20_000),
    )
)
def test_hidden_data_is_never_released_against_the_policy(ended: Ended) -> None:
    if on_end(ended).state is ReleaseState.APPROVED:
        assert ended.state is State.SUCCEEDED
        assert ended.policy.release is ReleaseRule.AUTO
        assert ended.artifact_bytes <= ended.policy.max_release_bytes


def test_a_reviewer_approves_or_rejects_with_a_reason() -> None:
    approve = ReleaseDecision(decision="approve")
    reject = ReleaseDecision(decision="reject", reason="too many bytes")
    assert on_decision(ReleaseState.PENDING, approve, "olga").state is ReleaseState.APPROVED
    assert on_decision(ReleaseState.PENDING, reject, "olga").reason == "Rejected by olga: too many bytes"


def test_a_decision_is_final_and_may_be_repeated() -> None:
    approve, reject = ReleaseDecision(decision="approve"), ReleaseDecision(decision="reject")
    assert on_decision(ReleaseState.REJECTED, reject, "olga").state is ReleaseState.REJECTED
    with pytest.raises(ConflictError, match="rejected already"):
        on_decision(ReleaseState.REJECTED, approve, "olga")
    with pytest.raises(ConflictError, match="approved already"):
        on_decision(ReleaseState.APPROVED, reject, "olga")
    with pytest.raises(ConflictError, match="nothing to release"):
        on_decision(ReleaseState.NONE, approve, "olga")


@given(st.lists(st.builds(Policy), min_size=1, max_size=4))
def test_of_several_policies_each_is_obeyed(policies: list[Policy]) -> None:
    whole = strictest(policies)
    for policy in policies:
        assert whole.release is ReleaseRule.OWNER or policy.release is ReleaseRule.AUTO
        assert whole.max_release_bytes <= policy.max_release_bytes
        assert policy.allow_process_sandbox or not whole.allow_process_sandbox
    assert strictest([policies[0]]) == policies[0]
