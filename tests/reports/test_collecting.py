"""Predictions of a task, kept beside the ground truth while it is measured."""

from pathlib import Path

import numpy as np
import pytest
import torch

from sightline.config import component
from sightline.data.predictions import ClassMap, ClassScores, Detections
from sightline.engine import Experiment, Spec
from sightline.errors import SightlineError
from sightline.metrics import evaluate_dataset
from sightline.reports.collecting import Predictions, at_size
from sightline.tasks import Classification
from sightline.tasks.classification import ClassificationConfig
from sightline.tasks.source import DatasetConfig
from tests.tasks.scenes import coloured


def test_predictions_are_those_that_the_metrics_saw(tmp_path: Path) -> None:
    data = {"dataset": str(coloured(tmp_path))}
    spec = Spec(name="coloured", task=component(Classification, data=data, model={"name": "small_mlp"}))
    experiment = Experiment(spec)
    samples = experiment.task.samples("test")
    predictions = Predictions(experiment.task, samples)
    metrics = experiment.eval("test", observe=predictions)
    found = predictions.dataset()
    assert found.samples["sample_index"].to_list() == samples.samples["sample_index"].to_list()
    numbers = evaluate_dataset(found, predictions.name)
    assert numbers == {
        name.removeprefix("test/"): value for name, value in metrics.items() if "loss" not in name
    }
    confidence = found[0].classifications[-1].confidence
    assert 1 / 3 <= confidence <= 1


def test_predictions_that_are_missing_are_told(tmp_path: Path) -> None:
    task = Classification(ClassificationConfig(data=DatasetConfig(dataset=str(coloured(tmp_path)))))
    predictions = Predictions(task, task.samples("test"))
    with pytest.raises(SightlineError, match="0 of 6 samples were predicted"):
        predictions.dataset()


def test_another_name_where_the_usual_one_is_taken(tmp_path: Path) -> None:
    path = coloured(tmp_path)
    task = Classification(ClassificationConfig(data=DatasetConfig(dataset=str(path))))
    taken = task.samples("test").rename_task("image_classification", "predictions")
    assert Predictions(task, taken).name == "image_classification-predictions"


def test_predictions_grow_with_the_image() -> None:
    boxes = np.array([[2, 3, 10, 6]], dtype=np.float32)
    found = at_size(Detections(boxes, np.ones(1), np.zeros(1)), (10, 20), (20, 60))
    assert isinstance(found, Detections)
    assert found.boxes.tolist() == [[6, 6, 30, 12]]
    classes = np.array([[0, 1], [255, 2]], dtype=np.uint8)
    scores = torch.rand(2, 2).numpy()
    grown = at_size(ClassMap(classes, scores), (2, 2), (4, 6))
    assert isinstance(grown, ClassMap)
    assert (grown.classes == classes.repeat(2, 0).repeat(3, 1)).all()
    assert grown.scores is not None
    assert (grown.scores == scores.repeat(2, 0).repeat(3, 1)).all()
    same = ClassScores(np.ones(2))
    assert at_size(same, (2, 2), (4, 6)) is same
