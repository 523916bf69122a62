"""The one schema of `Dataset.samples`.

Every dataset in memory has all of these columns with exactly these types, whether or not it uses them,
so that datasets can be concatenated and queried without looking at what is inside first. The files
leave out what is null in every sample, and reading puts it back.

Decisions that the types hold:

* **Nesting is fixed.** An annotation may carry attributes: a box may hold classifications, boxes,
  bitmasks and polygons (level 1), and each of those may hold classifications (level 2: the tone of a
  colour). A classification holds only classifications. Deeper nesting is refused.
* **Free-form data is JSON text.** ``meta`` is a struct with the one field ``json``, so any object fits
  one fixed type and comes back exactly. It is a struct rather than bare text because readers that
  expect a mapping there (the ``hafnia`` package) then get one.
* **Boxes and polygons** are fractions of the image's width and height, 0..1 from the top left corner.
* **Bitmasks** hold their bounding box in pixels and a compressed COCO RLE *of the whole image*
  (height x width), so that an RLE can go to COCO tools as it is.
* **Unknown is null**, never a default: a ``confidence`` of null is not known, 0.0 is zero. No list
  (null) and an empty list are different things: "not annotated" and "annotated, nothing there".
* **Times** are ISO 8601 text, which keeps the zone that was given.
"""

import polars as pl

SCHEMA_VERSION = "1"
"""Written into the metadata of ``annotations.parquet`` under `SCHEMA_KEY`; a changed type changes it."""

SCHEMA_KEY = "sightline.schema"

META = pl.Struct({"json": pl.String})

_GEOMETRY: dict[str, dict[str, pl.DataType]] = {
    "classifications": {},
    "bboxes": {
        "height": pl.Float64(),
        "width": pl.Float64(),
        "top_left_x": pl.Float64(),
        "top_left_y": pl.Float64(),
        "area": pl.Float64(),
    },
    "bitmasks": {
        "top": pl.Int64(),
        "left": pl.Int64(),
        "height": pl.Int64(),
        "width": pl.Int64(),
        "rle_string": pl.String(),
        "area": pl.Float64(),
    },
    "polygons": {
        "points": pl.List(pl.Struct({"x": pl.Float64, "y": pl.Float64})),
        "area": pl.Float64(),
    },
}

_COMMON: dict[str, pl.DataType] = {
    "class_name": pl.String(),
    "class_idx": pl.Int64(),
    "object_id": pl.String(),
    "confidence": pl.Float64(),
    "ground_truth": pl.Boolean(),
    "task_name": pl.String(),
    "created_at": pl.String(),
    "updated_at": pl.String(),
    "meta": META,
}

PRIMITIVE_COLUMNS = tuple(_GEOMETRY)
"""The columns that hold annotations, which are also the names of an annotation's attribute lists."""

MAX_DEPTH = 2
"""The level of the most deeply nested attribute; an annotation of the sample itself is at level 0."""


def attribute_columns(column: str, level: int) -> tuple[str, ...]:
    """The attribute lists that an annotation in ``column`` at nesting ``level`` may carry."""
    if level >= MAX_DEPTH:
        return ()
    if level == 1 or column == "classifications":
        return ("classifications",)
    return PRIMITIVE_COLUMNS


def scalar_fields(column: str) -> dict[str, pl.DataType]:
    """Names and types of the fields of one annotation in ``column``, attribute lists aside."""
    return _GEOMETRY[column] | _COMMON


def annotation_type(column: str, level: int = 0) -> pl.Struct:
    """The struct type of one annotation in ``column`` at nesting ``level``."""
    attributes = {
        name: pl.List(annotation_type(name, level + 1)) for name in attribute_columns(column, level)
    }
    return pl.Struct(scalar_fields(column) | attributes)


_LICENSE = pl.Struct(
    {
        "name": pl.String,
        "name_short": pl.String,
        "url": pl.String,
        "description": pl.String,
        "valid_date": pl.String,
        "permissions": pl.List(pl.String),
        "liability": pl.String,
        "location": pl.String,
        "notes": pl.String,
    }
)

CONTEXT_TYPES: dict[str, pl.Struct] = {
    "attribution": pl.Struct(
        {
            "title": pl.String,
            "creator": pl.String,
            "creator_url": pl.String,
            "date_captured": pl.String,
            "copyright_notice": pl.String,
            "licenses": pl.List(_LICENSE),
            "disclaimer": pl.String,
            "changes": pl.String,
            "source_url": pl.String,
        }
    ),
    "video_info": pl.Struct(
        {
            "name": pl.String,
            "description": pl.String,
            "captured_at": pl.String,
            "downloaded_at": pl.String,
            "duration_seconds": pl.Float64,
            "frame_rate": pl.Float64,
            "total_frames": pl.Int64,
            "resolution_width": pl.Int64,
            "resolution_height": pl.Int64,
            "aspect_ratio": pl.Float64,
            "codec": pl.String,
            "container_format": pl.String,
            "bit_rate_kbps": pl.Float64,
            "color_space": pl.String,
            "rotation_degrees": pl.Int64,
        }
    ),
    "camera_info": pl.Struct(
        {
            "id": pl.String,
            "name": pl.String,
            "make": pl.String,
            "model": pl.String,
            "lens": pl.String,
            "focal_length_mm": pl.Float64,
            "aperture_f_number": pl.Float64,
            "iso": pl.Int64,
            "exposure_time_seconds": pl.Float64,
            "white_balance": pl.String,
            "color_space": pl.String,
            "metering_mode": pl.String,
            "flash": pl.Boolean,
        }
    ),
    "position": pl.Struct(
        {
            "latitude": pl.Float64,
            "longitude": pl.Float64,
            "altitude_meters": pl.Float64,
            "height_above_ground_meters": pl.Float64,
        }
    ),
    "orientation": pl.Struct(
        {
            "heading_degrees": pl.Float64,
            "pitch_degrees": pl.Float64,
            "roll_degrees": pl.Float64,
            "yaw_degrees": pl.Float64,
        }
    ),
}
"""Where a sample comes from and how it was taken; see `sightline.data.context` for the meaning."""

SAMPLE_SCHEMA = pl.Schema(
    {
        "sample_index": pl.UInt64(),
        "file_path": pl.String(),
        "height": pl.Int64(),
        "width": pl.Int64(),
        "split": pl.String(),
        "tags": pl.List(pl.String),
        "storage_format": pl.String(),
        "collection_index": pl.Int64(),
        "collection_id": pl.String(),
        "remote_path": pl.String(),
        "dataset_name": pl.String(),
        **{column: pl.List(annotation_type(column)) for column in PRIMITIVE_COLUMNS},
        **CONTEXT_TYPES,
        "meta": META,
    }
)


def difference(path: str, found: pl.DataType | None, expected: pl.DataType) -> str | None:
    """Where and how a type is not the expected one, at the innermost place: "bboxes.class_idx is Int32,
    expected Int64"; None where it is."""
    if found == expected:
        return None
    if isinstance(found, pl.List) and isinstance(expected, pl.List):
        return difference(path, data_type(found.inner), data_type(expected.inner))
    if isinstance(found, pl.Struct) and isinstance(expected, pl.Struct):
        types = {field.name: data_type(field.dtype) for field in found.fields}
        for field in expected.fields:
            inner = difference(f"{path}.{field.name}", types.pop(field.name, None), data_type(field.dtype))
            if inner is not None:
                return inner
        return (
            f"{path} has the field '{next(iter(types))}', which it must not"
            if types
            else f"{path} has its fields in another order"
        )
    short = expected if not expected.is_nested() else f"a {type(expected).__name__.lower()}"
    return f"{path} is {'missing' if found is None else found}, expected {short}"


def data_type(dtype: object) -> pl.DataType:
    """An instance of a type: within a nested type polars keeps what it was given, a class or an instance."""
    instance = dtype() if isinstance(dtype, type) else dtype
    assert isinstance(instance, pl.DataType), f"{dtype!r} is not a polars type"
    return instance
