import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sightline.data.preprocessing import Preprocessing, resized
from sightline.errors import SightlineError

SIDES = st.integers(1, 40)


@given(
    height=SIDES,
    width=SIDES,
    size=st.tuples(SIDES, SIDES),
    fit=st.sampled_from(["stretch", "letterbox", "crop", "pad"]),
)
def test_boxes_go_with_the_image_and_come_back(
    height: int, width: int, size: tuple[int, int], fit: str
) -> None:
    preprocessing = Preprocessing(size=size, fit=fit)
    place = preprocessing.fitting(height, width)
    image = preprocessing.fit_image(np.zeros((height, width, 3), dtype=np.uint8))
    assert image.shape == (*size, 3)
    boxes = np.array([[0, 0, width, height], [0.25 * width, 0.5 * height, 0.75 * width, height]])
    np.testing.assert_allclose(place.boxes_back(place.boxes(boxes)), boxes, atol=1e-9)
    if fit == "stretch":
        np.testing.assert_allclose(place.boxes(boxes)[0], [0, 0, size[1], size[0]])


@given(height=SIDES, width=SIDES, multiple=st.integers(1, 32))
def test_a_map_comes_back_as_it_went_where_nothing_is_resized(height: int, width: int, multiple: int) -> None:
    preprocessing = Preprocessing(multiple=multiple)
    values = np.random.default_rng(0).integers(0, 9, (height, width), dtype=np.uint8)
    fitted = preprocessing.fit_map(values, 255)
    assert fitted.shape == preprocessing.fitted_size(height, width)
    assert fitted.shape[0] % multiple == fitted.shape[1] % multiple == 0
    assert (fitted[height:] == 255).all()
    assert (fitted[:, width:] == 255).all()
    np.testing.assert_array_equal(preprocessing.fitting(height, width).map_back(fitted, outside=255), values)


def test_a_letterboxed_image_is_in_the_middle_and_its_map_comes_back() -> None:
    preprocessing = Preprocessing(size=(64, 64), fit="letterbox", fill=7)
    image = np.full((30, 60, 3), 200, dtype=np.uint8)
    fitted = preprocessing.fit_image(image)
    rows = np.flatnonzero((fitted == 200).all(axis=(1, 2)))
    assert (rows[0], rows[-1]) == (16, 47)
    assert (fitted[:16] == 7).all()
    values = np.repeat(np.arange(30, dtype=np.uint8)[:, None], 60, axis=1)
    back = preprocessing.fitting(30, 60).map_back(preprocessing.fit_map(values, 255), outside=255)
    assert np.abs(back.astype(int) - values).max() <= 1


def test_what_a_crop_does_not_show_comes_back_as_outside() -> None:
    preprocessing = Preprocessing(size=(10, 10), fit="crop")
    place = preprocessing.fitting(10, 30)
    back = place.map_back(np.ones((10, 10), dtype=np.uint8), outside=255)
    assert (back[:, 10:20] == 1).all()
    assert (back[:, :10] == 255).all()
    assert (back[:, 20:] == 255).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32])
def test_values_of_each_type_are_resized_alike(dtype: type) -> None:
    image = np.random.default_rng(0).integers(0, 200, (20, 30, 4)).astype(dtype)
    smaller = resized(image, (10, 15), Image.Resampling.BILINEAR)
    assert smaller.dtype == dtype
    expected = resized(image.astype(np.float32), (10, 15), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(smaller.astype(np.float32), expected, atol=0.51)


def test_pictures_are_resized_as_pillow_does() -> None:
    image = np.random.default_rng(0).integers(0, 255, (20, 30, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(image).resize((15, 10), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(resized(image, (10, 15), Image.Resampling.BILINEAR), expected)


def test_normalized_is_the_formula() -> None:
    preprocessing = Preprocessing(bands=[2, 1], scale=65535, mean=[0.1, 0.2], std=[0.5, 0.25])
    images = np.random.default_rng(0).integers(0, 65535, (2, 2, 3, 3), dtype=np.uint16)
    mean, std = np.reshape([0.1, 0.2], (2, 1, 1)), np.reshape([0.5, 0.25], (2, 1, 1))
    np.testing.assert_allclose(
        preprocessing.normalized(images), (images / 65535 - mean) / std, rtol=1e-4, atol=1e-5
    )


def test_bands_are_chosen_in_order() -> None:
    image = np.arange(4 * 4 * 4).reshape(4, 4, 4)
    numbers = {"mean": [0.0] * 2, "std": [1.0] * 2}
    chosen = Preprocessing(bands=[4, 1], **numbers).choose_bands(image)
    np.testing.assert_array_equal(chosen, image[..., [3, 0]])
    grey = Preprocessing().choose_bands(image[..., :1])
    np.testing.assert_array_equal(grey, np.repeat(image[..., :1], 3, axis=2))
    with pytest.raises(SightlineError, match=r"a\.tif: has 2 bands, and the model takes band 3"):
        Preprocessing().choose_bands(image[..., :2], "a.tif")


def test_numbers_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SightlineError, match="'mean' has 3 numbers for 4 bands"):
        Preprocessing(bands=[1, 2, 3, 4])
    with pytest.raises(SightlineError, match="'multiple' is for images that keep their size"):
        Preprocessing(size=(8, 8), multiple=4)
