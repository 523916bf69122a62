import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from rich.console import Console

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
from sightline.data.annotation_tables import annotation_table, with_annotations
from sightline.data.look.counting import (
    annotation_fields,
    class_counts,
    object_sizes,
    pixel_shares,
    shown_classes,
)
from sightline.data.primitives import Point


def _dataset(samples: list[Sample], *tasks: TaskInfo) -> Dataset:
    return Dataset.from_samples(samples, DatasetInfo(dataset_name="stats", tasks=list(tasks)))


def _sample(split: str = "train", **lists: list | None) -> Sample:
    return Sample(file_path="a.png", height=100, width=200, split=split, **lists)  # pyright: ignore[reportArgumentType]


def _lines(dataset: Dataset) -> list[list[str]]:
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=120, file=nowhere)
        dataset.print_stats(console)
    return [line.replace("│", " ").split() for line in console.export_text().splitlines()]


def _box(name: str, width: float = 0.1, height: float = 0.4) -> Bbox:
    return Bbox(top_left_x=0.2, top_left_y=0.1, width=width, height=height, class_name=name)


def test_tables_of_everything() -> None:
    dataset = _dataset(
        [
            _sample(bboxes=[_box("a"), _box("[b]"), _box("a", 0.2, 0.1)]),
            _sample("test", bboxes=[]),
            _sample("test"),
            Sample(file_path="b.png", height=50, width=60, split="test", bboxes=[_box("[b]")]),
        ],
        TaskInfo.from_class_names(Bbox, ["a", "[b]", "never"]),
    )
    rows = _lines(dataset)
    assert ["train", "1", "25.0%"] in rows
    assert ["200", "x", "100", "3", "75.0%"] in rows
    assert ["60", "x", "50", "1", "25.0%"] in rows
    assert ["a", "2", "0", "2"] in rows
    assert ["[b]", "1", "1", "2"] in rows
    assert ["1", "class", "without", "annotations:", "never"] in rows
    assert not [row for row in rows if row[:1] == ["never"]]
    assert ["all", "3", "1", "4"] in rows
    # Sides: sqrt(20 * 40) = 28 twice, sqrt(40 * 10) = 20, sqrt(6 * 20) = 11; of three annotated samples.
    assert ["object_detection", "4", "1.3", "11", "24", "28"] in rows


def test_many_classes_and_sizes_are_summed_up() -> None:
    names = [f"c{number}" for number in range(190)]
    samples = [
        Sample(
            file_path="a.png",
            height=10 + n,
            width=20,
            bboxes=[_box("c7"), *(_box(name) for name in names[n * 15 : n * 15 + 15])],
        )
        for n in range(8)
    ]
    rows = _lines(_dataset(samples, TaskInfo.from_class_names(Bbox, names)))
    assert ["20", "other", "classes", "20", "20"] in rows
    assert ["70", "classes", "without", "annotations"] in rows
    assert ["3", "other", "sizes", "3", "37.5%"] in rows
    assert ["c7", "9", "9"] in rows
    assert ["all", "128", "128"] in rows


def test_fields_of_annotations_are_those_of_exploding_all() -> None:
    lists = [[_box("a"), _box("b")], None, [], [_box("c", 0.3)], []]
    dataset = _dataset([_sample(bboxes=boxes) for boxes in lists], TaskInfo(primitive=Bbox))
    table = annotation_fields(dataset.samples, "bboxes", ["class_name", "width"], ["sample_index", "width"])
    assert table.rows() == [("a", 0.1, 0, 200), ("b", 0.1, 0, 200), ("c", 0.3, 3, 200)]
    assert annotation_fields(dataset.samples.clear(), "bboxes", ["class_name"], ["split"]).is_empty()


def test_classes_without_a_name_count_by_index() -> None:
    task = TaskInfo(primitive=Classification)
    said = [Classification(class_idx=3), Classification(), Classification(class_name="x")]
    counts = class_counts(_dataset([_sample(classifications=said)], task).samples, task)
    assert sorted(counts["class_name"]) == ["-", "3", "x"]
    shown = shown_classes(task, counts, 2)
    assert (len(shown.names), shown.others, shown.unused) == (2, 1, [])


def test_tasks_of_one_column_are_told_apart() -> None:
    tasks = [TaskInfo.from_class_names(Bbox, ["a"], name) for name in ("one", "two")]
    boxes = [_box("a"), _box("a", 0.5)]
    boxes[0].task_name, boxes[1].task_name = "one", "two"
    frame = _dataset([_sample(bboxes=boxes)], *tasks).samples
    assert [class_counts(frame, task)["count"].sum() for task in tasks] == [1, 1]
    assert object_sizes(frame, tasks[1]).width.tolist() == [100]


def test_sizes_are_those_of_the_objects_and_not_of_their_boxes() -> None:
    mask = np.zeros((100, 200), bool)
    mask[10:30, 40:90] = True
    mask[12:28, 42:88] = False  # a ring
    triangle = [Point(0.2, 0.1), Point(0.45, 0.1), Point(0.45, 0.3)]
    unknown = Bitmask.from_mask(mask, class_name="a")
    unknown.area = None
    dataset = _dataset(
        [
            _sample(
                bitmasks=[Bitmask.from_mask(mask, class_name="a"), unknown],
                polygons=[
                    Polygon(points=[], class_name="a"),
                    Polygon(points=triangle, class_name="a"),
                    Polygon(points=triangle[::-1], class_name="a"),
                ],
            ),
            _sample(),
        ],
        TaskInfo.from_class_names(Bitmask, ["a"]),
        TaskInfo.from_class_names(Polygon, ["a"]),
    )
    for task, area in zip(dataset.info.tasks, (50 * 20 - 46 * 16, 50 * 20 / 2), strict=True):
        sizes = object_sizes(dataset.samples, task)
        for row in zip(sizes.width, sizes.height, sizes.centre_x, sizes.centre_y, sizes.area, strict=True):
            assert row == pytest.approx((50, 20, 0.325, 0.2, area))
        assert sizes.side == pytest.approx([np.sqrt(area)] * 2)


def test_polygons_of_no_area_and_with_broken_points() -> None:
    broken = [Point(float("nan"), 0.1), Point(0.45, 0.1), Point(0.45, 0.3)]
    line = [Point(0.1, 0.1), Point(0.3, 0.3)]
    task = TaskInfo.from_class_names(Polygon, ["a"])
    whole = _dataset([_sample(polygons=[Polygon(points=p, class_name="a") for p in (line, line)])], task)
    points = pl.Series("points", [[{"x": p.x, "y": p.y} for p in shape] for shape in (broken, line)])
    table = annotation_table(whole.samples, "polygons").with_columns(points)
    frame = with_annotations(whole.samples, "polygons", table)
    assert object_sizes(frame, task).area.tolist() == [0]


def _segmentation() -> Dataset:
    water, land = np.zeros((100, 200), bool), np.zeros((100, 200), bool)
    water[:20], land[20:90] = True, True
    regions = [Segmentation.from_mask(m, class_name=n) for m, n in ((water, "water"), (land, "land"))]
    task = TaskInfo.from_class_names(Segmentation, ["land", "water", "ice"])
    samples = [_sample(bitmasks=regions), _sample("test", bitmasks=regions[:1]), _sample("test")]
    return _dataset(samples, task)


def test_a_segmentation_has_shares_of_the_pixels_and_no_objects() -> None:
    dataset = _segmentation()
    rows = _lines(dataset)
    assert ["land", "70.00%", "0.00%", "35.00%"] in rows
    assert ["water", "20.00%", "20.00%", "20.00%"] in rows
    assert ["(no", "class)", "10.00%", "80.00%", "45.00%"] in rows
    assert ["1", "class", "without", "annotations:", "ice"] in rows
    assert not [row for row in rows if "object" in row]
    assert not [row for row in rows if row[:1] == ["ice"]]


def test_small_classes_of_a_segmentation_are_summed_up() -> None:
    dataset = _segmentation()
    shares = pixel_shares(dataset.samples, dataset.info.tasks[0], ["train", "test"], 1)
    assert list(shares) == ["land", "1 other class", "(no class)"]
    assert sum(shares.values()) == pytest.approx([1, 1, 1])
    assert shares["1 other class"] == pytest.approx([0.2, 0.2, 0.2])


def test_nothing_has_empty_tables() -> None:
    empty = _dataset([], TaskInfo.from_class_names(Bbox, ["a"]), TaskInfo(primitive=Polygon))
    rows = _lines(empty)
    assert ["1", "class", "without", "annotations:", "a"] in rows
    assert ["object_detection", "0"] in rows
    assert class_counts(empty.samples, empty.info.tasks[0]).schema["class_name"] == pl.String
