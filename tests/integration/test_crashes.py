"""Agents and services that are killed in the middle of a job."""

import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from sightline.client.wire import ExperimentOut
from sightline.demo.service_process import ServiceProcess
from tests.integration.conftest import World, make_world, write_package

LEASE_S = 3.0
PATIENT = ("--set", "lease_s=20", "--set", "heartbeat_s=0.5")  # longer than a restart takes
QUICK = ("--set", f"lease_s={LEASE_S}", "--set", "heartbeat_s=0.5")

COUNTING = textwrap.dedent("""
    import sys, time
    from sightline import RunLogger
    logger = RunLogger()
    for i in range(int(sys.argv[1])):
        print(f"line {i}", flush=True)
        logger.log_scalar("train/loss", 1 / (i + 1), step=i)
        time.sleep(0.05)
""")


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def world_without_agents(folder: Path, digits_folder: Path, *options: str) -> World:
    world = make_world(folder, "--agents", "0", *options)
    world.owner.does("dataset", "publish", str(digits_folder), "--sample", "60", "--release", "auto")
    return world


@pytest.fixture
def crash_world(tmp_path: Path, digits_folder: Path) -> Iterator[World]:
    world = world_without_agents(tmp_path, digits_folder, *QUICK)
    yield world
    world.service.stop()


def start_agent(world: World, name: str) -> subprocess.Popen[bytes]:
    folder = world.service.log.parent
    command = [sys.executable, "-m", "sightline.cli.main", "agent", "--url", world.service.url]
    command += ["--key-file", str(folder / "agent.key"), "--folder", str(folder / "agents" / name)]
    return subprocess.Popen([*command, "--name", name], stdin=subprocess.DEVNULL)


def submit(world: World, folder: Path, lines: int) -> str:
    package = write_package(folder, count=COUNTING)
    words = ["--name", "count", "--dataset", "digits", "--trainer-path", str(package)]
    command = f"python scripts/count.py {lines}"
    return world.developer.asks("experiment", "create", *words, "--cmd", command)["id"]


def shown(world: World, experiment: str) -> ExperimentOut:
    with world.developer.client() as client:
        return client.experiment(experiment)


def state(world: World, experiment: str) -> str:
    return shown(world, experiment).state


def job_processes() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if "scripts/count.py" in words and any(word.endswith("python") for word in words[:1]):
            found.append(process)
    return found


def logged(world: World, experiment: str) -> list[str]:
    with world.developer.client() as client:
        return [line.text for line in client.logs(experiment) if line.stream == "stdout"]


def test_a_killed_agent_is_noticed_and_the_job_runs_again_once(crash_world: World, tmp_path: Path) -> None:
    experiment = submit(crash_world, tmp_path / "package", 60)
    first = start_agent(crash_world, "first")
    wait_for(lambda: len(logged(crash_world, experiment)) > 5)
    first.kill()
    first.wait()
    killed = time.monotonic()
    wait_for(lambda: not job_processes(), 2)  # its job died with it: nothing can run twice

    wait_for(lambda: state(crash_world, experiment) == "queued", LEASE_S + 3)
    assert time.monotonic() - killed < LEASE_S + 3
    assert "agent lost" in shown(crash_world, experiment).reason

    second = start_agent(crash_world, "second")
    try:
        wait_for(lambda: state(crash_world, experiment) == "succeeded")
    finally:
        second.send_signal(signal.SIGTERM)
        assert second.wait(10) == 0
    end = shown(crash_world, experiment)
    assert end.attempt == 2
    assert any("agent lost: first" in change.reason for change in end.history)
    assert logged(crash_world, experiment)[-60:] == [f"line {i}" for i in range(60)]


def test_a_job_whose_agents_all_die_fails_with_the_reason(crash_world: World, tmp_path: Path) -> None:
    experiment = submit(crash_world, tmp_path / "package", 600)
    for name in ("first", "second"):
        agent = start_agent(crash_world, name)
        wait_for(lambda: state(crash_world, experiment) == "running")
        agent.kill()
        agent.wait()
        wait_for(lambda: state(crash_world, experiment) in ("queued", "failed"), LEASE_S + 5)
    assert state(crash_world, experiment) == "failed"
    assert "agent lost" in shown(crash_world, experiment).reason


def test_a_job_goes_on_while_the_service_is_killed_and_restarted(tmp_path: Path, digits_folder: Path) -> None:
    world = world_without_agents(tmp_path, digits_folder, *PATIENT)
    experiment = submit(world, tmp_path / "package", 100)
    agent = start_agent(world, "steady")
    try:
        wait_for(lambda: len(logged(world, experiment)) > 5)
        seen = logged(world, experiment)
        seen_metrics = world.developer.asks("experiment", "metrics", experiment)
        port = world.service.url.rsplit(":", 1)[1]
        world.service.kill()
        time.sleep(1)
        restarted = ServiceProcess(world.service.log.parent, "--port", port, "--agents", "0", *PATIENT)
        try:
            assert logged(world, experiment)[: len(seen)] == seen
            wait_for(lambda: state(world, experiment) == "succeeded", 40)
            assert shown(world, experiment).attempt == 1
            assert logged(world, experiment) == [f"line {i}" for i in range(100)]
            metrics = world.developer.asks("experiment", "metrics", experiment)
            assert metrics[: len(seen_metrics)] == seen_metrics
            assert [point["step"] for point in metrics] == list(range(100))
        finally:
            restarted.stop()
    finally:
        agent.send_signal(signal.SIGTERM)
        assert agent.wait(10) == 0


def test_when_up_is_killed_its_agent_and_job_end_and_the_restart_runs_it_again(
    tmp_path: Path, digits_folder: Path
) -> None:
    world = make_world(tmp_path, *QUICK)
    world.owner.does("dataset", "publish", str(digits_folder), "--sample", "60", "--release", "auto")
    experiment = submit(world, tmp_path / "package", 60)
    wait_for(lambda: len(logged(world, experiment)) > 3)
    port = world.service.url.rsplit(":", 1)[1]
    world.service.kill()
    wait_for(lambda: not job_processes(), 10)
    restarted = ServiceProcess(world.service.log.parent, "--port", port, *QUICK)
    try:
        wait_for(lambda: state(world, experiment) == "succeeded", 40)
        history = shown(world, experiment).history
        again = [change.reason for change in history if change.state == "queued"][1:]
        assert len(again) == 1
        assert "agent" in again[0]  # handed back if the agent could still do it, else lost
    finally:
        restarted.stop()
    assert not job_processes()
