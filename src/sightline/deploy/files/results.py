"""From a journal to what was asked for: JSON lines, a table, a dataset."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import msgspec
import polars as pl

from sightline.data.dataset import Dataset
from sightline.data.info import DatasetInfo
from sightline.data.predictions import Prediction, with_predictions
from sightline.data.remote.urls import remote_url
from sightline.data.staging import check_target
from sightline.deploy.card import ModelCard
from sightline.deploy.files.records import Record, prediction_of
from sightline.deploy.raster.partial import disk_errors
from sightline.errors import SightlineError
from sightline.files import written_whole

TASK_NAME = "predictions"
"""The task of a dataset that holds what a model says."""

TABLES = (".csv", ".parquet")
LINES = ".jsonl"

_SURE = 0.5  # from which on an image has a class, where it may have several and nothing else is said
_UNSUITABLE = re.compile(r'[/\\\0:*?"<>|]+')


def refuse_target(target: str | Path, *, overwrite: bool) -> None:
    """Raise a `SightlineError` unless ``target`` can be written, before anything is computed."""
    path = Path(target)
    if path.suffix in (LINES, *TABLES):
        if path.is_dir():
            raise SightlineError(f"{path}: is a folder; choose another name for the result.")
        return
    if path.suffix and not path.is_dir():
        endings = ", ".join((LINES, *TABLES))
        raise SightlineError(
            f"{path}: results are {endings} files, .tif, .gpkg or .geojson for a map, or a folder without an "
            "ending for a dataset; choose one."
        )
    check_target(path.absolute(), overwrite=overwrite)


def write_lines(records: Iterable[Record], target: Path) -> None:
    """Write each record as a line of JSON."""
    with disk_errors(target), written_whole(target) as staging, staging.open("wb") as stream:
        for record in records:
            stream.write(msgspec.json.encode(record) + b"\n")


def write_table(records: Iterable[Record], target: Path, card: ModelCard, threshold: float | None) -> None:
    """Write a row for each class of an image, each object or each area; see `_rows_of`."""
    rows = [row for record in records for row in _rows_of(record, card, threshold)]
    table = pl.DataFrame(rows, schema=_schema(card), orient="row")
    for column in ("frame", "seconds", "track"):
        if column in table.columns and table[column].is_null().all():
            table = table.drop(column)
    with disk_errors(target), written_whole(target) as staging:
        if target.suffix == ".csv":
            table.write_csv(staging)
        else:
            table.write_parquet(staging)


def write_dataset(
    records: Iterable[Record],
    target: Path,
    card: ModelCard,
    *,
    known: Dataset | None,
    threshold: float | None,
    overwrite: bool,
    link: bool,
) -> None:
    """Write the images, or frames, that there are records of as a dataset with the predictions.

    ``known`` is the dataset that they are from, whose annotations are kept. See `predict_files`.
    """
    lines = _Lines(records)
    dataset = _dataset_of(lines, target) if known is None else known
    keys = dataset.samples.select("file_path", "collection_index").rows()
    places = [lines.place(str(path), index) for path, index in keys]
    found = dataset.replace(
        samples=dataset.samples.filter(pl.Series([place is not None for place in places]))
    )
    predictions = _Predictions(lines, [place for place in places if place is not None], card.classes)
    chosen = (_SURE if threshold is None else threshold) if card.multi_label else None
    result = with_predictions(found, predictions, card.classes, TASK_NAME, threshold=chosen)
    with disk_errors(target):
        result.write(target, how="symlink" if link else "copy", overwrite=overwrite)


def _schema(card: ModelCard) -> dict[str, Any]:
    where = {"file": pl.String, "frame": pl.Int64, "seconds": pl.Float64}
    what = {"class": pl.String, "score": pl.Float64}
    if card.task == "detection":
        sides = dict.fromkeys(("left", "top", "right", "bottom"), pl.Float64)
        return {**where, **what, **sides, "track": pl.Int64}
    if card.task == "segmentation":
        return {**where, **what, "pixels": pl.Int64, "share": pl.Float64}
    return {**where, **what}


def _rows_of(record: Record, card: ModelCard, threshold: float | None) -> Iterator[tuple[Any, ...]]:
    """Of a record the likeliest class (of several an image, those that are sure), or its objects or areas."""
    where = (record["file"], record.get("frame"), record.get("seconds"))
    if card.task == "detection":
        for one in record["objects"]:
            yield (*where, one["class"], one["score"], *one["box"], one.get("track"))
    elif card.task == "segmentation":
        size = record["height"] * record["width"]
        for one in record["areas"]:
            yield (*where, one["class"], one["score"], one["pixels"], one["pixels"] / size)
    elif card.multi_label:
        least = _SURE if threshold is None else threshold
        yield from ((*where, name, score) for name, score in record["scores"].items() if score >= least)
    else:
        yield (*where, record["class"], record["score"])


class _Lines:
    """Records kept as the text that they are, which takes a fraction of the memory."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._texts: list[bytes] = []
        self._places: dict[tuple[str, int | None], int] = {}
        for record in records:
            self._places[self._key(record["file"], record.get("frame"))] = len(self._texts)
            self._texts.append(msgspec.json.encode(record))

    def __len__(self) -> int:
        return len(self._texts)

    def __getitem__(self, place: int) -> Record:
        return msgspec.json.decode(self._texts[place])

    def place(self, path: str, frame: int | None) -> int | None:
        """Which record is of that image, or that frame; None where none is."""
        found = self._places.get(self._key(path, frame))
        return self._places.get(self._key(path, None)) if found is None else found

    def keys(self) -> list[tuple[str, int | None]]:
        """Absolute path and frame of each."""
        return list(self._places)

    @staticmethod
    def _key(path: str, frame: int | None) -> tuple[str, int | None]:
        return (path if remote_url(path) else str(Path(path).absolute())), frame


class _Predictions(Sequence[Prediction]):
    """Predictions that are made of their records when they are asked for."""

    def __init__(self, lines: _Lines, places: list[int], classes: Sequence[str]) -> None:
        self._lines, self._places, self._classes = lines, places, classes

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...

    @overload
    def __getitem__(self, index: slice) -> list[Prediction]: ...

    def __getitem__(self, index: int | slice) -> Prediction | list[Prediction]:
        if isinstance(index, slice):
            return [self[n] for n in range(*index.indices(len(self)))]
        return prediction_of(self._lines[self._places[index]], self._classes)


def _dataset_of(lines: _Lines, target: Path) -> Dataset:
    """A dataset of the images, and of the frames of the videos, without annotations."""
    name = _UNSUITABLE.sub("-", target.name)
    info = DatasetInfo(dataset_name=name)
    images: list[tuple[str, int, int]] = []
    videos: dict[str, None] = {}
    for place, (path, frame) in enumerate(lines.keys()):
        if frame is None:
            record = lines[place]
            images.append((path, record["height"], record["width"]))
        else:
            videos[path] = None
    frames = [Dataset.from_videos(path, name=name, progress=False).samples for path in videos]
    if images:
        table = pl.DataFrame(images, schema=["file_path", "height", "width"], orient="row")
        frames.insert(0, Dataset.from_tables(info, table).samples)
    if not frames:
        raise SightlineError(f"{target}: no image could be read, so there is no dataset.")
    return Dataset(info, pl.concat(frames))
