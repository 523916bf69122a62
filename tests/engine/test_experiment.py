"""The same training three ways, and the verbs."""

import json
import multiprocessing
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.engine.tiny import Tiny, tiny_spec
from torch import Tensor, nn
from torch.nn import functional as F

from sightline.config import Component, component, load_text, to_yaml
from sightline.data.loading import Loader
from sightline.engine import Experiment, Spec
from sightline.engine.checkpoints import checkpoints_in
from sightline.engine.seeding import seed_everything
from sightline.errors import SightlineError
from sightline.models.pretrained import read_weights_file


def tiny_model(width: int = 8, dropout: float = 0.2) -> nn.Module:
    return nn.Sequential(
        nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout), nn.Linear(width, 3)
    )


def tiny_data(split: str):
    return Tiny().build_dataset(split)


def by_hand() -> dict[str, Tensor]:
    task = Tiny()
    dataset = task.build_dataset("train")
    seed_everything(0)
    model = task.build_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    loader = Loader(dataset, 8, shuffle=True)
    for _epoch in range(2):
        model.train()
        for batch in loader:
            optimizer.zero_grad()
            task.compute_loss(task.forward(model, batch), batch).backward()
            optimizer.step()
    return model.state_dict()


def weights_of(folder: Path) -> dict[str, Tensor]:
    (checkpoint,) = [one for one in (folder / "checkpoints").iterdir() if one.name.endswith("10")]
    return read_weights_file(checkpoint / "weights.safetensors")


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_task_a_spec_and_a_loop_by_hand_give_the_same_weights(tmp_path: Path) -> None:
    Experiment(tiny_spec(), tmp_path / "task").train()
    spec = tiny_spec(
        task=Component(class_path="sightline.tasks.Supervised"),
        model=component(tiny_model),
        data={split: component(tiny_data, split=split) for split in ("train", "validation", "test")},
    )
    Experiment(load_text(Spec, to_yaml(spec)), tmp_path / "spec").train()
    hand = by_hand()
    assert same(weights_of(tmp_path / "task"), hand)
    assert same(weights_of(tmp_path / "spec"), hand)


def test_validating_and_saving_do_not_change_the_training(tmp_path: Path) -> None:
    often = {"validate_every": "1ba", "checkpoint_every": "1ba", "keep_last": 2}
    Experiment(tiny_spec(often), tmp_path).train()
    assert same(weights_of(tmp_path), by_hand())


def test_the_verbs(tmp_path: Path) -> None:
    experiment = Experiment(tiny_spec(), tmp_path / "run")
    last = experiment.train()
    assert last["validation/loss"] < 1.2
    loaded = Experiment.load(tmp_path / "run")
    assert loaded.eval("validation")["validation/loss"] == min(
        one["value"]
        for one in map(json.loads, (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
        if one["name"] == "validation/loss"
    )
    predictions = torch.cat(list(loaded.predict("test")))
    assert predictions.shape == (17, 3)
    loaded.save_weights(tmp_path / "weights.safetensors")
    fresh = Experiment(tiny_spec())
    assert not torch.equal(torch.cat(list(fresh.predict("test"))), predictions)
    fresh.load_weights(tmp_path / "weights.safetensors")
    assert torch.equal(torch.cat(list(fresh.predict("test"))), predictions)
    plain = tiny_model()
    plain.load_state_dict(read_weights_file(tmp_path / "run" / "model" / "weights.safetensors"))
    loaded.save(tmp_path / "saved.zip")
    again = Experiment.load(tmp_path / "saved.zip")
    assert again.eval("test") == loaded.eval("test")
    assert (tmp_path / "run" / "run.json").exists()


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    experiment = Experiment(tiny_spec())
    experiment.save_weights(tmp_path / "a.safetensors")
    other = Experiment(tiny_spec(task=component(Tiny, width=9)))
    _ = other.model
    with pytest.raises(SightlineError, match="not those of the spec's model"):
        other.load_weights(tmp_path / "a.safetensors")
    (tmp_path / "b.safetensors").write_bytes(b"nothing")
    with pytest.raises(SightlineError, match=r"b\.safetensors: is not a safetensors file"):
        other.load_weights(tmp_path / "b.safetensors")


def test_accumulated_and_cut_batches_give_the_gradient_of_the_large_one(tmp_path: Path) -> None:
    def trained(name: str, trainer: dict, loader: dict) -> dict[str, Tensor]:
        spec = tiny_spec(
            {"max_duration": "4ba", "checkpoint_every": "4ba", **trainer},
            {"shuffle": False, "last": "keep", **loader},
            task=component(Straight, items=44),
            optimizer=component(torch.optim.SGD, lr=0.1),
        )
        Experiment(spec, tmp_path / name).train()
        (folder,) = (tmp_path / name / "checkpoints").iterdir()
        return read_weights_file(folder / "weights.safetensors")

    # 44 items: batches of 24 and 20; halves of 12 and 10; thirds; twelves of which the last is not full.
    large = trained("large", {}, {"batch_size": 24})
    for name, trainer, loader in (
        ("accumulated", {"accumulate": 2}, {"batch_size": 12}),
        ("cut", {"micro_batches": 3}, {"batch_size": 24}),
        ("both", {"micro_batches": 2, "accumulate": 3}, {"batch_size": 8}),
    ):
        small = trained(name, trainer, loader)
        for key in large:
            np.testing.assert_allclose(small[key], large[key], rtol=1e-5, atol=1e-6, err_msg=name)


class Named(Tiny):
    """A loss of two parts."""

    def compute_loss(self, outputs: Tensor, batch: list[Tensor]) -> dict[str, Tensor]:  # type: ignore[override]
        return {"entropy": super().compute_loss(outputs, batch), "labels": batch[1].float().mean()}


def test_named_losses_are_of_all_batches_of_an_update(tmp_path: Path) -> None:
    loader = {"batch_size": 7, "last": "keep"}
    spec = tiny_spec({"accumulate": 4, "micro_batches": 2}, loader, task=component(Named))
    Experiment(spec, tmp_path).train()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    logged = {(one["step"], one["name"]): one["value"] for one in lines}
    for step in range(1, 5):
        parts = logged[step, "train/entropy"] + logged[step, "train/labels"]
        assert logged[step, "train/loss"] == pytest.approx(parts, rel=1e-5)


def test_the_best_are_kept_although_none_was_due(tmp_path: Path) -> None:
    trainer = {"checkpoint_every": None, "validate_every": "1ba", "keep_best": 3, "max_duration": "4ep"}
    rough = component(torch.optim.SGD, lr=3.0)
    Experiment(tiny_spec(trainer, optimizer=rough), tmp_path / "three").train()
    lines = [json.loads(line) for line in (tmp_path / "three" / "metrics.jsonl").read_text().splitlines()]
    losses = sorted((one["value"], one["step"]) for one in lines if one["name"] == "validation/loss")
    kept = {one.step for one in checkpoints_in(tmp_path / "three" / "checkpoints")}
    assert {step for _, step in losses[:3]} <= kept
    Experiment(tiny_spec({**trainer, "keep_best": 0}), tmp_path / "none").train()
    assert not checkpoints_in(tmp_path / "none" / "checkpoints")


class Straight(Tiny):
    """Without batch statistics, so that batches do not see one another."""

    def build_model(self) -> nn.Module:
        return nn.Linear(4, 3)


class Weighted(Straight):
    """A loss over the items of the first two classes alone."""

    def compute_loss(self, outputs: Tensor, batch: list[Tensor]) -> Tensor:
        counted = batch[1] < 2
        return F.cross_entropy(outputs[counted], batch[1][counted])

    def loss_weight(self, batch: list[Tensor]) -> Tensor:
        return (batch[1] < 2).sum()


def test_a_loss_over_some_items_is_weighted_by_those(tmp_path: Path) -> None:
    weights = []
    for name, accumulate, size in (("one", 1, 40), ("many", 5, 8)):
        spec = tiny_spec(
            {"max_duration": "3ba", "checkpoint_every": "3ba", "accumulate": accumulate},
            {"shuffle": False, "batch_size": size},
            task=component(Weighted),
            optimizer=component(torch.optim.SGD, lr=0.1),
        )
        Experiment(spec, tmp_path / name).train()
        (folder,) = (tmp_path / name / "checkpoints").iterdir()
        weights.append(read_weights_file(folder / "weights.safetensors")["weight"])
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-5)


def test_the_best_weights_are_measured_at_the_end(tmp_path: Path) -> None:
    metrics = Experiment(tiny_spec({"test_at_end": True}), tmp_path).train()
    assert metrics["test/loss"] == pytest.approx(Experiment.load(tmp_path).eval("test")["test/loss"])
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    logged = [line["value"] for line in lines if line.get("name") == "test/loss"]
    assert logged == [pytest.approx(metrics["test/loss"])]


def test_no_worker_is_left_after_a_training(tmp_path: Path) -> None:
    experiment = Experiment(
        tiny_spec({"max_duration": "1ep"}, {"batch_size": 8, "workers": 2}), tmp_path / "run"
    )
    before = multiprocessing.active_children()
    experiment.train()
    assert set(multiprocessing.active_children()) <= set(before)
