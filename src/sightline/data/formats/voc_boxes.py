"""Pascal VOC's boxes: corners in pixels, and boxes of parts within a box."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from sightline.data.formats.boxes import BOX, read_boxes
from sightline.data.formats.repairs import Repairs
from sightline.data.formats.voc_xml import CORNERS, escaped, object_text
from sightline.data.schema import annotation_type

PART_TASK = "part"
"""The task of the boxes that are nested in a box: the head, hands and feet of a person."""

_DECIMALS = 6
"""Of pixels that are written: far finer than any annotation, and whole numbers stay whole."""


def boxes_of_corners(
    corners: Sequence[Sequence[float]],
    sizes: np.ndarray,
    one_based: bool,
    wheres: Sequence[str],
    repairs: Repairs,
) -> tuple[pl.DataFrame, np.ndarray]:
    """`read_boxes` of boxes given as xmin, ymin, xmax, ymax in pixels.

    ``sizes`` holds height and width of each one's image.
    """
    numbers = np.array(corners, dtype=np.float64).reshape(-1, 4)
    return read_boxes(numbers, "xyxy", "pixels", sizes, wheres.__getitem__, repairs, one_based=one_based)


def part_lists(
    parts: Sequence[Sequence[tuple[str, list[float]]]],
    sizes: np.ndarray,
    one_based: bool,
    wheres: Sequence[str],
    repairs: Repairs,
) -> pl.Series:
    """The boxes of the parts of each object as nested annotations; null where it has none."""
    lists: list[list[dict[str, Any]] | None] = [None] * len(parts)
    for row in (row for row, found in enumerate(parts) if found):
        here = [wheres[row]] * len(parts[row])
        size = np.repeat(sizes[row : row + 1], len(here), axis=0)
        boxes, good = boxes_of_corners([box for _, box in parts[row]], size, one_based, here, repairs)
        lists[row] = [
            box | {"class_name": name, "task_name": PART_TASK, "ground_truth": True}
            for (name, _), box, kept in zip(parts[row], boxes.to_dicts(), good, strict=True)
            if kept
        ]
    return pl.Series("bboxes", lists, pl.List(annotation_type("bboxes", 1)))


def object_texts(table: pl.DataFrame, sizes: np.ndarray, one_based: bool) -> pl.Series:
    """The ``object`` element of each row of a table of boxes; ``sizes`` as in `boxes_of_corners`.

    Raises:
        SightlineError: a class that XML cannot hold.
    """
    about = table.select("class_name", pl.col("meta").struct.field("json"))
    kinds = about.unique()
    texts = [object_text(name, meta) for name, meta in kinds.iter_rows()]
    kinds = kinds.with_columns(pl.Series("about", texts, pl.String))
    head = about.join(kinds, on=["class_name", "json"], how="left", nulls_equal=True, maintain_order="left")
    parts = [""] * len(table)
    for row in (table["bboxes"].list.len() > 0).arg_true():
        parts[row] = _part_texts(table["bboxes"][row], sizes[row : row + 1], one_based)
    return pl.select(
        pl.concat_str(
            pl.lit("\t<object>\n"), head["about"], _box_texts(table, sizes, one_based, 2),
            pl.Series(parts, dtype=pl.String), pl.lit("\t</object>\n"),
        )
    ).to_series()  # fmt: skip


def _part_texts(parts: pl.Series, size: np.ndarray, one_based: bool) -> str:
    table = parts.struct.unnest()
    boxes = _box_texts(table, np.repeat(size, len(table), axis=0), one_based, 3)
    return "".join(
        f"\t\t<part>\n\t\t\t<name>{escaped(name or '')}</name>\n{box}\t\t</part>\n"
        for name, box in zip(table["class_name"], boxes, strict=True)
    )


def _box_texts(table: pl.DataFrame, sizes: np.ndarray, one_based: bool, depth: int) -> pl.Series:
    numbers = table.select(BOX).to_numpy()
    low = numbers[:, :2] * sizes[:, ::-1]
    high = low + numbers[:, 2:] * sizes[:, ::-1]
    corners = pl.DataFrame(np.hstack([low + one_based, high]), schema=list(CORNERS), orient="row")
    indent = "\t" * depth
    values = [
        pl.concat_str(
            pl.lit(f"{indent}\t<{corner}>"),
            # Adding 0 makes -0.0 a 0.
            (pl.col(corner).round(_DECIMALS) + 0).cast(pl.String).str.strip_suffix(".0"),
            pl.lit(f"</{corner}>\n"),
        )
        for corner in CORNERS
    ]
    text = pl.concat_str(pl.lit(f"{indent}<bndbox>\n"), *values, pl.lit(f"{indent}</bndbox>\n"))
    return corners.select(text).to_series()
