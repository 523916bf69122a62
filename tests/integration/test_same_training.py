"""The same experiment as a Task class, as a YAML spec through the command line, and in a hand-written loop
reaches the same weights, bit for bit."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from sightline.config import Component, Config, component
from sightline.data.loading import Loader
from sightline.engine import Experiment, Spec
from sightline.engine.spec import LoaderConfig, TrainerConfig
from sightline.models.pretrained import read_weights_file
from sightline.tasks import Task
from tests.cli.conftest import Person
from tests.needs import SHARED_DATA, shared_data

ROOT = Path(__file__).parents[2]
_ITEMS, _SIZE = 640, 32


def cifar(split: str) -> TensorDataset:
    """A part of CIFAR-10-6k in memory."""
    with zipfile.ZipFile(SHARED_DATA / "cifar10" / "cifar10-6k.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith((".png", ".jpg")))
        classes = sorted({Path(name).parent.name for name in names})
        chosen = names[:: len(names) // _ITEMS]
        chosen = [name for number, name in enumerate(chosen) if (number % 5 == 0) == (split != "train")]
        images = [np.asarray(Image.open(archive.open(name)).convert("RGB")) for name in chosen]
    labels = torch.tensor([classes.index(Path(name).parent.name) for name in chosen])
    return TensorDataset(torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255, labels)


def cifar_model(width: int = 16) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, width, 3, stride=2, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(2 * width, 10),
    )


class CifarConfig(Config):
    """Settings of `Cifar`."""

    width: int = 16


class Cifar(Task[CifarConfig]):
    """The same as a task of one's own."""

    def build_model(self) -> nn.Module:
        return cifar_model(self.config.width)

    def build_dataset(self, split: str) -> TensorDataset:
        return cifar(split)

    def compute_loss(self, outputs: Tensor, batch: list[Tensor]) -> Tensor:
        return F.cross_entropy(outputs, batch[1])


def by_hand(build_model: Any, dataset: Any, epochs: int) -> dict[str, Tensor]:
    """What somebody would write without the engine, with the learning rate of a warm-up and a cosine."""
    torch.manual_seed(0)
    model = build_model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    loader = Loader(dataset, _SIZE, shuffle=True)
    whole, step = epochs * len(loader), 0
    for _epoch in range(epochs):
        model.train()
        for images, labels in loader:
            for group in optimizer.param_groups:
                share = (step - 5) / (whole - 5)
                rise = (step + 1) / 5
                group["lr"] = 3e-3 * (rise if step < 5 else 0.5 * (1 + np.cos(np.pi * share)))
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
            step += 1
    return model.state_dict()


def spec(task: Component, epochs: int, **parts: Any) -> Spec:
    return Spec(
        name="same",
        task=task,
        loader=LoaderConfig(batch_size=_SIZE),
        optimizer=component(torch.optim.AdamW, lr=3e-3),
        scheduler=Component(class_path="sightline.engine.schedules.Cosine", init_args={"warmup": "5ba"}),
        trainer=TrainerConfig(max_duration=f"{epochs}ep", validate_every="7ba", device="cpu"),  # type: ignore[arg-type]
        **parts,
    )


def last_weights(run: Path) -> dict[str, Tensor]:
    newest = sorted((run / "checkpoints").iterdir())[-1]
    return read_weights_file(newest / "weights.safetensors")


def assert_same(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert torch.equal(tensor, other[name]), name


YAML = """\
name: same
task: {{class_path: {task}}}
{parts}
loader: {{batch_size: 32}}
optimizer: {{class_path: torch.optim.AdamW, init_args: {{lr: 3e-3}}}}
scheduler: {{class_path: sightline.engine.schedules.Cosine, init_args: {{warmup: 5ba}}}}
trainer: {{max_duration: {epochs}ep, validate_every: 7ba, device: cpu}}
"""


def test_cifar(tmp_path: Path) -> None:
    shared_data("cifar10/cifar10-6k.zip")
    hand = by_hand(cifar_model, cifar("train"), epochs=1)
    Experiment(spec(component(Cifar), epochs=1), tmp_path / "task").train()
    assert_same(last_weights(tmp_path / "task"), hand)

    here = __name__
    parts = f"""\
model: {{class_path: {here}.cifar_model}}
data:
  train: {{class_path: {here}.cifar, init_args: {{split: train}}}}
  validation: {{class_path: {here}.cifar, init_args: {{split: validation}}}}"""
    (tmp_path / "same.yaml").write_text(YAML.format(task="sightline.tasks.Supervised", parts=parts, epochs=1))
    Person(tmp_path).ok("train", "same.yaml", "--quiet", "--folder", "spec")
    assert_same(last_weights(tmp_path / "spec"), hand)


def test_digits(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    from sightline.config import import_object

    digits = import_object(f"{ROOT}/examples/digits_task.py:Digits")
    hand = by_hand(digits().build_model, digits().build_dataset("train"), epochs=2)
    Experiment(spec(component(digits), epochs=2), tmp_path / "task").train()
    assert_same(last_weights(tmp_path / "task"), hand)
    text = YAML.format(task=f"{ROOT}/examples/digits_task.py:Digits", parts="", epochs=2)
    (tmp_path / "same.yaml").write_text(text)
    Person(tmp_path).ok("train", "same.yaml", "--quiet", "--folder", "spec")
    assert_same(last_weights(tmp_path / "spec"), hand)
