"""Metrics of two processes are those of one that has seen everything."""

from typing import Any

import numpy as np
import pytest
import torch

from sightline.engine.ranks import Ranks
from sightline.metrics import ClassificationMetrics, DetectionMetrics, SegmentationMetrics
from tests.engine.two_ranks import on_two_ranks

NAMES = [f"class {number}" for number in range(6)]


def metrics() -> dict[str, Any]:
    return {
        "classification": ClassificationMetrics(NAMES),
        "several labels": ClassificationMetrics(NAMES, multi_label=True),
        "segmentation": SegmentationMetrics(NAMES),
        "detection": DetectionMetrics(NAMES),
    }


def batches(kind: str) -> list[tuple[Any, Any]]:
    """Of 1 to 4 items, with different numbers of boxes."""
    torch.manual_seed(0)
    made = []
    for size in (4, 3, 1, 2, 4):
        if kind == "classification":
            made.append((torch.randn(size, 6), torch.randint(0, 6, (size,))))
        elif kind == "several labels":
            made.append((torch.rand(size, 6), torch.randint(0, 2, (size, 6)).float()))
        elif kind == "segmentation":
            made.append((torch.randint(0, 6, (size, 4, 4)), torch.randint(0, 6, (size, 4, 4))))
        else:
            made.append(detections(size))
    return made


def detections(size: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    predictions, targets = [], []
    for _ in range(size):
        count = int(torch.randint(0, 9, ()))
        corners = torch.rand(count, 2) * 100
        boxes = torch.cat([corners, corners + torch.rand(count, 2) * 80], dim=1)
        labels = torch.randint(0, 6, (count,))
        targets.append({"boxes": boxes, "labels": labels})
        moved = (boxes + torch.randn(count, 4) * 3)[: count - 1]
        found = {"boxes": moved, "labels": labels[: count - 1], "scores": torch.rand(len(moved))}
        predictions.append(found)
    return predictions, targets


def measured(ranks: Ranks) -> dict[str, dict[str, float]]:
    """The first rank has one batch and the second the others; of one metric the first has nothing."""
    result = {}
    for kind, metric in metrics().items():
        for number, batch in enumerate(batches(kind)):
            if (number == 0) == (ranks.rank == 0):
                metric.update(*batch)
        result[kind] = metric.compute()
    alone = DetectionMetrics(NAMES)
    alone.update(*(([], []) if ranks.rank == 0 else batches("detection")[0]))
    result["one alone"] = alone.compute()
    result["curves"] = {name: float(curve.recall[-1]) for name, curve in alone.curves().items()}
    return result


def test_ranks_are_exact() -> None:
    first, second = on_two_ranks(measured)
    assert isinstance(first, dict), first
    assert first == second
    for kind, metric in metrics().items():
        for batch in batches(kind):
            metric.update(*batch)
        # The order of images differs, which counts where scores are equal only.
        assert first[kind] == pytest.approx(metric.compute(), rel=1e-12), kind
    alone = DetectionMetrics(NAMES)
    alone.update(*batches("detection")[0])
    assert first["one alone"] == pytest.approx(alone.compute(), rel=1e-12)
    assert first["curves"] == {name: curve.recall[-1] for name, curve in alone.curves().items()}
    assert np.isfinite(list(first["one alone"].values())).all()
