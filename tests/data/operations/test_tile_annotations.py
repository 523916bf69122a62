import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.data import Bbox, Bitmask, Classification, Dataset, Polygon, Sample, Segmentation
from sightline.data.operations.tile_annotations import Grid, clip_polygon, cut_annotations
from sightline.data.operations.tiles import _grid
from sightline.data.primitives.rle import decode_windows, encode_mask
from tests.data.factory import CLASSES, INFO

SEGMENTATIONS = frozenset({"semantic_segmentation"})


def _dataset(**annotations: object) -> Dataset:
    return Dataset.from_samples([Sample(file_path="a.png", height=30, width=50, **annotations)], INFO)  # type: ignore


def _cut(dataset: Dataset, column: str, size: int, stride: int, edge: str = "pad", min_visible: float = 0.0):
    grid = _grid(dataset.samples, size, stride, edge)  # type: ignore
    return grid, *cut_annotations(dataset.samples, column, grid, min_visible, SEGMENTATIONS)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40), st.integers(1, 40), st.integers(1, 60), st.integers(1, 60),
    st.sampled_from(["pad", "shift", "drop"]), st.lists(st.tuples(*[st.floats(0, 1)] * 4), max_size=4),
)  # fmt: skip
def test_regions_are_seen_in_the_windows_that_they_reach(
    size: int, stride: int, height: int, width: int, edge: str, boxes: list[tuple[float, ...]]
) -> None:
    frame = pl.DataFrame({"height": [7, height], "width": [90, width]})
    grid: Grid = _grid(frame, size, stride, edge)  # type: ignore
    image, places = grid.windows()
    assert len(image) == grid.first[-1]
    if edge != "drop":
        assert (places < np.stack([grid.widths, grid.heights], axis=1)[image]).all()
    if edge == "drop":
        assert (places + size <= np.stack([grid.widths, grid.heights], axis=1)[image]).all()
    if edge != "drop" and stride <= size:
        covered = np.zeros((height, width), dtype=bool)
        for left, top in places[image == 1]:
            covered[top : top + size, left : left + size] = True
        assert covered.all()
    corners = np.array(boxes).reshape(-1, 2, 2)
    bounds = np.concatenate([corners.min(axis=1) * [width, height], corners.max(axis=1) * [width, height]], 1)
    region, window = grid.seen(np.ones(len(bounds), dtype=np.int64), bounds)
    expected = {
        (r, w)
        for r, (x0, y0, x1, y1) in enumerate(bounds)
        for w in np.flatnonzero(image == 1).tolist()
        if (places[w] < np.maximum([x1, y1], [x0 + 1e-6, y0 + 1e-6])).all()
        and (places[w] + size > [x0, y0]).all()
    }
    assert set(zip(region.tolist(), window.tolist(), strict=True)) == expected
    assert len(region) == len(expected)


@given(
    st.integers(0, 2**32), st.integers(1, 30), st.integers(1, 30), st.integers(-5, 15), st.integers(-5, 15)
)
def test_windows_of_a_mask(seed: int, height: int, width: int, left: int, top: int) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < 0.4
    (part,) = decode_windows(encode_mask(mask), height, width, [(left, top, 7, 9)])
    padded = np.pad(mask, 40)
    assert (part == padded[top + 40 : top + 49, left + 40 : left + 47]).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(3, 20), st.sampled_from([0, 1]))
def test_masks_come_together_again(seed: int, size: int, kind: int) -> None:
    mask = np.random.default_rng(seed).random((30, 50)) < 0.3
    primitive = (Bitmask, Segmentation)[kind]
    dataset = _dataset(bitmasks=[primitive.from_mask(mask, class_name=CLASSES[0])])
    grid, table, lost = _cut(dataset, "bitmasks", size, size)
    assert lost == (0 if mask.any() else 1)
    joined = np.zeros((100, 100), dtype=bool)
    _, places = grid.windows()
    for row in table.iter_rows(named=True):
        left, top = places[row["position"]]
        (part,) = decode_windows(row["rle_string"], size, size, [(0, 0, size, size)])
        assert row["area"] == pytest.approx(part.mean())
        assert (
            part[row["top"] : row["top"] + row["height"], row["left"] : row["left"] + row["width"]].sum()
            == part.sum()
        )
        joined[top : top + size, left : left + size] |= part
    assert (joined[:30, :50] == mask).all()
    assert joined.sum() == mask.sum()


@settings(max_examples=25, deadline=None)
@given(st.tuples(*[st.floats(0, 1)] * 4), st.integers(3, 60))
def test_parts_of_a_box_add_up(numbers: tuple[float, ...], size: int) -> None:
    x, y, width, height = numbers
    width, height = width * (1 - x), height * (1 - y)
    box = Bbox(
        top_left_x=x, top_left_y=y, width=width, height=height, class_name=CLASSES[0], area=width * height
    )
    _, table, lost = _cut(_dataset(bboxes=[box]), "bboxes", size, size)
    pixels = table.select((pl.col("width") * pl.col("height")).sum()).item() * size**2
    assert pixels == pytest.approx(width * height * 30 * 50, abs=1e-6)
    assert table["area"].sum() * size**2 == pytest.approx(pixels, abs=1e-6) or width * height == 0
    assert (table["top_left_x"] + table["width"] <= 1 + 1e-9).all()
    assert lost == 0 or pixels == 0


def test_a_sliver_of_a_box_is_not_listed() -> None:
    box = Bbox.from_pixels(
        left=5, top=5, width=10, height=10, image_width=50, image_height=30, class_name=CLASSES[1]
    )
    box.object_id, box.confidence = "7", 0.0
    dataset = _dataset(bboxes=[box])
    assert _cut(dataset, "bboxes", 14, 14, min_visible=0.0)[1]["position"].to_list() == [0, 1, 4, 5]
    _, table, lost = _cut(dataset, "bboxes", 14, 14, min_visible=0.5)
    assert table.select("position", "class_name", "object_id", "confidence").rows() == [
        (0, CLASSES[1], "7", 0.0)
    ]
    assert table["width"].item() == pytest.approx(9 / 14)
    assert lost == 0
    assert _cut(dataset, "bboxes", 8, 8, min_visible=0.9)[2] == 1


def test_boxes_over_the_edge_are_judged_by_what_the_image_shows() -> None:
    box = Bbox(top_left_x=-0.4, top_left_y=0, width=0.5, height=0.5, class_name=CLASSES[0])
    _, table, _ = _cut(_dataset(bboxes=[box]), "bboxes", 30, 30, min_visible=0.9)
    assert table.select("position", "top_left_x", "width").rows() == [(0, 0.0, pytest.approx(5 / 30))]


def test_polygons_are_clipped() -> None:
    points = [(5, 5), (25, 5), (25, 25), (5, 25)]
    polygon = Polygon.from_pixels(points, image_width=50, image_height=30, class_name=CLASSES[0])
    polygon.area = 400 / 1500
    _, table, _ = _cut(_dataset(polygons=[polygon]), "polygons", 20, 20)
    assert table["position"].to_list() == [0, 1, 3, 4]
    found = [{(round(p["x"] * 20), round(p["y"] * 20)) for p in points} for points in table["points"]]
    assert found[0] == {(5, 5), (20, 5), (20, 20), (5, 20)}
    assert found[3] == {(0, 0), (5, 0), (5, 5), (0, 5)}
    assert [round(area * 400) for area in table["area"]] == [225, 75, 75, 25]


@given(st.lists(st.tuples(st.floats(-10, 10), st.floats(-10, 10)), max_size=8))
def test_clipped_polygons_stay_inside(points: list[tuple[float, float]]) -> None:
    low, high = np.array([-3.0, -2.0]), np.array([4.0, 5.0])
    clipped = clip_polygon(np.array(points).reshape(-1, 2), low, high)
    assert ((clipped >= low) & (clipped <= high)).all()
    whole = np.array(points).reshape(-1, 2)
    if len(whole) and ((whole >= low) & (whole <= high)).all():
        assert (clipped == whole).all()


def test_attributes_are_cut_like_what_carries_them() -> None:
    inner = Bbox.from_pixels(left=12, top=12, width=4, height=4, image_width=50, image_height=30)
    mask = np.zeros((30, 50), dtype=bool)
    mask[2:6, 2:18] = True
    outer = Bbox.from_pixels(
        left=0, top=0, width=20, height=20, image_width=50, image_height=30, class_name=CLASSES[0]
    )
    outer.bboxes, outer.bitmasks = [inner], [Bitmask.from_mask(mask)]
    outer.classifications = [Classification(class_name="red")]
    _, table, _ = _cut(_dataset(bboxes=[outer]), "bboxes", 10, 10)
    rows = table.rows(named=True)
    assert [row["position"] for row in rows] == [0, 1, 5, 6]
    assert [len(row["bboxes"]) for row in rows] == [0, 0, 0, 1]
    assert [len(row["bitmasks"]) for row in rows] == [1, 1, 0, 0]
    assert rows[3]["bboxes"][0]["top_left_x"] == pytest.approx(0.2)
    assert (rows[1]["bitmasks"][0]["left"], rows[1]["bitmasks"][0]["width"]) == (0, 8)
    assert all(row["classifications"][0]["class_name"] == "red" for row in rows)
    assert rows[0]["polygons"] is None
