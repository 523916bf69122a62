"""What the three metrics have in common."""

import copy
import pickle
import subprocess
import sys
from typing import Any

import pytest
import torch

import sightline.metrics
from sightline.config import Component, build

NAMES = ["land", "water"]
BOX = {"boxes": torch.tensor([[0.0, 0, 9, 9]]), "labels": torch.tensor([1])}
MAPS = torch.tensor([[[0, 1], [1, 255]]])
BATCHES: dict[str, tuple[Any, Any]] = {
    "ClassificationMetrics": (torch.eye(2), torch.tensor([0, 1])),
    "SegmentationMetrics": (MAPS.clamp(max=1), MAPS),
    "DetectionMetrics": ([BOX | {"scores": torch.tensor([0.5])}], [BOX]),
}
each = pytest.mark.parametrize("name", BATCHES)


def built(name: str) -> Any:
    spec = {"class_path": f"sightline.metrics.{name}", "init_args": {"classes": NAMES}}
    return build(Component.model_validate(spec))


@each
def test_is_built_from_a_spec_and_gives_numbers(name: str) -> None:
    metric = built(name)
    metric.update(*BATCHES[name])
    numbers = metric.compute()
    assert numbers
    assert all(type(value) is float and value == pytest.approx(1) for value in numbers.values())


@each
def test_batches_are_left_as_they_are(name: str) -> None:
    before = copy.deepcopy(BATCHES[name])
    built(name).update(*BATCHES[name])
    assert str(before) == str(BATCHES[name])


@each
def test_starts_anew_after_reset(name: str) -> None:
    metric = built(name)
    predictions, targets = BATCHES[name]
    wrong = predictions.flip(-1) if isinstance(predictions, torch.Tensor) else []
    metric.update(
        *((wrong, targets) if len(wrong) else ([{**predictions[0], "labels": torch.tensor([0])}], targets))
    )
    assert min(metric.compute().values()) < 1
    metric.reset()
    metric.update(predictions, targets)
    assert metric.compute() == pytest.approx(dict.fromkeys(metric.compute(), 1.0))


@each
def test_works_where_nothing_is_differentiated_and_goes_between_processes(name: str) -> None:
    metric = built(name)
    with torch.inference_mode():
        metric.reset()
        metric.update(*BATCHES[name])
    assert pickle.loads(pickle.dumps(metric)).compute() == metric.compute()


def test_the_names_are_those_that_there_are() -> None:
    assert all(hasattr(sightline.metrics, name) for name in sightline.metrics.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Accuracy'"):
        _ = sightline.metrics.Accuracy  # type: ignore[attr-defined]


def test_importing_them_imports_nothing_that_takes_long() -> None:
    code = (
        "import sys\nfrom sightline.tasks import Classification, Detection, Segmentation\n"
        "print({'torchmetrics', 'scipy', 'matplotlib', 'transformers', 'timm'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"
