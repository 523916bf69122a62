"""Other pictures of the same scenes: resized, padded, cropped, flipped, grey, in another format."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from PIL import Image
from pydantic import ValidationError

from sightline.config.placed_error import first_error
from sightline.config.wording import did_you_mean, instead, shown
from sightline.data.annotation_tables import with_annotations
from sightline.data.formats.repairs import Repairs
from sightline.data.images import read_bands, read_rgb, read_valid, store_image
from sightline.data.operations.picture_steps import STEPS, Encode, ImageStep
from sightline.data.operations.placement import Moves, Placement, moved_annotations
from sightline.data.operations.rewriting import encoded, suffix_for, with_new_images
from sightline.data.raster import Georeference, is_raster, opened, rasterio_available
from sightline.errors import SightlineError
from sightline.files import temporary_folder

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

_QUALITY = 95
_AS_THEY_ARE = ("L", "RGB", "RGBA", "I;16", "I;16B", "I;16L")  # modes whose bands are the picture


def transform_images(
    dataset: "Dataset", folder: Path, steps: list[ImageStep], progress: bool = True
) -> "Dataset":
    """New images, made by ``steps`` one after the other; boxes, polygons and masks follow.

    Images keep their bands and type, and GeoTIFFs their place on Earth. Of annotations that a crop cuts,
    the part that is left stays; those of which nothing is left are dropped, with a warning that
    counts them. Attributes follow like the annotations that carry them.

    Args:
        dataset: stays as it is.
        folder: where the images are stored, by content hash.
        steps: of `sightline.data.operations.picture_steps`, or the same as JSON, as in
            ``[{"step": "resize", "longest_side": 640}, {"step": "encode", "image_format": "jpg"}]``.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: a step that there is not, an image that is missing, cannot be read or is of
            another size than the dataset says, or that the file format does not hold.
    """
    steps, frame = _checked(steps), dataset.samples
    placements = _placements(frame, steps)

    def rewrite(path: Path, size: tuple[int, int], rows: list[int]) -> tuple[bytes, str]:
        return _rewritten(path, size, steps, placements[rows[0]])

    old = frame.select("width", "height").to_numpy().astype(np.float64)
    moves = Moves.of_placements(old, placements)
    columns = [name for name in ("bboxes", "polygons", "bitmasks") if frame[name].null_count() < len(frame)]
    # The images last: an error before them leaves none behind.
    moved = {column: moved_annotations(frame, column, moves) for column in columns}
    frame = with_new_images(dataset, Path(folder), rewrite, "Transforming images", progress)
    repairs = Repairs(f"transformed images of dataset '{dataset.info.dataset_name}'")
    for column, (table, lost) in moved.items():
        frame = with_annotations(frame, column, table)
        if len(lost):
            repairs.add(f"{column} of which nothing is left dropped", f"of {lost[0]}", len(lost))
    repairs.report()
    sizes = [pl.Series(name, moves.new[:, axis], pl.Int64) for axis, name in enumerate(("width", "height"))]
    return dataset.replace(samples=frame.with_columns(sizes))


def _checked(steps: Sequence[Any]) -> list[ImageStep]:
    return [_step(step, f"steps: step {number}") for number, step in enumerate(steps, start=1)]


def _step(given: Any, where: str) -> ImageStep:
    """One step; ``where`` begins an error's sentence."""
    if isinstance(given, tuple(STEPS.values())):
        return given
    if not isinstance(given, Mapping) or "step" not in given:
        raise SightlineError(
            f'{where}: {shown(given)} is no step; write {{"step": NAME, ...}} with one of {", ".join(STEPS)}.'
        )
    kind = STEPS.get(given["step"]) if isinstance(given["step"], str) else None
    if kind is None:
        hint = did_you_mean(given["step"], STEPS) or f"; there are {', '.join(STEPS)}."
        raise SightlineError(f"{where}: there is no step {shown(given['step'])}{hint}")
    where = f"{where}, '{given['step']}'"
    for name in given:
        if name not in kind.model_fields:
            hint = instead(name, [field for field in kind.model_fields if field != "step"], verb="takes")
            raise SightlineError(f"{where}: there is no argument '{name}'{hint}")
    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        first = first_error(error, kind, dict(given))
        named = f", '{'.'.join(map(str, first.path))}'" if first.path and not first.key else ""
        raise SightlineError(f"{where}{named}: {first.message}") from None


def _placements(frame: pl.DataFrame, steps: list[ImageStep]) -> list[Placement]:
    made: dict[tuple[int, int], Placement] = {}  # images of a size have all the same
    for size in frame.select("width", "height").unique().iter_rows():
        placement = Placement(size)
        for step in steps:
            placement = step.place(placement)
        made[size] = placement
    return [made[size] for size in frame.select("width", "height").iter_rows()]


def _rewritten(
    path: Path, size: tuple[int, int], steps: list[ImageStep], final: Placement
) -> tuple[bytes, str]:
    pixels = _pixels(path, size)
    if pixels.shape[:2] != size:
        raise SightlineError(
            f"{path}: is {pixels.shape[0]} x {pixels.shape[1]} pixels, but the dataset says {size[0]} x "
            f"{size[1]}; mend its height and width."
        )
    suffix, quality = suffix_for(path), _QUALITY
    placement = Placement((size[1], size[0]))
    for step in steps:
        after = step.place(placement)
        pixels, placement = step.change(pixels, placement, after), after
        if isinstance(step, Encode):
            suffix, quality = f".{step.image_format}", step.quality
    if suffix != ".tif":
        return encoded(pixels, suffix, quality, path), suffix
    with temporary_folder() as scratch:
        file = store_image(scratch, suffix, pixels, *_place_on_earth(path, size, final, pixels.shape[2]))
        return file.read_bytes(), suffix


def _pixels(path: Path, size: tuple[int, int]) -> np.ndarray:
    if not is_raster(path):
        try:
            with Image.open(path) as image:
                as_it_is = image.mode in _AS_THEY_ARE
        except OSError:
            as_it_is = False  # read_rgb says what is wrong
        if not as_it_is:
            return read_rgb(path, size)
    return read_bands(path, size=size)


def _place_on_earth(
    path: Path, size: tuple[int, int], final: Placement, bands: int
) -> tuple[Georeference | None, np.ndarray | None]:
    """Where the new pixels of a raster are, and which of them hold data."""
    if not (is_raster(path) and rasterio_available()):
        return None, None
    from affine import Affine

    with opened(path) as raster:
        place = Georeference.of(raster)
    (x, y), (left, top) = final.scale, final.shift
    moved = replace(place, gcps=(), rpcs=None)
    if place.transform is not None:
        a, b, _, d, e, _ = place.transform[:6]
        east, north = place.world(-left / x, -top / y)
        moved = replace(moved, transform=Affine(a / x, b / y, east, d / x, e / y, north))
    if len(place.descriptions) != bands:
        moved = replace(moved, descriptions=(), colours=())
    valid = read_valid(path, size)
    if valid.all() and final.low[0] == -np.inf:
        return moved, None
    moves = Moves.of_placements(np.array([size[::-1]], np.float64), [final])
    columns, rows = moves.nearest(0, 0), moves.nearest(0, 1)
    return moved, np.pad(valid, ((0, 1), (0, 1)))[np.ix_(rows, columns)]
