from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sightline.config import component
from sightline.data.loading import collate
from sightline.data.predictions import Detections
from sightline.engine import Experiment, Spec
from sightline.engine.spec import LoaderConfig, TrainerConfig
from sightline.errors import SightlineError
from sightline.tasks import Detection
from sightline.tasks.detection import DetectionConfig
from tests.tasks.scenes import coloured, rectangles


def test_a_spec_of_a_few_lines_finds_objects(tmp_path: Path) -> None:
    spec = Spec(
        name="lit",
        task=component(Detection, data={"dataset": str(rectangles(tmp_path, count=40)), "storage": "ram"}),
        optimizer=component(torch.optim.AdamW, lr=3e-3),
        loader=LoaderConfig(batch_size=6),
        trainer=TrainerConfig(
            max_duration="10ep", validate_every="5ep", monitor="validation/ap50", mode="max", test_at_end=True
        ),
    )
    metrics = Experiment(spec, tmp_path / "run").train()
    assert metrics["test/ap50"] > 0.5
    assert {"test/map", "test/ap50/lit"} <= metrics.keys()


def test_boxes_are_judged_in_the_images_own_pixels(tmp_path: Path) -> None:
    """A model that sees the boxes, letterboxed, is right about all of them, whatever their scale."""
    config = DetectionConfig.model_validate(
        {
            "data": {"dataset": str(rectangles(tmp_path))},
            "preprocessing": {"size": [32, 48], "fit": "letterbox"},
        }
    )
    task = Detection(config)
    dataset = task.build_dataset("train")
    assert dataset is not None
    batch = collate([dataset[index] for index in range(5)])

    class Seer(torch.nn.Module):
        def forward(self, images: Tensor, targets: list[dict[str, Tensor]]) -> tuple[None, list]:
            assert images.shape == (5, 3, 32, 48)
            return None, targets

        def detections(self, raw: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
            return [{**one, "scores": torch.ones(len(one["labels"]))} for one in raw]

    outputs = task.forward(Seer(), batch)
    assert task.compute_loss(outputs, batch) is None
    (metric,) = task.build_metrics().values()
    metric.update(task.compute_predictions(outputs, batch), task.targets(batch))
    assert float(metric.compute()["map"]) == pytest.approx(1)
    samples = task.samples("train")
    assert samples is not None
    for sample, found in zip(samples, task.predictions(outputs, batch[1]), strict=False):
        assert isinstance(found, Detections)
        expected = [box.to_pixels(64, 48) for box in sample.bboxes or []]
        assert found.boxes.tolist() == [pytest.approx(box, abs=1e-3) for box in expected]


def test_batches_count_by_what_the_models_losses_are_a_mean_over(tmp_path: Path) -> None:
    """Two batches that are accumulated update like one large batch, however their boxes are shared out."""
    task = Detection(
        DetectionConfig.model_validate(
            {"data": {"dataset": str(rectangles(tmp_path))}, "model": {"name": "light"}}
        )
    )
    dataset = task.build_dataset("train")
    assert dataset is not None
    crowded, empty = dataset[0], dataset[1]
    boxes = torch.tensor([[4.0, 4.0, 20.0, 20.0], [30.0, 8.0, 50.0, 40.0], [8.0, 24.0, 28.0, 44.0]])
    crowded[1]["boxes"], crowded[1]["labels"] = boxes, torch.zeros(3, dtype=torch.int64)
    empty[1]["boxes"], empty[1]["labels"] = boxes[:0], torch.zeros(0, dtype=torch.int64)
    apart = [collate([one]) for one in (crowded, empty)]
    together = collate([crowded, empty])
    assert [task.loss_weight(batch) for batch in apart] == [1, 1]  # images, as no model was built
    torch.manual_seed(0)
    model = task.build_model().eval()  # batch normalisation would see other batches
    assert [task.loss_weight(batch) for batch in apart] == [3, 1]

    def loss(batch: Any) -> float:
        return sum(value.item() for value in task.compute_loss(task.forward(model, batch), batch).values())

    assert loss(together) == pytest.approx((3 * loss(apart[0]) + loss(apart[1])) / 4, rel=1e-5)


def test_a_dataset_without_boxes_is_refused_by_name(tmp_path: Path) -> None:
    config = DetectionConfig.model_validate({"data": {"dataset": str(coloured(tmp_path))}})
    with pytest.raises(SightlineError, match="is a Classification, and Detection learns Bbox or Bitmask"):
        Detection(config).settled()
