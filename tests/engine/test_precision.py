"""Other ways to compute the same training: half precision, averages, compiled, channels last."""

import shutil
from pathlib import Path

import pytest
import torch
from tests.engine.tiny import Tiny, tiny_spec
from tests.needs import needs
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from sightline.config import component
from sightline.engine import Experiment
from sightline.engine.averaging import WeightAverage
from sightline.engine.checkpoints import checkpoints_in

LONG = {"max_duration": "20ep", "validate_every": "20ep", "checkpoint_every": "20ep"}


def loss_after(folder: Path, trainer: dict, **parts) -> float:
    return Experiment(tiny_spec({**LONG, **trainer}, **parts), folder).train()["validation/loss"]


@pytest.mark.parametrize("trainer", [{"precision": "bf16"}, {"precision": "fp16"}, {"clip_norm": 1.0}])
def test_learns_as_well(tmp_path: Path, trainer: dict) -> None:
    plain = loss_after(tmp_path / "plain", {})
    assert plain < 0.6
    assert loss_after(tmp_path / "other", trainer) == pytest.approx(plain, abs=0.15)


class Watchful(Tiny):
    """Says in what precision it is computed."""

    seen: set[torch.dtype] = set()

    def compute_loss(self, outputs: Tensor, batch: list[Tensor]) -> Tensor:
        self.seen.add(outputs.dtype)
        return super().compute_loss(outputs.float(), batch)


def test_half_precision_is_used_and_weights_stay_whole(tmp_path: Path) -> None:
    Watchful.seen.clear()
    spec = tiny_spec({"precision": "bf16"}, task=component(Watchful))
    Experiment(spec, tmp_path).train()
    assert Watchful.seen == {torch.bfloat16}
    weights = checkpoints_in(tmp_path / "checkpoints")[-1].weights()
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32, torch.int64}


def test_the_average_is_what_is_validated_and_kept(tmp_path: Path) -> None:
    spec = tiny_spec({"ema": {"decay": 0.95}})
    Experiment(spec, tmp_path).train()
    last = checkpoints_in(tmp_path / "checkpoints")[-1]
    raw, average = last.weights(averaged=False), last.weights()
    assert not torch.equal(raw["0.weight"], average["0.weight"])
    experiment = Experiment.load(tmp_path, best=False)
    assert experiment.eval("validation")["validation/loss"] == last.metrics["validation/loss"]
    experiment._model = None
    experiment._weights = raw
    assert experiment.eval("validation")["validation/loss"] != last.metrics["validation/loss"]


def test_the_average_is_that_of_the_formula() -> None:
    model = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(0.0)
    average = WeightAverage(model, decay=0.5, every=2)
    expected = 0.0
    for step in range(1, 9):
        with torch.no_grad():
            model.weight.fill_(float(step))
        average.update(model, step)
        if step % 2 == 0:
            count = step // 2 - 1
            decay = min(0.5, (1 + count) / (10 + count))
            expected = decay * expected + (1 - decay) * step
    assert float(average.weights["weight"]) == pytest.approx(expected)


def test_compiled(tmp_path: Path) -> None:
    needs("g++", shutil.which("g++") is not None)
    few = {"max_duration": "3ba", "checkpoint_every": "3ba", "validate_every": None}
    weights = []
    for name, trainer in (("plain", few), ("compiled", {**few, "compile": True})):
        spec = tiny_spec(
            trainer, task=component(Tiny, dropout=0.0), optimizer=component(torch.optim.SGD, lr=0.1)
        )
        Experiment(spec, tmp_path / name).train()
        weights.append(checkpoints_in(tmp_path / name / "checkpoints")[-1].weights())
    assert weights[0].keys() == weights[1].keys()
    for name, tensor in weights[0].items():
        torch.testing.assert_close(weights[1][name], tensor, msg=name)


class Pictures(Tiny):
    """Convolves, and says how its images lie in memory."""

    seen: set[bool] = set()

    def build_model(self) -> nn.Module:
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))

    def build_dataset(self, split: str) -> TensorDataset:
        return TensorDataset(torch.randn(16, 3, 8, 8), torch.arange(16) % 3)

    def forward(self, model: nn.Module, batch: list[Tensor]) -> Tensor:
        self.seen.add(batch[0].is_contiguous(memory_format=torch.channels_last))
        return super().forward(model, batch)


def test_channels_last(tmp_path: Path) -> None:
    Pictures.seen.clear()
    Experiment(tiny_spec({"channels_last": True}, task=component(Pictures)), tmp_path).train()
    assert Pictures.seen == {True}


def test_one_batch_can_be_learned_by_heart(tmp_path: Path) -> None:
    spec = tiny_spec(
        {"max_duration": "60ep", "overfit_batches": 1, "validate_every": None, "log_every": "60ba"},
        task=component(Tiny, dropout=0.0, width=64),
    )
    Experiment(spec, tmp_path).train()
    assert checkpoints_in(tmp_path / "checkpoints")[-1].step == 60
    experiment = Experiment.load(tmp_path)
    batch = next(iter(experiment.loader("train", training=True)))
    model = experiment.model.train()
    with torch.no_grad():
        assert float(experiment.task.compute_loss(experiment.task.forward(model, batch), batch)) < 0.1
