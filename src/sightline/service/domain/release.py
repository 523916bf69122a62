"""When artifacts leave the service."""

from collections.abc import Sequence
from dataclasses import dataclass

from sightline.client.wire import Policy, ReleaseDecision, ReleaseRule, ReleaseState, State, Variant
from sightline.files import readable_size
from sightline.service.domain.refusals import ConflictError


@dataclass(frozen=True)
class Verdict:
    """A release state and the sentence that explains it."""

    state: ReleaseState
    reason: str


NOT_ENDED = Verdict(ReleaseState.NONE, "The experiment has not ended; nothing is released before it has.")


@dataclass(frozen=True)
class Ended:
    """What the rules need to know about an experiment that ended; ``artifact_bytes`` over all its files."""

    state: State
    dataset: str
    variant: Variant
    policy: Policy
    artifact_count: int
    artifact_bytes: int


def strictest(policies: Sequence[Policy]) -> Policy:
    """What all of several policies (one at least) allow."""
    rules = [policy.release for policy in policies]
    return Policy(
        release=ReleaseRule.OWNER if ReleaseRule.OWNER in rules else ReleaseRule.AUTO,
        allow_process_sandbox=all(policy.allow_process_sandbox for policy in policies),
        max_release_bytes=min(policy.max_release_bytes for policy in policies),
    )


def on_end(ended: Ended) -> Verdict:
    """What happens to an experiment's artifacts at the moment it ends."""
    size = readable_size(ended.artifact_bytes)
    if ended.artifact_count == 0:
        return Verdict(ReleaseState.NONE, "The job left no artifacts.")
    if ended.variant is Variant.SAMPLE:
        return Verdict(ReleaseState.APPROVED, "Released: the job saw only the sample, which anyone may have.")
    if ended.state is not State.SUCCEEDED:
        return Verdict(
            ReleaseState.PENDING,
            f"The experiment {'was cancelled' if ended.state is State.CANCELLED else 'failed'}; the owner of "
            f"dataset '{ended.dataset}' decides about what it left ({size}).",
        )
    if ended.policy.release is ReleaseRule.OWNER:
        return Verdict(
            ReleaseState.PENDING, f"The owner of dataset '{ended.dataset}' has not decided yet ({size})."
        )
    allowed = readable_size(ended.policy.max_release_bytes)
    if ended.artifact_bytes > ended.policy.max_release_bytes:
        return Verdict(
            ReleaseState.PENDING,
            f"The artifacts are {size}, more than the {allowed} that dataset '{ended.dataset}' releases "
            "automatically; its owner decides.",
        )
    return Verdict(
        ReleaseState.APPROVED,
        f"Released automatically: {size}, within the {allowed} that dataset '{ended.dataset}' allows.",
    )


def on_decision(current: ReleaseState, decision: ReleaseDecision, reviewer: str) -> Verdict:
    """The reviewer's word, given once: what was rejected stays closed, what was released is out.

    Saying the same again changes nothing and is no error.

    Raises:
        ConflictError: there is nothing to decide, or the opposite has been decided already.
    """
    wanted = ReleaseState.APPROVED if decision.decision == "approve" else ReleaseState.REJECTED
    if current is ReleaseState.NONE:
        raise ConflictError(
            "There is nothing to release: the experiment has not ended, or left no artifacts."
        )
    if current is not ReleaseState.PENDING and current is not wanted:
        raise ConflictError(f"The release was {current} already, and that is final.")
    verb = "Approved" if wanted is ReleaseState.APPROVED else "Rejected"
    words = f": {decision.reason}" if decision.reason else "."
    return Verdict(wanted, f"{verb} by {reviewer}{words}")
