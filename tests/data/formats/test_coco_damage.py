"""Damaged COCO files: refused with the file and the entry, or mended with one warning that counts."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.data import Dataset
from sightline.data.formats.coco.masks import covers
from sightline.data.primitives.rle import rle_length
from sightline.errors import SightlineError
from tests.data.factory import json_values, write_picture
from tests.data.formats.coco_files import HEIGHT, WIDTH, annotation, content, image, put, read_back, single

RLE = {"size": [HEIGHT, WIDTH], "counts": [0, HEIGHT * WIDTH]}


def _refused(root: Path, sentence: str) -> None:
    with pytest.raises(SightlineError, match=sentence) as caught:
        Dataset.from_coco(root)
    assert "instances_train.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"bbox": [1, 2, float("nan"), 4]}, r"annotations\[2\]\.bbox holds a NaN"),
        ({"bbox": [1, 2, float("inf"), 4]}, r"annotations\[2\]\.bbox holds a NaN, infinite"),
        ({"bbox": [1, 2, -3, 4]}, r"annotations\[2\]\.bbox: the box 1, 2, -3, 4 .*has a negative size"),
        ({"bbox": [1, 2, 3]}, r"annotations\[2\]\.bbox has 3 numbers"),
        ({"bbox": [1, 2, 3, 4, 5]}, r"annotations\[2\]\.bbox: expected array of length <= 4"),
        ({"bbox": [1, 2, "3", 4]}, r"annotations\[2\]\.bbox\[2\]: expected float, got str"),
        (
            {"bbox": [1, 2, 3000, 4]},
            r"annotations\[2\]\.bbox: the box 1, 2, 3000, 4 \(.* of an image 60 x 40\) is far outside",
        ),
        ({"category_id": 5}, r"annotations\[2\]\.category_id is 5, which categories do not list"),
        ({"category_id": None}, r"annotations\[2\]\.category_id: expected int, got null"),
        ({"image_id": 2**70}, r"annotations\[2\]\.image_id"),
        ({"iscrowd": 7}, r"annotations\[2\]\.iscrowd"),
        ({"area": -1}, r"annotations\[2\]\.area: expected float >= 0"),
        (
            {"segmentation": [[1, 2, 3, 4, 5, 6, 7]]},
            r"annotations\[2\]\.segmentation has a ring of 7 numbers",
        ),
        (
            {"segmentation": [[1, 2, 3, 4, 5, 9000]]},
            r"annotations\[2\]\.segmentation reaches 5, 9000, far outside",
        ),
        ({"segmentation": [1, 2]}, r"annotations\[2\]\.segmentation\[0\]: expected array, got int"),
        ({"segmentation": RLE | {"size": [9, 9]}}, r"annotations\[2\]\.segmentation\.size is \[9, 9\]"),
        ({"segmentation": RLE | {"counts": [1, 2]}}, r"annotations\[2\]\.segmentation\.counts add up to 3"),
        ({"segmentation": RLE | {"counts": [-1, 2401]}}, r"annotations\[2\]\.segmentation\.counts\[0\]"),
        ({"segmentation": RLE | {"counts": ""}}, r"annotations\[2\]\.segmentation\.counts is no run-length"),
        (
            {"segmentation": RLE | {"counts": "ä1"}},
            r"annotations\[2\]\.segmentation\.counts is no run-length",
        ),
        (
            {"segmentation": RLE | {"counts": "12"}},
            r"annotations\[2\]\.segmentation\.counts is no run-length",
        ),
        (
            {"segmentation": RLE | {"counts": "o" * 30}},
            r"annotations\[2\]\.segmentation\.counts is no run-length",
        ),
        ({"segmentation": {"size": [HEIGHT, WIDTH]}}, r"annotations\[2\]\.segmentation: .*counts"),
    ],
)
def test_wrong_annotations(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    entries = [annotation(1, 1), annotation(2, 1, note=1), annotation(3, 1) | change]
    _refused(single(tmp_path, entries), sentence)


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        ([image(1), image(1)], r"images\[1\]\.id is 1, which another image has"),
        (
            [image(1), {"id": 2, "height": 1, "width": 1}],
            r"images\[1\]: object missing required field file_name",
        ),
        ([image(1), image(2, height=0)], r"images\[1\]\.height: expected int >= 1"),
        ([image(1), image(2, file_name=3)], r"images\[1\]\.file_name: expected str, got int"),
    ],
)
def test_wrong_images(tmp_path: Path, images: list[dict[str, Any]], sentence: str) -> None:
    put(tmp_path / "annotations" / "instances_train.json", content(images, []))
    _refused(tmp_path, sentence)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (
            {"categories": [{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]},
            r"categories\[1\]\.id is 1 for the second",
        ),
        ({"categories": [{"id": 1}]}, r"categories\[0\]: object missing required field name"),
        ({"categories": {}}, "categories: expected array, got object"),
        ({"images": 3}, "images: expected array, got int"),
        ({"annotations": [3]}, r"annotations\[0\]: expected object, got int"),
        ({"licenses": 3}, "licenses: expected array, got int"),
    ],
)
def test_wrong_lists(tmp_path: Path, more: dict[str, Any], sentence: str) -> None:
    whole = content([image(1)], [annotation(1, 1)]) | more
    path = tmp_path / "annotations" / "instances_train.json"
    path.parent.mkdir()
    path.write_text(json.dumps(whole))
    write_picture(tmp_path / "train" / "1.jpg", size=(HEIGHT, WIDTH))
    _refused(tmp_path, sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b"", "not valid JSON"),
        (b"[]", "the file: expected object, got array"),
        (b"{}", "not a COCO file, it has no 'images'"),
        (b'{"images": [\xff]}', "not UTF-8 text .* at byte 12"),
        (b'{"images": ' + b"[" * 100_000, "nested too deeply|not valid JSON"),
    ],
)
def test_wrong_files(tmp_path: Path, text: bytes, sentence: str) -> None:
    path = tmp_path / "annotations" / "instances_train.json"
    path.parent.mkdir()
    path.write_bytes(text)
    _refused(tmp_path, sentence)


rle_letters = st.text(st.characters(min_codepoint=46, max_codepoint=114), max_size=6)


@settings(deadline=None, max_examples=200)
@given(texts=st.lists(rle_letters | st.sampled_from(["PXo21n0", "ä", "0" * 30]), min_size=1, max_size=5))
def test_many_masks_are_checked_as_each_alone(texts: list[str]) -> None:
    pixels = [_length(text) for text in texts]
    asked = np.array([length or 0 for length in pixels])
    assert covers(texts, asked).tolist() == [length is not None for length in pixels]
    assert not covers(texts, asked + 1).any()


def _length(text: str) -> int | None:
    """The pixels that an RLE covers by the decoder of single masks; None where it is none."""
    try:
        return rle_length(text) if text else None
    except SightlineError:
        return None


def test_the_mask_that_is_wrong_is_named(tmp_path: Path) -> None:
    masks = [RLE, RLE, RLE | {"counts": "ä"}]
    entries = [annotation(n + 1, 1, segmentation=mask) for n, mask in enumerate(masks)]
    _refused(single(tmp_path, entries), r"annotations\[2\]\.segmentation\.counts is no run-length")


def test_byte_order_mark(tmp_path: Path) -> None:
    root = single(tmp_path, [annotation(1, 1)])
    path = root / "annotations" / "instances_train.json"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(Dataset.from_coco(root)) == 1


def test_missing_image(tmp_path: Path) -> None:
    root = single(tmp_path, [annotation(1, 1)], images=3)
    (root / "train" / "2.jpg").unlink()
    with pytest.raises(SightlineError, match=r"1 of 3 images are missing, the first is .*/train/2\.jpg"):
        Dataset.from_coco(root)
    assert len(Dataset.from_coco(root, check_images=False)) == 3


@pytest.mark.parametrize(
    ("entries", "warning", "left"),
    [
        (
            [{"image_id": 9}],
            "1 annotations left out, as their image is not listed; the first is annotations[1]",
            1,
        ),
        ([{"bbox": [1, 2, 0, 4]}] * 2, "2 boxes of no size left out", 1),
        (
            [{"bbox": [55, 2, 10, 4], "segmentation": [[55, 2, 70, 2, 60, 9]]}],
            "1 polygons that reach over the edge of their image kept",
            2,
        ),
        ([{"bbox": None}], "1 annotations left out, as they have neither a box nor a segmentation", 1),
        (
            [{"bbox": [], "segmentation": [[1, 2, 3, 4]]}],
            "1 polygons left out, as they have less than 3 points",
            1,
        ),
        ([{"id": 1}, {"id": 1}], "2 annotations numbered anew, as another one has their id", 3),
    ],
)
def test_mended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, entries: list[dict[str, Any]], warning: str, left: int
) -> None:
    changed = [annotation(2 + n, 1) | entry for n, entry in enumerate(entries)]
    root = single(tmp_path / "in", [annotation(1, 1), *changed])
    with caplog.at_level(logging.WARNING):
        dataset = Dataset.from_coco(root)
    assert len(dataset[0].bboxes or []) == left
    assert any(warning in record.message and str(root) in record.message for record in caplog.records)
    dataset.to_coco(tmp_path / "out")
    ids = [entry["id"] for entry in read_back(tmp_path / "out")["annotations"]]
    assert len(set(ids)) == len(ids) == left


def test_box_of_the_segmentation(tmp_path: Path) -> None:
    rings = [[5.0, 6.0, 25.5, 6.0, 25.5, 15.25], [30.0, 20.0, 40.0, 20.0, 40.0, 30.0]]
    mask = {"size": [HEIGHT, WIDTH], "counts": [2 * HEIGHT + 3, 4, HEIGHT - 4, 4, HEIGHT * (WIDTH - 3) - 7]}
    entries = [annotation(1, 1, segmentation=rings), annotation(2, 1, segmentation=mask), annotation(3, 1)]
    for entry in entries[:2]:
        del entry["bbox"]
    boxes = Dataset.from_coco(single(tmp_path, entries))[0].bboxes
    found = [box.to_pixels(WIDTH, HEIGHT) for box in sorted(boxes or [], key=lambda box: str(box.object_id))]
    assert found[0] == pytest.approx((5, 6, 40, 30))
    assert found[1] == pytest.approx((2, 3, 4, 7))


def test_missing_fields_have_defaults(tmp_path: Path) -> None:
    bare = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    root = single(
        tmp_path / "in", [bare, bare | {"iscrowd": False}, bare | {"iscrowd": True}, bare | {"id": 0}]
    )
    Dataset.from_coco(root).to_coco(tmp_path / "out")
    found = read_back(tmp_path / "out")["annotations"]
    assert [entry["iscrowd"] for entry in found] == [0, 0, 1, 0]
    assert [entry["id"] for entry in found] == [1, 2, 3, 4]
    assert [entry["area"] for entry in found] == [12] * 4


def test_categories_of_one_name(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    # As Roboflow writes them: a placeholder first, of the same name as the class.
    categories = [
        {"id": 0, "name": "dog", "supercategory": "none"},
        {"id": 1, "name": "dog", "supercategory": "dog"},
    ]
    root = single(tmp_path / "in", [annotation(0, 1, 1), annotation(1, 1, 1)], categories=categories)
    with caplog.at_level(logging.WARNING):
        dataset = Dataset.from_coco(root)
    assert "1 categories taken for the class of the same name" in caplog.text
    assert dataset.info.task().class_names == ["dog"]
    dataset.to_coco(tmp_path / "out")
    whole = read_back(tmp_path / "out")
    assert whole["categories"] == categories
    assert [entry["category_id"] for entry in whole["annotations"]] == [1, 1]
    assert [entry["id"] for entry in whole["annotations"]] == [2, 1]


def test_categories_that_differ_between_splits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for split, name in (("train", "cat"), ("val", "dog")):
        whole = content([image(1)], [annotation(1, 1)], categories=[{"id": 1, "name": name}])
        put(tmp_path / "annotations" / f"instances_{split}.json", whole, tmp_path / split)
    with caplog.at_level(logging.WARNING):
        dataset = Dataset.from_coco(tmp_path)
    assert "1 category ids of another class in another file" in caplog.text
    assert [(sample.bboxes or [])[0].class_name for sample in dataset] == ["cat", "dog"]
    dataset.to_coco(tmp_path / "out")
    again = Dataset.from_coco(tmp_path / "out")
    assert [(sample.bboxes or [])[0].class_name for sample in again] == ["cat", "dog"]


WHOLE = json.dumps(
    content(
        [image(1)],
        [
            annotation(1, 1, segmentation=[[1.0, 2, 3, 4, 5, 6]]),
            annotation(2, 1, segmentation=RLE, iscrowd=1),
            annotation(3, 1, segmentation={"size": [HEIGHT, WIDTH], "counts": "PXo21n0"}, note="ü"),
        ],
    ),
    ensure_ascii=False,
).encode()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, len(WHOLE) - 1), byte=st.none() | st.integers(0, 255))
def test_any_damage_is_one_sentence(tmp_path: Path, cut: int, byte: int | None) -> None:
    """A file cut off anywhere, or with any byte changed, is read or refused in one sentence."""
    damaged = WHOLE[:cut] if byte is None else WHOLE[:cut] + bytes([byte]) + WHOLE[cut + 1 :]
    path = tmp_path / "instances_train.json"
    path.write_bytes(damaged)
    problem = _problem_of(path)
    assert problem is None or problem.startswith(str(tmp_path))
    assert problem is not None or byte is not None


def _problem_of(path: Path) -> str | None:
    """The sentence with which a file is refused; that it is one is asserted."""
    try:
        Dataset.from_coco(path, check_images=False)
    except SightlineError as caught:
        problem = str(caught)
    else:
        return None
    assert "\n" not in problem
    return problem


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=st.sampled_from([("images", 0), ("annotations", 1), ("categories", 0)]),
    key=st.sampled_from(
        ["id", "image_id", "category_id", "bbox", "area", "segmentation", "iscrowd", "score", "file_name",
         "height", "width", "license", "date_captured", "coco_url", "name", "object_id"],
    ),
    value=json_values,
)  # fmt: skip
def test_any_value_anywhere(tmp_path: Path, where: tuple[str, int], key: str, value: Any) -> None:
    """Any JSON value in any field is kept, mended or refused in one sentence."""
    whole = json.loads(WHOLE)
    whole[where[0]][where[1]][key] = value
    path = put(tmp_path / "instances_train.json", whole)
    if _problem_of(path) is None:
        dataset = Dataset.from_coco(path, check_images=False)
        dataset.to_coco(tmp_path / "out", how="reference", overwrite=True)
        assert len(Dataset.from_coco(tmp_path / "out", check_images=False)) == 1


def test_an_image_of_another_size_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    single(tmp_path, [annotation(1, 1)])
    for picture in (tmp_path / "train").iterdir():
        write_picture(picture, size=(HEIGHT + 2, WIDTH))
    with caplog.at_level(logging.WARNING, "sightline.data"):
        dataset = Dataset.from_coco(tmp_path)
    assert "images of another size than the annotations say" in caplog.text
    assert set(dataset.check()["problem"]) == {"image of another size"}
    caplog.clear()
    Dataset.from_coco(tmp_path, check_images=False)
    assert not caplog.text
