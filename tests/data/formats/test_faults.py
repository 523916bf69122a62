"""The same fault meets the same strictness in every format.

============================  ==================================================================
what is wrong                 what happens
============================  ==================================================================
a number that is none         refused, with the file and the item
a negative size               refused; of two corners in the wrong order: put right and counted
far outside of its image      refused
a class that there is not     refused
an image that is missing      refused
a box of no size              left out and counted
over the edge of its image    kept and counted
============================  ==================================================================
"""

import json
import logging
import re
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from sightline.data import Bbox, Classification, Dataset, DatasetInfo, Sample, Segmentation, TaskInfo
from sightline.errors import SightlineError
from tests.data.factory import HEIGHT, WIDTH, write_picture
from tests.needs import needs

Box = tuple[float, float, float, float]
NAN, INF = float("nan"), float("inf")
GOOD: Box = (2, 3, 4, 6)


def _pictures(folder: Path, count: int = 1) -> list[str]:
    return [str(write_picture(folder / f"{number}.png", number)) for number in range(count)]


def _coco(folder: Path, boxes: list[Box], number: int = 0) -> Dataset:
    _pictures(folder / "train")
    annotations = [
        {"id": at, "image_id": 0, "category_id": n, "bbox": box}
        for at, (n, box) in enumerate(zip([0, number], boxes, strict=False))
    ]
    image = {"id": 0, "file_name": "0.png", "height": HEIGHT, "width": WIDTH}
    categories = [{"id": n, "name": name} for n, name in enumerate(("cat", "dog"))]
    content = {"images": [image], "categories": categories, "annotations": annotations}
    (folder / "annotations").mkdir()
    (folder / "annotations" / "instances_train.json").write_text(json.dumps(content))
    return _without_images(folder, Dataset.from_coco, folder)


def _yolo(folder: Path, boxes: list[Box], number: int = 0) -> Dataset:
    _pictures(folder / "images" / "train")
    scale = (WIDTH, HEIGHT, WIDTH, HEIGHT)
    lines = []
    for n, (x, y, w, h) in zip([0, number], boxes, strict=False):
        centred = (x + w / 2, y + h / 2, w, h)
        lines.append(" ".join(map(str, (n, *(value / by for value, by in zip(centred, scale, strict=True))))))
    (folder / "labels" / "train").mkdir(parents=True)
    (folder / "labels" / "train" / "0.txt").write_text("\n".join(lines))
    (folder / "list.txt").write_text("images/train/0.png\n")
    (folder / "data.yaml").write_text(yaml.safe_dump({"train": "list.txt", "names": ["cat", "dog"]}))
    return _without_images(folder, Dataset.from_yolo, folder)


def _voc(folder: Path, boxes: list[Box]) -> Dataset:
    _pictures(folder / "JPEGImages")
    objects = "".join(
        f"<object><name>cat</name><bndbox><xmin>{x}</xmin><ymin>{y}</ymin><xmax>{x + w}</xmax>"
        f"<ymax>{y + h}</ymax></bndbox></object>"
        for x, y, w, h in boxes
    )
    size = f"<size><width>{WIDTH}</width><height>{HEIGHT}</height></size>"
    (folder / "Annotations").mkdir()
    (folder / "Annotations" / "0.xml").write_text(
        f"<annotation><filename>0.png</filename>{size}{objects}</annotation>"
    )
    return _without_images(folder, Dataset.from_voc, folder)


def _table(folder: Path, boxes: list[Box], number: int = 0) -> Dataset:
    _pictures(folder)
    rows = [f"0.png,{n},{x},{y},{w},{h}" for n, (x, y, w, h) in zip([0, number], boxes, strict=False)]
    (folder / "t.csv").write_text("\n".join(["file,class_id,x,y,w,h", *rows, ""]))
    return _without_images(
        folder, Dataset.from_table, folder / "t.csv", classes=["cat", "dog"], units="pixels"
    )


def _table_of_corners(folder: Path, boxes: list[Box]) -> Dataset:
    _pictures(folder)
    rows = [f"0.png,cat,{x},{y},{x + w},{y + h}" for x, y, w, h in boxes]
    (folder / "t.csv").write_text("\n".join(["file,class,xmin,ymin,xmax,ymax", *rows, ""]))
    return Dataset.from_table(folder / "t.csv", units="pixels")


def _huggingface(folder: Path, boxes: list[Box], number: int = 0) -> Dataset:
    needs("the extra huggingface", find_spec("datasets") is not None)
    datasets: Any = import_module("datasets")
    objects = {"bbox": [list(box) for box in boxes], "category": [0, number][: len(boxes)]}
    numbers, names = datasets.List(datasets.Value("float64")), datasets.ClassLabel(names=["cat", "dog"])
    feature = {"bbox": datasets.List(numbers), "category": datasets.List(names)}
    source = datasets.Dataset.from_dict(
        {"image": _pictures(folder), "objects": [objects]},
        features=datasets.Features({"image": datasets.Image(), "objects": feature}),
        split="train",
    )
    return _without_images(folder, Dataset.from_huggingface, source, name="pets")


def _tracked_objects(folder: Path, boxes: list[Box]) -> Dataset:
    _pictures(folder / "film", len(boxes))
    label = {"exist": [1] * len(boxes), "gt_rect": boxes}
    (folder / "film" / "label.json").write_text(json.dumps(label))
    return Dataset.from_tracked_objects(folder)


class _Items:
    """A dataset as torchvision's detection models take it."""

    def __init__(self, boxes: list[Box]) -> None:
        self.corners = [[x, y, x + w, y + h] for x, y, w, h in boxes]

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> tuple[np.ndarray, dict[str, Any]]:
        labels = [0] * len(self.corners)
        return np.zeros((HEIGHT, WIDTH, 3), np.uint8), {"boxes": self.corners, "labels": labels}


def _torchvision(folder: Path, boxes: list[Box]) -> Dataset:
    return Dataset.from_torchvision(_Items(boxes), folder=folder)


def _without_images(folder: Path, read: Callable[..., Dataset], *arguments: Any, **options: Any) -> Dataset:
    """Read what was made in ``folder``, without its images where it is called "missing"."""
    for picture in folder.rglob("*.png") if folder.name == "missing" else ():
        picture.unlink()
    return read(*arguments, **options)


Format = tuple[Callable[..., Dataset], str, str]
"""Makes a dataset of boxes (left, top, width, height), and the file and the item of the second box."""

OF_SIZES: dict[str, Format] = {
    "coco": (_coco, "instances_train.json", "annotations[1]"),
    "yolo": (_yolo, "labels/train/0.txt", "line 2"),
    "table": (_table, "t.csv", "row 2"),
    "huggingface": (_huggingface, "pets", "split 'train', row 0"),
    "tracked_objects": (_tracked_objects, "film", "1.png"),
}
OF_CORNERS: dict[str, Format] = {
    "voc": (_voc, "Annotations/0.xml", "a cat"),
    "table of corners": (_table_of_corners, "t.csv", "row 2"),
    "torchvision": (_torchvision, "_Items", "item 0"),
}
FORMATS = OF_SIZES | OF_CORNERS


def _refused(folder: Path, name: str, problem: str, *arguments: Any) -> None:
    make, file, item = FORMATS[name]
    with pytest.raises(SightlineError, match=rf"{re.escape(file)}.*{re.escape(item)}.*({problem})") as caught:
        make(folder, *arguments)
    assert "\n" not in str(caught.value)


def _boxes(dataset: Dataset) -> list[tuple[float, ...]]:
    return [
        tuple(round(number, 6) for number in (x, y, right - x, bottom - y))
        for sample in dataset
        for x, y, right, bottom in (box.to_pixels(WIDTH, HEIGHT) for box in sample.bboxes or ())
    ]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("box", "problem"),
    [
        ((2, 3, NAN, 4), "number that is missing or not finite|holds a NaN"),
        ((NAN, 3, 4, 4), "number that is missing or not finite|holds a NaN"),
        ((2, 3, INF, 4), "number that is missing or not finite|infinite"),
        ((2, 3, 4000, 4), "far outside its image"),
        ((-4000, 3, 4, 4), "far outside its image"),
    ],
)
def test_what_cannot_be_a_box_is_refused(tmp_path: Path, name: str, box: Box, problem: str) -> None:
    _refused(tmp_path, name, problem, [GOOD, box])


@pytest.mark.parametrize("name", OF_SIZES)
def test_a_negative_size_is_refused(tmp_path: Path, name: str) -> None:
    _refused(tmp_path, name, "has a negative size; correct it", [GOOD, (8, 3, -4, 4)])


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("box", "said", "kept"),
    [
        (GOOD, None, GOOD),
        ((2, 3, 0, 4), "boxes of no size left out", None),
        ((10, 3, 10, 4), "boxes that reach over the edge of their image kept", (10, 3, 10, 4)),
        ((-5, 3, 4, 4), "boxes that reach over the edge of their image kept", (-5, 3, 4, 4)),
    ],
)
def test_what_can_be_a_box_is_kept_or_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, box: Box, said: str | None, kept: Box | None
) -> None:
    make, file, item = FORMATS[name]
    other = (1, 2, 3, 5)  # (a table that says the same twice says it once)
    with caplog.at_level(logging.WARNING, "sightline.data"):
        dataset = make(tmp_path, [other, box])
    assert _boxes(dataset) == [other, *([kept] if kept else [])]
    assert len(caplog.records) == (said is not None)
    if said:
        assert f": 1 {said}; the first is" in caplog.text
        assert file in caplog.text
        assert item in caplog.text
    outside = said is not None and "edge" in said
    assert ("box outside the image" in set(dataset.check()["problem"])) == outside


@pytest.mark.parametrize("name", OF_CORNERS)
def test_swapped_corners_are_put_right(tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str) -> None:
    with caplog.at_level(logging.WARNING, "sightline.data"):
        dataset = OF_CORNERS[name][0](tmp_path, [GOOD, (8, 3, -4, 4)])
    assert _boxes(dataset) == [GOOD, (4, 3, 4, 4)]
    assert len(caplog.records) == 1
    assert ": 1 boxes with swapped corners put right; the first is" in caplog.text


@pytest.mark.parametrize("name", ["coco", "yolo", "table", "huggingface"])
def test_a_class_that_there_is_not_is_refused(tmp_path: Path, name: str) -> None:
    number = -1 if name == "huggingface" else 7  # (the library itself holds no others)
    _refused(tmp_path, name, str(number), [GOOD, (1, 2, 3, 5)], number)


@pytest.mark.parametrize("name", ["coco", "yolo", "voc", "table", "huggingface"])
def test_an_image_that_is_missing_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "missing").mkdir()
    with pytest.raises(SightlineError, match=r"0\.png"):
        FORMATS[name][0](tmp_path / "missing", [GOOD])


NOTHING = {
    "sightline": Bbox,
    "coco": Bbox,
    "table": Bbox,
    "yolo": Bbox,
    "voc": Bbox,
    "image_folder": Classification,
    "mask_folder": Segmentation,
    "tracked_objects": Bbox,
    "videos": Bbox,
    "huggingface": Classification,
}


@pytest.mark.parametrize(
    ("name", "primitive"),
    [
        ("coco", Bbox),
        ("coco", Segmentation),
        ("yolo", Bbox),
        ("voc", Segmentation),
        ("image_folder", Classification),
        ("mask_folder", Segmentation),
        ("huggingface", Bbox),
        ("huggingface", Classification),
        ("huggingface", Segmentation),
    ],
)
def test_a_class_that_its_task_does_not_have_is_not_written(
    tmp_path: Path, name: str, primitive: type[Any]
) -> None:
    needs("the extra huggingface", name != "huggingface" or find_spec("datasets") is not None)
    dataset = _of_one(tmp_path, primitive, "cat")
    column = primitive.column
    renamed = pl.element().struct.with_fields(class_name=pl.lit("cow"))  # a cow with the number of a cat
    dataset = dataset.replace(samples=dataset.samples.with_columns(pl.col(column).list.eval(renamed)))
    path = tmp_path / "out"
    options = {"masks": dataset.info.tasks[0].name} if name == "voc" else {}
    with pytest.raises(SightlineError, match=r"0\.png: an annotation of task .* is of class 'cow', which"):
        dataset.to_format(path, name, **options)
    assert not path.exists()


@pytest.mark.parametrize("name", ["yolo", "huggingface"])
def test_classes_are_written_by_their_names(tmp_path: Path, name: str) -> None:
    needs("the extra huggingface", name != "huggingface" or find_spec("datasets") is not None)
    dataset = _of_one(tmp_path, Bbox, "cat")
    renumbered = pl.element().struct.with_fields(class_idx=pl.lit(1, pl.Int64))  # the number of a dog
    dataset = dataset.replace(samples=dataset.samples.with_columns(pl.col("bboxes").list.eval(renumbered)))
    dataset.to_format(tmp_path / "out", name)
    options = {"folder": tmp_path} if name == "huggingface" else {}
    again = Dataset.from_format(tmp_path / "out", name, **options)
    assert [box.class_name for box in again[0].bboxes or ()] == ["cat"]


def test_annotations_of_no_task_are_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dataset = _of_one(tmp_path, Bbox, "cat")
    strayed = pl.concat_list(
        "bboxes", pl.col("bboxes").list.eval(pl.element().struct.with_fields(task_name=pl.lit("?")))
    )
    dataset = dataset.replace(samples=dataset.samples.with_columns(bboxes=strayed))
    for name in ("coco", "yolo", "voc", "table"):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "sightline.data"):
            dataset.to_format(tmp_path / ("out.csv" if name == "table" else name), name)
        assert "1 annotations of task '?' left out" in caplog.text


def _of_one(folder: Path, primitive: type[Any], class_name: str) -> Dataset:
    """A dataset of one image with one annotation."""
    if primitive is Classification:
        annotation = Classification(class_name=class_name)
    elif primitive is Bbox:
        annotation = Bbox(top_left_x=0.25, top_left_y=0.25, width=0.5, height=0.5, class_name=class_name)
    else:
        annotation = Segmentation.from_mask(np.eye(HEIGHT, WIDTH, dtype=bool), class_name=class_name)
    (path,) = _pictures(folder)
    column: dict[str, Any] = {primitive.column: [annotation]}
    sample = Sample(file_path=path, height=HEIGHT, width=WIDTH, split="train", **column)
    task = TaskInfo.from_class_names(primitive, ["cat", "dog"])
    return Dataset.from_samples([sample], DatasetInfo(dataset_name="one", tasks=[task]))


@pytest.mark.parametrize("name", NOTHING)
def test_an_empty_dataset_comes_back_or_is_refused(tmp_path: Path, name: str) -> None:
    needs("the extra huggingface", name != "huggingface" or find_spec("datasets") is not None)
    task = TaskInfo.from_class_names(NOTHING[name], ["cat", "dog"])
    dataset = Dataset.from_samples([], DatasetInfo(dataset_name="nothing", tasks=[task]))
    path = tmp_path / ("out.parquet" if name == "table" else "out")
    if name in ("sightline", "coco", "table"):
        dataset.to_format(path, name)
        again = Dataset.from_format(path, name)
        assert (len(again), again.info.tasks) == (0, [task])
    else:
        with pytest.raises(SightlineError, match="out: the dataset has no samples"):
            dataset.to_format(path, name)
        assert not path.exists()
