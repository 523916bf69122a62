"""Two processes that train together do what one would."""

import json
import random
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from tests.engine.interfering import Failing
from tests.engine.test_experiment import Straight, Weighted
from tests.engine.test_resume import StopAt, assert_same
from tests.engine.tiny import Tiny, tiny_spec
from tests.engine.two_ranks import on_two_ranks, start
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy, MulticlassAUROC

from sightline.config import component
from sightline.engine import Callback, Experiment, Spec
from sightline.engine.checkpoints import checkpoints_in
from sightline.engine.events import Event
from sightline.engine.ranks import Ranks, join_ranks, whole_weights
from sightline.engine.schedules import Cosine
from sightline.engine.signals import StoppedError
from sightline.errors import SightlineError
from sightline.models.pretrained import read_weights_file
from sightline.runs import read_record


class Told(Callback):
    """Counts what it is told of, into a file for each rank."""

    def on_step_end(self, event: Event) -> None:
        self._note(event)

    on_train_start = on_epoch_start = on_step_start = on_epoch_end = on_step_end  # type: ignore[assignment]
    on_validation_start = on_validation_end = on_checkpoint_saved = on_train_end = on_step_end  # type: ignore

    def _note(self, event: Event) -> None:
        trainer = event.trainer
        with (trainer.folder / f"rank-{trainer.ranks.rank}.txt").open("a") as file:
            file.write(f"{type(event).__name__} {trainer.progress.step}\n")


def experiment_on(ranks: Ranks, spec: Spec, folder: Path) -> Experiment:
    experiment = Experiment(spec, folder)
    experiment._ranks = ranks
    return experiment


def trained(ranks: Ranks, spec: Spec, folder: Path) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    experiment = experiment_on(ranks, spec, folder)
    metrics = experiment.train()
    return {name: value.numpy() for name, value in whole_weights(experiment.model).items()}, metrics


def trained_alone(spec: Spec, folder: Path) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    return trained(Ranks(), spec, folder)


def plain(trainer: dict[str, Any] | None = None, size: int = 8, **parts: Any) -> Spec:
    return tiny_spec(
        trainer,
        {"batch_size": size},
        task=parts.pop("task", component(Straight)),
        optimizer=component(torch.optim.SGD, lr=0.1),
        **parts,
    )


def assert_close(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    for name in one:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
@pytest.mark.parametrize(
    ("trainer", "size", "ranks_trainer", "task"),
    [
        ({}, 8, {}, Straight),
        ({"clip_norm": 0.1}, 8, {}, Straight),
        ({"nan_policy": "skip"}, 8, {}, Straight),
        ({}, 8, {"micro_batches": 2}, Straight),
        ({"accumulate": 1}, 16, {"accumulate": 2}, Straight),
        ({"accumulate": 1}, 16, {"accumulate": 2}, Weighted),
        ({}, 8, {}, Weighted),
        ({"ema": {"decay": 0.9}}, 8, {}, Straight),
    ],
)
def test_two_ranks_are_one_with_the_larger_batch(
    tmp_path: Path, strategy: str, trainer: dict, size: int, ranks_trainer: dict, task: type
) -> None:
    task_component = component(task, items=32)
    _, alone_metrics = trained_alone(plain(trainer, size, task=task_component), tmp_path / "alone")
    share = size // 2 // ranks_trainer.get("accumulate", 1)
    spec = plain({**trainer, **ranks_trainer, "strategy": strategy}, share, task=task_component)
    (_, metrics), (_, metrics_1) = on_two_ranks(trained, spec, tmp_path / "two")
    assert metrics == metrics_1 == pytest.approx(alone_metrics)
    assert_close(kept(tmp_path / "two"), kept(tmp_path / "alone"))


def kept(run: Path, file: str = "weights.safetensors") -> dict[str, np.ndarray]:
    weights = read_weights_file(checkpoints_in(run / "checkpoints")[-1].folder / file)
    return {name: value.numpy() for name, value in weights.items()}


def test_validation_counts_each_item_once(tmp_path: Path) -> None:
    """17 items: batches of 4 and 4, and one rank has a batch more than the other, of one item."""
    metrics = {
        "accuracy": component(MulticlassAccuracy, num_classes=3),
        "auroc": component(MulticlassAUROC, num_classes=3),  # keeps all predictions
    }
    spec = tiny_spec(metrics=metrics)
    assert len(Tiny().build_dataset("validation")) == 17
    alone = trained_alone(spec, tmp_path / "alone")[1]
    first, second = on_two_ranks(measured, spec, tmp_path / "alone")
    assert first == second
    assert first == pytest.approx(alone, rel=1e-6)
    assert first["validation/accuracy"] == alone["validation/accuracy"]


def measured(ranks: Ranks, spec: Spec, run: Path) -> dict[str, float]:
    experiment = experiment_on(ranks, spec, run)
    experiment._weights = checkpoints_in(run / "checkpoints")[-1].weights()
    return experiment.eval("validation")


class Nested(Straight):
    """Of several parts, each of which ranks gather together."""

    def build_model(self) -> nn.Module:
        return nn.Sequential(nn.Sequential(nn.Linear(4, 6)), nn.Sequential(nn.ReLU(), nn.Linear(6, 3)))


def test_sharded_and_one_rank_has_a_batch_more_to_validate(tmp_path: Path) -> None:
    spec = plain({"strategy": "fsdp"}, 4, task=component(Nested, items=32))
    alone = trained_alone(plain({}, 8, task=component(Nested, items=32)), tmp_path / "alone")[1]
    first, second = on_two_ranks(trained, spec, tmp_path / "two")
    assert first[1] == second[1] == pytest.approx(alone)
    assert_close(kept(tmp_path / "two"), kept(tmp_path / "alone"))


class OneItem(Straight):
    """So few items for validation that the second rank has none."""

    def build_dataset(self, split: str) -> Any:
        dataset = super().build_dataset(split)
        return dataset if split == "train" else torch.utils.data.Subset(dataset, [0])


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_rank_without_an_item_to_validate(tmp_path: Path, strategy: str) -> None:
    metrics = {"accuracy": component(MulticlassAccuracy, num_classes=3)}
    spec = plain({"strategy": strategy}, 4, task=component(OneItem), metrics=metrics)
    first, second = on_two_ranks(trained, spec, tmp_path)
    if strategy == "fsdp":
        assert "each rank needs a batch to measure on" in first
        assert "each rank needs a batch to measure on" in second
    else:
        assert first[1] == second[1]
        assert first[1].keys() == {"validation/loss", "validation/accuracy"}


def test_ranks_measure_the_model_that_is_saved(tmp_path: Path) -> None:
    """BatchNorm: each rank has statistics of its own batches; those of the main one are the model's."""
    (_, metrics), _ = on_two_ranks(trained, tiny_spec({"ema": {"decay": 0.5}}, {"batch_size": 4}), tmp_path)
    assert Experiment.load(tmp_path, best=False).eval("validation") == pytest.approx(metrics, rel=1e-6)


def test_callbacks_are_called_on_each_rank_and_files_written_once(tmp_path: Path) -> None:
    spec = tiny_spec({"max_duration": "1ep"}, {"batch_size": 4}, callbacks=[component(Told)])
    (weights, _), (weights_1, _) = on_two_ranks(trained, spec, tmp_path)
    assert all(np.array_equal(weights[name], weights_1[name]) for name in weights if "running" not in name)
    told, told_1 = ((tmp_path / f"rank-{rank}.txt").read_text() for rank in range(2))
    assert told == told_1
    kinds = "TrainStart EpochStart StepStart StepEnd EpochEnd ValidationStart ValidationEnd CheckpointSaved "
    kinds += "TrainEnd"
    assert {line.split()[0] for line in told.splitlines()} == set(kinds.split())
    logged = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    names = [(one["name"], one["step"]) for one in logged]
    assert len(names) == len(set(names))
    assert read_record(tmp_path).starts == 1


class StopSecond(StopAt):
    """Asks one rank alone to stop."""

    def on_step_end(self, event: Any) -> None:
        if event.trainer.ranks.rank == 1:
            super().on_step_end(event)

    def on_validation_start(self, event: Any) -> None:
        if event.trainer.ranks.rank == 1:
            super().on_validation_start(event)


VARIANTS = {
    "plain": ({}, {}),
    "accumulated": ({"accumulate": 2}, {}),
    "workers": ({"accumulate": 2}, {"workers": 2}),
    "averaged": ({"ema": {"decay": 0.9}}, {}),
    "sharded": ({"strategy": "fsdp", "accumulate": 2, "ema": {"decay": 0.9}, "clip_norm": 1.0}, {}),
}


def variant_spec(variant: str, *stops: Any) -> Spec:
    trainer, loader = VARIANTS[variant]
    often = {"validate_every": "2ba", "checkpoint_every": "3ba", "max_duration": "4ep"}
    return tiny_spec(
        {**trainer, **often},
        {"batch_size": 4, **loader},
        callbacks=list(stops),
        scheduler=component(Cosine, warmup="2ba"),
    )


@pytest.mark.slow
@pytest.mark.parametrize("variant", VARIANTS)
def test_stopped_on_one_rank_and_resumed(tmp_path: Path, variant: str) -> None:
    on_two_ranks(trained, variant_spec(variant), tmp_path / "whole")
    for resume, step, validating in ((False, 3, False), (True, 6, True)):
        stop = component(StopSecond, step=step, validating=validating)
        answers = on_two_ranks(stopped, variant_spec(variant, stop), tmp_path / "cut", resume)
        assert answers[0] == answers[1]
        assert answers[0].startswith("stopped by SIGTERM"), answers
        record = read_record(tmp_path / "cut")
        assert (record.status, record.exit_code, record.error) == ("interrupted", 75, answers[0])
    on_two_ranks(resumed, variant_spec(variant), tmp_path / "cut")
    assert read_record(tmp_path / "cut").starts == 3
    assert_same(tmp_path / "whole", tmp_path / "cut")


def stopped(ranks: Ranks, spec: Spec, folder: Path, resume: bool) -> str:
    with pytest.raises(StoppedError) as caught:
        experiment_on(ranks, spec, folder).train(resume=resume)
    return str(caught.value)


def resumed(ranks: Ranks, spec: Spec, folder: Path) -> None:
    newest = checkpoints_in(folder / "checkpoints")
    experiment_on(ranks, spec, folder).train(resume=bool(newest))


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_killed_at_random_moments(tmp_path: Path, workers: int) -> None:
    spec = tiny_spec(
        {"max_duration": "15ep", "checkpoint_every": "1ba", "validate_every": "3ba", "accumulate": 2},
        {"batch_size": 4, "workers": workers},
    )
    on_two_ranks(trained, spec, tmp_path / "whole")
    run, draw = tmp_path / "cut", random.Random(workers)
    for attempt in range(5):
        before = newest_step(run)
        processes, _, _store = start(resumed, spec, run)
        while attempt < 4 and any(process.is_alive() for process in processes):
            if newest_step(run) > before + 3:
                time.sleep(draw.random() * 0.1)
                for process in processes:
                    process.kill()
            time.sleep(0.002)
        for process in processes:
            process.join()
            assert process.exitcode in (0, -signal.SIGKILL)
    assert_same(tmp_path / "whole", run)


def newest_step(run: Path) -> int:
    """Without `checkpoints_in`, which puts back what a dead process was replacing."""
    return max((int(one.name[5:]) for one in run.glob("checkpoints/step-*")), default=0)


def test_an_error_on_one_rank_is_the_reason_on_all(tmp_path: Path) -> None:
    first, second = on_two_ranks(
        trained, tiny_spec({}, {"batch_size": 4}, callbacks=[component(Failing, how="raises")]), tmp_path
    )
    assert first == "SightlineError: rank 1: ValueError: no good"
    assert second == "ValueError: no good"
    record = read_record(tmp_path)
    assert record.status == "failed"
    assert record.error is not None
    assert record.error.endswith("rank 1: ValueError: no good")


class NanOnSecond(Straight):
    """A loss that is not finite, on the second rank alone, once."""

    def compute_loss(self, outputs: Tensor, batch: list[Tensor]) -> Tensor:
        loss = F.cross_entropy(outputs, batch[1])
        second = torch.distributed.is_initialized() and torch.distributed.get_rank() == 1
        if second and self.log.step == 4 and not hasattr(self, "was_bad"):
            self.was_bad = True
            return loss * float("nan")
        return loss


@pytest.mark.parametrize("policy", ["skip", "rollback"])
def test_ranks_agree_on_what_is_not_finite(tmp_path: Path, policy: str) -> None:
    spec = plain({"nan_policy": policy, "checkpoint_every": "1ba"}, 4, task=component(NanOnSecond))
    (weights, metrics), (weights_1, metrics_1) = on_two_ranks(trained, spec, tmp_path)
    assert metrics == metrics_1
    for name in weights:
        assert np.isfinite(weights[name]).all()
        np.testing.assert_array_equal(weights[name], weights_1[name])


def test_no_port_is_open_to_others() -> None:
    (first, second) = on_two_ranks(listening)
    assert first
    assert {address for address, _port in first + second} == {"127.0.0.1"}


def listening(ranks: Ranks) -> list[tuple[str, int]]:
    connections = psutil.Process().net_connections("inet")
    return [tuple(one.laddr) for one in connections if one.status == psutil.CONN_LISTEN] + [("127.0.0.1", 0)]


def test_one_rank_opens_none() -> None:
    before = psutil.Process().net_connections("inet")
    join_ranks("cpu")
    assert psutil.Process().net_connections("inet") == before


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"RANK": "2", "WORLD_SIZE": "2"}, "RANK: is 2, of WORLD_SIZE=2"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE: is 'two' in the environment"),
    ],
)
def test_an_environment_that_makes_no_sense(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], says: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SightlineError, match=says):
        join_ranks("cpu")
