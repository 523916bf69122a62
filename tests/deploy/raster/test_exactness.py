"""The result of tiles is that of the whole image, to the last bit."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.data.predictions import NO_CLASS
from sightline.deploy.raster import RasterSettings, ScoreRaster, TileSettings, predict_raster
from sightline.deploy.raster.blend_windows import BLEND_WINDOWS
from sightline.deploy.raster.blending import Blender
from sightline.deploy.raster.deciding import decide
from sightline.deploy.raster.reading import Border, read_batches
from sightline.deploy.raster.tiling import Axis
from tests.deploy.raster.rasters import (
    CLASSES,
    identity,
    local_model,
    noise,
    read_raster,
    whole_image,
    write_raster,
)

BORDERS = st.sampled_from(["repeat", "fill"])


class ArrayRows:
    """An array in memory, read as a raster is."""

    def __init__(self, pixels: np.ndarray, valid: np.ndarray) -> None:
        self.pixels, self.valid = pixels, valid
        self.info = SimpleNamespace(width=pixels.shape[2])

    def rows(self, start: int, stop: int, fill: float) -> tuple[np.ndarray, np.ndarray]:
        pixels = np.where(self.valid[start:stop], self.pixels[:, start:stop], np.uint8(fill))
        return pixels, self.valid[start:stop].copy()


def by_tiles(
    model: Any,
    pixels: np.ndarray,
    valid: np.ndarray,
    tiles: TileSettings,
    batch_size: int,
    fill: int,
    border: Border = "repeat",
) -> np.ndarray:
    """The class map by tiles, in memory."""
    rows, columns = Axis.of(pixels.shape[1], tiles), Axis.of(pixels.shape[2], tiles)
    blender = Blender(rows, columns)
    result = np.full(valid.shape, NO_CLASS, np.uint8)
    written = np.zeros(valid.shape, np.uint8)
    reader: Any = ArrayRows(pixels, valid)
    for batch in read_batches(reader, rows, columns, batch_size, fill, border):
        outputs: Sequence[Any] = model(batch.images) if len(batch.images) else ()
        for step in batch.steps:
            output = None if step.slot is None else outputs[step.slot].astype(np.float32)
            for top, left, block in blender.add(step.row, step.column, output):
                where = np.s_[top : top + block.shape[1], left : left + block.shape[2]]
                result[where] = decide(block, "softmax")
                written[where] += 1
            if step.valid is not None:
                result[rows.lows[step.row] : rows.settled(step.row)][~step.valid] = NO_CLASS
    assert written.max() <= 1
    assert written[valid].all()
    return result


@st.composite
def validity(draw: st.DrawFn, height: int, width: int) -> np.ndarray:
    """Everything, nothing, a collar, a hole, or here and there."""
    valid = np.ones((height, width), bool)
    kind = draw(st.sampled_from(["all", "none", "collar", "hole", "noise", "edges"]))
    top, left = draw(st.integers(0, height)), draw(st.integers(0, width))
    if kind == "none":
        valid[:] = False
    elif kind == "collar":
        valid[:top] = False
        valid[:, left:] = False
    elif kind == "hole":
        valid[top : top + height // 2, left : left + width // 2] = False
    elif kind == "noise":
        valid = np.random.default_rng(top).random((height, width)) < 0.05
    elif kind == "edges":
        valid[top:, left:] = False
        valid[-1] = True
    return valid


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    height, width = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    multiple = draw(st.sampled_from([1, 1, 2, 8]))
    tiles = TileSettings(
        tile=multiple * draw(st.integers(1, 40)),
        overlap=draw(st.sampled_from([0, 0.1, 0.125, 0.25, 0.5, 0.7, 0.9])),
        window=draw(st.sampled_from(BLEND_WINDOWS)),
        multiple=multiple,
        fixed_size=draw(st.booleans()),
    )
    valid = draw(validity(height, width))
    return {"pixels": noise(height, width, draw(st.integers(0, 99))), "valid": valid, "tiles": tiles}


@settings(deadline=None, max_examples=150)
@given(case=cases(), batch_size=st.integers(1, 7), fill=st.sampled_from([0, 255]), border=BORDERS)
def test_identity(case: dict[str, Any], batch_size: int, fill: int, border: Border) -> None:
    tiled = by_tiles(identity, **case, batch_size=batch_size, fill=fill, border=border)
    np.testing.assert_array_equal(tiled, whole_image(identity, **_renamed(case), fill=fill, border=border))


@settings(deadline=None, max_examples=150)
@given(case=cases(), batch_size=st.integers(1, 7), fill=st.sampled_from([0, 255]), border=BORDERS)
def test_a_model_that_looks_no_further_than_the_margin(
    case: dict[str, Any], batch_size: int, fill: int, border: Border
) -> None:
    model = local_model(case["tiles"].margin_pixels)
    tiled = by_tiles(model, **case, batch_size=batch_size, fill=fill, border=border)
    np.testing.assert_array_equal(tiled, whole_image(model, **_renamed(case), fill=fill, border=border))


@settings(deadline=None, max_examples=100)
@given(case=cases())
def test_a_model_that_looks_as_far_as_half_the_overlap(case: dict[str, Any]) -> None:
    radius = case["tiles"].overlap_pixels // 2
    case["tiles"] = TileSettings(**(case["tiles"].model_dump() | {"margin": radius}))
    model = local_model(radius)
    tiled = by_tiles(model, **case, batch_size=2, fill=0)
    np.testing.assert_array_equal(tiled, whole_image(model, **_renamed(case)))


def test_further_than_the_margin_it_may_differ() -> None:
    # Otherwise the tests above would prove nothing.
    tiles = TileSettings(tile=32, overlap=0.25, multiple=1)
    pixels, valid = noise(80, 80), np.ones((80, 80), bool)
    model = local_model(9)
    tiled = by_tiles(model, pixels, valid, tiles, 1, 0)
    assert (tiled != whole_image(model, pixels, valid, tiles)).any()


@pytest.mark.parametrize(
    ("height", "width", "tile", "overlap", "batch_size"),
    [
        (1, 1, 1024, 0.125, 1),
        (1, 1500, 256, 0.5, 3),
        (1000, 1, 96, 0.125, 4),
        (1000, 1500, 1024, 0.125, 2),
        (1000, 1500, 256, 0.25, 5),
        (733, 411, 128, 0.75, 8),
    ],
)
def test_files_of_all_sizes(
    tmp_path: Path, height: int, width: int, tile: int, overlap: float, batch_size: int
) -> None:
    pixels, valid = noise(height, width), np.ones((height, width), bool)
    valid[height // 3 : height // 2, width // 4 :] = False
    pixels[:, ~valid] = 0
    source = write_raster(tmp_path / "in.tif", pixels, nodata=0)
    tiles = TileSettings(tile=tile, overlap=overlap)
    model = local_model(tiles.margin_pixels)
    chosen = RasterSettings(tiles=tiles, batch_size=batch_size)
    result = predict_raster(source, tmp_path / "out.tif", model, classes=CLASSES, settings=chosen)
    np.testing.assert_array_equal(
        read_raster(tmp_path / "out.tif")[0], whole_image(model, pixels, valid, tiles)
    )
    assert (result.height, result.width) == (height, width)


@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=cases(), batch_size=st.integers(1, 5), parallel=st.integers(1, 3))
def test_files(tmp_path: Path, case: dict[str, Any], batch_size: int, parallel: int) -> None:
    pixels, valid, tiles = case["pixels"], case["valid"], case["tiles"]
    source = write_raster(tmp_path / "in.tif", pixels, mask=valid)
    model = local_model(tiles.margin_pixels)
    chosen = RasterSettings(tiles=tiles, batch_size=batch_size, fill=7)
    out = tmp_path / "out.tif"
    predict_raster(source, out, model, classes=CLASSES, settings=chosen, parallel=parallel)
    expected = whole_image(model, pixels, valid, tiles, fill=7)
    np.testing.assert_array_equal(read_raster(tmp_path / "out.tif")[0], expected)


def test_scores_are_those_of_the_whole_image_too(tmp_path: Path) -> None:
    pixels = noise(90, 130)
    source = write_raster(tmp_path / "in.tif", pixels)

    def model(images: np.ndarray) -> np.ndarray:
        return images / np.float32(50)

    logits = model(pixels)
    expected = np.exp(logits - logits.max(axis=0))
    expected /= expected.sum(axis=0)
    tiles = TileSettings(tile=32, overlap=0.5, multiple=1)
    out = ScoreRaster(path=tmp_path / "out.tif", dtype="float32")
    predict_raster(source, out, model, classes=CLASSES, settings=RasterSettings(tiles=tiles))
    np.testing.assert_array_equal(read_raster(tmp_path / "out.tif"), expected)


def test_scores_of_several_tiles_are_their_weighted_mean() -> None:
    """Each tile says its own number; what comes out are the shares of the tiles."""
    tiles = TileSettings(tile=16, overlap=0.5, multiple=1, margin=0)
    axis = Axis.of(40, tiles)
    blender = Blender(axis, axis)
    result, weights = np.zeros((2, 40, 40)), np.zeros((40, 40))
    expected = np.zeros((2, 40, 40))
    generator = np.random.default_rng(0)
    for row in range(len(axis)):
        for column in range(len(axis)):
            output = generator.random((2, 16, 16)).astype(np.float32)
            share = np.outer(axis.share(row), axis.share(column))
            rows, columns = (
                slice(axis.lows[row], axis.highs[row]),
                slice(axis.lows[column], axis.highs[column]),
            )
            top, left = axis.starts[row], axis.starts[column]
            seen = output[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
            expected[:, rows, columns] += share * seen
            weights[rows, columns] += share
            for first, second, block in blender.add(row, column, output):
                result[:, first : first + block.shape[1], second : second + block.shape[2]] = block
    np.testing.assert_allclose(weights, 1, atol=1e-12)
    np.testing.assert_allclose(result, expected, atol=1e-6)


def _renamed(case: dict[str, Any]) -> dict[str, Any]:
    return {"pixels": case["pixels"], "valid": case["valid"], "settings": case["tiles"]}
