import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sightline.engine.checkpoints import (
    FACTS_FILE,
    STATE_FILE,
    WEIGHTS_FILE,
    Checkpoint,
    CheckpointFolder,
)
from sightline.errors import SightlineError


def folder_of(path: Path, **options) -> CheckpointFolder:
    return CheckpointFolder(
        path, **{"keep_last": 2, "keep_best": 1, "monitor": "loss", "mode": "min"} | options
    )


def save(folder: CheckpointFolder, step: int, loss: float | None = None, size: int = 10) -> Checkpoint:
    return folder.save(
        step=step,
        epoch=0,
        metrics={} if loss is None else {"loss": loss},
        weights={"weight": torch.full((size,), float(step))},
        average=None,
        state={"step": step, "noise": torch.full((size,), float(step))},
        spec="name: x\n",
    )


def steps(folder: CheckpointFolder) -> list[int]:
    return [one.step for one in folder.all()]


def test_the_last_and_the_best_are_kept(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    for step, loss in enumerate([3.0, 1.0, 2.0, None, 1.0, float("nan")]):
        save(folder, step, loss)
    assert steps(folder) == [1, 4, 5]
    best = folder.best()
    assert best is not None
    assert best.step == 1
    assert not folder.is_best({"loss": 1.0})
    assert folder.is_best({"loss": 0.9})
    assert not folder.is_best({"loss": float("nan")})
    assert not folder.is_best({"accuracy": 1.0})
    highest = folder_of(tmp_path, mode="max", keep_best=2)
    save(highest, 6, 9.0)
    save(highest, 7, 0.0)
    save(highest, 8, 0.0)
    assert steps(highest) == [1, 6, 7, 8]


def test_several_best_ones_are_kept(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, keep_best=2)
    save(folder, 1, 0.0)
    assert not folder.is_best({"loss": 5.0})
    assert folder.is_among_best({"loss": 5.0})
    save(folder, 2, 5.0)
    save(folder, 3)
    assert folder.is_among_best({"loss": 4.0})
    assert not folder.is_among_best({"loss": 5.0})
    assert not folder.is_among_best({"loss": float("nan")})
    assert not folder_of(tmp_path, keep_best=0).is_among_best({"loss": -1.0})


def test_the_same_step_again_takes_its_place(tmp_path: Path) -> None:
    folder = folder_of(tmp_path)
    save(folder, 3)
    save(folder, 3, 0.5)
    (only,) = folder.all()
    assert only.metrics == {"loss": 0.5}


def test_what_is_not_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"is not a checkpoint \(it has no checkpoint\.json\)"):
        Checkpoint.read(tmp_path)
    saved = save(folder_of(tmp_path), 1)
    (saved.folder / FACTS_FILE).write_text("{")
    with pytest.raises(SightlineError, match=r"checkpoint\.json: cannot be read"):
        Checkpoint.read(saved.folder)
    (saved.folder / WEIGHTS_FILE).write_bytes(b"\0" * 30)
    with pytest.raises(SightlineError, match=r"weights\.safetensors: is not a safetensors file"):
        saved.weights()
    (saved.folder / STATE_FILE).write_bytes(b"not a state")
    with pytest.raises(SightlineError, match=r"training_state\.pt: cannot be read"):
        saved.state()


def test_no_code_runs_when_a_state_is_read(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self):
            return (os.system, (f"touch {tmp_path / 'ran'}",))

    saved = save(folder_of(tmp_path), 1)
    torch.save({"state": Evil()}, saved.folder / STATE_FILE)
    with pytest.raises(SightlineError, match="cannot be read"):
        saved.state()
    assert not (tmp_path / "ran").exists()


KILLS = """
import os, random, signal, sys, time
from pathlib import Path
import torch
from tests.engine.test_checkpoints import folder_of, save

torch.set_num_threads(1)  # so that the forks below find no threads
path, draw = Path(sys.argv[1]), random.Random(0)
folder = folder_of(path, keep_last=1)
started = time.perf_counter()
save(folder, 0, size=20_000)
took = time.perf_counter() - started  # a disk may be slow
reached = interrupted = 0
for _ in range(50):
    child = os.fork()
    if child == 0:  # saves one after another until it is killed
        for step in range(reached + 1, reached + 100_000):
            save(folder, step, size=20_000)
    time.sleep(draw.random() * 4 * took)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    interrupted += any(one.name.startswith(".") for one in path.iterdir())
    latest = folder.latest()
    assert latest is not None and latest.step >= reached
    reached = latest.step
    assert latest.state()["step"] == reached
    assert (latest.weights()["weight"] == reached).all() and (latest.state()["noise"] == reached).all()
save(folder, reached + 1)
print(reached, interrupted, len(folder.all()))
"""


def test_fifty_kills_while_saving_leave_a_whole_one(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-W", "ignore", "-c", KILLS, str(tmp_path)]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    reached, interrupted, left = map(int, ended.stdout.split())
    assert reached > 10
    assert interrupted > 5
    assert left == 1
