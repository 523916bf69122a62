"""Predictions as files: JSON lines, Parquet or safetensors."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch
from torch import Tensor

from sightline.data.loading.nested import each_tensor
from sightline.errors import SightlineError
from sightline.files import written_whole

FORMATS = (".jsonl", ".parquet", ".safetensors")


def check_format(path: Path) -> None:
    """Refuse a path whose ending stands for no format, before anything is computed.

    Raises:
        SightlineError: it is none of `FORMATS`.
    """
    if path.suffix not in FORMATS:
        raise SightlineError(f"{path}: predictions are written to {', '.join(FORMATS)} files; choose one.")


def write_predictions(batches: Iterable[Any], path: Path) -> int:
    """Write what `Experiment.predict` gives to ``path``, by its ending; return the number of items.

    ``.jsonl``: a line ``{"index": 0, "prediction": ...}`` for each item, tensors as lists, numbers that JSON
    lacks as text. ``.parquet``: the same as rows; of predictions by name each has a column.
    ``.safetensors``: one tensor of all items, called ``predictions``, or one by name.

    Raises:
        SightlineError: another ending, or predictions that the format cannot hold.
    """
    check_format(path)
    with written_whole(path) as staging:
        if path.suffix == ".jsonl":
            with staging.open("w", encoding="utf-8") as stream:
                return write_lines(batches, stream)
        if path.suffix == ".parquet":
            return _write_parquet(batches, staging)
        return _write_tensors(batches, staging, path)


def write_lines(batches: Iterable[Any], stream: TextIO) -> int:
    """Write predictions as JSON lines; return the number of items."""
    count = 0
    for prediction in _items(batches):
        stream.write(json.dumps({"index": count, "prediction": prediction}, ensure_ascii=False) + "\n")
        count += 1
    return count


def items_of(predictions: Any) -> list[Any]:
    """The predictions of a batch one by one: what a tensor or list holds, or a dict or tuple of those."""
    if isinstance(predictions, Tensor | list):
        return list(predictions)
    if isinstance(predictions, Mapping):
        columns = [items_of(column) for column in predictions.values()]
        rows = zip(*_equally_long(columns), strict=True)
        return [dict(zip(predictions, row, strict=True)) for row in rows]
    if isinstance(predictions, tuple):
        return [list(row) for row in zip(*_equally_long([*map(items_of, predictions)]), strict=True)]
    raise SightlineError(
        f"predictions of type {type(predictions).__name__} cannot be told apart by item; let "
        "compute_predictions return a tensor, a list, or a dict of those."
    )


def _equally_long(columns: list[list[Any]]) -> list[list[Any]]:
    counts = [len(column) for column in columns]
    if len(set(counts)) > 1:
        raise SightlineError(
            f"the parts of the predictions have {', '.join(map(str, counts))} items; give one for each item "
            "of the batch."
        )
    return columns


def _items(batches: Iterable[Any]) -> Iterator[Any]:
    for predictions in batches:
        # As batches, since each move waits for a GPU.
        yield from map(_plain, items_of(each_tensor(predictions, Tensor.cpu)))


def _plain(value: Any) -> Any:
    """A prediction as JSON holds it."""
    if isinstance(value, Tensor):
        numbers = value.tolist()
        return numbers if not value.is_floating_point() or bool(value.isfinite().all()) else _plain(numbers)
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, str | int | float):
        return value
    raise SightlineError(f"a prediction holds a {type(value).__name__}, which cannot be written as JSON.")


def _write_parquet(batches: Iterable[Any], path: Path) -> int:
    import polars as pl

    rows = [one if isinstance(one, dict) else {"prediction": one} for one in _items(batches)]
    try:
        table = pl.DataFrame(rows, infer_schema_length=None)
    except (pl.exceptions.PolarsError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise SightlineError(f"these predictions make no table ({reason}); write .jsonl instead.") from error
    table.with_row_index("index").write_parquet(path)
    return len(rows)


def _write_tensors(batches: Iterable[Any], staging: Path, path: Path) -> int:
    from sightline.engine.checkpoints import write_weights

    parts: dict[str, list[Tensor]] = {}
    for predictions in batches:
        named = predictions if isinstance(predictions, Mapping) else {"predictions": predictions}
        for name, value in named.items():
            if not isinstance(value, Tensor):
                raise SightlineError(
                    f"{path}: safetensors holds tensors alone, and these predictions have a "
                    f"{type(value).__name__}; write .jsonl instead."
                )
            parts.setdefault(name, []).append(value.cpu())
    try:
        whole = {name: torch.cat(tensors) for name, tensors in parts.items()}
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise SightlineError(
            f"{path}: the predictions of the batches have different shapes ({reason}); write .jsonl instead."
        ) from error
    write_weights(staging, whole)
    return max((len(tensor) for tensor in whole.values()), default=0)
