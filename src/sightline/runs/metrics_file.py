"""Reading ``metrics.jsonl``, also while it is written and when whoever writes it is not trusted."""

import json
import math
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from sightline.errors import SightlineError
from sightline.files import written_whole
from sightline.runs.metrics_writer import MAX_NAME, MAX_STEP

_CHUNK = 8 << 20
_YEAR_9999 = 253_402_300_799.0  # the last second that a datetime can hold
_TEXTS = ("NaN", "inf", "-inf")


class MetricsScan(NamedTuple):
    """What lay between two offsets: ``points`` in the order written, the ``offset`` in bytes to go on
    from, and the number of ``corrupt`` lines passed over."""

    points: list[dict[str, Any]]
    offset: int
    corrupt: int


def read_metrics(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """The points after byte ``offset`` and the offset to go on from: call it again to follow the file.

    A call reads at most 8 MiB, so read until the offset stays as it was. `scan_metrics` also counts what
    could not be read.
    """
    points, offset, _ = scan_metrics(path, offset)
    return points, offset


def scan_metrics(path: Path, offset: int = 0, max_bytes: int = _CHUNK) -> MetricsScan:
    """Read the complete lines among the ``max_bytes`` after ``offset``.

    Each point has ``t`` (unix seconds), ``name``, ``kind``, ``value`` (a finite number or None), ``step``
    and, where the value is None, perhaps ``text``; nothing else, whatever the line held. A last line
    without its end is left for the next call. A missing file is an empty one.

    Raises:
        SightlineError: the path is a link, a pipe or another thing that is not a plain file.
    """
    data = _read(path, offset, max_bytes)
    end = data.rfind(b"\n") + 1
    if end == 0 and len(data) == max_bytes:
        # No line of ours is as long as this: step over it rather than wait for its end for ever.
        return MetricsScan([], offset + len(data), 1)
    points: list[dict[str, Any]] = []
    corrupt = 0
    for line in data[:end].split(b"\n"):
        if not line.strip():
            continue
        point = _parse(line)
        if point is None:
            corrupt += 1
        else:
            points.append(point)
    return MetricsScan(points, offset + end, corrupt)


def write_table(metrics: Path, table: Path) -> int:
    """Write the metrics file as Parquet (t, name, kind, value, step) and return its number of rows.

    NaN and the infinities are real values there.

    Raises:
        SightlineError: the table cannot be written, such as on a full disk.
    """
    import polars as pl

    schema = {"t": pl.Float64, "name": pl.String, "kind": pl.String, "value": pl.Float64, "step": pl.Int64}
    frames = [
        pl.DataFrame(
            {column: [_cell(point, column) for point in points] for column in schema},
            schema=schema,
            strict=False,
        )
        for points in metrics_in_parts(metrics)
    ]
    frame = pl.concat(frames) if frames else pl.DataFrame(schema=schema)
    try:
        with written_whole(table) as temporary:
            frame.write_parquet(temporary)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise SightlineError(f"{table}: cannot be written ({error}).") from error
    return frame.height


def metrics_in_parts(path: Path) -> Iterator[list[dict[str, Any]]]:
    """The checked points of a metrics file, some megabytes at a time; none where there is none."""
    offset = 0
    while True:
        points, end, _ = scan_metrics(path, offset)
        if end == offset:
            return
        offset = end
        if points:
            yield points


def _cell(point: dict[str, Any], column: str) -> Any:
    if column == "value" and point["value"] is None:
        return float(point["text"]) if "text" in point else None
    return float(point["value"]) if column == "value" else point[column]


def _read(path: Path, offset: int, max_bytes: int) -> bytes:
    try:
        # Not following links and not waiting on pipes: a job's folder may hold either, left on purpose.
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise SightlineError(f"{path}: cannot be read as a metrics file ({error.strerror}).") from error
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise SightlineError(f"{path}: cannot be read as a metrics file (not a plain file).")
        return os.pread(fd, max_bytes, offset)
    finally:
        os.close(fd)


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        raw = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict):
        return None
    t: Any
    t, name, kind, value, step = (raw.get(key) for key in ("t", "name", "kind", "value", "step"))
    sound = (
        _is_number(t)
        and 0 <= t <= _YEAR_9999
        and isinstance(name, str)
        and 0 < len(name) <= MAX_NAME
        and _is_text(name)
        and kind in ("scalar", "metric")
        and (value is None or _is_number(value))
        and type(step) is int
        and 0 <= step <= MAX_STEP
    )
    if not sound:
        return None
    point = {"t": t, "name": name, "kind": kind, "value": value, "step": step}
    if value is None and raw.get("text") in _TEXTS:
        point["text"] = raw["text"]
    return point


def _is_number(value: Any) -> bool:
    if type(value) is int:
        return abs(value) < 2**1023
    return type(value) is float and math.isfinite(value)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
