"""The numbers of a run as a table, from the quickest source that is complete."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from sightline.errors import SightlineError
from sightline.runs.locations import METRICS_FILE, METRICS_TABLE
from sightline.runs.metrics_file import metrics_in_parts

if TYPE_CHECKING:
    import polars as pl

_CHUNK = 8 << 20


class _Point(TypedDict):
    t: float
    name: str
    kind: str
    value: float | None
    step: int
    text: NotRequired[str]


def read_curves(folder: Path, *, resumed: bool) -> "pl.DataFrame":
    """The points of the run in ``folder``: ``t`` (unix seconds), ``name``, ``kind``, ``value``, ``step``.

    They come in the order written, NaN and the infinities as such. Where the run was ``resumed`` from an
    earlier step, what it then wrote stands for what it had written from there on before.
    ``metrics.parquet`` is read where it is no older than ``metrics.jsonl``, and that file elsewhere, also
    while it is written.

    Raises:
        SightlineError: the metrics file cannot be read, or is a link or another thing that is not a file.
    """
    import polars as pl

    points = _table(folder)
    if points is None:
        path = folder / METRICS_FILE
        try:
            points = _frame(_quickly(path))
        except _NotInOrderError:
            points = _frame(metrics_in_parts(path))
    known = pl.col("kind").is_in(["scalar", "metric"]) & (pl.col("step") >= 0)
    points = points.filter(known, pl.col("value").is_not_null())
    return _without_rewound(points) if resumed else points


def _schema() -> "dict[str, type[pl.DataType]]":
    import polars as pl

    return {"t": pl.Float64, "name": pl.String, "kind": pl.String, "value": pl.Float64, "step": pl.Int64}


def _table(folder: Path) -> "pl.DataFrame | None":
    import polars as pl

    table, lines = folder / METRICS_TABLE, folder / METRICS_FILE
    try:
        if table.is_symlink() or not table.is_file():
            return None
        if lines.exists() and lines.stat().st_mtime_ns > table.stat().st_mtime_ns:
            return None
        return pl.read_parquet(table, columns=list(_schema())).cast(_schema())  # pyright: ignore[reportArgumentType]
    except (OSError, pl.exceptions.PolarsError):
        return None


class _NotInOrderError(Exception):
    """A metrics file that holds something else than whole lines of ours."""


def _quickly(path: Path) -> Iterator[Sequence[Any]]:
    """The points of a file whose every line is in order, in a sixth of the time that any file takes."""
    import msgspec

    if path.is_symlink() or not path.is_file():
        raise _NotInOrderError
    decoder = msgspec.json.Decoder(_Point)
    rest = b""
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                data = rest + chunk
                end = data.rfind(b"\n") + 1
                rest = data[end:]
                yield decoder.decode_lines(data[:end])
    except msgspec.DecodeError as error:
        raise _NotInOrderError from error
    except OSError as error:
        raise SightlineError(f"{path}: cannot be read ({error.strerror}).") from error


def _frame(chunks: Iterable[Sequence[Any]]) -> "pl.DataFrame":
    import polars as pl

    schema = {**_schema(), "text": pl.String}
    frames = [pl.DataFrame(schema=schema)]
    for points in chunks:
        columns = {name: [point.get(name) for point in points] for name in schema}
        frames.append(pl.DataFrame(columns, schema=schema, strict=False))
    named = pl.col("text").cast(pl.Float64, strict=False)  # NaN, inf, -inf
    return pl.concat(frames).with_columns(pl.col("value").fill_null(named)).drop("text")


def _without_rewound(points: "pl.DataFrame") -> "pl.DataFrame":
    """Without the points of a curve that a later one goes back behind; a curve without steps stays whole."""
    import polars as pl

    step = pl.col("step")
    next_lowest = step.reverse().cum_min().reverse().shift(-1)
    stands = next_lowest.is_null() | (step < next_lowest) | (step.min() == step.max())
    return points.filter(stands.over("name"))
