"""Predictions as COCO results, and independent judges of what we write."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import faster_coco_eval
import numpy as np
import polars as pl
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from sightline.data import Bbox, Bitmask, Dataset, DatasetInfo, Polygon, TaskInfo
from sightline.data.formats.coco import read_coco_results, write_coco_results
from sightline.errors import SightlineError
from tests.data.factory import write_picture
from tests.data.formats.coco_files import HEIGHT, WIDTH, annotation, read_back, single
from tests.needs import needs, shared_data

JUDGES = {
    "pycocotools": (COCO, COCOeval),
    "faster-coco-eval": (faster_coco_eval.COCO, faster_coco_eval.COCOeval_faster),
}


def _mean_average_precision(judge: str, truth: Path, results: Path, kind: str) -> float:
    coco, evaluation = JUDGES[judge]
    with contextlib.redirect_stdout(io.StringIO()):
        known = coco(str(truth))
        run = evaluation(known, known.loadRes(str(results)), kind)
        run.evaluate()
        run.accumulate()
        run.summarize()
    return float(run.stats[0])


def _boxes(root: Path) -> Dataset:
    """Three tiny images, three boxes each."""
    random = np.random.default_rng(1)
    samples = pl.DataFrame(
        {
            "file_path": [str(write_picture(root / f"{n}.png", n, (HEIGHT, WIDTH))) for n in range(3)],
            "height": HEIGHT,
            "width": WIDTH,
            "split": "test",
        }
    )
    boxes = pl.DataFrame(
        {
            "position": np.repeat(np.arange(3, dtype=np.uint32), 3),
            **{name: random.uniform(0.2, 0.5, 9) for name in ("top_left_x", "top_left_y", "width", "height")},
            "class_idx": [0, 1, 2] * 3,
        }
    )
    task = TaskInfo.from_class_names(Bbox, ["a", "b", "c"])
    return Dataset.from_tables(DatasetInfo(dataset_name="tiny", tasks=[task]), samples, bboxes=boxes)


def _sure(dataset: Dataset) -> Dataset:
    """The same annotations with a confidence, as predictions have one."""
    frame = dataset.samples
    for column in ("bboxes", "bitmasks", "polygons"):
        certain = pl.element().struct.with_fields(pl.lit(0.75).alias("confidence"))
        frame = frame.with_columns(pl.col(column).list.eval(certain).cast(frame.schema[column]))
    return dataset.replace(samples=frame)


@pytest.mark.parametrize("judge", JUDGES)
def test_boxes_against_themselves(tmp_path: Path, judge: str) -> None:
    dataset = _boxes(tmp_path / "in")
    dataset.to_coco(tmp_path / "out", how="reference")
    write_coco_results(_sure(dataset), tmp_path / "results.json")
    truth = tmp_path / "out" / "annotations" / "instances_test.json"
    assert _mean_average_precision(judge, truth, tmp_path / "results.json", "bbox") == pytest.approx(1)


@pytest.mark.parametrize("judge", JUDGES)
def test_masks_against_themselves(tmp_path: Path, judge: str) -> None:
    dataset = Dataset.from_path(shared_data("hafnia-format") / "micro-coco-2017")
    dataset = dataset.create_split_dataset("train")
    dataset.to_coco(tmp_path / "out", how="reference")
    truth = tmp_path / "out" / "annotations" / "instances_train.json"
    for kind, task in (("segm", "mask_detection"), ("bbox", "object_detection")):
        write_coco_results(_sure(dataset), tmp_path / f"{kind}.json", task=task)
        assert _mean_average_precision(judge, truth, tmp_path / f"{kind}.json", kind) == pytest.approx(1)


@pytest.mark.parametrize("judge", JUDGES)
def test_polygons_against_themselves(tmp_path: Path, judge: str) -> None:
    rings = [[5.0, 5.0, 25.5, 5.0, 25.5, 15.25], [30.0, 20.0, 40.0, 20.0, 40.0, 30.0]]
    dataset = Dataset.from_coco(
        single(tmp_path / "in", [annotation(1, 1, segmentation=rings, bbox=[5, 5, 35, 25])])
    )
    dataset.to_coco(tmp_path / "out")
    write_coco_results(_sure(dataset), tmp_path / "results.json", task="polygon_detection")
    truth = tmp_path / "out" / "annotations" / "instances_train.json"
    assert _mean_average_precision(judge, truth, tmp_path / "results.json", "segm") == pytest.approx(1)


def test_torchvision_opens_it(tmp_path: Path) -> None:
    needs("torchvision", _there("torchvision"))
    from torchvision.datasets import CocoDetection

    _boxes(tmp_path / "in").to_coco(tmp_path / "out")
    with contextlib.redirect_stdout(io.StringIO()):
        pairs = CocoDetection(
            str(tmp_path / "out/test"), str(tmp_path / "out/annotations/instances_test.json")
        )
    picture, targets = pairs[0]
    assert picture.size == (WIDTH, HEIGHT)
    assert [target["category_id"] for target in targets] == [1, 2, 3]


def _there(module: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(module) is not None


def _results(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text(json.dumps(list(rows)))
    return path


BOX = {"image_id": 1, "category_id": 90, "bbox": [1.5, 2, 10, 20], "score": 0.25}


@pytest.fixture
def pets(tmp_path: Path) -> Dataset:
    """Two images, with category ids that have holes."""
    return Dataset.from_coco(single(tmp_path / "pets", [annotation(1, 1), annotation(2, 1, 90)], images=2))


class TestResults:
    """Predictions beside the ground truth."""

    def test_there_and_back(self, pets: Dataset, tmp_path: Path) -> None:
        rows = [BOX, BOX | {"score": 0.0, "category_id": 1}]
        with_both = read_coco_results(pets, _results(tmp_path / "in.json", *rows), "model")
        first, second = with_both
        assert [box.task_name for box in first.bboxes or []] == ["object_detection"] * 2 + ["model"] * 2
        predictions = [box for box in first.bboxes or [] if box.task_name == "model"]
        assert [box.ground_truth for box in predictions] == [False, False]
        assert [box.confidence for box in predictions] == [0.25, 0.0]
        assert [box.class_name for box in predictions] == ["dog", "cat"]
        assert second.bboxes == []
        write_coco_results(with_both, tmp_path / "out.json", task="model")
        assert json.loads((tmp_path / "out.json").read_text()) == rows

    def test_masks(self, pets: Dataset, tmp_path: Path) -> None:
        mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
        mask[3:9, 4:20] = True
        rle = {"size": [HEIGHT, WIDTH], "counts": Bitmask.from_mask(mask).rle_string}
        row = {"image_id": 2, "category_id": 1, "segmentation": rle, "score": 0.5}
        with_both = read_coco_results(pets, _results(tmp_path / "in.json", row), "model")
        assert with_both.info.task("model").primitive is Bitmask
        (found,) = with_both[1].bitmasks or []
        assert (found.to_mask(HEIGHT, WIDTH) == mask).all()
        assert with_both[0].bitmasks == []
        assert len(with_both[0].bboxes or []) == 2
        write_coco_results(with_both, tmp_path / "out.json", task="model")
        assert json.loads((tmp_path / "out.json").read_text()) == [row | {"bbox": [4, 3, 16, 6]}]

    def test_polygons(self, pets: Dataset, tmp_path: Path) -> None:
        row = {
            "image_id": 2,
            "category_id": 1,
            "segmentation": [[1, 1, 9, 1, 9, 9], [20, 20, 30, 20, 30, 30]],
            "score": 1,
        }
        with_both = read_coco_results(pets, _results(tmp_path / "in.json", row), "model")
        assert with_both.info.task("model").primitive is Polygon
        write_coco_results(with_both, tmp_path / "out.json", task="model")
        assert json.loads((tmp_path / "out.json").read_text()) == [row | {"bbox": [1, 1, 29, 29]}]

    def test_none(self, pets: Dataset, tmp_path: Path) -> None:
        with_both = read_coco_results(pets, _results(tmp_path / "in.json"), "model")
        assert len(with_both[0].bboxes or []) == 2
        assert with_both.info.task("model").class_names == ["cat", "dog"]
        write_coco_results(with_both, tmp_path / "out.json", task="model")
        assert json.loads((tmp_path / "out.json").read_text()) == []

    def test_of_one_split(self, tmp_path: Path) -> None:
        root = single(tmp_path / "x", [annotation(1, 1)])
        source = root / "annotations" / "instances_train.json"
        (root / "train").rename(root / "val")
        (root / "annotations" / "instances_val.json").write_text(source.read_text())
        write_picture(root / "train" / "1.jpg", size=(HEIGHT, WIDTH))
        dataset, results = Dataset.from_coco(root), _results(tmp_path / "in.json", BOX)
        with pytest.raises(
            SightlineError, match="image id 1 occurs in several splits of 'x'; name the split"
        ):
            read_coco_results(dataset, results, "model")
        with pytest.raises(SightlineError, match="no split 'test'"):
            read_coco_results(dataset, results, "model", split="test")
        with_both = read_coco_results(dataset, results, "model", split="validation")
        assert [len(sample.bboxes or []) for sample in with_both] == [1, 2]
        write_coco_results(with_both, tmp_path / "out.json", task="model", split="validation")
        assert json.loads((tmp_path / "out.json").read_text()) == [BOX]

    @pytest.mark.parametrize(
        ("change", "sentence"),
        [
            ({"score": 1.5}, r"results\[1\]\.score: expected float <= 1\.0"),
            ({"score": None}, r"1 of 2 results have no score"),
            ({"category_id": 5}, r"results\[1\]\.category_id is 5, which categories do not list"),
            ({"bbox": [1, 2, -3, 4]}, r"results\[1\]\.bbox: the box 1, 2, -3, 4 .*has a negative size"),
            ({"bbox": [1, 2, 3]}, r"results\[1\]\.bbox has 3 numbers"),
            ({"image_id": "x"}, r"results\[1\]\.image_id: expected int, got str"),
        ],
    )
    def test_wrong_entries(
        self, pets: Dataset, tmp_path: Path, change: dict[str, Any], sentence: str
    ) -> None:
        path = _results(tmp_path / "in.json", BOX, BOX | change)
        with pytest.raises(SightlineError, match=f"in.json: {sentence}"):
            read_coco_results(pets, path, "model")

    def test_wrong_calls(self, pets: Dataset, tmp_path: Path) -> None:
        path = _results(tmp_path / "in.json", BOX)
        with pytest.raises(SightlineError, match="has a task 'object_detection'; name another"):
            read_coco_results(pets, path, "object_detection")
        with pytest.raises(SightlineError, match=r"2 of 2 annotations .* have no confidence.*1\.jpg"):
            write_coco_results(pets, tmp_path / "out.json")
        assert not (tmp_path / "out.json").exists()
        path.write_text('{"annotations": []}')
        with pytest.raises(SightlineError, match="expected array, got object"):
            read_coco_results(pets, path, "model")

    def test_score_of_an_annotation(self, tmp_path: Path) -> None:
        root = single(tmp_path / "x", [annotation(1, 1, score=0.0)])
        dataset = Dataset.from_coco(root)
        dataset.to_coco(tmp_path / "out")
        assert read_back(tmp_path / "out")["annotations"][0]["score"] == 0.0
