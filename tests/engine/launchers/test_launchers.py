"""Trainings whose two ranks are started by this project or by torchrun, as real processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.engine.interfering import Failing, Slow
from tests.engine.test_ranks import newest_step
from tests.engine.test_resume import assert_same
from tests.engine.tiny import tiny_spec

from sightline.config import Component, component, to_yaml
from sightline.engine import Spec
from sightline.runs import read_record

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SCRIPT = """
import sys
from pathlib import Path
from sightline.config import load
from sightline.engine import Spec, train
from sightline.errors import SightlineError

if __name__ == "__main__":
    try:
        train(load(Spec, Path(sys.argv[1])), Path(sys.argv[2]), resume="--resume" in sys.argv)
    except SightlineError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
"""


def spec_of(kind: str, *callbacks: Component, duration: str = "4ep") -> Spec:
    return tiny_spec(
        {"max_duration": duration, "checkpoint_every": "1ba", "accumulate": 2, "device": "cpu"},
        {"batch_size": 4},
        callbacks=[component(Slow), *callbacks],
        launcher={"kind": kind, "ranks": 2},
    )


class Launched:
    """A training that was started in a process of its own, in the background of a terminal as it were."""

    def __init__(self, spec: Spec, run: Path, *words: str, program: tuple[str, ...] = ()) -> None:
        self.run = run
        file, script = run.parent / f"{run.name}.yaml", run.parent / "script.py"
        file.write_text(to_yaml(spec))
        script.write_text(SCRIPT)
        self.process = subprocess.Popen(
            [*(program or [sys.executable]), str(script), str(file), str(run), *words],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_for_step(self, step: int) -> None:
        while newest_step(self.run) < step:
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.02)

    def ranks(self) -> list[psutil.Process]:
        """In order of their ranks."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        found = [one for one in children if "RANK" in one.environ()]
        return sorted(found, key=lambda one: one.environ()["RANK"])

    def end(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=90)
        return self.process.returncode, said


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing happened to."""
    run = tmp_path_factory.mktemp("whole") / "run"
    code, said = Launched(spec_of("processes"), run).end()
    assert code == 0, said
    return run


@pytest.mark.parametrize("kind", ["processes", "torchrun"])
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_asked_to_stop_and_resumed(
    tmp_path: Path, whole: Path, kind: str, number: signal.Signals, exit_code: int
) -> None:
    run = tmp_path / "run"
    launched = Launched(spec_of(kind), run)
    launched.wait_for_step(2)
    listening = [
        one.laddr.ip
        for process in (psutil.Process(launched.process.pid), *launched.ranks())
        for one in process.net_connections("inet")
        if one.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}
    # Ctrl-C goes to all processes of the terminal; a scheduler may ask the first process alone.
    os.killpg(launched.process.pid, number)
    code, said = launched.end()
    assert code == exit_code, said
    assert said.count(f"stopped by {number.name}; its state is saved in {run}") == 1
    record = read_record(run)
    assert (record.status, record.exit_code) == ("interrupted", exit_code)
    code, said = Launched(spec_of(kind), run, "--resume").end()
    assert code == 0, said
    assert_same(whole, run)
    assert not list(run.glob(".*"))


@pytest.mark.parametrize("kind", ["processes", "torchrun"])
def test_a_rank_is_killed(tmp_path: Path, kind: str) -> None:
    run = tmp_path / "run"
    launched = Launched(spec_of(kind, component(Failing, how="dies")), run)
    code, said = launched.end()
    assert code == 1
    assert "error: rank 1 was killed by SIGKILL" in said
    record = read_record(run)
    assert (record.status, record.exit_code) == ("failed", 1)
    assert record.error is not None
    assert record.error.startswith("rank 1 was killed by SIGKILL")


@pytest.mark.parametrize("kind", ["processes", "torchrun"])
def test_an_error_on_one_rank(tmp_path: Path, kind: str) -> None:
    run = tmp_path / "run"
    code, said = Launched(spec_of(kind, component(Failing, how="raises")), run).end()
    assert code == 1
    assert said.count("Traceback") == 1, said
    assert "error: rank 1: ValueError: no good" in said
    record = read_record(run)
    assert (record.status, record.error) == ("failed", "rank 1: ValueError: no good")


def test_a_rank_exits(tmp_path: Path) -> None:
    run = tmp_path / "run"
    code, said = Launched(spec_of("processes", component(Failing, how="exits")), run).end()
    assert code == 1
    assert (read_record(run).error or "").startswith("rank 1: the training was left by sys.exit(3)"), said


@pytest.mark.parametrize("kind", ["processes", "torchrun"])
def test_the_launcher_is_killed(tmp_path: Path, whole: Path, kind: str) -> None:
    run = tmp_path / "run"
    launched = Launched(spec_of(kind), run)
    launched.wait_for_step(2)
    ranks = launched.ranks()
    assert len(ranks) == 2
    launched.process.kill()
    launched.end()
    assert psutil.wait_procs(ranks, timeout=10)[1] == []
    assert read_record(run).status == "interrupted"
    code, said = Launched(spec_of(kind), run, "--resume").end()
    assert code == 0, said
    assert_same(whole, run)


def test_a_rank_dies_before_it_has_joined(tmp_path: Path) -> None:
    run = tmp_path / "run"
    launched = Launched(spec_of("processes"), run)
    while len(launched.ranks()) < 2:
        time.sleep(0.02)
    launched.ranks()[1].kill()
    code, said = launched.end()
    assert code == 1
    assert "rank 1 was killed by SIGKILL" in said
    record = read_record(run)
    assert record.status == "failed"
    assert record.error is not None
    assert record.error.startswith("rank 1 was killed by SIGKILL")


def test_started_by_the_users_own_torchrun(tmp_path: Path, whole: Path) -> None:
    run = tmp_path / "run"
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    code, said = Launched(spec_of("processes"), run, program=torchrun).end()
    assert code == 0, said
    assert read_record(run).starts == 1
    assert_same(whole, run)
