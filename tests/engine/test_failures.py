"""However a training fails: a non-zero exit, its reason in run.json, and nothing lost that was saved."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.engine.tiny import Tiny, tiny_spec
from tests.needs import needs
from torch import Tensor, nn
from torch.utils.data import Dataset

from sightline.config import component
from sightline.engine import Callback, Experiment, launch
from sightline.engine.checkpoints import checkpoints_in
from sightline.engine.events import Failure, StepStart
from sightline.engine.updates import NotFiniteError
from sightline.errors import SightlineError
from sightline.models.pretrained import read_weights_file
from sightline.runs import read_record

EVERY = {"checkpoint_every": "1ba", "keep_last": 20}


class Explodes(Tiny):
    """Its loss is not finite at one update."""

    at = 4
    step = 0

    def compute_loss(self, outputs: Tensor, batch: list[Tensor]) -> Tensor:
        loss = super().compute_loss(outputs, batch)
        if not outputs.requires_grad:
            return loss
        self.step += 1
        return loss * float("nan") if self.step == self.at else loss


class Always(Explodes):
    def compute_loss(self, outputs: Tensor, batch: list[Tensor]) -> Tensor:
        self.step = self.at - 1
        return super().compute_loss(outputs, batch)


def reason(run: Path) -> str:
    record = read_record(run)
    assert (record.status, record.exit_code) == ("failed", 1)
    assert record.error
    return record.error


def test_a_loss_that_is_not_finite_stops(tmp_path: Path) -> None:
    with pytest.raises(NotFiniteError, match="the loss became NaN or infinite by update 4"):
        Experiment(tiny_spec(EVERY, task=component(Explodes)), tmp_path).train()
    assert "by update 4" in reason(tmp_path)
    kept = checkpoints_in(tmp_path / "checkpoints")
    assert [one.step for one in kept] == [1, 2, 3]
    assert all(tensor.isfinite().all() for tensor in kept[-1].weights().values())


def test_or_its_update_is_left_out(tmp_path: Path) -> None:
    Experiment(tiny_spec({**EVERY, "nan_policy": "skip"}, task=component(Explodes)), tmp_path).train()
    before, after = (
        read_weights_file(tmp_path / f"checkpoints/step-0000000{n}/weights.safetensors") for n in (3, 4)
    )
    trained = [name for name in before if "running" not in name and "num" not in name]
    assert all(torch.equal(before[name], after[name]) for name in trained)
    assert checkpoints_in(tmp_path / "checkpoints")[-1].step == 10


def test_or_training_goes_back(tmp_path: Path) -> None:
    policy = {"nan_policy": "rollback", "checkpoint_every": "2ba", "keep_last": 20}
    Experiment(tiny_spec(policy, task=component(Explodes)), tmp_path / "once").train()
    last = checkpoints_in(tmp_path / "once" / "checkpoints")[-1]
    assert last.step == 10
    assert all(tensor.isfinite().all() for tensor in last.weights().values())
    with pytest.raises(NotFiniteError, match="going back to a checkpoint did not help"):
        Experiment(tiny_spec(policy, task=component(Always)), tmp_path / "always").train()


class Poisoned(Tiny):
    """One of its batches is not finite, which BatchNorm would take into its statistics."""

    calls = 0

    def forward(self, model: nn.Module, batch: list[Tensor]) -> Tensor:
        self.calls += model.training
        points = batch[0] * float("nan") if model.training and self.calls == 4 else batch[0]
        return model(points)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_an_update_that_is_left_out_leaves_nothing_behind(tmp_path: Path, precision: str) -> None:
    spec = tiny_spec({"nan_policy": "skip", "precision": precision}, task=component(Poisoned))
    assert "validation/loss" in Experiment(spec, tmp_path).train()
    (last,) = checkpoints_in(tmp_path / "checkpoints")
    assert all(tensor.isfinite().all() for tensor in last.weights().values())


class Steep(Tiny):
    """At one update its loss is finite, but not the loss's gradient."""

    calls = 0

    def compute_loss(self, outputs: Tensor, batch: list[Tensor]) -> Tensor:
        self.calls += outputs.requires_grad
        loss = super().compute_loss(outputs, batch)
        return loss + (outputs.sum() * 0).sqrt() if self.calls == 4 else loss


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    with pytest.raises(NotFiniteError, match="a weight became NaN or infinite by update 4"):
        Experiment(tiny_spec(EVERY, task=component(Steep)), tmp_path / "stop").train()
    assert [one.step for one in checkpoints_in(tmp_path / "stop" / "checkpoints")] == [1, 2, 3]
    policy = {**EVERY, "nan_policy": "rollback"}
    Experiment(tiny_spec(policy, task=component(Steep)), tmp_path / "rollback").train()
    kept = checkpoints_in(tmp_path / "rollback" / "checkpoints")
    assert [one.step for one in kept] == list(range(1, 11))
    assert all(tensor.isfinite().all() for one in kept for tensor in one.weights().values())


class Notes(Callback):
    """Remembers what it is told, and fails in the middle."""

    told: list[str] = []

    def on_step_start(self, event: StepStart) -> None:
        if event.trainer.progress.step == 3:
            raise ZeroDivisionError("a mistake of the user's")

    def on_failure(self, event: Failure) -> None:
        self.told.append(type(event.error).__name__)


def test_an_exception_in_user_code(tmp_path: Path) -> None:
    Notes.told.clear()
    with pytest.raises(ZeroDivisionError):
        Experiment(tiny_spec(callbacks=[component(Notes)]), tmp_path).train()
    assert Notes.told == ["ZeroDivisionError"]
    assert reason(tmp_path) == "ZeroDivisionError: a mistake of the user's"


class Hungry(nn.Module):
    """Has room for a few items at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 3)

    def forward(self, points: Tensor) -> Tensor:
        if self.training and len(points) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.")
        return self.inner(points)


class Starving(Tiny):
    def build_model(self) -> nn.Module:
        return Hungry()


class Leaves(Tiny):
    """Ends the whole program, as if all were well."""

    def compute_loss(self, outputs: Tensor, batch: list[Tensor]) -> Tensor:
        sys.exit()


def test_leaving_in_the_middle_is_no_success(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"left by sys\.exit\(None\)"):
        Experiment(tiny_spec(task=component(Leaves)), tmp_path).train()
    assert "sys.exit" in reason(tmp_path)


def test_out_of_memory(tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match=r"out of memory .* set trainer\.micro_batches to auto"):
        Experiment(tiny_spec(task=component(Starving)), tmp_path / "told").train()
    assert "trainer.micro_batches" in reason(tmp_path / "told")
    Experiment(tiny_spec({"micro_batches": "auto"}, task=component(Starving)), tmp_path / "halved").train()
    Experiment(tiny_spec({"micro_batches": 4}, task=component(Starving)), tmp_path / "set").train()
    halved, by_hand = (
        checkpoints_in(tmp_path / name / "checkpoints")[-1].weights() for name in ("halved", "set")
    )
    assert all(torch.equal(halved[name], by_hand[name]) for name in halved)


class Fragile(Dataset):
    """Kills the process that reads one of its items."""

    def __init__(self, item: int = 20) -> None:
        self._item = item

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if index == self._item:
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.zeros(4), index % 3


def test_a_dying_worker(tmp_path: Path) -> None:
    spec = tiny_spec(loader={"workers": 1}, data={"train": component(Fragile)})
    with pytest.raises(SightlineError, match="worker"):
        Experiment(spec, tmp_path).train()
    assert "worker" in reason(tmp_path)


def test_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", disk], capture_output=True)
    needs("the right to mount a tmpfs", mounted.returncode == 0)
    try:
        spec = tiny_spec({**EVERY, "max_duration": "60ep", "keep_last": 300})
        with pytest.raises(SightlineError, match="No space left on device"):
            Experiment(spec, disk / "run").train()
        assert "No space left on device" in reason(disk / "run")
        kept = checkpoints_in(disk / "run" / "checkpoints")
        assert kept
        kept[-1].weights(), kept[-1].state()
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["optimizer.lr=fast"], "optimizer.init_args.lr"),
        (["trainer.max_durations=1ep"], "did you mean 'max_duration'"),
        (["--fast"], "'--fast' is not understood"),
        (["--resume"], "--resume: name the run directory"),
        (["trainer.device=cuda:7"], "there is no cuda:7"),
    ],
)
def test_mistakes_on_the_command_line_are_one_line(
    tmp_path: Path, monkeypatch, capsys: pytest.CaptureFixture, words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        launch(tiny_spec(), words)
    error = capsys.readouterr().err
    assert caught.value.code == 1
    assert error.count("\n") == 1
    assert said in error


class Clumsy(Tiny):
    def compute_loss(self, outputs: Tensor, batch: list[Tensor]) -> Tensor:
        raise ZeroDivisionError("a mistake of the user's")


def test_a_script_that_fails_exits_with_1(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    script = tmp_path / "script.py"
    script.write_text(
        "from sightline.config import component\n"
        "from sightline.engine import launch\n"
        "from tests.engine.test_failures import Clumsy\n"
        "from tests.engine.tiny import tiny_spec\n"
        "launch(tiny_spec(task=component(Clumsy)))\n"
    )
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[2]), HOME=str(home))
    ended = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert "ZeroDivisionError: a mistake of the user's" in ended.stderr
    (run,) = (tmp_path / ".data" / "experiments").iterdir()
    assert reason(run) == "ZeroDivisionError: a mistake of the user's"
    assert not list(home.iterdir())
