"""The commands around an experiment; an agent's calls are made by hand, so that no job needs to run."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sightline.client import ServiceClient
from sightline.client.wire import (
    Lease,
    LeaseRequest,
    LogBatch,
    LogLine,
    LogStream,
    MetricBatch,
    MetricPoint,
    State,
    StateReport,
)
from tests.cli.conftest import Person, Service


class HandAgent:
    """Does what an agent does, one job at a time."""

    def __init__(self, client: ServiceClient, folder: Path) -> None:
        self.client = client
        self.folder = folder

    def take(self) -> Lease:
        request = LeaseRequest(agent="hand", sandboxes=["namespace"], wait_s=20)
        lease = self.client.lease(request)
        assert lease
        for state in (State.PREPARING, State.RUNNING):
            self.client.report_state(lease, StateReport(state=state, reason=f"now {state.value}"))
        return lease

    def log(self, lease: Lease, *texts: str) -> None:
        now = datetime.now(UTC)
        lines = [LogLine(seq=i, at=now, stream=LogStream.STDOUT, text=t) for i, t in enumerate(texts)]
        self.client.send_logs(lease, LogBatch(lines=lines))

    def measure(self, lease: Lease, **series: list[float | None]) -> None:
        now = datetime.now(UTC)
        points = [
            MetricPoint(seq=0, at=now, name=name, kind="scalar", value=value, step=step)
            for name, values in series.items()
            for step, value in enumerate(values)
        ]
        numbered = [point.model_copy(update={"seq": i}) for i, point in enumerate(points)]
        self.client.send_metrics(lease, MetricBatch(points=numbered))

    def end(self, lease: Lease, state: State, reason: str, **files: str) -> None:
        report = StateReport(state=State.COLLECTING, reason="collecting")
        self.client.report_state(lease, report)
        for path, text in files.items():
            file = self.folder / "artifact"
            file.write_text(text)
            self.client.upload_artifact(lease, path, file)
        code = 0 if state is State.SUCCEEDED else 3
        self.client.report_state(lease, StateReport(state=state, reason=reason, exit_code=code))


@pytest.fixture
def agent(service: Service, tmp_path: Path) -> Iterator[HandAgent]:
    with ServiceClient(service.url, service.agent_key) as client:
        yield HandAgent(client, tmp_path)


@contextmanager
def beside(work: object) -> Iterator[None]:
    thread = threading.Thread(target=work)  # type: ignore[arg-type]
    thread.start()
    yield
    thread.join(30)
    assert not thread.is_alive()


def created(developer: Person, package: Path, *words: str) -> str:
    command = ("experiment", "create", "--dataset", "squares", "--trainer-path", package, "--json", *words)
    return developer.ok(*command).json["id"]


def test_followed_to_its_end_and_released(
    developer: Person, owner: Person, published: str, package: Path, agent: HandAgent
) -> None:
    def job() -> None:
        lease = agent.take()
        assert lease.datasets[0].name == published
        agent.client.download_job_trainer(lease, agent.folder / "trainer.zip")
        agent.client.download_job_dataset(lease, agent.folder / "dataset.zip")
        assert (agent.folder / "dataset.zip").stat().st_size == lease.datasets[0].size_bytes
        assert not agent.client.heartbeat(lease).cancel
        agent.log(lease, "hello", "\x1b[31mred\x1b[0m", "10%\r20%\rdone", "\x1b]0;evil\x07bell\x07")
        agent.measure(lease, loss=[2.0, 1.0, 0.5], accuracy=[None, 0.25, 0.75])
        agent.end(
            lease, State.SUCCEEDED, "it went well", **{"model/model.txt": "learned", "run/a/b.json": "{}"}
        )

    with beside(job):
        words = ("-n", "followed", "-d", "squares", "-p", package, "-c", "scripts/train.py 0", "--follow")
        result = developer.ok("experiment", "create", *words)
    for line in ("hello", "red", "done", "bell�"):
        assert line in result.out.splitlines()
    assert "loss 0.5" in result.out
    assert "accuracy 0.75" in result.out
    assert "followed: running: now running" in result.err
    assert "waits for the dataset's owner to release it" in result.err
    assert (developer.home / ".data" / "trainers" / "my-trainer.zip").exists()

    shown = developer.ok("experiment", "show", "latest").out
    assert "state        succeeded" in shown
    assert "it went well" in shown
    summary = developer.ok("experiment", "metrics", "followed").out.splitlines()
    assert summary[1].split() == ["loss", "3", "0.5", "2", "0.5", "2"]
    assert summary[2].split() == ["accuracy", "3", "0.75", "2", "0.25", "0.75"]
    assert len(developer.ok("experiment", "metrics", "followed", "--json").json) == 6
    assert len(developer.ok("experiment", "metrics", "followed", "--all").out.splitlines()) == 7
    assert "hello\n" in developer.ok("experiment", "logs", "followed").out
    developer.ok("experiment", "logs", "followed", "--output", "log.txt")
    assert "hello\n" in (developer.home / "log.txt").read_text()
    rows = developer.ok("experiment", "logs", "followed", "--json").json
    assert "hello" in [row["text"] for row in rows]

    refused = developer("experiment", "download", "followed")
    assert refused.code == 1
    assert "Not released" in refused.err
    assert developer("experiment", "release", "followed", "approve").code == 1
    owner.ok("experiment", "release", "followed", "approve", "--reason", "fine")
    identity = developer.ok("experiment", "show", "followed", "--json").json["id"]
    developer.ok("experiment", "download", identity[:8], "--only", "model", "-o", "some")
    assert [p.name for p in (developer.home / "some").rglob("*") if p.is_file()] == ["model.txt"]
    files = developer.ok("experiment", "download", "followed", "--json").json
    folder = developer.home / ".data" / "experiments" / f"followed-{identity[:8]}"
    assert (folder / "model" / "model.txt").read_text() == "learned"
    assert (folder / "run" / "a" / "b.json").read_text() == "{}"
    assert {file["path"] for file in files} == {"model/model.txt", "run/a/b.json"}
    (folder / "model" / "model.txt").write_text("scribbled over")
    developer.ok("experiment", "download", "followed")
    assert (folder / "model" / "model.txt").read_text() == "learned"
    nothing = developer("experiment", "download", "followed", "--only", "checkpoints")
    assert "left no checkpoints (it left: model, run)" in nothing.err


def test_a_job_that_fails_is_an_error_with_its_reason(
    developer: Person, published: str, package: Path, agent: HandAgent
) -> None:
    def job() -> None:
        lease = agent.take()
        agent.log(lease, "about to fail")
        agent.end(lease, State.FAILED, "the command exited with code 3")

    with beside(job):
        words = ("-n", "failing", "-d", "squares", "-p", package, "-f", "--json")
        result = developer("experiment", "create", *words)
    assert result.code == 1
    assert result.json["state"] == "failed"  # pure JSON on standard output; the log is on the other one
    assert "about to fail" in result.err
    assert result.err.splitlines()[-1].startswith("error: 'failing' (")
    assert result.err.splitlines()[-1].endswith("failed: the command exited with code 3")
    again = developer("experiment", "logs", "failing", "--follow")
    assert again.code == 1
    assert "about to fail" in again.out


def test_ctrl_c_stops_watching_and_says_how_to_cancel(
    developer: Person, published: str, package: Path, agent: HandAgent
) -> None:
    identity = created(developer, package, "-n", "watched")
    lease = agent.take()
    agent.log(lease, "working")
    process = subprocess.Popen(
        [sys.executable, "-m", "sightline.cli.main", "experiment", "logs", identity, "--follow"],
        env={**os.environ, **developer.environment(), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "working\n"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert f"to stop it: sightline experiment cancel {identity}" in err
    assert "Traceback" not in err

    busy = developer("experiment", "download", identity)
    assert "'watched' is running and has nothing to download yet" in busy.err
    developer.ok("experiment", "cancel", identity[:6])
    assert agent.client.heartbeat(lease).cancel
    agent.client.report_state(lease, StateReport(state=State.CANCELLED, reason="cancelled by ada"))
    assert "cancelled" in developer.ok("experiment", "ls", "--limit", "1").out


def test_an_uploaded_trainer(developer: Person, published: str, package: Path) -> None:
    trainer = developer.ok("trainer", "create", package, "-n", "uploaded", "--json").json
    command = ("experiment", "create", "-d", "squares:1.0.0", "-i", "uploaded", "--json")
    experiment = developer.ok(*command).json
    assert experiment["command"] == "python scripts/train.py"
    assert experiment["dataset_version"] == "1.0.0"
    assert trainer["sha256"]
    developer.ok("experiment", "cancel", experiment["id"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-d", "nope"], "Dataset 'nope' is unknown"),
        (["-d", "squares", "-c", "python scripts/trian.py"], "scripts/train.py"),
        (["-d", "squares", "-c", ""], "command '' is not allowed"),
        (["-d", "squares", "-e", "Moon base"], "Moon base"),
        (["-d", "squares", "-n", "two words"], "name 'two words' is not allowed: use letters"),
        (["-d", "squares", "-p", "/nowhere"], "/nowhere: does not exist"),
        (["-d", "squares", "-i", "nope"], "there is no trainer 'nope'"),
        (["-r", "nope"], "there is no recipe 'nope'"),
    ],
)
def test_mistakes_are_named_before_anything_runs(
    developer: Person, published: str, package: Path, words: list[str], message: str
) -> None:
    before = len(developer.ok("experiment", "ls", "--json").json)
    where = [] if {"-p", "-i"} & set(words) else ["-p", str(package)]
    result = developer("experiment", "create", *words, *where)
    assert result.code == 1
    assert message in result.err
    assert result.err.count("\n") == 1
    assert len(developer.ok("experiment", "ls", "--json").json) == before


def test_environments(developer: Person) -> None:
    listed = developer.ok("experiment", "environments", "--json").json
    assert [environment["order"] for environment in listed] == sorted(e["order"] for e in listed)
    assert listed[0]["name"] in developer.ok("experiment", "environments").out.splitlines()[1]


def test_what_there_is_not(developer: Person) -> None:
    for command in ("show", "logs", "metrics", "cancel", "download"):
        result = developer("experiment", command, "nope")
        assert result.code == 1
        assert "there is no experiment 'nope'; `sightline experiment ls` lists" in result.err
