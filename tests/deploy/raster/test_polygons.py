import json
import sqlite3
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.data.predictions import NO_CLASS
from sightline.data.raster import Georeference
from sightline.deploy.raster import Polygons, Postprocessing, RasterSettings, predict_raster
from sightline.deploy.raster.outlines import nodes, outlines, smoothed
from sightline.deploy.raster.strips import Strips
from tests.deploy.raster.rasters import CLASSES, PLACE, identity, noise, rasterio, write_raster


def blobs(folder: Path, **profile: Any) -> tuple[Path, np.ndarray]:
    """A raster of three bands whose largest makes blobs, with a hole in its data; and its class map."""
    generator = np.random.default_rng(0)
    coarse = generator.random((3, 20, 25))
    pixels = np.kron(coarse, np.ones((3, 4))) * 200 + generator.random((3, 60, 100)) * 40
    pixels = pixels.astype(np.uint8) + 1
    pixels[:, 10:25, 30:60] = 0
    classes = pixels.argmax(axis=0).astype(np.uint8)
    classes[10:25, 30:60] = NO_CLASS
    return write_raster(folder / "in.tif", pixels, nodata=0, **profile), classes


def read_geopackage(path: Path) -> list[dict[str, Any]]:
    """The polygons of the layer, decoded by hand: attributes and rings."""
    features = []
    with sqlite3.connect(path) as base:
        base.row_factory = sqlite3.Row
        rows = [dict(row) for row in base.execute("SELECT * FROM classes")]
    for row in rows:
        blob = row.pop("geom")
        magic, version, flags, system = struct.unpack_from("<2sBBi", blob)
        assert (magic, version, flags) == (b"GP", 0, 3)
        left, right, bottom, top = struct.unpack_from("<4d", blob, 8)
        order, kind, count = struct.unpack_from("<BII", blob, 40)
        assert (order, kind) == (1, 3)
        rings, offset = [], 49
        for _ in range(count):
            (length,) = struct.unpack_from("<I", blob, offset)
            ring = np.frombuffer(blob, "<f8", 2 * length, offset + 4).reshape(-1, 2)
            assert (ring[0] == ring[-1]).all()
            rings.append(ring)
            offset += 4 + 16 * length
        assert offset == len(blob)
        corners = np.concatenate(rings)
        assert corners.min(axis=0).tolist() == [left, bottom]
        assert corners.max(axis=0).tolist() == [right, top]
        features.append(row | {"rings": rings, "system": system})
    return features


def area(ring: np.ndarray) -> float:
    """Positive if counterclockwise with y up."""
    x, y = ring[:-1].T - ring[0][:, None]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2


def drawn(features: list[dict[str, Any]], shape: tuple[int, int], transform: Any) -> np.ndarray:
    """The polygons as a class map."""
    polygons = [
        ({"type": "Polygon", "coordinates": [ring.tolist() for ring in feature["rings"]]}, feature["class"])
        for feature in features
    ]
    return rasterio.features.rasterize(polygons, shape, NO_CLASS, transform=transform, dtype="uint8")


@pytest.mark.parametrize("smooth", [0, 1, 2])
def test_polygons_drawn_again_are_the_class_map(tmp_path: Path, smooth: int) -> None:
    source, classes = blobs(tmp_path)
    out = Polygons(path=tmp_path / "out.gpkg", smooth=smooth)
    predict_raster(source, out, identity, classes=CLASSES)
    features = read_geopackage(out.path)
    np.testing.assert_array_equal(drawn(features, classes.shape, PLACE), classes)
    for feature in features:
        assert feature["name"] == CLASSES[feature["class"]]
        assert feature["system"] == 32632
        assert feature["area_m2"] == 4 * feature["pixels"]
        assert area(feature["rings"][0]) > 0
        assert all(area(ring) < 0 for ring in feature["rings"][1:])
    assert sum(feature["pixels"] for feature in features) == (classes != NO_CLASS).sum()
    total = sum(area(ring) for feature in features for ring in feature["rings"])
    # Smoothing moves lines between parts, so that what one loses another gains, but for the hole.
    assert total == pytest.approx(4 * (classes != NO_CLASS).sum(), abs=0 if smooth == 0 else 8)


def test_a_geopackage_has_what_its_standard_asks_for(tmp_path: Path) -> None:
    source, _ = blobs(tmp_path)
    predict_raster(source, tmp_path / "out.gpkg", identity, classes=CLASSES)
    with sqlite3.connect(tmp_path / "out.gpkg") as base:
        assert base.execute("PRAGMA application_id").fetchone()[0] == 0x47504B47
        assert base.execute("PRAGMA user_version").fetchone()[0] == 10300
        assert base.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        systems = dict(base.execute("SELECT srs_id, definition FROM gpkg_spatial_ref_sys").fetchall())
        assert {-1, 0, 4326, 32632} <= set(systems)
        assert rasterio.crs.CRS.from_wkt(systems[32632]) == "EPSG:32632"
        contents = base.execute("SELECT table_name, data_type, min_x, max_y, srs_id FROM gpkg_contents")
        assert contents.fetchall() == [("classes", "features", 500_000.0, 5_000_000.0, 32632)]
        geometry = base.execute("SELECT * FROM gpkg_geometry_columns").fetchall()
        assert geometry == [("classes", "geom", "POLYGON", 32632, 0, 0)]


def test_geojson_is_in_degrees(tmp_path: Path) -> None:
    source, classes = blobs(tmp_path)
    predict_raster(source, tmp_path / "out.geojson", identity, classes=CLASSES)
    collection = json.loads((tmp_path / "out.geojson").read_text())
    assert collection["type"] == "FeatureCollection"
    assert "crs" not in collection
    features = []
    for feature in collection["features"]:
        rings = [np.array(ring) for ring in feature["geometry"]["coordinates"]]
        assert (np.concatenate(rings) > (8, 45)).all()
        assert (np.concatenate(rings) < (10, 46)).all()
        assert area(rings[0]) > 0
        back = [
            np.stack(rasterio.warp.transform("EPSG:4326", "EPSG:32632", *ring.T.tolist()), axis=1)
            for ring in rings
        ]
        features.append(feature["properties"] | {"rings": back})
    np.testing.assert_array_equal(drawn(features, classes.shape, PLACE), classes)


def test_without_a_place_polygons_are_in_pixels(tmp_path: Path) -> None:
    source, classes = blobs(tmp_path, crs=None, transform=None)
    predict_raster(source, tmp_path / "out.geojson", identity, classes=CLASSES)
    features = [
        feature["properties"] | {"rings": [np.array(ring) for ring in feature["geometry"]["coordinates"]]}
        for feature in json.loads((tmp_path / "out.geojson").read_text())["features"]
    ]
    assert all("area_m2" not in feature for feature in features)
    np.testing.assert_array_equal(drawn(features, classes.shape, rasterio.Affine.identity()), classes)


def test_small_parts_and_background_are_left_out(tmp_path: Path) -> None:
    source, classes = blobs(tmp_path)
    out = Polygons(path=tmp_path / "out.gpkg", min_area=20, leave_out=(0,))
    predict_raster(source, out, identity, classes=CLASSES)
    features = read_geopackage(out.path)
    assert features
    assert all(feature["pixels"] >= 20 and feature["class"] != 0 for feature in features)
    shown = drawn(features, classes.shape, PLACE)
    assert ((shown == classes) | (shown == NO_CLASS)).all()


def test_a_raster_without_any_data_has_no_polygons(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "in.tif", np.zeros((3, 20, 20), np.uint8), nodata=0)
    for name in ("out.gpkg", "out.geojson"):
        predict_raster(source, tmp_path / name, identity, classes=CLASSES)
    assert read_geopackage(tmp_path / "out.gpkg") == []
    assert json.loads((tmp_path / "out.geojson").read_text())["features"] == []


@settings(deadline=None, max_examples=25)
@given(
    height=st.integers(1, 12),
    width=st.integers(1, 12),
    seed=st.integers(0, 999),
    classes=st.integers(1, 4),
    rounds=st.integers(0, 8),
    rows=st.integers(1, 5),
)
def test_smoothing_leaves_one_line_between_neighbours(
    tmp_path_factory: pytest.TempPathFactory,
    height: int,
    width: int,
    seed: int,
    classes: int,
    rounds: int,
    rows: int,
) -> None:
    values = np.random.default_rng(seed).integers(0, classes, (height, width), dtype=np.uint8)
    strips = Strips(tmp_path_factory.mktemp("strips"), "classes", (height, width), 1, "uint8")
    strips.write(0, values[None])
    fixed = nodes(lambda start, stop: values[start:stop], height, width, rows)
    found = list(outlines(strips.as_raster(Georeference())))
    assert sum(outline.pixels for outline in found) == values.size
    edges: dict[tuple, int] = {}
    total = 0.0
    for outline in found:
        for ring in smoothed(outline.rings, fixed, width, rounds):
            total += area(np.concatenate([ring, ring[:1]]))
            for start, end in zip(ring.tolist(), np.roll(ring, -1, axis=0).tolist(), strict=True):
                edges[(*start, *end)] = edges.get((*start, *end), 0) + 1
    # The parts together are the whole map, as each piece of line is passed once in either direction.
    assert total == pytest.approx(height * width)
    border = (0.0, float(width)), (0.0, float(height))
    for (x1, y1, x2, y2), count in edges.items():
        assert count == 1
        outer = (x1 == x2 and x1 in border[0]) or (y1 == y2 and y1 in border[1])
        assert outer or edges.get((x2, y2, x1, y1)) == 1


def test_polygons_come_after_the_filters(tmp_path: Path) -> None:
    source = write_raster(tmp_path / "in.tif", noise(80, 90))
    chosen = RasterSettings(postprocessing=Postprocessing(min_area=25))
    predict_raster(source, tmp_path / "out.gpkg", identity, classes=CLASSES, settings=chosen)
    assert min(feature["pixels"] for feature in read_geopackage(tmp_path / "out.gpkg")) >= 25
