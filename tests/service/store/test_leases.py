import threading

import pytest

from sightline.client.wire import State, Variant
from sightline.service.domain.refusals import ConflictError, RefusedError
from sightline.service.store.database import Database
from tests.service.store.scene import TERMS, Scene


@pytest.fixture
def scene(database: Database) -> Scene:
    return Scene.create(database)


def test_the_experiment_that_waits_longest_comes_first(scene: Scene) -> None:
    first = scene.submit()
    scene.advance(1)
    second = scene.submit()
    assert [scene.lease(), scene.lease(), scene.lease()][2] is None
    assert scene.row(first).state is scene.row(second).state is State.PREPARING
    leased = [scene.lease_row(first), scene.lease_row(second)]
    assert all(row is not None for row in leased)


def test_many_agents_at_once_never_get_the_same_experiment(scene: Scene) -> None:
    submitted = {scene.submit() for _ in range(24)}
    taken: list[str] = []
    barrier = threading.Barrier(6)

    def work(name: str) -> None:
        barrier.wait()
        while leased := scene.lease(name):
            taken.append(leased[0])

    threads = [threading.Thread(target=work, args=(f"agent-{index}",)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(submitted)


def test_hidden_data_goes_only_to_a_sandbox_that_isolates(scene: Scene) -> None:
    scene.submit()
    assert scene.lease("weak", "process") is None
    assert scene.lease("strong", "process", "docker") is not None


def test_the_owner_may_allow_the_process_sandbox(database: Database) -> None:
    scene = Scene.create(database, allow_process_sandbox=True)
    scene.submit()
    assert scene.lease("weak", "process") is not None


def test_the_sample_may_run_anywhere(database: Database) -> None:
    scene = Scene.create(database, variant=Variant.SAMPLE)
    scene.submit()
    assert scene.lease("weak", "process") is not None


def test_a_lost_agent_gives_the_experiment_back_and_then_fails_it(scene: Scene) -> None:
    experiment = scene.submit()
    scene.lease("first")
    scene.advance(29)
    assert scene.sweep() == []
    scene.advance(1)
    assert scene.sweep() == [experiment]
    assert scene.row(experiment).state is State.QUEUED
    scene.lease("second")
    scene.advance(31.4)
    assert scene.sweep() == [experiment]
    assert scene.sweep() == []
    row = scene.row(experiment)
    assert (row.state, row.attempt) == (State.FAILED, 2)
    assert row.reason == "agent lost: second was not heard of for 31 s (attempt 2 of 2)"
    assert scene.history(experiment)[3] == (
        "queued",
        "agent lost: first was not heard of for 30 s (attempt 1 of 2)",
    )


def test_heartbeats_keep_the_lease(scene: Scene) -> None:
    leased = scene.submit() and scene.lease()
    assert leased
    for _ in range(5):
        scene.advance(20)
        scene.heartbeat(*leased)
    assert scene.sweep() == []


def test_an_old_token_is_worth_nothing_to_a_later_attempt(scene: Scene) -> None:
    experiment = scene.submit()
    old = scene.lease("first")
    assert old
    scene.advance(30)
    with pytest.raises(ConflictError, match="not yours any more"):
        scene.heartbeat(*old)  # expired, though nobody has swept yet
    scene.sweep()
    new = scene.lease("second")
    assert new
    for token in (old[1], "guessed", ""):
        with pytest.raises(ConflictError, match="not yours any more"):
            scene.heartbeat(experiment, token)
    scene.heartbeat(*new)


def test_a_report_sent_again_changes_nothing(scene: Scene) -> None:
    experiment = scene.submit()
    leased = scene.lease()
    assert leased
    assert scene.report(*leased, "running")
    assert not scene.report(*leased, "running", "so") or scene.row(experiment).reason == "so"
    assert scene.report(*leased, "collecting")
    before = scene.history(experiment)
    assert not scene.report(*leased, "running")
    assert scene.report(*leased, "succeeded")
    assert not scene.report(*leased, "succeeded")
    assert scene.history(experiment)[:-1] == before
    with pytest.raises(ConflictError, match="not yours any more"):
        scene.report(*leased, "failed")


def test_more_can_be_said_about_a_state(scene: Scene) -> None:
    experiment = scene.submit()
    leased = scene.lease()
    assert leased
    scene.report(*leased, "preparing", "fetching the dataset")
    scene.report(*leased, "preparing", "fetching the dataset")
    assert scene.row(experiment).reason == "fetching the dataset"
    assert [state for state, _ in scene.history(experiment)] == [
        "created",
        "queued",
        "preparing",
        "preparing",
    ]


def test_an_agent_that_stops_in_good_order_hands_the_job_back(scene: Scene) -> None:
    experiment = scene.submit()
    for _ in range(3):
        leased = scene.lease()
        assert leased
        scene.report(*leased, "running")
        assert scene.report(*leased, "queued", "its agent was stopped")
    row = scene.row(experiment)
    assert (row.state, row.attempt, row.handed_back) == (State.QUEUED, 3, 3)
    scene.lease()
    assert scene.row(experiment).reason == "Taken by agent agent-1 (attempt 4 of 5)."
    scene.advance(TERMS.lease_s)
    scene.sweep()
    assert scene.row(experiment).state is State.QUEUED


def test_an_agent_reports_only_what_can_follow(scene: Scene) -> None:
    scene.submit()
    leased = scene.lease()
    assert leased
    with pytest.raises(ConflictError, match="cannot become succeeded"):
        scene.report(*leased, "succeeded")
    with pytest.raises(RefusedError, match="does not report 'created'"):
        scene.report(*leased, "created")


def test_after_a_restart_live_leases_have_their_full_time(scene: Scene) -> None:
    leased = scene.submit() and scene.lease()
    assert leased
    scene.advance(1000)  # the service was down
    scene.grace()
    scene.advance(TERMS.lease_s - 1)
    assert scene.sweep() == []
    scene.heartbeat(*leased)
