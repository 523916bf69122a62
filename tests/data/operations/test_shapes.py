import logging

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.data import (
    Bbox,
    Bitmask,
    Classification,
    Dataset,
    DatasetInfo,
    Point,
    Polygon,
    Sample,
    TaskInfo,
)
from sightline.data import Segmentation as Semantic
from sightline.data.primitives import Primitive
from sightline.errors import SightlineError
from tests.data.factory import CLASSES, HEIGHT, INFO, WIDTH, bitmasks, optional_lists
from tests.needs import shared_data

SIZE = (20, 30)


def _dataset(primitive: type[Primitive], *annotations: Primitive | None, task: str = "things") -> Dataset:
    """One sample with the annotations; None makes a sample that was not annotated instead."""
    info = DatasetInfo(
        dataset_name="shapes",
        tasks=[
            TaskInfo.from_class_names(primitive, ["a", "b"], task),
            TaskInfo.from_class_names(Classification, ["c"]),
        ],
    )
    found = [annotation for annotation in annotations if annotation is not None]
    for annotation in found:
        annotation.task_name = task
    lists = {primitive.column: found if None not in annotations else None}
    return Dataset.from_samples([Sample(file_path="x.png", height=SIZE[0], width=SIZE[1], **lists)], info)


def _mask(*rectangles: tuple[int, int, int, int]) -> np.ndarray:
    mask = np.zeros(SIZE, dtype=bool)
    for top, left, bottom, right in rectangles:
        mask[top:bottom, left:right] = True
    return mask


def test_boxes_around_masks_and_polygons_keep_everything_else() -> None:
    colour = Classification(class_name="red", task_name="Colour")
    mask = Bitmask.from_mask(_mask((2, 3, 12, 18)), class_name="b", object_id="7")
    mask.confidence, mask.meta, mask.classifications = 0.5, {"k": [1]}, [colour]
    dataset = _dataset(Bitmask, mask)
    before = dataset.samples.clone()
    for route in (["Bbox"], ["Polygon", "Bbox"]):
        result = dataset
        for shape in route:
            result = result.convert_task("things", shape)
        [box] = result[0].bboxes or []
        assert (box.top_left_x, box.top_left_y) == pytest.approx((3 / 30, 2 / 20))
        assert (box.width, box.height, box.area) == pytest.approx((15 / 30, 10 / 20, 0.25))
        assert (box.class_name, box.class_idx, box.object_id, box.confidence) == ("b", 1, "7", 0.5)
        assert (box.meta, box.classifications) == ({"k": [1]}, [colour])
        assert result[0].bitmasks is None
        assert result.info.task("things").primitive is Bbox
        assert result.info.task("things").class_names == ["a", "b"]
        assert [task.name for task in result.info.tasks] == ["things", "image_classification"]
    assert dataset.samples.equals(before)


def test_a_new_name_leaves_the_task_there() -> None:
    dataset = _dataset(Bbox, Bbox(top_left_x=0.1, top_left_y=0.1, width=0.2, height=0.5, class_name="a"))
    result = dataset.convert_task("things", "Bitmask", new_name="masks")
    assert [task.name for task in result.info.tasks] == ["things", "image_classification", "masks"]
    assert result[0].bboxes == dataset[0].bboxes
    [mask] = result[0].bitmasks or []
    assert (mask.left, mask.top, mask.width, mask.height, mask.task_name) == (3, 2, 6, 10, "masks")
    again = result.convert_task("masks", "Polygon").convert_task("masks", "Bbox")
    assert [box.task_name for box in again[0].bboxes or []] == ["things", "masks"]
    assert again[0].bitmasks is None


def test_more_objects_than_a_byte_counts() -> None:
    boxes = [
        Bbox(top_left_x=n / 600, top_left_y=0, width=0.5, height=0.5, class_name="a") for n in range(300)
    ]
    masks = _dataset(Bbox, *boxes).convert_task("things", "Bitmask")[0].bitmasks or []
    assert len(masks) == 300
    assert {mask.area for mask in masks} == {0.25}


def test_not_annotated_stays_so_and_nothing_there_stays_nothing() -> None:
    for shape in ("Bbox", "Bitmask", "Segmentation"):
        assert _dataset(Polygon).convert_task("things", shape).samples[0].select(
            bboxes="bboxes", bitmasks="bitmasks", polygons="polygons"
        ).row(0) == (([], None, None) if shape == "Bbox" else (None, [], None))
        unknown = _dataset(Polygon, None).convert_task("things", shape)
        assert unknown.samples.select("bboxes", "bitmasks", "polygons").row(0) == (None, None, None)


def test_parts_and_holes_go_there_and_back() -> None:
    mask = _mask((1, 1, 9, 9), (12, 12, 18, 28))
    mask[3:5, 3:6] = False
    other = _mask((0, 20, 5, 25))
    dataset = _dataset(
        Bitmask, Bitmask.from_mask(mask, class_name="a"), Bitmask.from_mask(other, class_name="b")
    )
    polygons = dataset.convert_task("things", "Polygon")
    parts = polygons[0].polygons or []
    assert [part.class_name for part in parts] == ["a", "a", "b"]
    assert parts[0].object_id == parts[1].object_id is not None
    assert parts[2].object_id is None
    assert sum(part.area or 0 for part in parts[:2]) == pytest.approx(mask.mean())
    back = polygons.convert_task("things", "Bitmask")[0].bitmasks or []
    assert [(m.to_mask(*SIZE) == expected).all() for m, expected in zip(back, (mask, other), strict=True)]
    assert len(polygons.convert_task("things", "Bbox")[0].bboxes or []) == 2
    split = dataset.convert_task("things", "Bitmask", connected_parts=True)[0].bitmasks or []
    assert [(m.class_name, m.area) for m in split] == [
        ("a", pytest.approx((64 - 6) / 600)),
        ("a", pytest.approx(96 / 600)),
        ("b", pytest.approx(25 / 600)),
    ]


def test_a_segmentation_has_later_objects_on_top() -> None:
    lower, upper, hidden = _mask((0, 0, 10, 20)), _mask((5, 10, 15, 30)), _mask((6, 12, 8, 14))
    dataset = _dataset(
        Bitmask,
        Bitmask.from_mask(hidden, class_name="b"),
        Bitmask.from_mask(lower, class_name="a"),
        Bitmask.from_mask(upper, class_name="b"),
    )
    result = dataset.convert_task("things", "Segmentation")
    regions = {region.class_name: region for region in result[0].bitmasks or []}
    assert {type(region) for region in regions.values()} == {Semantic}
    assert (regions["a"].to_mask(*SIZE) == (lower & ~upper)).all()
    assert (regions["b"].to_mask(*SIZE) == upper).all()
    assert (result.convert_task("things", "Bitmask")[0].bitmasks or [])[0].rle_string == regions[
        "a"
    ].rle_string


def test_parts_of_a_segmentation_become_objects() -> None:
    region = Semantic.from_mask(_mask((0, 0, 4, 4), (10, 10, 14, 20)), class_name="a")
    dataset = _dataset(Semantic, region)
    for shape in ("Bbox", "Polygon"):
        result = dataset.convert_task("things", shape)[0]
        found = list(result.annotations())
        assert [annotation.object_id for annotation in found] == [None, None]
    assert len(dataset.convert_task("things", "Bitmask")[0].bitmasks or []) == 1
    masks = dataset.convert_task("things", "Bitmask", connected_parts=True)[0].bitmasks or []
    assert [type(mask) for mask in masks] == [Bitmask, Bitmask]


def test_what_covers_nothing_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    tiny = [Point(0.001, 0.001), Point(0.002, 0.001), Point(0.001, 0.002)]
    dataset = _dataset(
        Polygon,
        Polygon(points=tiny, class_name="a"),
        Polygon(points=[], class_name="a"),
        Polygon(points=[Point(0, 0), Point(1, 0), Point(1, 1)], class_name="b"),
    )
    with caplog.at_level(logging.WARNING):
        assert len(dataset.convert_task("things", "Bitmask")[0].bitmasks or []) == 1
        assert len(dataset.convert_task("things", "Bbox")[0].bboxes or []) == 2
    assert "task 'things' as Bitmask: 2 polygons that cover no pixel left out" in caplog.text
    assert "task 'things' as Bbox: 1 polygons without extent left out" in caplog.text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nothing", "Bbox"), "has no task named 'nothing'"),
        (("things", "Box"), "to='Box' is not one of Bbox, Polygon"),
        (("things", "Polygon"), "task 'things' holds Polygon annotations already"),
        (("image_classification", "Bbox"), "holds Classification annotations, which have no shape"),
        (("things", "Bbox", "things"), "has a task 'things'; choose a new_name"),
    ],
)
def test_what_cannot_be_converted_is_one_sentence(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(SightlineError, match=message):
        _dataset(Polygon).convert_task(*arguments)


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(optional_lists(bitmasks()), max_size=3))
def test_any_masks_survive_the_way_through_polygons(lists: list[list[Bitmask] | None]) -> None:
    for masks in lists:
        for number, mask in enumerate(masks or ()):
            mask.object_id = str(number)
    made = [Sample(file_path="x.png", height=HEIGHT, width=WIDTH, bitmasks=masks) for masks in lists]
    dataset = Dataset.from_samples(made, INFO)
    through = dataset.convert_task("mask_detection", "Polygon").convert_task("mask_detection", "Bitmask")
    assert through.info.task("mask_detection").class_names == CLASSES
    for before, after in zip(dataset, through, strict=True):
        masks = [mask for mask in before.bitmasks or () if mask.to_mask(HEIGHT, WIDTH).any()]
        found = after.bitmasks or []
        assert [mask.rle_string for mask in found] == [mask.rle_string for mask in masks]
        assert [mask.classifications for mask in found] == [mask.classifications for mask in masks]
        assert [mask.polygons for mask in found] == [mask.polygons for mask in masks]
        assert (before.bitmasks is None) == (after.bitmasks is None)


def test_real_masks_are_equal_pixel_by_pixel() -> None:
    dataset = Dataset.from_path(shared_data("hafnia-format") / "micro-coco-2017")
    through = dataset.convert_task("mask_detection", "Polygon").convert_task("mask_detection", "Bitmask")
    before = [mask.rle_string for sample in dataset for mask in sample.bitmasks or ()]
    assert len(before) == 18
    assert [mask.rle_string for sample in through for mask in sample.bitmasks or ()] == before
