"""The lines of YOLO label files, read into columns and written from them.

``class cx cy w h [confidence]`` is a box, ``class x1 y1 x2 y2 x3 y3 ... [confidence]`` an outline; all but
the class are fractions of the image. https://docs.ultralytics.com/datasets/segment describes both.
"""

import os
from collections.abc import Sequence

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION, cut_lists
from sightline.data.checks import plausible
from sightline.data.formats.boxes import BOX, count_over_edge, read_boxes
from sightline.data.formats.repairs import Repairs
from sightline.data.progress import in_parallel
from sightline.data.small_files import threads_to_read
from sightline.errors import SightlineError

_BLOCK = 1 << 16  # bytes; hardly any label file is larger


def read_labels(paths: Sequence[str], *, progress: bool) -> list[str]:
    """The text of each file, in order.

    Raises:
        SightlineError: a file that cannot be read or is not UTF-8; the sentence names it.
    """
    threads = threads_to_read(_read_text, paths)
    texts = in_parallel(_read_text, paths, "Reading labels", progress=progress, threads=threads, batch=64)
    return list(texts)


class LabelLines:
    """The lines of many label files: every number of every line in one array.

    ``positions`` holds the row of the sample that each line belongs to, ``classes`` the class, and
    ``counts`` how many numbers there are with it.

    Raises:
        SightlineError: a line of another form, or a class that is not below ``class_count``; the
            sentence names file and line.
    """

    def __init__(
        self, paths: Sequence[str], texts: Sequence[str], positions: np.ndarray, class_count: int
    ) -> None:
        self._paths = paths
        self._lines = _split_lines(texts)
        words = self._lines["words"]
        self.counts = words.list.len().to_numpy().astype(np.int64)
        self._starts = np.cumsum(self.counts) - self.counts
        flat = words.explode(empty_as_null=False) if len(words) else pl.Series([], dtype=pl.String)
        numbers = flat.cast(pl.Float64, strict=False)
        self._values = numbers.fill_null(float("nan")).to_numpy()
        self.refuse(self.counts < 5, "is neither 'class cx cy w h' nor 'class x1 y1 x2 y2 x3 y3 ...'")
        no_number = np.zeros(len(self.counts), dtype=bool)
        no_number[np.searchsorted(self._starts, numbers.is_null().arg_true().to_numpy(), "right") - 1] = True
        self.refuse(no_number, "holds something that is no number")
        self.positions = positions[self._lines["file"].to_numpy()]
        self.classes = self._values[self._starts]
        known = (self.classes >= 0) & (self.classes < class_count) & (self.classes % 1 == 0)
        self.refuse(~known, f"is of a class that is not one of the {class_count} named, which count from 0")

    def where(self, row: int) -> str:
        """File and line, for a sentence."""
        return f"{self._paths[self._lines['file'][row]]} line {self._lines['number'][row]}"

    def refuse(self, wrong: np.ndarray, problem: str) -> None:
        """Raise a `SightlineError` for the first line that is ``wrong``."""
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            text = " ".join(self._lines["words"][row].to_list())
            text = text if len(text) < 60 else f"{text[:57]}..."
            raise SightlineError(f"{self.where(row)}: '{text}' {problem}; correct the line.")

    def numbers(self, rows: np.ndarray, first: int, count: int) -> np.ndarray:
        """``count`` numbers of each of the ``rows``, from the ``first`` on; shape (len(rows), count)."""
        return self._values[self._starts[rows, None] + np.arange(first, first + count)]

    def points(self, rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """The first ``counts`` points of each of the ``rows``, one after the other; shape (sum, 2)."""
        place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        first = np.repeat(self._starts[rows] + 1, counts) + 2 * place
        return self._values[first[:, None] + np.arange(2)]


def label_tables(
    lines: LabelLines, repairs: Repairs, *, key_points: bool
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Boxes and polygons as tables of annotations; ``repairs`` counts what `read_boxes` mends.

    An annotation with a confidence is a prediction. With ``key_points``, what follows a box are the key
    points of a pose, which are left out.

    Raises:
        SightlineError: a confidence that is not within 0..1, or numbers that cannot be a box or an outline;
            the sentence names file and line.
    """
    is_box = lines.counts < 7
    if key_points:
        poses = np.flatnonzero(lines.counts > 5)
        if len(poses):
            repairs.add("key points left out, their boxes kept", lines.where(int(poses[0])), len(poses))
        is_box[:] = True
    scored = (lines.counts % 2 == 0) & (not key_points)
    confidence = np.full(len(scored), np.nan)
    for count in np.unique(lines.counts[scored]):
        rows = np.flatnonzero(scored & (lines.counts == count))
        confidence[rows] = lines.numbers(rows, count - 1, 1)[:, 0]
    lines.refuse(scored & ~((confidence >= 0) & (confidence <= 1)), "ends in a confidence outside 0..1")
    common = pl.DataFrame(
        {
            POSITION: pl.Series(lines.positions, dtype=pl.UInt32),
            "class_idx": pl.Series(lines.classes).cast(pl.Int64),
            "confidence": pl.Series(confidence).fill_nan(None),
            "ground_truth": ~scored,
        }
    )
    rows = np.flatnonzero(is_box)
    numbers = lines.numbers(rows, 1, 4)
    numbers, good = read_boxes(
        numbers, "cxcywh", "fractions", None, lambda row: lines.where(int(rows[row])), repairs
    )
    boxes = pl.concat([common[rows], numbers], how="horizontal").filter(good)
    return boxes, _polygons(lines, common, np.flatnonzero(~is_box), repairs)


def _polygons(lines: LabelLines, common: pl.DataFrame, rows: np.ndarray, repairs: Repairs) -> pl.DataFrame:
    counts = (lines.counts[rows] - 1) // 2
    points = lines.points(rows, counts)
    wrong = np.zeros(len(lines.counts), dtype=bool)
    wrong[np.repeat(rows, counts)[~plausible(points).all(axis=1)]] = True
    lines.refuse(wrong, "has a point that is far outside its image or no number")
    if len(rows):
        starts = np.cumsum(counts) - counts
        low, high = np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts)
        count_over_edge(low, high, "polygons", lambda row: lines.where(int(rows[row])), repairs)
    pairs = pl.DataFrame(points, schema=["x", "y"], orient="row").to_struct("points")
    lists = cut_lists("points", pairs, counts, np.zeros(len(rows), dtype=bool))
    return common[rows].with_columns(lists)


def box_lines(table: pl.DataFrame, *, confidence: bool) -> pl.Series:
    """One line per box of a table of annotations.

    Numbers have as many digits as it takes to read the same numbers back.
    """
    x, y, width, height = (pl.col(name) for name in BOX)
    numbers = [x + width / 2, y + height / 2, width, height]
    return _with_class(table, pl.concat_str(numbers, separator=" "), confidence)


def polygon_lines(table: pl.DataFrame, *, confidence: bool) -> pl.Series:
    """One line per polygon of a table of annotations."""
    points = (
        table.select(pl.int_range(pl.len()).alias("row"), "points")
        .explode("points")
        .unnest("points")
        .group_by("row", maintain_order=True)
        .agg(pl.concat_str("x", "y", separator=" ").str.join(" ").alias("numbers"))
    )
    return _with_class(table.with_columns(points["numbers"]), pl.col("numbers"), confidence)


def _with_class(table: pl.DataFrame, numbers: pl.Expr, confidence: bool) -> pl.Series:
    score = pl.col("confidence") if confidence else pl.lit(None, pl.Float64)
    parts = [pl.col("class_idx").cast(pl.String), numbers, score.cast(pl.String)]
    return table.select(pl.concat_str(parts, separator=" ", ignore_nulls=True)).to_series()


def _split_lines(texts: Sequence[str]) -> pl.DataFrame:
    """Columns ``file`` (index of the text), ``number`` (from 1) and ``words`` of each line that has any."""
    text = pl.Series("line", texts, dtype=pl.String)
    if text.str.contains(r"[^\S\n ]|  ").any():
        text = text.str.replace_all(r"\r\n?", "\n").str.replace_all(r"[^\S\n]+", " ")
    return (
        pl.DataFrame({"line": text.str.split("\n")})
        .with_row_index("file")
        .with_columns(pl.int_ranges(1, pl.col("line").list.len() + 1, dtype=pl.UInt32).alias("number"))
        .explode("line", "number")
        .with_columns(pl.col("line").str.strip_chars(" "))
        .filter(pl.col("line") != "")
        .select("file", "number", pl.col("line").str.split(" ").alias("words"))
    )


def _read_text(path: str) -> str:
    try:
        file = os.open(path, os.O_RDONLY)
        try:
            content = block = os.read(file, _BLOCK)
            while block:
                block = os.read(file, _BLOCK)
                content += block
        finally:
            os.close(file)
        return content.decode().removeprefix("\ufeff")  # (faster than the codec utf-8-sig)
    except OSError as error:
        raise SightlineError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise SightlineError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start}).") from None
