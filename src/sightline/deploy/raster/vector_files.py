"""Polygons in files: GeoJSON and GeoPackage, feature by feature."""

import json
import sqlite3
import struct
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sightline.errors import SightlineError

if TYPE_CHECKING:
    from rasterio.crs import CRS

_DECIMALS = 9  # of a degree: a tenth of a millimetre
_TOGETHER = 50_000  # points whose coordinates are transformed in one call

_LAYER = "classes"
_GEOPACKAGE_VERSION = 10300
_APPLICATION_ID = 0x47504B47  # "GPKG"
_WITH_ENVELOPE = 0b11  # flags of a geometry: little endian, with the extent in x and y
_OWN_CRS = 100_000  # number of a coordinate system that no authority has one for


@dataclass(frozen=True)
class Feature:
    """A polygon in world coordinates, the outer ring first and counterclockwise; ``area_m2`` if it is
    known."""

    class_number: int
    name: str
    pixels: int
    area_m2: float | None
    rings: list[np.ndarray]


def write_geojson(path: Path, features: Iterable[Feature], crs: "CRS | None") -> int:
    """Write a FeatureCollection (RFC 7946) at ``path``, in place, and give the number of features.

    Coordinates are degrees of WGS 84, longitude first; without ``crs``, they are left as they are.
    """
    count = 0
    with path.open("w", encoding="utf-8") as file:
        file.write('{"type": "FeatureCollection", "features": [')
        for feature in features if crs is None else _in_degrees(features, crs):
            geometry = {"type": "Polygon", "coordinates": [_closed(ring).tolist() for ring in feature.rings]}
            entry = {"type": "Feature", "properties": _attributes(feature), "geometry": geometry}
            file.write(("," if count else "") + "\n" + json.dumps(entry, ensure_ascii=False))
            count += 1
        file.write("\n]}\n")
    return count


def write_geopackage(path: Path, features: Iterable[Feature], crs: "CRS | None") -> int:
    """Write the layer ``classes`` of a GeoPackage (OGC 12-128r17, 1.3) at ``path``, in place, and give the
    number of features. Without ``crs`` the coordinate system is the undefined Cartesian one.

    A GeoPackage is an SQLite file of a few tables, which needs no library beside Python's own.

    Raises:
        SightlineError: the disk is full.
    """
    path.unlink(missing_ok=True)
    number, system = _coordinate_system(crs)
    extent = np.array([np.inf, np.inf, -np.inf, -np.inf])
    try:
        with closing(sqlite3.connect(path)) as base:
            base.executescript(_TABLES)
            base.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            base.execute(f"PRAGMA user_version = {_GEOPACKAGE_VERSION}")
            base.executemany(
                "INSERT OR IGNORE INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL)", system
            )
            count = 0
            for feature in features:
                corners = np.concatenate(feature.rings)
                low, high = corners.min(axis=0), corners.max(axis=0)
                extent = np.r_[np.minimum(extent[:2], low), np.maximum(extent[2:], high)]
                geometry = _geometry(feature.rings, number, low, high)
                values = (geometry, *_attributes(feature, always=True).values())
                base.execute("INSERT INTO classes VALUES (NULL, ?, ?, ?, ?, ?)", values)
                count += 1
            box = extent.tolist() if count else [None] * 4
            contents = (_LAYER, "features", _LAYER, *box, number)
            base.execute(
                "INSERT INTO gpkg_contents (table_name, data_type, identifier, min_x, min_y, max_x, max_y, "
                "srs_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                contents,
            )
            base.execute(
                "INSERT INTO gpkg_geometry_columns VALUES (?, 'geom', 'POLYGON', ?, 0, 0)", (_LAYER, number)
            )
            base.commit()
    except sqlite3.Error as error:
        raise SightlineError(f"{path}: cannot be written ({error}); is the disk full?") from error
    return count


def _attributes(feature: Feature, always: bool = False) -> dict[str, object]:
    attributes: dict[str, object] = {
        "class": feature.class_number,
        "name": feature.name,
        "pixels": feature.pixels,
    }
    known = feature.area_m2 is not None or always
    return attributes | ({"area_m2": feature.area_m2} if known else {})


def _closed(ring: np.ndarray) -> np.ndarray:
    return np.concatenate([ring, ring[:1]])


def _in_degrees(features: Iterable[Feature], crs: "CRS") -> Iterator[Feature]:
    """The features, of which many are transformed at once: a call takes longer than a thousand points."""
    waiting: list[Feature] = []
    points = 0
    for feature in features:
        waiting.append(feature)
        points += sum(map(len, feature.rings))
        if points >= _TOGETHER:
            yield from _transformed(waiting, crs)
            waiting, points = [], 0
    yield from _transformed(waiting, crs)


def _transformed(features: list[Feature], crs: "CRS") -> Iterator[Feature]:
    from rasterio.warp import transform

    if not features:
        return
    rings = [ring for feature in features for ring in feature.rings]
    corners = np.concatenate(rings)
    x, y, *_ = transform(crs, "OGC:CRS84", corners[:, 0].tolist(), corners[:, 1].tolist())
    moved = np.round(np.stack([x, y], axis=1), _DECIMALS)
    remaining = iter(np.split(moved, np.cumsum([len(ring) for ring in rings])[:-1]))
    for feature in features:
        new = [next(remaining) for _ in feature.rings]
        yield Feature(feature.class_number, feature.name, feature.pixels, feature.area_m2, new)


def _geometry(rings: list[np.ndarray], system: int, low: np.ndarray, high: np.ndarray) -> bytes:
    """The polygon as GeoPackage stores it: a header with its extent, then well-known binary."""
    header = b"GP" + struct.pack("<BBi4d", 0, _WITH_ENVELOPE, system, low[0], high[0], low[1], high[1])
    parts = [header, struct.pack("<BII", 1, 3, len(rings))]
    for ring in rings:
        closed = _closed(ring).astype("<f8")
        parts += [struct.pack("<I", len(closed)), closed.tobytes()]
    return b"".join(parts)


def _coordinate_system(crs: "CRS | None") -> tuple[int, list[tuple[str, int, str, int, str]]]:
    """Its number, and the rows of the table of coordinate systems: three that the standard wants, and it."""
    from rasterio.crs import CRS

    wgs84 = CRS.from_epsg(4326).to_wkt()
    rows = [
        ("Undefined Cartesian SRS", -1, "NONE", -1, "undefined"),
        ("Undefined geographic SRS", 0, "NONE", 0, "undefined"),
        ("WGS 84", 4326, "EPSG", 4326, wgs84),
    ]
    if crs is None:
        return -1, rows
    organization, number, name = "NONE", _OWN_CRS, "of the raster"
    if (authority := crs.to_authority()) and authority[1].isdigit():
        organization, number, name = authority[0], int(authority[1]), ":".join(authority)
    return number, [*rows, (name, number, organization, number, crs.to_wkt())]


_TABLES = """
CREATE TABLE gpkg_spatial_ref_sys (
    srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY, organization TEXT NOT NULL,
    organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT
);
CREATE TABLE gpkg_contents (
    table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
    description TEXT DEFAULT '',
    last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE, srs_id INTEGER,
    CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id)
);
CREATE TABLE gpkg_geometry_columns (
    table_name TEXT NOT NULL, column_name TEXT NOT NULL, geometry_type_name TEXT NOT NULL,
    srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
    CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
    CONSTRAINT uk_gc_table_name UNIQUE (table_name),
    CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
    CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id)
);
CREATE TABLE classes (
    fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, geom POLYGON, class INTEGER, name TEXT, pixels INTEGER,
    area_m2 DOUBLE
);
"""
