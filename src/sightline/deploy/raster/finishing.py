"""From the rows that the model has been over to the files that were asked for."""

import shutil
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from sightline.data.predictions import NO_CLASS
from sightline.data.raster import Georeference
from sightline.deploy.raster.cog import write_cog
from sightline.deploy.raster.deciding import SCORE_STEPS
from sightline.deploy.raster.outputs import ClassRaster, Output, Polygons, ScoreRaster
from sightline.deploy.raster.partial import Partial, disk_errors, working_folder
from sightline.deploy.raster.polygons import write_polygons
from sightline.deploy.raster.postprocessing import Postprocessing, filtered_strips, spans
from sightline.deploy.raster.regions import without_small_parts
from sightline.deploy.raster.rows import no_score
from sightline.deploy.raster.strips import Strips


def finish(
    partial: Partial,
    classes: Strips,
    scores: Strips | None,
    outputs: Sequence[Output],
    names: Sequence[str],
    place: Georeference,
    postprocessing: Postprocessing,
) -> None:
    """Filter the class map and write the outputs; they appear under their names once all are complete.

    Raises:
        SightlineError: the disk is full or not writable, or polygons are asked for where they cannot be.
    """
    with ExitStack() as folders, disk_errors(partial.destination):
        classes = postprocessed(classes, partial.folder, postprocessing)
        finished: list[tuple[Path, Path]] = []
        for output in outputs:
            folder = partial.folder
            if output.path != partial.destination:
                folder = working_folder(output.path)
                folders.callback(shutil.rmtree, folder, ignore_errors=True)
            written = folder / f"result{output.path.suffix}"
            _write(output, written, classes, scores, names, place)
            finished.append((written, output.path))
        for written, path in finished:
            written.replace(path)


def postprocessed(classes: Strips, folder: Path, settings: Postprocessing) -> Strips:
    """The strips of the class map after all filters."""
    if settings.filters:
        with classes.reading() as read:
            rows = filtered_strips(lambda start, stop: read(start, stop)[0], classes.height, settings)
            classes = _kept(rows, classes, folder, "filtered")
    rounds, changed = 0, settings.min_area > 1
    while changed:  # a round may make a part large enough for small ones beside it that had only each other
        rounds += 1
        with classes.reading() as read:
            rows = without_small_parts(
                lambda start, stop: read(start, stop)[0], spans(classes.height), settings.min_area
            )
            changed = rows is not None
            if rows is not None:
                classes = _kept(rows, classes, folder, f"merged{rounds}")
    return classes


def _kept(rows: Iterable[np.ndarray], like: Strips, folder: Path, name: str) -> Strips:
    kept = Strips(folder, name, (like.height, like.width), 1, "uint8")
    kept.remove()  # what a killed process left
    for (start, _), strip in zip(spans(like.height), rows, strict=True):
        kept.write(start, strip[None])
    return kept


def _write(
    output: Output,
    path: Path,
    classes: Strips,
    scores: Strips | None,
    names: Sequence[str],
    place: Georeference,
) -> None:
    place = place.of_labels(None)
    if isinstance(output, Polygons):
        write_polygons(classes, place, names, output, path)
    elif isinstance(output, ClassRaster):
        tags = {f"CLASS_{number}": name for number, name in enumerate(names)}
        raster = classes.as_raster(place, nodata=NO_CLASS, names=("class",), tags=tags)
        write_cog(raster, path, output.compression, output.overviews, str(output.path))
    else:
        assert isinstance(output, ScoreRaster)
        assert scores is not None
        scale = 1 / SCORE_STEPS if output.dtype == "uint8" else 1
        nodata = no_score(np.dtype(output.dtype))
        raster = scores.as_raster(place, nodata=nodata, names=tuple(names), scale=scale)
        write_cog(
            raster, path, output.compression, "average" if output.overviews else "none", str(output.path)
        )
