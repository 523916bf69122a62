"""From a class map to a file of polygons."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from sightline.data.predictions import NO_CLASS
from sightline.data.raster import Georeference
from sightline.deploy.raster.outlines import nodes, outlines, smoothed
from sightline.deploy.raster.outputs import Polygons
from sightline.deploy.raster.strips import Strips
from sightline.deploy.raster.vector_files import Feature, write_geojson, write_geopackage
from sightline.errors import SightlineError

_TOGETHER = 1000  # parts that are smoothed in one go


def write_polygons(
    classes: Strips, place: Georeference, names: Sequence[str], settings: Polygons, path: Path
) -> None:
    """Write the polygons of the map at ``path``, in place, as ``settings.path`` is named for.

    Raises:
        SightlineError: the raster's place is told by ground control points or rational polynomials only, or
            the file could not be written.
    """
    if place.transform is None and (place.gcps or place.rpcs is not None):
        raise SightlineError(
            f"{settings.path}: the raster's place is given by control points, which polygons cannot have; "
            "bring it to a grid first (gdalwarp), or write a class map."
        )
    crs = place.crs if place.transform is not None else None
    features = _features(classes, place, names, settings)
    if settings.path.suffix.lower() == ".geojson":
        write_geojson(path, features, crs)
    else:
        write_geopackage(path, features, crs)


def _features(
    classes: Strips, place: Georeference, names: Sequence[str], settings: Polygons
) -> Iterator[Feature]:
    to_world = _transform(place)
    square_metres = _square_metres(place)
    with classes.reading() as read:
        fixed = nodes(lambda start, stop: read(start, stop)[0], classes.height, classes.width)
    left_out = {NO_CLASS, *settings.leave_out}
    wanted = (
        outline
        for outline in outlines(classes.as_raster(Georeference()))
        if outline.class_number not in left_out and outline.pixels >= settings.min_area
    )
    while batch := list(islice(wanted, _TOGETHER)):
        rings = [ring for outline in batch for ring in outline.rings]
        smooth = map(to_world, smoothed(rings, fixed, classes.width, settings.smooth))
        for outline in batch:
            number, pixels = outline.class_number, outline.pixels
            area = None if square_metres is None else pixels * square_metres
            yield Feature(number, names[number], pixels, area, list(islice(smooth, len(outline.rings))))


def _transform(place: Georeference) -> Callable[[np.ndarray], np.ndarray]:
    if place.transform is None:
        return lambda ring: ring
    a, b, c, d, e, f = place.transform[:6]
    matrix, origin = np.array([[a, d], [b, e]]), np.array([c, f])
    mirrored = a * e - b * d < 0  # as usual, with north up; the outer ring is to turn counterclockwise
    return lambda ring: (ring[::-1] if mirrored else ring) @ matrix + origin


def _square_metres(place: Georeference) -> float | None:
    """The area of a pixel, where the coordinate system has one length for all of it."""
    if place.transform is None or place.crs is None or not place.crs.is_projected:
        return None
    a, b, _, d, e, _ = place.transform[:6]
    return abs(a * e - b * d) * place.crs.linear_units_factor[1] ** 2
