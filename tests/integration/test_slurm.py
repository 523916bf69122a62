"""Trainings as jobs of a real Slurm."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline.runs import read_record
from tests.integration.slurm import running_slurm
from tests.needs import needs

pytestmark = pytest.mark.slow

TASK = """
import atexit
import os
import time
from helper import PAUSE
from torch import nn
from tests.engine.tiny import Tiny

if os.environ.get("SLURM_PROCID") == "1":  # a rank that takes its time to end
    atexit.register(time.sleep, 3)


class Slow(Tiny):
    def build_model(self):
        return nn.Linear(4, 3)

    def compute_loss(self, outputs, batch):
        time.sleep(PAUSE)
        return super().compute_loss(outputs, batch)
"""
SPEC = """
name: queued
task: {class_path: task.py:Slow}
optimizer: {class_path: torch.optim.SGD, init_args: {lr: 0.1}}
loader: {batch_size: 4}
trainer: {max_duration: %s, device: cpu, log_every: 1ba}
launcher: {kind: slurm, ranks: 2, slurm: {%s}}
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    for program in ("sbatch", "munged", "slurmctld", "slurmd"):
        path = f"{os.environ['PATH']}:/usr/sbin"
        needs(program, os.geteuid() == 0 and shutil.which(program, path=path) is not None)
    with running_slurm(tmp_path_factory.mktemp("slurm") / "one") as environment:
        root = str(Path(__file__).parents[2])
        yield environment | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"}


def submitted(slurm: dict[str, str], folder: Path, duration: str, pause: float, options: str = "") -> Path:
    (folder / "task.py").write_text(TASK)
    (folder / "helper.py").write_text(f"PAUSE = {pause}\n")
    (folder / "spec.yaml").write_text(SPEC % (duration, options))
    code = (
        "from pathlib import Path; from sightline.config import load; from sightline.engine import Spec;"
        "from sightline.engine import train;"
        "train(load(Spec, Path('spec.yaml')), Path('run'))"
    )
    said = subprocess.run([sys.executable, "-c", code], cwd=folder, env=slurm, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("job ")
    assert said.stdout.endswith(f": {folder}/run\n")
    # What is edited after this is not the job's.
    (folder / "task.py").write_text("raise RuntimeError('edited')")
    (folder / "helper.py").write_text("raise RuntimeError('edited')")
    return folder / "run"


def wait_for(slurm: dict[str, str], run: Path, reached) -> None:
    deadline = time.monotonic() + 300
    while not reached():
        logs = "".join(one.read_text() for one in run.glob("*.log"))
        assert time.monotonic() < deadline, logs
        time.sleep(0.2)


def status(run: Path) -> str:
    return read_record(run).status if (run / "run.json").exists() else "queued"


def steps(run: Path) -> list[int]:
    if not (run / "metrics.jsonl").exists():
        return []
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [one["step"] for one in map(json.loads, lines) if one["name"] == "train/loss"]


def queued(slurm: dict[str, str]) -> str:
    return subprocess.run(["squeue", "-h"], env=slurm, capture_output=True, text=True).stdout


def job_of(slurm: dict[str, str]) -> str:
    return subprocess.run(
        ["squeue", "-h", "-o", "%A"], env=slurm, capture_output=True, text=True
    ).stdout.split()[0]


def test_a_job_that_is_preempted_goes_on(slurm: dict[str, str], tmp_path: Path) -> None:
    run = submitted(slurm, tmp_path, "12ep", 0.05)
    wait_for(slurm, run, lambda: len(steps(run)) > 3)
    job = job_of(slurm)
    subprocess.run(["scancel", "--signal=USR1", job], env=slurm, check=True)  # as `--signal=USR1@60` does
    reason = ["squeue", "-h", "-o", "%r"]
    # Slurm lets two minutes pass before it goes on. In the second in which it took back what the job was
    # allowed, it would refuse it, and drop it.
    soon = ["scontrol", "update", f"JobId={job}", "StartTime=now+5"]
    hurried = False

    def ended() -> bool:
        nonlocal hurried
        waiting = subprocess.run(reason, env=slurm, capture_output=True, text=True).stdout
        if "BeginTime" in waiting and not hurried:
            subprocess.run(soon, env=slurm, check=True)
            hurried = True
        return status(run) in ("succeeded", "failed")

    wait_for(slurm, run, ended)
    wait_for(slurm, run, lambda: not queued(slurm))
    record = read_record(run)
    log = "".join(one.read_text() for one in run.glob("*.log"))
    assert (record.status, record.starts) == ("succeeded", 2), log
    assert steps(run) == list(range(1, 61))
    assert "stopped by SIGUSR1" in log


def test_a_cancelled_job_stays_away(slurm: dict[str, str], tmp_path: Path) -> None:
    run = submitted(slurm, tmp_path, "99ep", 0.05)
    wait_for(slurm, run, lambda: len(steps(run)) > 3)
    subprocess.run(["scancel", job_of(slurm)], env=slurm, check=True)
    wait_for(slurm, run, lambda: not queued(slurm))
    assert status(run) == "interrupted"


def test_the_tasks_of_an_array_have_runs_of_their_own(slurm: dict[str, str], tmp_path: Path) -> None:
    run = submitted(slurm, tmp_path, "1ep", 0, "array: 0-1")
    wait_for(slurm, run, lambda: {status(run / "0"), status(run / "1")} == {"succeeded"})
    wait_for(slurm, run, lambda: not queued(slurm))


def test_options_that_slurm_refuses(slurm: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"launcher\.slurm: sbatch refuses .*invalid partition"):
        submitted(slurm, tmp_path, "1ep", 0, "partition: nowhere")
