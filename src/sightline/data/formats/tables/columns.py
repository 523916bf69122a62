"""What the columns of a table mean, by the names that people give them."""

import re
from collections.abc import Mapping, Sequence

from sightline.data.images import IMAGE_SUFFIXES
from sightline.errors import SightlineError

FIELDS: dict[str, tuple[str, ...]] = {
    "file_path": (
        "filepath", "imagepath", "imgpath", "path", "filename", "imagefilename", "imagefile", "imagename",
        "imgname", "file", "image", "img", "imageid", "imgid", "imageindex", "id",
    ),
    "split": ("split", "subset", "partition", "set", "usage"),
    "class_name": (
        "classname", "labelname", "categoryname", "class", "label", "labels", "category", "classification",
        "cls", "objectclass", "species", "target", "name",
    ),
    "class_idx": ("classidx", "classid", "classindex", "labelid", "labelidx", "categoryid", "categoryidx"),
    "xmin": ("xmin", "x0", "x1", "left", "x", "topleftx"),
    "ymin": ("ymin", "y0", "y1", "top", "y", "toplefty"),
    "xmax": ("xmax", "x2", "right", "x1"),
    "ymax": ("ymax", "y2", "bottom", "y1"),
    "x_center": ("xcenter", "centerx", "cx", "xcentre", "centrex", "xc"),
    "y_center": ("ycenter", "centery", "cy", "ycentre", "centrey", "yc"),
    "box_width": ("bboxwidth", "boxwidth", "w"),
    "box_height": ("bboxheight", "boxheight", "h"),
    "bbox": ("bbox", "box", "boundingbox"),
    "image_width": ("imagewidth", "imgwidth", "imagew", "imgw", "originalwidth"),
    "image_height": ("imageheight", "imgheight", "imageh", "imgh", "originalheight"),
    "confidence": ("confidence", "score", "conf", "probability", "prob"),
    "object_id": ("objectid", "annotationid", "boxid", "instanceid", "trackid"),
    "ground_truth": ("groundtruth",),
    "collection_id": ("collectionid", "groupid", "group", "videoid", "video", "sequence", "patientid"),
}  # fmt: skip
"""Every field that a column can hold, and the names it goes by (letters and digits only, small letters)."""

_BOX_PREFIX = re.compile(r"^(bbox|boundingbox|box|roi)(?=.)")


def recognise(source: object, header: Sequence[str], named: Mapping[str, str]) -> dict[str, str]:
    """Which column of ``header`` holds which field; ``named`` says it for fields with names of their own.

    ``width`` and ``height`` are the size of the box where it has a corner or centre only, else of the
    image. Where several columns would do for a field, it is the one whose name comes first in `FIELDS`.

    Raises:
        SightlineError: ``named`` has a field or column that there is not, there is no header, or no
            column holds the images' paths.
    """
    _refuse_headerless(source, header)
    for field, column in named.items():
        if field not in FIELDS:
            raise SightlineError(f"columns: '{field}' is no field; give one of {', '.join(FIELDS)}.")
        if column not in header:
            raise SightlineError(f"{source}: has no column '{column}'; it has {', '.join(header)}.")
    found = dict(named)
    plain = {column: re.sub(r"[^a-z0-9]", "", column.lower()) for column in reversed(header)}
    free = {name: column for column, name in plain.items() if column not in found.values()}
    # "bbox_x" is an x, but "bbox" and "box_id" are what they are.
    free = {_BOX_PREFIX.sub("", name): column for name, column in free.items()} | free
    taken = set(found.values())

    def take(field: str, names: Sequence[str]) -> None:
        column = next((free[name] for name in names if name in free and free[name] not in taken), None)
        if field not in found and column is not None:
            found[field] = column
            taken.add(column)

    for field, names in FIELDS.items():
        take(field, names)
    has_corner = "xmin" in found or "x_center" in found
    sized = "image" if "xmax" in found or not has_corner else "box"
    for side in ("width", "height"):
        take(f"{sized}_{side}", (side,))
        take(f"image_{side}", (side,))
    if "file_path" not in found:
        raise SightlineError(
            f"{source}: no column is known to hold image files; it has {', '.join(header)}; name the one "
            "that does, as columns={'file_path': '...'}."
        )
    return found


def _refuse_headerless(source: object, header: Sequence[str]) -> None:
    for cell in header:
        if re.fullmatch(r"-?[0-9.]+(e-?\d+)?(_duplicated_\d+)?", cell) or any(
            cell.lower().endswith(suffix) for suffix in IMAGE_SUFFIXES
        ):
            raise SightlineError(
                f"{source}: the first line holds '{cell}', so it seems to have no header; put a line with "
                "the names of the columns first, such as file_path,class_name,xmin,ymin,xmax,ymax."
            )
