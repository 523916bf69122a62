import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.deploy.raster.deciding import check_outputs, decide, scores_of
from sightline.errors import SightlineError


@given(seed=st.integers(0, 99), classes=st.integers(2, 9))
def test_the_class_is_that_of_the_highest_output_the_first_of_equals(seed: int, classes: int) -> None:
    outputs = np.random.default_rng(seed).integers(0, 4, (classes, 6, 7)).astype(np.float32)
    np.testing.assert_array_equal(decide(outputs, "softmax"), outputs.argmax(axis=0))


@given(seed=st.integers(0, 99), classes=st.integers(2, 9))
def test_scores_are_a_softmax_also_of_large_numbers(seed: int, classes: int) -> None:
    outputs = np.random.default_rng(seed).normal(size=(classes, 6, 7)).astype(np.float32) * 1000
    scores = scores_of(outputs, "softmax", "float32")
    np.testing.assert_allclose(scores.sum(axis=0), 1, rtol=1e-5)
    np.testing.assert_array_equal(scores.argmax(axis=0), outputs.argmax(axis=0))


def test_scores_as_bytes_never_are_nodata() -> None:
    outputs = np.array([[[0.0, 1.0, 0.5, 2.0]]])
    assert scores_of(outputs, "none", "uint8").tolist() == [[[254, 0, 127, 0]], [[0, 254, 127, 254]]]


def test_outputs_are_floats_of_at_least_32_bits() -> None:
    images = np.zeros((2, 3, 4, 5), np.uint8)
    for given_type, expected in (
        ("uint8", "float32"),
        ("float16", "float32"),
        ("float32", "float32"),
        ("int32", "float64"),
        ("float64", "float64"),
    ):
        assert check_outputs(np.zeros((2, 3, 4, 5), given_type), images, 3).dtype == expected
    assert check_outputs(np.zeros((2, 1, 4, 5)), images, 2).shape == (2, 1, 4, 5)
    with pytest.raises(SightlineError, match="for 3 classes"):
        check_outputs(np.zeros((2, 1, 4, 5)), images, 3)
