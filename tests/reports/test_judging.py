"""Predictions of each kind against their ground truth."""

from pathlib import Path

import numpy as np
import pytest

from sightline.data import Bbox, Bitmask, Classification, Dataset, Sample, TaskInfo
from sightline.data.predictions import ClassScores, Detections, with_predictions
from sightline.errors import SightlineError
from sightline.metrics import evaluate_dataset
from sightline.metrics.datasets import Comparison
from sightline.reports.findings import Findings
from sightline.reports.judging import judge
from tests.reports.scenes import HEIGHT, WIDTH, box, boxed, classified, dataset, images, sample, segmented

PETS = ["cat", "dog", "eel"]


def judged(made: Dataset) -> Findings:
    return judge(Comparison.of(made, "predictions"))


def row(findings: Findings, name: str) -> dict[str, int | float | None]:
    table = findings.tables[0]
    return dict(zip(table.columns[1:], dict(table.rows)[name], strict=True))


@pytest.fixture
def pets(tmp_path: Path) -> Dataset:
    scores = [[0.9, 0.1, 0], [0.2, 0.8, 0], [0.6, 0.4, 0], [0.1, 0.9, 0]]
    return classified(tmp_path, ["cat", "cat", "cat", "dog"], scores, PETS)


def test_one_class_an_image(pets: Dataset) -> None:
    findings = judged(pets)
    assert findings.numbers == evaluate_dataset(pets)
    assert findings.numbers["accuracy"] == 0.75
    assert row(findings, "cat") == {"samples": 3, "precision": 1.0, "recall": 2 / 3, "F1": 0.8}
    assert row(findings, "eel") == {"samples": 0, "precision": None, "recall": None, "F1": None}
    assert findings.tables[1].rows == [("cat taken for dog", (1, pytest.approx(1 / 3)))]
    # The confident mistake is the worst, the confident hit the best.
    assert int(np.argmin(findings.quality)) == 1
    assert findings.caption(1) == "dog 0.80, is cat"
    assert findings.caption(0) == "cat 0.90"
    assert [chart.name for chart in findings.charts] == ["confusion"]


def test_any_number_of_classes_an_image(tmp_path: Path) -> None:
    truth = [["cat", "dog"], ["eel"], []]
    samples = [
        sample(path, classifications=[Classification(class_name=name) for name in names])
        for path, names in zip(images(tmp_path, 3), truth, strict=True)
    ]
    scores = [[0.9, 0.2, 0.0], [0.1, 0.7, 0.9], [0.0, 0.0, 0.0]]
    made = with_predictions(
        dataset(samples, TaskInfo.from_class_names(Classification, PETS)),
        [ClassScores(np.array(one, dtype=np.float32)) for one in scores],
        PETS,
        threshold=0.5,
    )
    findings = judged(made)
    assert row(findings, "dog") == {"samples": 1, "precision": 0.0, "recall": 0.0, "F1": 0.0}
    assert findings.quality.tolist() == [0.5, 0.5, 1.0]
    assert findings.caption(0) == "cat; missed: dog"
    assert findings.caption(1) == "eel; wrong: dog"
    assert findings.caption(2) == "no class, as it should be"
    assert findings.charts == []


def test_boxes(tmp_path: Path) -> None:
    truth = [[box(1, 1, 8, 8, "cat"), box(15, 5, 10, 10, "dog")], [box(2, 2, 9, 9, "cat")], []]
    predicted = [
        [(box(1, 1, 8, 9, "cat"), 0.9), (box(15, 5, 10, 10, "cat"), 0.8)],  # the dog taken for a cat
        [(box(2, 2, 9, 9, "cat"), 0.95), (box(20, 10, 5, 5, "cat"), 0.1)],
        [],
    ]
    made = boxed(tmp_path, truth, predicted, PETS)
    findings = judged(made)
    assert {name: findings.numbers[name] for name in evaluate_dataset(made)} == evaluate_dataset(made)
    cat = row(findings, "cat")
    assert cat["objects"] == 2
    assert cat["AP50"] == pytest.approx(1.0)
    assert (cat["precision"], cat["recall"]) == (1.0, 1.0)
    assert cat["from confidence"] == pytest.approx(0.9)
    assert row(findings, "dog")["F1"] is None
    assert [findings.caption(position) for position in range(2)] == ["1 of 2 found", "1 of 1 found"]
    assert np.isnan(findings.quality[2])  # nothing there and nothing said
    assert findings.quality[:2].tolist() == [pytest.approx(2 / 3), 1.0]
    assert findings.kept("cat", 0.9)
    assert not findings.kept("cat", 0.85)
    assert findings.numbers["recall"] == pytest.approx(2 / 3)


def test_an_object_is_found_once(tmp_path: Path) -> None:
    twice = [[(box(2, 2, 9, 9, "cat"), 0.9), (box(2, 2, 9, 8, "cat"), 0.9)]]
    findings = judged(boxed(tmp_path, [[box(2, 2, 9, 9, "cat")]], twice, ["cat"]))
    assert findings.caption(0) == "1 of 1 found, 1 false"


def test_boxes_are_compared_with_those_around_masks(tmp_path: Path) -> None:
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[5:10, 4:14] = True
    task = TaskInfo.from_class_names(Bitmask, ["cat"], "outlines")
    samples = [sample(images(tmp_path, 1)[0], bitmasks=[Bitmask.from_mask(mask, class_name="cat")])]
    for one in samples[0].bitmasks or ():
        one.task_name = "outlines"
    found = Detections(
        np.array([[4, 5, 14, 10]], dtype=np.float32), np.ones(1, np.float32), np.zeros(1, np.int64)
    )
    made = with_predictions(dataset(samples, task), [found], ["cat"])
    assert judged(made).numbers["map"] == pytest.approx(1.0)


def test_classes_of_pixels(tmp_path: Path) -> None:
    truth = np.full((HEIGHT, WIDTH), 255)
    truth[:10], truth[10:15] = 0, 1  # the last five rows have no class
    predicted = np.zeros((HEIGHT, WIDTH), dtype=np.int64)
    predicted[10:] = 1
    predicted[:2] = 1
    made = segmented(tmp_path, [truth, truth], [predicted, truth], ["land", "water"])
    findings = judged(made)
    assert findings.numbers == evaluate_dataset(made)
    assert findings.quality[1] == 1.0
    assert findings.quality[0] == pytest.approx((0.8 + 5 / 7) / 2)
    assert findings.caption(0) == "IoU 0.76, 87% of pixels right"
    assert row(findings, "water")["share of pixels"] == pytest.approx(1 / 3)


def test_samples_without_a_ground_truth_are_left_out(pets: Dataset) -> None:
    unannotated = Sample(
        file_path=pets[0].file_path, height=HEIGHT, width=WIDTH, split="test", sample_index=99
    )
    more = Dataset.from_samples([*pets, unannotated], pets.info)
    comparison = Comparison.of(more, "predictions")
    assert len(comparison.dataset) == len(pets)
    assert judge(comparison).numbers == judged(pets).numbers


def test_refusals_name_the_tasks(pets: Dataset) -> None:
    with pytest.raises(SightlineError, match="has no task named 'guesses'"):
        Comparison.of(pets, "guesses")
    other = pets.info.model_copy(
        update={"tasks": [*pets.info.tasks, TaskInfo.from_class_names(Classification, PETS, "colour")]}
    )
    with pytest.raises(SightlineError, match="'image_classification', 'colour'; name it"):
        Comparison.of(pets.replace(info=other), "predictions")
    info = pets.info.model_copy(update={"tasks": [*pets.info.tasks, TaskInfo(primitive=Bbox)]})
    with pytest.raises(SightlineError, match="compare tasks of one kind"):
        Comparison.of(pets.replace(info=info), "predictions", "object_detection")
    unannotated = pets.samples.with_columns(classifications=None).cast(dict(pets.samples.schema))
    with pytest.raises(SightlineError, match="no sample is annotated"):
        judge(Comparison.of(pets.replace(samples=unannotated), "predictions"))
