import time
from collections.abc import Callable

from sightline.service import sweeper
from tests.service.world import World


def test_a_sweep_finds_lost_agents_and_leaves_the_others(world: World) -> None:
    lost = world.taken()
    world.clock.advance(20)
    kept = world.taken()
    world.clock.advance(15)
    assert world.core
    assert sweeper.sweep(world.core) == [lost.id]
    assert world.developer.ok("GET", f"/experiments/{kept.id}")["state"] == "preparing"
    shown = world.developer.ok("GET", f"/experiments/{lost.id}")
    assert shown["state"] == "queued"
    assert shown["reason"] == "agent lost: agent-1 was not heard of for 35 s (attempt 1 of 2)"


def test_a_lost_agent_of_a_cancelled_experiment_ends_it(world: World) -> None:
    job = world.taken()
    world.developer.ok("POST", f"/experiments/{job.id}/cancel")
    world.clock.advance(30)
    assert world.core
    sweeper.sweep(world.core)
    assert world.developer.ok("GET", f"/experiments/{job.id}")["state"] == "cancelled"


def test_grace_starts_all_leases_afresh(world: World) -> None:
    job = world.taken()
    world.clock.advance(100)
    assert world.core
    sweeper.give_grace(world.core)
    assert sweeper.sweep(world.core) == []
    assert job.call("POST", "heartbeat").is_success


def test_a_running_service_sweeps_by_itself(make_service: Callable[..., World]) -> None:
    service = make_service(lease_s=0.4, heartbeat_s=0.1, max_attempts=1)
    started = time.monotonic()
    job = service.taken()
    while service.developer.ok("GET", f"/experiments/{job.id}")["state"] == "preparing":
        assert time.monotonic() - started < 10
        time.sleep(0.02)
    shown = service.developer.ok("GET", f"/experiments/{job.id}")
    assert shown["state"] == "failed"
    assert shown["reason"].startswith("agent lost: agent-1 was not heard of")
