"""Apply a model to a raster of any size."""

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sightline.data.predictions import NO_CLASS
from sightline.data.progress import in_order
from sightline.deploy.raster.background import WriteBehind, read_ahead
from sightline.deploy.raster.deciding import check_outputs
from sightline.deploy.raster.finishing import finish
from sightline.deploy.raster.outputs import ClassRaster, Output, Polygons, ScoreRaster, output_for
from sightline.deploy.raster.partial import partial_result
from sightline.deploy.raster.reading import Batch, RasterInfo, Step, opened_raster, read_batches
from sightline.deploy.raster.rows import Done, RowWriter
from sightline.deploy.raster.settings import RasterSettings
from sightline.deploy.raster.sources import Location, Source, locate
from sightline.deploy.raster.strips import Strips
from sightline.deploy.raster.symmetry import Model, symmetric
from sightline.deploy.raster.tiling import Axis
from sightline.errors import SightlineError

logger = logging.getLogger("sightline.deploy")

Destination = str | Path | Output | Sequence[str | Path | Output]
"""A path (`.tif`: a class map; `.geojson`, `.gpkg`: polygons), an output with its settings, or several."""

_AHEAD = 2  # batches that are read, and that wait to be written, while the model works


@dataclass(frozen=True)
class Progress:
    """How far a raster is: pixels that the model is done with, all pixels, and seconds since it began.

    ``resumed`` of the pixels were done before.
    """

    pixels: int
    total: int
    seconds: float
    resumed: int = 0

    @property
    def megapixels_per_second(self) -> float:
        """The speed since it began."""
        return (self.pixels - self.resumed) / 1e6 / max(self.seconds, 1e-9)


@dataclass(frozen=True)
class RasterResult:
    """What was made of a raster.

    ``width`` and ``height`` in pixels; ``tiles`` that the model has seen, ``empty_tiles`` that it was
    spared, as they hold no data; ``resumed_rows`` of tiles that an earlier call had finished, with
    ``resumed_pixels``.
    """

    outputs: tuple[Path, ...]
    width: int
    height: int
    tiles: int
    empty_tiles: int
    resumed_rows: int
    resumed_pixels: int
    seconds: float

    @property
    def megapixels_per_second(self) -> float:
        """Pixels of the raster that were not done before, by the time that all took."""
        return (self.width * self.height - self.resumed_pixels) / 1e6 / max(self.seconds, 1e-9)


def predict_raster(
    source: Source,
    destination: Destination,
    model: Model,
    *,
    classes: Sequence[str],
    settings: RasterSettings | None = None,
    channels: int | None = None,
    resume_key: str | None = None,
    parallel: int = 1,
    progress: Callable[[Progress], None] | None = None,
) -> RasterResult:
    """Apply a model to a raster, and write a class map, scores or polygons with its place on Earth.

    Memory is bounded by rows of tiles, never by the height of the raster. Files appear under their names once
    they are complete; what an interrupted call leaves lies hidden beside the first of them.

    Args:
        source: a file, a URL, a Sentinel-2 product, or several files of one grid as one mosaic.
        destination: where to write what.
        model: called with batches of tiles, (tiles, bands, height, width) in the type of the raster; gives
            (tiles, classes, height, width). It normalises on its own.
        classes: names of the classes, in the order of the model's channels; at most 255.
        settings: how it is applied; the defaults of `RasterSettings`.
        channels: how many bands the model takes; None if any.
        resume_key: the name of the model, such as its hash. An interrupted call is continued by one with the
            same source, settings and key, with the same result as if it had not been interrupted. None:
            never.
        parallel: batches that the model is given at once, by as many threads; one is given in this thread.
        progress: called after each batch.

    Raises:
        SightlineError: the source is missing, no raster, damaged, or has not the bands asked for; the model
            gives arrays of another shape, or NaN; the disk is full; or a destination is of no known kind.
    """
    began = time.perf_counter()
    settings = settings or RasterSettings()
    outputs = _outputs(destination)
    location = locate(source)
    _check(classes, settings, outputs, location)
    with opened_raster(location, settings.bands, channels) as reader:
        info = reader.info
    _check_fill(settings.fill, info)
    if not info.has_place:
        logger.warning("%s: has no place on Earth, so the result has none either.", info.name)
    rows, columns = Axis.of(info.height, settings.tiles), Axis.of(info.width, settings.tiles)
    score_type = next((output.dtype for output in outputs if isinstance(output, ScoreRaster)), None)
    key = _key(location, info, classes, settings, score_type, resume_key)
    size = (info.height, info.width)
    with partial_result(outputs[0].path, key, keep=resume_key is not None) as partial:
        resumed = partial.rows_done
        class_strips = Strips(partial.folder, "classes", size, 1, "uint8")
        score_strips = (
            Strips(partial.folder, "scores", size, len(classes), score_type) if score_type else None
        )
        tally = _Tally(rows, columns, resumed, began, progress)
        if resumed < len(rows):
            writer = RowWriter(rows, columns, partial, settings.activation, class_strips, score_strips)
            batches = _batches(location, rows, columns, settings, resumed)
            applied = symmetric(model) if settings.symmetric else model
            _run(batches, applied, parallel, len(classes), writer, tally)
        finish(partial, class_strips, score_strips, outputs, classes, info.place, settings.postprocessing)
    return RasterResult(
        outputs=tuple(output.path for output in outputs),
        width=info.width,
        height=info.height,
        tiles=tally.tiles,
        empty_tiles=tally.empty_tiles,
        resumed_rows=resumed,
        resumed_pixels=tally.resumed_pixels,
        seconds=time.perf_counter() - began,
    )


class _Tally:
    """Counts tiles and pixels, and tells of the progress."""

    def __init__(
        self,
        rows: Axis,
        columns: Axis,
        resumed: int,
        began: float,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self.tiles = self.empty_tiles = 0
        self._rows, self._columns = rows, columns
        self._began, self._progress = began, progress
        self.resumed_pixels = self._pixels = (
            rows.lows[resumed] if resumed < len(rows) else rows.length
        ) * columns.length

    def count(self, steps: Sequence[Step]) -> None:
        """Take note that these are done."""
        for step in steps:
            height = self._rows.settled(step.row) - self._rows.lows[step.row]
            self._pixels += height * (self._columns.settled(step.column) - self._columns.lows[step.column])
            self.tiles += step.slot is not None
            self.empty_tiles += step.slot is None
        if self._progress is not None:
            total = self._rows.length * self._columns.length
            seconds = time.perf_counter() - self._began
            self._progress(Progress(self._pixels, total, seconds, self.resumed_pixels))


def _run(
    batches: Iterator[Batch], model: Model, parallel: int, classes: int, writer: RowWriter, tally: _Tally
) -> None:
    """Reading, the model, and blending with writing, all at once."""

    def apply(batch: Batch) -> tuple[Batch, np.ndarray | None]:
        return batch, model(batch.images) if len(batch.images) else None

    def write(done: tuple[Batch, np.ndarray | None]) -> None:
        batch, outputs = done
        checked = batch.images if outputs is None else check_outputs(outputs, batch.images, classes)
        writer.take(Done(batch.steps, checked))

    with (
        WriteBehind(write, _AHEAD) as writing,
        read_ahead(batches, _AHEAD) as ready,
        closing(in_order(apply, ready, parallel, ahead=parallel + 1)) as applied,
    ):
        # Nothing else is done between two calls of the model, for which all cores would wait.
        for done in applied:
            writing.put(done)
            tally.count(done[0].steps)


def _batches(
    location: Location, rows: Axis, columns: Axis, settings: RasterSettings, first_row: int
) -> Iterator[Batch]:
    with opened_raster(location, settings.bands) as reader:
        yield from read_batches(
            reader, rows, columns, settings.batch_size, settings.fill, settings.border, first_row
        )


def _outputs(destination: Destination) -> list[Output]:
    if isinstance(destination, str | Path | ClassRaster | ScoreRaster | Polygons):
        destination = [destination]
    outputs = [output_for(one) for one in destination]
    if not outputs:
        raise SightlineError("no destination was given.")
    paths = [output.path.absolute() for output in outputs]
    if twice := next((path for path in paths if paths.count(path) > 1), None):
        raise SightlineError(f"{twice}: is the destination of two outputs.")
    if len({output.dtype for output in outputs if isinstance(output, ScoreRaster)}) > 1:
        raise SightlineError("scores can be written as uint8 or as float32, not as both at once.")
    return outputs


def _check(
    classes: Sequence[str], settings: RasterSettings, outputs: Sequence[Output], location: Location
) -> None:
    """Refuse what cannot be right before anything is read."""
    if not 2 <= len(classes) <= NO_CLASS:
        raise SightlineError(f"a class map holds 2 to {NO_CLASS} classes, not {len(classes)}.")
    if settings.postprocessing.background >= len(classes):
        raise SightlineError(
            f"postprocessing.background: there is no class {settings.postprocessing.background} among "
            f"{len(classes)}."
        )
    for output in outputs:
        path = output.path.resolve()
        if any(path == file.resolve() for file in location.files):
            raise SightlineError(f"{output.path}: is the source as well; choose another destination.")


def _check_fill(fill: float, info: RasterInfo) -> None:
    if info.dtype.kind == "f":
        return
    limits = np.iinfo(info.dtype)
    if not (limits.min <= fill <= limits.max and float(fill).is_integer()):
        raise SightlineError(f"{info.name}: 'fill' {fill} is no {info.dtype}, of which the raster is.")


def _key(
    location: Location,
    info: RasterInfo,
    classes: Sequence[str],
    settings: RasterSettings,
    score_type: str | None,
    resume_key: str | None,
) -> str:
    """What work must have in common to be continued: all that decides about the rows before they are
    filtered."""
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in location.files]
    parts = [
        resume_key if resume_key is not None else secrets.token_hex(16),
        location.gdal_name,
        files,
        (info.width, info.height, info.bands, str(info.dtype)),
        list(classes),
        settings.model_dump(mode="json", exclude={"postprocessing", "batch_size"}),
        score_type,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
