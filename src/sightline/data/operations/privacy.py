"""Images that give less away: objects made unrecognisable, and no metadata."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
from PIL import Image

from sightline.data.annotation_tables import POSITION, annotation_table
from sightline.data.exif import without_metadata
from sightline.data.formats.repairs import Repairs
from sightline.data.images import read_rgb
from sightline.data.operations.names import matching
from sightline.data.operations.rewriting import encoded, suffix_for, with_new_images
from sightline.data.operations.shape_tables import with_image_sizes
from sightline.data.operations.shapes import converted_table, task_with_shape
from sightline.data.primitives import Bbox
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

How = Literal["blur", "pixelate", "fill"]

_CELLS = 4
"""Of an object no more is kept than the mean colours of 4 x 4 cells.

Networks recognise faces in mosaics of 16 x 16 cells and more, and in Gaussian blur, which can be undone
where the noise allows it: McPherson, Shokri and Shmatikov, "Defeating Image Obfuscation with Deep
Learning", 2016. Here also the blur is made of the 16 mean colours, so there is nothing else to recover.
"""


def blur_objects(
    dataset: "Dataset",
    folder: Path,
    task: str | None = None,
    classes: list[str] | None = None,
    how: How = "blur",
    margin: float = 0.1,
    progress: bool = True,
) -> "Dataset":
    """New images in which objects cannot be recognised; all new images are without metadata.

    What is hidden is the upright rectangle around each object, since an outline alone can give it away.
    An image that several samples share has the objects of all of them hidden. Annotations stay.

    Args:
        dataset: stays as it is.
        folder: where the images are stored, by content hash.
        task: whose objects; may be left out where only one task has shapes.
        classes: names, in which ``*`` stands for any text; None for all.
        how: ``pixelate`` into at most 4 x 4 cells an object, ``blur`` between the colours of the same
            cells, or ``fill`` with black, which leaves nothing at all.
        margin: how much wider to hide on each side, as a fraction of the object's width and height.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: no such task or class, a negative margin, or an image that is missing, cannot be
            read, or is of another size than the dataset says.
    """
    if how not in ("blur", "pixelate", "fill"):
        raise SightlineError(f"how='{how}' is not one of blur, pixelate, fill.")
    if not 0 <= margin < np.inf:
        raise SightlineError(f"margin is {margin}; give a fraction of the object's size from 0 up.")
    rectangles = _rectangles(dataset, task, classes, margin)

    def rewrite(path: Path, size: tuple[int, int], rows: list[int]) -> tuple[bytes, str]:  # noqa: ARG001
        hidden = [box for row in shared[str(path)] for box in rectangles.get(row, ())]
        if not hidden:
            return without_metadata(path)
        pixels = read_rgb(path, size)
        if pixels.shape[:2] != size:
            raise SightlineError(
                f"{path}: is {pixels.shape[0]} x {pixels.shape[1]} pixels, but the dataset says {size[0]} "
                f"x {size[1]}; mend its height and width."
            )
        for box in hidden:
            _hide(pixels, box, how)
        suffix = suffix_for(path).replace(".tif", ".png")
        return encoded(pixels, suffix, 95, path), suffix

    paths = dataset.samples.select("file_path", row=pl.int_range(pl.len())).group_by("file_path").agg("row")
    shared: dict[str, list[int]] = dict(paths.iter_rows())
    frame = with_new_images(dataset, Path(folder), rewrite, "Hiding objects", progress)
    return dataset.replace(samples=frame)


def strip_metadata(dataset: "Dataset", folder: Path, progress: bool = True) -> "Dataset":
    """Copies of all images without EXIF, GPS positions, XMP, IPTC, comments and embedded previews.

    The pixels stay as they are, in JPEG, PNG and WebP files to the bit; other files become PNG. A picture
    that EXIF turns stays turned, and colour profiles stay. Raster files lose their place on Earth.

    Args:
        dataset: stays as it is.
        folder: where the images are stored, by content hash.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: an image is missing or cannot be read, or PNG does not hold its pixels.
    """

    def rewrite(path: Path, size: tuple[int, int], rows: list[int]) -> tuple[bytes, str]:  # noqa: ARG001
        return without_metadata(path)

    return dataset.replace(
        samples=with_new_images(dataset, Path(folder), rewrite, "Writing images", progress)
    )


def _rectangles(
    dataset: "Dataset", task: str | None, classes: list[str] | None, margin: float
) -> dict[int, list[tuple[int, int, int, int]]]:
    """Left, top, right and bottom in whole pixels of what is to be hidden, by the sample's position."""
    chosen = task_with_shape(dataset.info, task)
    table = annotation_table(dataset.samples, chosen.primitive.column, chosen.name)
    if classes is not None:
        names = chosen.class_names
        if names is None:
            names = table["class_name"].drop_nulls().unique(maintain_order=True).to_list()
        wanted = matching(classes, names, f"class of task '{chosen.name}'")
        table = table.filter(pl.col("class_name").is_in(wanted))
    boxes = table
    if chosen.primitive is not Bbox:
        repairs = Repairs(f"task '{chosen.name}'")
        sized = with_image_sizes(table, dataset.samples)
        boxes = converted_table(sized, chosen.primitive, Bbox, repairs, progress=False)
        repairs.report()
    boxes = with_image_sizes(boxes, dataset.samples)
    found: dict[int, list[tuple[int, int, int, int]]] = {}
    columns = (POSITION, "top_left_x", "top_left_y", "width", "height", "image_width", "image_height")
    for position, x, y, width, height, image_width, image_height in boxes.select(columns).iter_rows():
        left, right = x - margin * width, x + (1 + margin) * width
        top, bottom = y - margin * height, y + (1 + margin) * height
        rectangle = (
            max(0, int(np.floor(left * image_width))),
            max(0, int(np.floor(top * image_height))),
            min(image_width, int(np.ceil(right * image_width))),
            min(image_height, int(np.ceil(bottom * image_height))),
        )
        if rectangle[0] < rectangle[2] and rectangle[1] < rectangle[3]:
            found.setdefault(position, []).append(rectangle)
    return found


def _hide(pixels: np.ndarray, rectangle: tuple[int, int, int, int], how: How) -> None:
    left, top, right, bottom = rectangle
    if how == "fill":
        pixels[top:bottom, left:right] = 0
        return
    size = right - left, bottom - top
    region = Image.fromarray(pixels[top:bottom, left:right])
    # A small object has fewer cells, for a cell of one pixel would hide nothing.
    across, down = (max(1, min(_CELLS, length // 4)) for length in size)
    means = region.resize((across, down), Image.Resampling.BOX)
    resampling = Image.Resampling.BICUBIC if how == "blur" else Image.Resampling.NEAREST
    pixels[top:bottom, left:right] = np.asarray(means.resize(size, resampling))
