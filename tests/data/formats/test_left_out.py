"""What an export loses is counted, in every format that cannot hold everything."""

import logging
from pathlib import Path

import numpy as np
import pytest

from sightline.data import (
    Bbox,
    Classification,
    ClassInfo,
    Dataset,
    DatasetInfo,
    Sample,
    Segmentation,
    TaskInfo,
)
from sightline.errors import SightlineError
from tests.data.factory import HEIGHT, WIDTH, write_picture

CLASSES = ["cat", "dog"]
BOXES = "2 annotations of task 'object_detection' left out"
COLOURS = "2 annotations of task 'object_detection' written without their attributes"
BOTH = ["1 annotations of task 'kind' left out", COLOURS]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    colour = Classification(class_name="red", task_name="colour")
    box = Bbox(
        top_left_x=0.25, top_left_y=0.25, width=0.5, height=0.5, class_name="cat", classifications=[colour]
    )
    sample = Sample(
        file_path=str(write_picture(tmp_path / "a.png")),
        height=HEIGHT,
        width=WIDTH,
        split="train",
        bboxes=[box, box],
        classifications=[Classification(class_name="dog", task_name="kind")],
    )
    tasks = [
        TaskInfo.from_class_names(Bbox, CLASSES),
        TaskInfo.from_class_names(Classification, CLASSES, "kind"),
    ]
    return Dataset.from_samples([sample], DatasetInfo(dataset_name="both", tasks=tasks))


@pytest.mark.parametrize(
    ("write", "lost"),
    [
        (lambda d, to: d.to_yolo(to), BOTH),
        (lambda d, to: d.to_voc(to), BOTH),
        (lambda d, to: d.to_image_folder(to), [BOXES]),
        (lambda d, to: d.to_table(to / "a.csv", task="kind"), [BOXES]),
        (
            lambda d, to: d.to_table(to / "a.csv", task="object_detection"),
            BOTH,
        ),
        (lambda d, to: d.to_huggingface(to), [COLOURS]),
        (lambda d, to: d.drop_task("kind").filter_classes(["dog"]).to_yolo(to), []),
    ],
)  # fmt: skip
def test_is_counted(dataset: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture, write, lost) -> None:
    (tmp_path / "out").mkdir()
    with caplog.at_level(logging.WARNING, "sightline.data"):
        write(dataset, tmp_path / "out")
    said = [record.getMessage().partition(": ")[2] for record in caplog.records]
    counted = sorted(sentence for sentence in said if "annotations" in sentence)
    assert len(counted) == len(lost)
    assert all(sentence.startswith(start) for sentence, start in zip(counted, sorted(lost), strict=True))
    assert all("a.png" in sentence for sentence in counted)


def test_boxes_that_voc_keeps_as_parts_are_not_counted(
    dataset: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    part = Bbox(
        top_left_x=0.25, top_left_y=0.25, width=0.25, height=0.25, class_name="head", task_name="part"
    )
    whole = Bbox(top_left_x=0.25, top_left_y=0.25, width=0.5, height=0.5, class_name="cat", bboxes=[part])
    sample = dataset[0]
    sample.bboxes, sample.classifications = [whole], None
    heads = TaskInfo.from_class_names(Bbox, ["head"], "part")
    task = TaskInfo(primitive=Bbox, classes=[ClassInfo(name="cat", attributes=[heads])])
    parted = Dataset.from_samples([sample], DatasetInfo(dataset_name="parts", tasks=[task]))
    parted.to_voc(tmp_path / "voc")
    assert not caplog.records
    parted.to_yolo(tmp_path / "yolo")
    assert "1 annotations of task 'object_detection' written without" in caplog.text


def test_the_first_is_found_behind_samples_without_annotations(
    dataset: Dataset, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bare = [
        Sample(
            file_path=str(write_picture(tmp_path / f"{name}.png")), height=HEIGHT, width=WIDTH, bboxes=boxes
        )
        for name, boxes in (("none", None), ("empty", []))
    ]
    Dataset.from_samples([*bare, dataset[0]], dataset.info).to_yolo(tmp_path / "yolo")
    assert caplog.text.count("sample 2 (") == caplog.text.count("annotations of task") == 2


@pytest.mark.parametrize(
    ("name", "counts"),
    [("coco", True), ("yolo", True), ("table", True), ("mask_folder", True), ("voc", False)],
)
def test_images_that_are_not_annotated_are_counted_where_that_is_lost(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, counts: bool
) -> None:
    mask = Segmentation.from_mask(np.ones((HEIGHT, WIDTH), dtype=bool), class_name="cat")
    box = Bbox(top_left_x=0.25, top_left_y=0.25, width=0.5, height=0.5, class_name="cat")
    primitive = Segmentation if name == "mask_folder" else Bbox
    samples = [
        Sample(
            file_path=str(write_picture(tmp_path / f"{number}.png", number)), height=HEIGHT, width=WIDTH,
            split="test" if number == 3 else "train",
            bboxes=[box] if number == 0 and primitive is Bbox else None,
            bitmasks=[mask] if number == 0 and primitive is Segmentation else None,
        )
        for number in range(4)
    ]  # fmt: skip
    task = TaskInfo.from_class_names(primitive, CLASSES)
    dataset = Dataset.from_samples(samples, DatasetInfo(dataset_name="pets", tasks=[task]))
    path = tmp_path / ("out.csv" if name == "table" else "out")
    with caplog.at_level(logging.WARNING, "sightline.data"):
        dataset.to_format(path, name)
    # Of a split in which nothing is annotated, COCO has a file that says so.
    lost = (2 if name == "coco" else 3) if counts else 0
    said = f"{lost} images not annotated for '{task.name}' written like images with nothing on them"
    assert len(caplog.records) == counts
    assert (said in caplog.text) == counts
    assert ("1.png" in caplog.text) == counts
    again = Dataset.from_format(path, name).samples[primitive.column]
    assert again.null_count() == 3 - lost


def test_videos_and_nothing_are_no_images_for_hugging_face(dataset: Dataset) -> None:
    import polars as pl

    video = dataset.replace(samples=dataset.samples.with_columns(pl.lit("video").alias("storage_format")))
    with pytest.raises(SightlineError, match="extract the frames first"):
        video.to_huggingface()
    with pytest.raises(SightlineError, match="no samples"):
        dataset.select([]).to_huggingface()
