"""COCO in and out: what is kept, where files are looked for, what is written."""

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.data import (
    Bbox,
    Bitmask,
    Classification,
    Dataset,
    DatasetInfo,
    Polygon,
    Sample,
    Segmentation,
    TaskInfo,
)
from sightline.data.formats import FORMATS
from sightline.data.formats.registry import recognised
from sightline.errors import SightlineError
from tests.data.factory import write_picture
from tests.data.formats.coco_files import HEIGHT, WIDTH, annotation, content, image, put, read_back, single
from tests.needs import shared_data

RING = [5.0, 5.0, 25.5, 5.0, 25.5, 15.25]
OTHER_RING = [30.0, 20.0, 40.0, 20.0, 40.0, 30.0, 30.0, 30.0]


def _mask(left: int = 3) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[10:20, left : left + 9] = True
    mask[12, left + 2] = False
    return mask


def _runs(mask: np.ndarray) -> dict[str, Any]:
    """Uncompressed RLE, counted the slow way."""
    flat = mask.T.reshape(-1)
    counts, inside, length = [], False, 0
    for value in flat:
        if value != inside:
            counts.append(length)
            inside, length = bool(value), 0
        length += 1
    return {"size": list(mask.shape), "counts": [*counts, length]}


FULL = [
    annotation(7, 1, 90, segmentation=[RING], area=105.0625),
    annotation(9, 1, 1, segmentation=[RING, OTHER_RING], area=199.5),
    annotation(11, 2, 90, segmentation=_runs(_mask()), iscrowd=1, area=89),
    annotation(12, 2, 1, segmentation=[], attributes={"occluded": True}, score=0.0),
    annotation(2**40, 2, 1, note='"ü" \\ \n'),
]
IMAGES = [
    image(
        1, license=3, coco_url="http://x/1.jpg", flickr_url="http://f/1", date_captured="2013-11-14 17:02:52"
    ),
    image(2, date_captured=0, extra={"deep": [1.5, None]}),
    image(30),
]
LICENSES = [{"id": 3, "name": "By", "url": "http://by", "more": 1}, {"id": 5, "name": "None", "url": ""}]


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A folder with one of everything."""
    root = tmp_path / "pets"
    whole = content(IMAGES, FULL, licenses=LICENSES, source="hand")
    put(root / "annotations" / "instances_train2017.json", whole, root / "train2017")
    return root


def test_reads_everything(full: Path) -> None:
    dataset = Dataset.from_coco(full)
    assert dataset.info.dataset_name == "pets"
    assert dataset.info.description == "Pets"
    assert [task.primitive for task in dataset.info.tasks] == [Bbox, Polygon, Bitmask]
    assert dataset.info.task(Bbox).class_names == ["cat", "dog"]
    first, second, third = dataset
    assert first.split == "train"
    assert first.bboxes is not None
    box = first.bboxes[0]
    assert (box.class_name, box.object_id, box.meta) == ("dog", "7", None)
    assert box.to_pixels(WIDTH, HEIGHT) == pytest.approx((1.5, 2.25, 11.625, 22.3125))
    assert box.area == pytest.approx(105.0625 / (WIDTH * HEIGHT))
    assert first.polygons is not None
    assert [polygon.object_id for polygon in first.polygons] == ["7", "9", "9"]
    second_ring = first.polygons[2].to_pixels(WIDTH, HEIGHT)
    assert np.ravel(second_ring).tolist() == pytest.approx(OTHER_RING)
    assert first.attribution is not None
    assert first.attribution.licenses is not None
    assert first.attribution.licenses[0].name == "By"
    assert first.attribution.date_captured == "2013-11-14 17:02:52"
    assert second.bitmasks is not None
    assert second.bitmasks[0].meta == {"iscrowd": 1}
    assert (second.bitmasks[0].to_mask(HEIGHT, WIDTH) == _mask()).all()
    assert (second.bitmasks[0].left, second.bitmasks[0].width) == (3, 9)
    assert second.bboxes is not None
    assert [box.confidence for box in second.bboxes] == [None, 0.0, None]
    assert second.bboxes[1].meta == {"attributes": {"occluded": True}}
    assert third.bboxes == []
    assert third.polygons == []


def test_comes_back_with_ids_and_everything_else(full: Path, tmp_path: Path) -> None:
    Dataset.from_coco(full).to_coco(tmp_path / "out")
    before = json.loads((full / "annotations" / "instances_train2017.json").read_text())
    after = read_back(tmp_path / "out")
    # A mask may be compressed, and an empty segmentation left out; all else is the same.
    crowd = after["annotations"][2].pop("segmentation")
    assert isinstance(crowd["counts"], str)
    before["annotations"][2].pop("segmentation")
    before["annotations"][3].pop("segmentation")
    assert after == before
    again = Dataset.from_coco(tmp_path / "out", name="pets")
    assert again.samples.drop("file_path").equals(Dataset.from_coco(full).samples.drop("file_path"))


def test_every_value_survives_twice(full: Path, tmp_path: Path) -> None:
    Dataset.from_coco(full).to_coco(tmp_path / "once")
    Dataset.from_coco(tmp_path / "once", name="pets").to_coco(tmp_path / "twice")
    once, twice = (tmp_path / name / "annotations/instances_train.json" for name in ("once", "twice"))
    assert once.read_bytes() == twice.read_bytes()


def test_through_a_sightline_folder(full: Path, tmp_path: Path) -> None:
    stored = Dataset.from_coco(full).write(tmp_path / "stored")
    Dataset.from_path(tmp_path / "stored").to_coco(tmp_path / "out")
    assert [entry["file_name"] for entry in read_back(tmp_path / "out")["images"]] == [
        "1.jpg",
        "2.jpg",
        "30.jpg",
    ]
    assert len(stored) == 3


lengths = st.floats(0.001, 30, allow_subnormal=False)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    boxes=st.lists(st.tuples(lengths, lengths, lengths, lengths), max_size=4),
    rings=st.lists(st.lists(st.tuples(lengths, lengths), min_size=3, max_size=5), min_size=1, max_size=3),
    texts=st.lists(st.text(st.characters(codec="utf-8"), max_size=5), min_size=1, max_size=2),
)
def test_round_trip_of_any_geometry(
    tmp_path: Path,
    boxes: list[tuple[float, ...]],
    rings: list[list[tuple[float, float]]],
    texts: list[str],
) -> None:
    segmentation = [[value for point in ring for value in point] for ring in rings]
    entries = [annotation(n + 1, 1, bbox=list(box), note=texts) for n, box in enumerate(boxes)]
    entries.append(annotation(50, 1, segmentation=segmentation, **{f"k{texts[0]}": 1}))
    root = single(tmp_path / "in", entries)
    Dataset.from_coco(root).to_coco(tmp_path / "out", overwrite=True, how="reference")
    found = read_back(tmp_path / "out")["annotations"]
    assert len(found) == len(entries)
    for before, after in zip(entries, found, strict=True):
        assert after.pop("bbox") == pytest.approx(before.pop("bbox"), abs=1e-9)
        for ring, other in zip(after.pop("segmentation", []), before.pop("segmentation", []), strict=True):
            assert ring == pytest.approx(other, abs=1e-9)
        assert after == before


class TestPlaces:
    """The layouts that are read."""

    def test_coco_2017(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        for split, number in (("train2017", 1), ("val2017", 2)):
            whole = content([image(number)], [annotation(number, number)])
            put(tmp_path / "annotations" / f"instances_{split}.json", whole, tmp_path / split)
            put(tmp_path / "annotations" / f"person_keypoints_{split}.json", whole)
            put(tmp_path / "annotations" / f"captions_{split}.json", whole)
        with caplog.at_level(logging.WARNING):
            dataset = Dataset.from_coco(tmp_path)
        assert dataset.samples["split"].to_list() == ["train", "validation"]
        assert [record.message.count("4 JSON files ignored") for record in caplog.records] == [1]

    @pytest.mark.parametrize(
        ("file", "folder", "split"),
        [
            ("annotations/instances_val2017.json", "val2017", "validation"),
            ("annotations/instances_train.json", "images/train", "train"),
            ("annotations/instances_train2017.json", "images", "train"),
            ("annotations/test.json", "images/test", "test"),
            ("annotations/everything.json", "images", "UNDEFINED"),
            ("valid/_annotations.coco.json", "valid", "validation"),
            ("_annotations.coco.json", ".", "UNDEFINED"),
            ("labels.json", "data", "UNDEFINED"),
            ("test/labels.json", "test/data", "test"),
        ],
    )
    def test_layouts(self, tmp_path: Path, file: str, folder: str, split: str) -> None:
        root = tmp_path / "root"
        path = put(root / file, content([image(1)], [annotation(1, 1)]), root / folder)
        for place in (root, path):
            dataset = Dataset.from_coco(place)
            assert dataset[0].split == split
            assert Path(str(dataset[0].file_path)).samefile(root / folder / "1.jpg")

    def test_images_elsewhere(self, tmp_path: Path) -> None:
        path = put(tmp_path / "here" / "a.json", content([image(1)], [annotation(1, 1)]), tmp_path / "there")
        with pytest.raises(SightlineError, match=r"1 of 1 images are missing.*1\.jpg"):
            Dataset.from_coco(path)
        assert len(Dataset.from_coco(path, check_images=False)) == 1
        dataset = Dataset.from_coco(
            path, images=tmp_path / "there", split="test", name="pets", version="2.0.0"
        )
        assert (dataset[0].split, dataset.info.dataset_name, dataset.info.version) == (
            "test",
            "pets",
            "2.0.0",
        )

    def test_sizes_of_headers(self, tmp_path: Path) -> None:
        unsized = {"id": 1, "file_name": "1.png"}
        root = tmp_path / "pets"
        put(root / "annotations" / "instances_train.json", content([unsized], [annotation(1, 1)]))
        write_picture(root / "train" / "1.png", size=(HEIGHT, WIDTH))
        assert (Dataset.from_coco(root)[0].height, Dataset.from_coco(root)[0].width) == (HEIGHT, WIDTH)

    def test_without_annotations_is_not_annotated(self, tmp_path: Path) -> None:
        put(tmp_path / "annotations" / "instances_train.json", content([image(1)], []), tmp_path / "train")
        put(tmp_path / "annotations" / "instances_test.json", content([image(1)], None), tmp_path / "test")
        dataset = Dataset.from_coco(tmp_path)
        assert [sample.bboxes for sample in dataset] == [[], None]
        dataset.to_coco(tmp_path / "out")
        assert "annotations" not in read_back(tmp_path / "out", "test")
        assert read_back(tmp_path / "out")["annotations"] == []

    def test_recognised(self, tmp_path: Path) -> None:
        root = single(tmp_path / "x", [annotation(1, 1)])
        assert recognised(root, FORMATS).name == "coco"
        assert recognised(root / "annotations" / "instances_train.json", FORMATS).name == "coco"
        (tmp_path / "empty").mkdir()
        assert not FORMATS["coco"].recognises(tmp_path / "empty")
        assert not FORMATS["coco"].recognises(tmp_path / "IR_label.json")
        with pytest.raises(SightlineError, match="holds no COCO files"):
            Dataset.from_coco(tmp_path / "empty")
        with pytest.raises(SightlineError, match="no such file"):
            Dataset.from_coco(tmp_path / "nowhere")


def _sample(path: Path, **fields: Any) -> Sample:
    return Sample(file_path=str(path), height=HEIGHT, width=WIDTH, split="train", **fields)


def _dataset(samples: list[Sample], *tasks: TaskInfo) -> Dataset:
    return Dataset.from_samples(samples, DatasetInfo(dataset_name="made", tasks=list(tasks)))


BOXES = TaskInfo.from_class_names(Bbox, ["cat", "dog"])
MASKS = TaskInfo.from_class_names(Bitmask, ["cat", "dog"])


def _box(**fields: Any) -> Bbox:
    """A "dog" of 30 x 20 pixels at 6, 4."""
    box = Bbox(top_left_x=0.1, top_left_y=0.1, width=0.5, height=0.5, class_name="dog")
    return replace(box, **fields)


class TestWriting:
    """What a dataset of our own becomes."""

    def test_boxes_of_our_own(self, tmp_path: Path) -> None:
        picture = write_picture(tmp_path / "in" / "a.png", size=(HEIGHT, WIDTH))
        size = {"image_width": WIDTH, "image_height": HEIGHT}
        box = Bbox.from_pixels(left=1.5, top=2, width=3.25, height=4, **size, class_name="dog")
        _dataset([_sample(picture, bboxes=[box, box])], BOXES).to_coco(tmp_path / "out")
        whole = read_back(tmp_path / "out")
        assert whole["categories"] == [
            {"id": 1, "name": "cat", "supercategory": ""}, {"id": 2, "name": "dog", "supercategory": ""},
        ]  # fmt: skip
        assert whole["images"] == [{"id": 1, "file_name": "a.png", "height": HEIGHT, "width": WIDTH}]
        # Not cut to whole numbers, and no annotation is number 0.
        assert whole["annotations"] == [
            {
                "id": number,
                "image_id": 1,
                "category_id": 2,
                "bbox": [1.5, 2, 3.25, 4],
                "area": 13,
                "iscrowd": 0,
            }
            for number in (1, 2)
        ]
        assert (tmp_path / "out" / "train" / "a.png").read_bytes() == picture.read_bytes()

    def test_boxes_alone_can_be_read_back(self, tmp_path: Path) -> None:
        picture = write_picture(tmp_path / "in" / "a.png", size=(HEIGHT, WIDTH))
        dataset = _dataset([_sample(picture, bboxes=[_box(confidence=0.0, object_id="track-1")])], BOXES)
        dataset.to_coco(tmp_path / "out")
        sample = Dataset.from_coco(tmp_path / "out")[0]
        assert sample.bboxes is not None
        assert (sample.bboxes[0].confidence, sample.bboxes[0].object_id) == (0.0, "track-1")
        assert sample.bboxes[0].top_left_x == pytest.approx(0.1)

    def test_same_name_in_two_folders(self, tmp_path: Path) -> None:
        pictures = [
            write_picture(tmp_path / side / "1.png", n, (HEIGHT, WIDTH)) for n, side in enumerate("lr")
        ]
        _dataset([_sample(picture, bboxes=[_box()]) for picture in pictures], BOXES).to_coco(tmp_path / "out")
        dataset = Dataset.from_coco(tmp_path / "out")
        assert dataset.samples["file_path"].n_unique() == 2
        for sample, picture in zip(dataset, pictures, strict=True):
            assert Path(str(sample.file_path)).read_bytes() == picture.read_bytes()

    def test_same_name_in_two_folders_is_read(self, tmp_path: Path) -> None:
        images = [image(1, file_name="left/1.jpg"), image(2, file_name="right/1.jpg")]
        put(tmp_path / "in" / "labels.json", content(images, [annotation(1, 2)]), tmp_path / "in" / "data")
        dataset = Dataset.from_coco(tmp_path / "in")
        assert dataset.samples["file_path"].n_unique() == 2
        dataset.to_coco(tmp_path / "out")
        assert [i["file_name"] for i in read_back(tmp_path / "out", "undefined")["images"]] == [
            "left/1.jpg", "right/1.jpg",
        ]  # fmt: skip

    @pytest.mark.parametrize("layout", ["coco", "roboflow", "fiftyone"])
    def test_layouts(self, full: Path, tmp_path: Path, layout: Any) -> None:
        dataset = Dataset.from_coco(full, name="out")
        splits = pl.Series(["train", "validation", "UNDEFINED"])
        dataset = dataset.replace(samples=dataset.samples.with_columns(split=splits))
        dataset.to_coco(tmp_path / "out", layout=layout)
        again = Dataset.from_coco(tmp_path / "out")
        assert again.samples.drop("file_path").equals(dataset.samples.drop("file_path"))

    def test_box_and_mask_of_one_object(self, tmp_path: Path) -> None:
        picture = write_picture(tmp_path / "a.png", size=(HEIGHT, WIDTH))
        mask = Bitmask.from_mask(_mask(), class_name="dog", object_id="4")
        boxes = [_box(object_id="4"), _box(object_id="5")]
        dataset = _dataset([_sample(picture, bboxes=boxes, bitmasks=[mask])], BOXES, MASKS)
        dataset.to_coco(tmp_path / "both")
        both = read_back(tmp_path / "both")["annotations"]
        assert [entry["id"] for entry in both] == [4, 5]
        assert both[0]["bbox"] == [6, 4, 30, 20]
        assert both[0]["area"] == _mask().sum()
        assert ["segmentation" in entry for entry in both] == [True, False]
        dataset.to_coco(tmp_path / "mask", task="mask_detection")
        (alone,) = read_back(tmp_path / "mask")["annotations"]
        assert alone["bbox"] == [3, 10, 9, 10]

    def test_tasks_without_common_objects(self, tmp_path: Path) -> None:
        picture = write_picture(tmp_path / "a.png", size=(HEIGHT, WIDTH))
        mask = Bitmask.from_mask(_mask(), class_name="dog")
        dataset = _dataset([_sample(picture, bboxes=[_box()], bitmasks=[mask])], BOXES, MASKS)
        with pytest.raises(SightlineError, match=r"share no object_id.*name the tasks"):
            dataset.to_coco(tmp_path / "out")
        dataset.to_coco(tmp_path / "out", task=["object_detection", "mask_detection"])
        assert len(read_back(tmp_path / "out")["annotations"]) == 2

    def test_segmentation(self, tmp_path: Path) -> None:
        picture = write_picture(tmp_path / "a.png", size=(HEIGHT, WIDTH))
        land = [Segmentation.from_mask(_mask(left), class_name=name) for left, name in ((3, "a"), (30, "b"))]
        task = TaskInfo.from_class_names(Segmentation, ["a", "b"])
        _dataset([_sample(picture, bitmasks=land)], task).to_coco(tmp_path / "out")
        sample = Dataset.from_coco(tmp_path / "out")[0]
        assert sample.bitmasks is not None
        assert [mask.class_name for mask in sample.bitmasks] == ["a", "b"]
        assert (sample.bitmasks[1].to_mask(HEIGHT, WIDTH) == _mask(30)).all()

    def test_polygon_and_mask_of_one_object(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        picture = write_picture(tmp_path / "a.png", size=(HEIGHT, WIDTH))
        mask = Bitmask.from_mask(_mask(), class_name="dog", object_id="4")
        outline = Polygon.from_pixels([(1, 2), (9, 2), (9, 8)], image_width=WIDTH, image_height=HEIGHT)
        outline = replace(outline, class_name="dog", object_id="4")
        outlines = TaskInfo.from_class_names(Polygon, ["cat", "dog"])
        dataset = _dataset([_sample(picture, bitmasks=[mask], polygons=[outline])], MASKS, outlines)
        with caplog.at_level(logging.WARNING):
            dataset.to_coco(tmp_path / "out")
        assert "1 polygons left out, as their object has a mask too" in caplog.text
        (entry,) = read_back(tmp_path / "out")["annotations"]
        assert entry["segmentation"]["size"] == [HEIGHT, WIDTH]
        caplog.clear()
        dataset.to_coco(tmp_path / "outline", task="polygon_detection")
        assert not caplog.records
        (entry,) = read_back(tmp_path / "outline")["annotations"]
        assert entry["segmentation"] == [[1, 2, 9, 2, 9, 8]]
        assert (entry["bbox"], entry["area"]) == ([1, 2, 8, 6], 24)

    def test_attributes_and_other_tasks(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        picture = write_picture(tmp_path / "a.png", size=(HEIGHT, WIDTH))
        red = Classification(class_name="red", task_name="colour")
        whole = Classification(class_name="day")
        sample = _sample(picture, bboxes=[_box(classifications=[red]), _box()], classifications=[whole])
        weather = TaskInfo.from_class_names(Classification, ["day"])
        with caplog.at_level(logging.WARNING):
            _dataset([sample], BOXES, weather).to_coco(tmp_path / "out")
        assert "1 annotations of task 'object_detection' written without their attributes" in caplog.text
        assert "1 annotations of task 'image_classification' left out" in caplog.text

    def test_what_has_no_place(self, tmp_path: Path) -> None:
        picture = write_picture(tmp_path / "a.png", size=(HEIGHT, WIDTH))
        other = TaskInfo.from_class_names(Bbox, ["cat", "dog"], "predictions")
        with pytest.raises(SightlineError, match=r"'object_detection', 'predictions' are of the same kind"):
            _dataset([_sample(picture, bboxes=[_box()])], BOXES, other).to_coco(tmp_path / "out")
        with pytest.raises(SightlineError, match="has no task of boxes"):
            _dataset([_sample(picture)]).to_coco(tmp_path / "out")
        free = TaskInfo(primitive=Bbox)
        with pytest.raises(SightlineError, match="has no class_name"):
            _dataset([_sample(picture, bboxes=[_box(class_name=None)])], free).to_coco(tmp_path / "out")
        assert not (tmp_path / "out").exists()

    def test_how(self, full: Path, tmp_path: Path) -> None:
        dataset = Dataset.from_coco(full)
        dataset.to_coco(tmp_path / "symlink", how="symlink")
        assert (tmp_path / "symlink" / "train" / "1.jpg").is_symlink()
        dataset.to_coco(tmp_path / "reference", how="reference")
        assert not (tmp_path / "reference" / "train").exists()
        assert (
            Dataset.from_coco(tmp_path / "reference")
            .samples["file_path"]
            .equals(dataset.samples["file_path"])
        )
        with pytest.raises(SightlineError, match="how='move' is not one of"):
            dataset.to_coco(tmp_path / "x", how="move")  # pyright: ignore[reportArgumentType]
        with pytest.raises(SightlineError, match="layout='x' is not one of"):
            dataset.to_coco(tmp_path / "x", layout="x")  # pyright: ignore[reportArgumentType]

    def test_overwrite(self, full: Path, tmp_path: Path) -> None:
        dataset = Dataset.from_coco(full)
        dataset.to_coco(tmp_path / "out", layout="roboflow")
        with pytest.raises(SightlineError, match="exists already"):
            dataset.to_coco(tmp_path / "out")
        dataset.to_coco(tmp_path / "out", overwrite=True)
        assert not (tmp_path / "out" / "train" / "_annotations.coco.json").exists()
        (tmp_path / "mine").mkdir()
        (tmp_path / "mine" / "thesis.txt").touch()
        with pytest.raises(SightlineError, match="so it is not overwritten"):
            dataset.to_coco(tmp_path / "mine", overwrite=True)
        read = Dataset.from_coco(tmp_path / "out")
        with pytest.raises(SightlineError, match="holds the images"):
            read.to_coco(tmp_path / "out", overwrite=True, how="symlink")
        read.to_coco(tmp_path / "out", overwrite=True)
        assert Dataset.from_coco(tmp_path / "out").samples.equals(read.samples)


def test_hafnia_masks_pixel_by_pixel(tmp_path: Path) -> None:
    dataset = Dataset.from_path(shared_data("hafnia-format") / "micro-coco-2017")
    dataset.to_coco(tmp_path / "out")
    again = {sample.meta["id"]: sample for sample in Dataset.from_coco(tmp_path / "out") if sample.meta}
    masks = 0
    for sample in dataset:
        assert sample.meta is not None
        other = again[sample.meta["id"]]
        for one, two in zip(sample.bitmasks or [], other.bitmasks or [], strict=True):
            size = (sample.height, sample.width)
            assert (one.to_mask(*size) == two.to_mask(*size)).all()
            assert (one.class_name, one.object_id) == (two.class_name, two.object_id)
            masks += 1
        for one, two in zip(sample.bboxes or [], other.bboxes or [], strict=True):
            assert one.to_pixels(1, 1) == pytest.approx(two.to_pixels(1, 1), abs=1e-8)
        with Image.open(str(other.file_path)) as picture:
            assert (picture.height, picture.width) == (sample.height, sample.width)
    assert masks > 10


def test_more_masks_than_fit_into_a_byte(tmp_path: Path) -> None:
    masks = []
    for number in range(300):
        mask = np.zeros((20, 30), dtype=bool)
        mask[number % 20, : 1 + number // 20] = True
        masks.append(Bitmask.from_mask(mask, class_name="dot"))
    picture = write_picture(tmp_path / "a.png", size=(20, 30))
    sample = Sample(file_path=str(picture), height=20, width=30, split="train", bitmasks=masks)
    task = TaskInfo.from_class_names(Bitmask, ["dot"])
    Dataset.from_samples([sample], DatasetInfo(dataset_name="dots", tasks=[task])).to_coco(tmp_path / "coco")
    back = Dataset.from_coco(tmp_path / "coco")[0].bitmasks or []
    assert [mask.rle_string for mask in back] == [mask.rle_string for mask in masks]
    assert [mask.area for mask in back] == pytest.approx([mask.area for mask in masks])
