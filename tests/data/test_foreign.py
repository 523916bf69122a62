import logging
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from sightline.data import Bitmask, Dataset, Sample
from sightline.data.foreign import conform
from sightline.data.primitives.rle import encode_mask
from sightline.data.schema import SAMPLE_SCHEMA
from sightline.errors import SightlineError
from tests.needs import shared_data


def _extent(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return rows[0], columns[0], rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1


def test_bccd_mini() -> None:
    dataset = Dataset.from_path(shared_data("hafnia-format") / "bccd-mini")
    assert len(dataset) == 8
    assert dataset.samples.schema == SAMPLE_SCHEMA
    sample = dataset[0]
    assert sample.bboxes is not None
    assert (sample.bboxes[0].class_name, sample.bboxes[0].width) == ("WBC", 0.3609375)
    assert [(a.task_name, a.class_name) for a in sample.bboxes[0].classifications or ()] == [
        ("Size", "Large")
    ]
    assert [c.class_name for c in sample.classifications or ()] == ["Stained"]
    assert sample.polygons is not None
    assert sample.polygons[0].points[0] == (0.40625, 0.36875)
    assert sample.meta == {"slide": 0.0}
    assert sample.read_image().shape == (480, 640, 3)


def test_micro_coco() -> None:
    dataset = Dataset.from_path(shared_data("hafnia-format") / "micro-coco-2017")
    assert [sample.split for sample in dataset] == ["train", "validation", "train"]
    sample = dataset[0]
    assert sample.sample_index == 49
    assert sample.attribution is not None
    assert sample.attribution.licenses is not None
    assert sample.attribution.licenses[0].name_short == "CC BY 2.0"
    assert sample.bboxes is not None
    assert sample.bboxes[0].meta == {"iscrowd": 0}
    assert sample.remote_path is not None


@pytest.mark.parametrize("name", ["bccd-mini", "micro-coco-2017"])
def test_real_masks_lie_where_their_boxes_say(name: str) -> None:
    dataset = Dataset.from_path(shared_data("hafnia-format") / name)
    masks = [(mask, sample) for sample in dataset for mask in sample.bitmasks or ()]
    assert masks
    for mask, sample in masks:
        expected = (mask.top, mask.left, mask.height, mask.width)
        # The converter that wrote micro-coco rounded boxes outwards, so they are up to a pixel off.
        assert _extent(mask.to_mask(sample.height, sample.width)) == pytest.approx(expected, abs=1)


@pytest.mark.parametrize("name", ["bccd-mini", "micro-coco-2017"])
def test_real_folders_survive_a_round_trip(name: str, tmp_path: Path) -> None:
    dataset = Dataset.from_path(shared_data("hafnia-format") / name)
    written = dataset.write(tmp_path / name)
    read = Dataset.from_path(tmp_path / name)
    assert read.info == dataset.info
    assert list(read) == list(written)
    for before, after in zip(dataset, read, strict=True):
        assert (before.read_image() == after.read_image()).all()
        before.file_path = after.file_path
        assert before == after


def test_the_older_names_of_columns_and_fields() -> None:
    mask = Bitmask.from_mask(np.eye(4))
    frame = pl.DataFrame(
        {
            "file_name": ["a.png"],
            "height": [4],
            "width": [4],
            "split": ["val"],
            "objects": [
                [{"height": 0.1, "width": 0.2, "top_left_x": 0.3, "top_left_y": 0.4, "task_name": ""}]
            ],
            "bitmasks": [[{"top": 0, "left": 0, "height": 4, "width": 4, "rleString": mask.rle_string}]],
        }
    )
    frame = conform(frame, "old")
    assert frame.schema == SAMPLE_SCHEMA
    row = frame.row(0, named=True)
    assert (row["file_path"], row["split"], row["tags"], row["storage_format"]) == (
        "a.png",
        "validation",
        [],
        "image",
    )
    assert (row["dataset_name"], row["sample_index"]) == ("old", 0)
    assert row["bboxes"][0]["top_left_y"] == 0.4
    assert (row["bboxes"][0]["task_name"], row["bboxes"][0]["ground_truth"]) == ("object_detection", True)
    assert row["bboxes"][0]["confidence"] is None
    assert row["bitmasks"][0]["rle_string"] == mask.rle_string


def _with_masks(masks: list[dict]) -> pl.DataFrame:
    box = {"height": 0.1, "width": 0.2, "top_left_x": 0.3, "top_left_y": 0.4, "bitmasks": masks}
    return pl.DataFrame(
        {"file_path": ["a.png"], "height": [10], "width": [20], "bitmasks": [masks], "bboxes": [[box]]}
    )


def test_masks_of_a_crop_become_masks_of_the_image_nested_ones_too() -> None:
    crop = {"top": 2, "left": 5, "height": 3, "width": 4, "rle_string": encode_mask(np.ones((3, 4)))}
    row = conform(_with_masks([crop]), "x").row(0, named=True)
    expected = np.zeros((10, 20), dtype=bool)
    expected[2:5, 5:9] = True
    assert row["bitmasks"][0]["rle_string"] == encode_mask(expected)
    assert row["bboxes"][0]["bitmasks"][0]["rle_string"] == encode_mask(expected)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"left": 18}, r"sample a.png: a bitmask at top 2, left 18 of 3 x 4 pixels reaches outside"),
        ({"height": 5}, r"sample a.png: a bitmask's rle_string covers 12 pixels"),
        ({"rle_string": "{}"}, r"sample a.png: '\{\}' is not a compressed COCO RLE"),
    ],
)
def test_impossible_masks_are_one_sentence(change: dict, sentence: str) -> None:
    crop = {"top": 2, "left": 5, "height": 3, "width": 4, "rle_string": encode_mask(np.ones((3, 4)))}
    with pytest.raises(SightlineError, match=sentence):
        conform(_with_masks([crop | change]), "x")


def test_what_has_no_place_is_named_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    frame = pl.DataFrame(
        {
            "file_path": ["a"],
            "height": [1],
            "width": [1],
            "keypoints": [[1]],
            "none": [None],
            "split": ["holdout"],
        }
    )
    with caplog.at_level(logging.WARNING):
        conform(frame, "x")
    assert caplog.messages == [
        "left out, because the schema has no place for it: keypoints",
        "taken as UNDEFINED, because they name no split: holdout",
    ]


def test_times_keep_their_value() -> None:
    frame = pl.DataFrame({"height": [1], "width": [1], "video_info": [{"captured_at": "2026-01-02"}]})
    frame = frame.with_columns(
        pl.col("video_info").struct.with_fields(pl.field("captured_at").str.to_datetime())
    )
    assert conform(frame, "x")["video_info"][0]["captured_at"].startswith("2026-01-02")


def test_samples_of_an_older_dataset_are_ordinary_samples() -> None:
    frame = conform(pl.DataFrame({"file_path": ["a"], "height": [1], "width": [2]}), "old")
    assert frame["split"].to_list() == ["UNDEFINED"]
    assert isinstance(frame.row(0, named=True)["tags"], list)
    assert Sample(file_path="a", height=1, width=2).split == "UNDEFINED"
