from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.data.predictions import NO_CLASS
from sightline.deploy.raster import Postprocessing, RasterSettings, predict_raster
from sightline.deploy.raster.filters import closing, median, opening
from sightline.deploy.raster.postprocessing import filtered_strips
from sightline.deploy.raster.regions import connected, without_small_parts
from sightline.errors import SightlineError
from tests.deploy.raster.rasters import CLASSES, identity, noise, read_raster, write_raster

ndimage = pytest.importorskip("scipy.ndimage", reason="needs scipy, which is missing on this machine")


def class_map(height: int, width: int, seed: int, classes: int = 3, nodata: float = 0.1) -> np.ndarray:
    """Blobs of some pixels, and pixels without data."""
    generator = np.random.default_rng(seed)
    smooth = ndimage.uniform_filter(generator.random((classes, height, width)), (0, 3, 3))
    result = smooth.argmax(axis=0).astype(np.uint8)
    result[generator.random((height, width)) < nodata] = NO_CLASS
    return result


maps = st.builds(
    class_map,
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    seed=st.integers(0, 99),
    classes=st.integers(2, 4),
    nodata=st.sampled_from([0, 0.05, 0.5]),
)


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 99), size=st.sampled_from([3, 5, 9]))
def test_the_median_of_two_classes_is_the_median(seed: int, size: int) -> None:
    classes = class_map(30, 40, seed, classes=2, nodata=0)
    inner = np.s_[size // 2 : -(size // 2), size // 2 : -(size // 2)]
    np.testing.assert_array_equal(
        median(classes, size)[inner], ndimage.median_filter(classes, size=size)[inner]
    )


def test_the_median_makes_up_no_class() -> None:
    classes = np.zeros((9, 9), np.uint8)
    classes[:, 5:] = 2
    assert set(np.unique(median(classes, 3))) == {0, 2}
    classes[4, 4] = NO_CLASS
    assert median(classes, 3)[4, 4] == NO_CLASS


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 99), size=st.sampled_from([3, 5]))
def test_opening_and_closing_of_two_classes(seed: int, size: int) -> None:
    classes = class_map(30, 40, seed, classes=2, nodata=0)
    square = np.ones((size, size), bool)
    # What lies beyond the border counts neither as inside nor as outside.
    eroded = ndimage.binary_erosion(classes == 1, square, border_value=1)
    opened = ndimage.binary_dilation(eroded, square)
    np.testing.assert_array_equal(opening(classes, size, 0) == 1, opened)
    dilated = ndimage.binary_dilation(classes == 1, square)
    closed = ndimage.binary_erosion(dilated, square, border_value=1)
    np.testing.assert_array_equal(closing(classes, size, 0) == 1, closed)


@settings(deadline=None, max_examples=60)
@given(
    classes=maps,
    sizes=st.tuples(*[st.sampled_from([0, 3, 5, 7])] * 3),
    background=st.integers(0, 1),
    rows=st.integers(1, 17),
)
def test_filters_in_strips_are_those_of_the_whole_map(
    classes: np.ndarray, sizes: tuple[int, int, int], background: int, rows: int
) -> None:
    chosen = Postprocessing(median=sizes[0], opening=sizes[1], closing=sizes[2], background=background)
    strips = filtered_strips(lambda start, stop: classes[start:stop], len(classes), chosen, rows)
    result = np.concatenate(list(strips))
    np.testing.assert_array_equal(result, chosen.filtered(classes))
    np.testing.assert_array_equal(result == NO_CLASS, classes == NO_CLASS)


def parts(classes: np.ndarray) -> np.ndarray:
    """Numbers of connected parts, 0 where there is no data."""
    labels = np.zeros(classes.shape, int)
    for number in np.unique(classes[classes != NO_CLASS]):
        found, _ = ndimage.label(classes == number)
        labels[found > 0] = found[found > 0] + labels.max()
    return labels


def merged(classes: np.ndarray, min_area: int) -> np.ndarray:
    """One round of merging, part by part, on the whole map."""
    labels = parts(classes)
    sizes = np.bincount(labels.ravel())
    beside: dict[int, set[int]] = {number: set() for number in range(1, len(sizes))}
    for one, other in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        for first, second in zip(one.ravel().tolist(), other.ravel().tolist(), strict=True):
            if first and second and first != second:
                beside[first].add(second)
                beside[second].add(first)
    first_pixel = {number: np.flatnonzero(labels.ravel() == number)[0] for number in beside}
    result = classes.copy()
    for number in beside:
        part, seen = number, set()
        while sizes[part] < min_area and beside[part] and part not in seen:
            seen.add(part)
            part = max(beside[part], key=lambda other: (sizes[other], -first_pixel[other]))
        if sizes[number] < min_area <= sizes[part]:
            result[labels == number] = classes.ravel()[first_pixel[part]]
    return result


@settings(deadline=None, max_examples=80)
@given(classes=maps, min_area=st.integers(1, 60), rows=st.integers(1, 17))
def test_small_parts_take_the_class_of_the_largest_beside_them(
    classes: np.ndarray, min_area: int, rows: int
) -> None:
    spans = [(start, min(start + rows, len(classes))) for start in range(0, len(classes), rows)]
    strips = without_small_parts(lambda start, stop: classes[start:stop], spans, min_area)
    result = classes if strips is None else np.concatenate(list(strips))
    np.testing.assert_array_equal(result, merged(classes, min_area))


def test_after_all_rounds_only_islands_in_nodata_are_small(tmp_path: Path) -> None:
    pixels = noise(300, 70)
    pixels[:, 100:110, 10:20] = 0
    pixels[:, 104:106, 14:16] = 9  # an island of four pixels
    source = write_raster(tmp_path / "in.tif", pixels, nodata=0)
    chosen = RasterSettings(postprocessing=Postprocessing(min_area=30))
    predict_raster(source, tmp_path / "out.tif", identity, classes=CLASSES, settings=chosen)
    classes = read_raster(tmp_path / "out.tif")[0]
    np.testing.assert_array_equal(classes == NO_CLASS, (pixels == 0).all(axis=0))
    sizes = np.bincount(parts(classes).ravel())[1:]
    assert sorted(sizes)[0] == 4
    assert sorted(sizes)[1] >= 30


def test_things_connected_through_others() -> None:
    first, second = np.array([0, 3, 5, 4]), np.array([3, 5, 9, 2])
    assert connected(10, first, second).tolist() == [0, 1, 2, 0, 2, 0, 6, 7, 8, 0]


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 999), count=st.integers(1, 60), pairs=st.integers(0, 60))
def test_connected_is_what_scipy_calls_connected(seed: int, count: int, pairs: int) -> None:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = np.random.default_rng(seed).integers(0, count, (2, pairs))
    ours = connected(count, first, second)
    graph = coo_array((np.ones(pairs), (first, second)), shape=(count, count))
    _, labels = connected_components(graph, directed=False)
    lowest = np.array([np.flatnonzero(labels == label)[0] for label in labels])
    np.testing.assert_array_equal(ours, lowest)


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.tuples(*[st.sampled_from([0, 3, 7])] * 3), min_area=st.sampled_from([0, 5]))
def test_the_file_is_what_the_whole_map_gives(
    tmp_path: Path, sizes: tuple[int, int, int], min_area: int
) -> None:
    pixels = noise(530, 40)
    pixels[:, 250:260, 5:30] = 0
    source = write_raster(tmp_path / "in.tif", pixels, nodata=0)
    chosen = Postprocessing(median=sizes[0], opening=sizes[1], closing=sizes[2], min_area=min_area)
    before = pixels.argmax(axis=0).astype(np.uint8)
    before[(pixels == 0).all(axis=0)] = NO_CLASS
    predict_raster(
        source,
        tmp_path / "out.tif",
        identity,
        classes=CLASSES,
        settings=RasterSettings(postprocessing=chosen),
    )
    expected, last = chosen.filtered(before), None
    while min_area and last is not expected:
        last, after = expected, merged(expected, min_area)
        expected = last if (after == last).all() else after
    np.testing.assert_array_equal(read_raster(tmp_path / "out.tif")[0], expected)


def test_settings_that_do_nothing_good_are_refused() -> None:
    with pytest.raises(SightlineError, match="median: must be odd"):
        Postprocessing(median=4)
    with pytest.raises(SightlineError, match="closing"):
        Postprocessing(closing=-1)
