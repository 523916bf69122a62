import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.deploy.raster.blend_windows import BLEND_WINDOWS, rising
from sightline.deploy.raster.tiling import Axis, TileSettings
from sightline.errors import SightlineError


@st.composite
def tile_settings(draw: st.DrawFn) -> TileSettings:
    multiple = draw(st.sampled_from([1, 2, 3, 8]))
    values = {
        "tile": multiple * draw(st.integers(1, 12)),
        "overlap": draw(st.sampled_from([0, 0.01, 0.125, 0.3, 0.5, 0.6, 0.75, 0.9])),
        "multiple": multiple,
        "window": draw(st.sampled_from(BLEND_WINDOWS)),
        "fixed_size": draw(st.booleans()),
    }
    overlap = TileSettings(**values).overlap_pixels
    return TileSettings(**values, margin=draw(st.none() | st.integers(0, overlap // 2)))


@settings(deadline=None, max_examples=200)
@given(length=st.integers(1, 200), chosen=tile_settings())
def test_shares_of_tiles_add_up_to_one_at_every_pixel(length: int, chosen: TileSettings) -> None:
    axis = Axis.of(length, chosen)
    total = np.zeros(length)
    for index in range(len(axis)):
        share = axis.share(index)
        assert (share > 0).all()
        total[axis.lows[index] : axis.highs[index]] += share
    np.testing.assert_allclose(total, 1, rtol=0, atol=1e-12)


@settings(deadline=None, max_examples=200)
@given(length=st.integers(1, 200), chosen=tile_settings(), seed=st.integers(0, 99))
def test_the_running_mean_is_the_mean_by_shares(length: int, chosen: TileSettings, seed: int) -> None:
    axis = Axis.of(length, chosen)
    values = np.random.default_rng(seed).random(len(axis))
    by_share, running = np.zeros(length), np.full(length, np.nan)
    for index, value in enumerate(values):
        low, high, step = axis.lows[index], axis.highs[index], axis.step(index)
        by_share[low:high] += axis.share(index) * value
        running[low : low + len(step)] += step * (value - running[low : low + len(step)])
        running[low + len(step) : high] = value
    np.testing.assert_allclose(running, by_share, rtol=0, atol=1e-5)


@settings(deadline=None, max_examples=200)
@given(length=st.integers(1, 200), chosen=tile_settings())
def test_tiles_lie_in_the_image_and_count_only_inside_their_margins(
    length: int, chosen: TileSettings
) -> None:
    axis = Axis.of(length, chosen)
    assert axis.starts[0] == axis.lows[0] == 0
    assert axis.starts[-1] + axis.size == axis.padded
    assert axis.highs[-1] == length
    assert axis.padded - length < max(chosen.multiple, chosen.tile if chosen.fixed_size else 0)
    assert all(start % chosen.multiple == 0 for start in axis.starts)
    assert axis.size % chosen.multiple == 0
    assert axis.size <= chosen.tile
    for index, start in enumerate(axis.starts):
        first, last = index == 0, index + 1 == len(axis)
        assert axis.lows[index] >= start + (0 if first else chosen.margin_pixels)
        assert axis.highs[index] <= start + axis.size - (0 if last else chosen.margin_pixels)
        assert last or start + axis.size - axis.starts[index + 1] >= chosen.overlap_pixels
    assert list(axis.lows) == sorted(set(axis.lows))
    assert list(axis.highs) == sorted(axis.highs)


def test_tiles_become_smaller_where_as_many_cover_the_image() -> None:
    chosen = TileSettings(tile=1024, overlap=1 / 16)
    assert len(Axis.of(8192, chosen)) == 9
    assert Axis.of(8192, chosen).size == 992
    assert Axis.of(700, chosen).size == 704
    fixed = TileSettings(tile=1024, overlap=1 / 16, fixed_size=True)
    assert Axis.of(8192, fixed).size == Axis.of(700, fixed).size == 1024


def test_half_an_overlap_of_bartlett_hann_is_the_textbook_window() -> None:
    size = 64
    axis = Axis.of(2 * size, TileSettings(tile=size, overlap=0.5, multiple=1, margin=0))
    distance = np.abs((np.arange(size) + 0.5) / size - 0.5)
    window = 0.62 - 0.48 * distance + 0.38 * np.cos(2 * np.pi * distance)
    np.testing.assert_allclose(axis.share(1), window, atol=1e-12)


@pytest.mark.parametrize("window", ["bartlett-hann", "hann", "triangular"])
def test_the_halves_of_a_window_add_up_to_one(window: str) -> None:
    for length in (1, 2, 7, 100):
        half = rising(window, length)
        np.testing.assert_allclose(half + half[::-1], 1, atol=1e-12)
        assert (np.diff(half) > 0).all()


def test_settings_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SightlineError, match="1000 is no multiple of 32"):
        TileSettings(tile=1000)
    with pytest.raises(SightlineError, match="margin: 100 pixels"):
        TileSettings(tile=256, overlap=0.5, margin=100)
    with pytest.raises(SightlineError, match="overlap"):
        TileSettings(overlap=1.0)
