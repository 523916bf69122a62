"""One object followed through a video: ``{"exist": [1, 0, ...], "gt_rect": [[x, y, w, h], ...]}``.

An entry per frame: whether the object is seen, and its box in pixels. ``exist`` of null is a frame that
nobody looked at.
"""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from sightline.data.formats.boxes import read_boxes
from sightline.data.formats.repairs import Repairs
from sightline.errors import SightlineError

CLASSES_FILE = "classes.json"
"""Beside the videos, written by us: the class of the object in each, as ``{"<video>": "<class>"}``."""

OBJECT = "object"
"""The class of objects of which nothing says what they are."""

_LAST_WORD = r"([A-Za-z]+)[^A-Za-z]*$"

Entry = tuple[float, float, float, float] | bool | None
"""A box; False where the object is not seen; None where it is not known where it is."""


def read_tracks(path: Path, repairs: Repairs) -> list[Entry]:
    """The entries of the file, one per frame. Where the object is seen, but its box is empty, nothing is
    known of the frame; ``repairs`` counts those.

    Raises:
        SightlineError: not such a file, its lists differ in length, or a box that is not four numbers.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise SightlineError(f"{path}: cannot be read as JSON ({error}); is it whole?") from None
    exist, boxes = (data.get("exist"), data.get("gt_rect")) if isinstance(data, dict) else (None, None)
    if not isinstance(exist, list) or not isinstance(boxes, list):
        raise SightlineError(f'{path}: expected {{"exist": [...], "gt_rect": [[x, y, w, h], ...]}}.')
    if len(exist) != len(boxes):
        raise SightlineError(
            f"{path}: 'exist' has {len(exist)} entries and 'gt_rect' {len(boxes)}; both need one per frame."
        )
    entries: list[Entry] = []
    for number, (seen, box) in enumerate(zip(exist, boxes, strict=True)):
        if seen is not None and seen not in (0, 1):
            raise SightlineError(f"{path}: 'exist' entry {number} is {seen!r}, expected 0 or 1.")
        where = f"{path}: 'gt_rect' entry {number}"
        found = _box(box, where) if seen else False
        if found is None:
            repairs.add("frames that show the object without a box taken as not annotated", where)
        entries.append(None if seen is None else found)
    return entries


def write_tracks(path: Path, entries: Sequence[Entry]) -> None:
    """Write ``entries`` so that `read_tracks` gives them back, boxes to a millionth of a pixel."""
    exist = [None if entry is None else int(entry is not False) for entry in entries]
    boxes = [[round(number, 6) for number in entry] if isinstance(entry, tuple) else [0, 0, 0, 0]
             for entry in entries]  # fmt: skip
    path.write_text(json.dumps({"exist": exist, "gt_rect": boxes}) + "\n", encoding="utf-8")


def box_table(
    entries: Sequence[Entry], sizes: np.ndarray, repairs: Repairs, where: Sequence[str]
) -> pl.DataFrame:
    """The boxes as fractions: columns ``row`` (which entry) and those of a box.

    ``sizes`` (entries, 2) are heights and widths; ``where`` names the entries.

    Raises:
        SightlineError: numbers that cannot be a box; the sentence names the entry.
    """
    rows = [row for row, entry in enumerate(entries) if isinstance(entry, tuple)]
    numbers = np.array([entries[row] for row in rows], dtype=np.float64).reshape(-1, 4)
    boxes, good = read_boxes(numbers, "xywh", "pixels", sizes[rows], lambda at: where[rows[at]], repairs)
    return boxes.insert_column(0, pl.Series("row", rows, pl.UInt32)).filter(good)


def class_of_video(
    root: Path, class_name: str | None, class_from: str | None
) -> "dict[str, str] | str | re.Pattern[str]":
    """What says the class of the object in a video; see `class_in`.

    Raises:
        SightlineError: both options, a pattern that is none, or a damaged ``classes.json``.
    """
    if class_name is not None and class_from is not None:
        raise SightlineError("class_name and class_from both say the class; give one of them.")
    if class_name is not None:
        return class_name
    if class_from is not None:
        try:
            return re.compile(_LAST_WORD if class_from == "folder" else class_from)
        except re.error as error:
            raise SightlineError(f"class_from='{class_from}' is no regular expression ({error}).") from None
    if not (root / CLASSES_FILE).is_file():
        return OBJECT
    try:
        classes: Any = json.loads((root / CLASSES_FILE).read_text(encoding="utf-8"))
        return {str(video): str(name) for video, name in classes.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise SightlineError(
            f'{root / CLASSES_FILE}: expected {{"<video>": "<class>"}} ({error}); mend or remove it.'
        ) from None


def class_in(video: str, source: "dict[str, str] | str | re.Pattern[str]") -> str:
    """The class of the object in the video of that name.

    Raises:
        SightlineError: ``source`` does not know the video, or its pattern does not fit the name.
    """
    if isinstance(source, str):
        return source
    if isinstance(source, dict):
        if video not in source:
            raise SightlineError(f"{CLASSES_FILE}: does not say the class of video '{video}'; add it.")
        return source[video]
    match = source.search(video)
    if match is None or not match.re.groups or not match.group(1):
        raise SightlineError(
            f"class_from: '{source.pattern}' finds no class in the name of video '{video}'; give a pattern "
            "with one group."
        )
    return match.group(1)


def _box(box: Any, where: str) -> tuple[float, float, float, float] | None:
    if box is None or box == []:
        return None
    if isinstance(box, list) and len(box) == 4 and all(isinstance(number, int | float) for number in box):
        with suppress(OverflowError):
            left, top, width, height = map(float, box)
            return left, top, width, height
    raise SightlineError(f"{where} is {str(box)[:60]}; give left, top, width and height.")
