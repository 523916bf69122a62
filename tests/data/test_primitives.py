import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from sightline.data import Bbox, Bitmask, Classification, Point, Polygon, Segmentation
from sightline.data.primitives.drawing import class_colour
from sightline.data.primitives.rle import decode_mask, encode_mask, paint_masks, rle_length
from sightline.errors import SightlineError


def _picture(size: tuple[int, int] = (200, 100)) -> Image.Image:
    return Image.new("RGB", size, (90, 90, 90))


def _changed(image: Image.Image) -> np.ndarray:
    return (np.asarray(image) != 90).any(axis=2)


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32), st.floats(0, 1))
def test_rle_round_trip_and_length(height: int, width: int, seed: int, density: float) -> None:
    mask = np.random.default_rng(seed).random((height, width)) < density
    text = encode_mask(mask)
    assert rle_length(text) == height * width
    assert (decode_mask(text, height, width) == mask).all()


@settings(deadline=None, max_examples=50)
@given(
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.integers(0, 2**32),
    st.lists(st.tuples(st.integers(-2, 3), st.sampled_from([0, 0.2, 0.9, 1])), min_size=1, max_size=6),
)
def test_painted_masks_are_those_of_painting_pixels(
    size: tuple[int, int], seed: int, layers: list[tuple[int, float]]
) -> None:
    random, image = np.random.default_rng(seed), np.full(size, 99)
    masks = [random.random(size) < density for _, density in layers]
    codes = [code for code, _ in layers]
    for mask, code in zip(masks, codes, strict=True):
        image[mask] = code
    painted = paint_masks([encode_mask(mask) for mask in masks], codes, *size)
    assert painted == {code: encode_mask(image == code) for code in sorted(set(codes))}


def test_painting_refuses_masks_of_another_size() -> None:
    good, bad = encode_mask(np.ones((3, 3))), encode_mask(np.ones((2, 3)))
    for wrong in (bad, ""):
        with pytest.raises(SightlineError, match="pixels but its image has 3 x 3"):
            paint_masks([good, wrong], [0, 1], 3, 3)


def test_rle_of_a_large_mask() -> None:
    mask = np.zeros((2000, 3000), dtype=bool)
    mask[100:900, 200:2500] = True
    assert rle_length(encode_mask(mask)) == mask.size


def test_a_mask_of_another_size_is_one_sentence() -> None:
    with pytest.raises(SightlineError, match="covers 6 pixels but its image has 3 x 3"):
        decode_mask(encode_mask(np.ones((2, 3))), 3, 3)
    with pytest.raises(SightlineError, match="is not a compressed COCO RLE"):
        decode_mask("hello world", 3, 3)


def test_bitmask_of_a_mask() -> None:
    mask = np.zeros((10, 20), dtype=bool)
    mask[2:5, 7:11] = True
    bitmask = Bitmask.from_mask(mask, class_name="cell")
    assert (bitmask.top, bitmask.left, bitmask.height, bitmask.width) == (2, 7, 3, 4)
    assert bitmask.area == pytest.approx(12 / 200)
    assert (bitmask.to_mask(10, 20) == mask).all()


def test_bitmask_of_nothing() -> None:
    bitmask = Bitmask.from_mask(np.zeros((4, 5)))
    assert (bitmask.height, bitmask.width, bitmask.area) == (0, 0, 0.0)
    assert not bitmask.to_mask(4, 5).any()
    with pytest.raises(SightlineError, match=r"a mask of shape \(4, 5, 3\)"):
        Bitmask.from_mask(np.zeros((4, 5, 3)))


def test_from_mask_keeps_the_kind() -> None:
    assert type(Segmentation.from_mask(np.ones((2, 2)))) is Segmentation


def test_boxes_and_polygons_from_pixels_and_back() -> None:
    box = Bbox.from_pixels(left=10, top=20, width=30, height=40, image_width=200, image_height=100)
    assert box.to_pixels(200, 100) == pytest.approx((10, 20, 40, 60))
    polygon = Polygon.from_pixels([(0, 0), (100, 50)], image_width=200, image_height=100)
    assert polygon.points == [Point(0, 0), Point(0.5, 0.5)]


def test_unknown_confidence_is_not_a_number() -> None:
    assert Bbox(top_left_x=0, top_left_y=0, width=1, height=1).confidence is None


def test_labels() -> None:
    size = Classification(class_name="Large", task_name="Size")
    box = Bbox(top_left_x=0, top_left_y=0, width=1, height=1, class_name="RBC", classifications=[size])
    assert box.label() == "RBC (Large)"
    box.confidence, box.ground_truth = 0.0, False
    assert box.label() == "RBC (Large) 0.00"


def test_a_box_is_drawn_where_it_is() -> None:
    image = _picture()
    Bbox(top_left_x=0.25, top_left_y=0.5, width=0.5, height=0.4, class_name="a").draw(image, nested=True)
    rows, columns = np.nonzero(_changed(image))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (50, 89, 50, 149)
    assert image.getpixel((100, 70)) == (90, 90, 90)


def test_a_mask_is_tinted_where_it_is_and_on_enlarged_pictures() -> None:
    mask = np.zeros((10, 20), dtype=bool)
    mask[2:5, 7:11] = True
    for factor in (1, 3):
        image = _picture((20 * factor, 10 * factor))
        Bitmask.from_mask(mask, class_name="a").draw(image, nested=True)
        assert (_changed(image) == np.kron(mask, np.ones((factor, factor), dtype=bool))).all()


@pytest.mark.parametrize(
    "annotation",
    [
        Classification(class_name="猫 und\nmehr"),
        Bbox(top_left_x=0.9, top_left_y=-0.1, width=0.4, height=0.3, class_name="over the edge"),
        Bbox(top_left_x=0.5, top_left_y=0.5, width=0, height=0, class_name="empty"),
        Polygon(points=[Point(0.1, 0.1), Point(0.9, 0.2), Point(0.5, 0.9)], class_name="three"),
        Polygon(points=[Point(0.1, 0.1), Point(0.9, 0.2)], class_name="two"),
        Bitmask.from_mask(np.ones((100, 200)), class_name="all"),
    ],
)
def test_everything_leaves_a_mark_and_a_label(annotation: Classification) -> None:
    image = _picture()
    annotation.draw(image)
    assert _changed(image).sum() > 50


def test_a_polygon_without_points_draws_nothing() -> None:
    image = _picture()
    Polygon(points=[], class_name="none").draw(image)
    assert not _changed(image).any()


def test_attributes_are_drawn_too() -> None:
    inner = Bbox(top_left_x=0.4, top_left_y=0.4, width=0.2, height=0.2, class_name="plate")
    image, plain = _picture(), _picture()
    Bbox(top_left_x=0.2, top_left_y=0.2, width=0.6, height=0.6, class_name="car", bboxes=[inner]).draw(image)
    Bbox(top_left_x=0.2, top_left_y=0.2, width=0.6, height=0.6, class_name="car").draw(plain)
    assert (np.asarray(image) != np.asarray(plain)).any()


def test_colours_are_fixed_and_differ() -> None:
    assert class_colour("person") == (55, 27, 179)
    assert len({class_colour(str(number)) for number in range(100)}) > 90
