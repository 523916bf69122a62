from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from sightline.config import component
from sightline.data.predictions import ClassMap
from sightline.engine import Experiment, Spec
from sightline.engine.spec import LoaderConfig, TrainerConfig
from sightline.errors import SightlineError
from sightline.losses import CrossEntropy
from sightline.tasks import Segmentation
from sightline.tasks.segmentation import SegmentationConfig
from tests.tasks.scenes import rectangles


def pixelwise(classes: int, channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, classes, 1))


@pytest.mark.parametrize("binary", [False, True])
def test_a_spec_of_a_few_lines_learns_each_pixel(tmp_path: Path, binary: bool) -> None:
    folder = rectangles(tmp_path)
    spec = Spec(
        name="lit",
        task=component(
            Segmentation, data={"dataset": str(folder)}, model=component(pixelwise), binary=binary
        ),
        optimizer=component(torch.optim.AdamW, lr=0.02),
        loader=LoaderConfig(batch_size=4),
        trainer=TrainerConfig(max_duration="6ep", monitor="validation/iou", mode="max", test_at_end=True),
    )
    metrics = Experiment(spec, tmp_path / "run").train()
    assert metrics["test/iou"] > 0.9
    assert Experiment.load(tmp_path / "run" / "model").task.settled().classes == ["ground", "lit"]


def test_the_loss_weighs_by_the_pixels_that_count() -> None:
    task = Segmentation(
        SegmentationConfig(classes=["a", "b"], model=component(pixelwise), loss=component(CrossEntropy))
    )
    targets = torch.full((1, 4, 4), 255, dtype=torch.uint8)
    targets[0, 0, :3] = 1
    batch = (torch.zeros(1, 3, 4, 4, dtype=torch.uint8), {"mask": targets})
    outputs = task.forward(task.build_model(), batch)
    expected = F.cross_entropy(outputs, targets.long(), ignore_index=255)
    assert torch.allclose(task.compute_loss(outputs, batch), expected)
    assert int(task.loss_weight(batch)) == 3


def test_maps_come_back_to_the_images_own_pixels(tmp_path: Path) -> None:
    task = Segmentation(
        SegmentationConfig.model_validate(
            {
                "data": {"dataset": str(rectangles(tmp_path))},
                "model": component(pixelwise),
                "preprocessing": {"size": [32, 32], "fit": "letterbox"},
            }
        )
    )
    dataset = task.build_dataset("test")
    assert dataset is not None
    images, targets = zip(*[dataset[0], dataset[1]], strict=True)
    batch_targets = {"fitting": [one["fitting"] for one in targets]}
    assert images[0].shape == (3, 32, 32)
    outputs = torch.zeros(2, 2, 32, 32)
    outputs[:, 1, 10:20] = 1
    for found in task.predictions(outputs, batch_targets):
        assert isinstance(found, ClassMap)
        assert found.classes.shape == (48, 64)
        assert set(np.unique(found.classes)) == {0, 1}


def test_binary_is_for_two_classes() -> None:
    with pytest.raises(SightlineError, match="'binary' is for two classes"):
        SegmentationConfig(classes=["a", "b", "c"], binary=True)
