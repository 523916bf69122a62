"""Read COCO files into a dataset."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import polars as pl
from msgspec import Raw

from sightline.data.formats.coco.categories import Classes
from sightline.data.formats.coco.layouts import AnnotationFile, find_annotation_files
from sightline.data.formats.coco.parsing import Image, decode, entries, others_of, read_json
from sightline.data.formats.coco.regions import ImageTable, annotation_tables
from sightline.data.formats.repairs import Repairs
from sightline.data.formats.stated_sizes import count_other_sizes
from sightline.data.images import image_size
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.primitives import PRIMITIVE_OF_COLUMN
from sightline.data.progress import in_parallel
from sightline.data.schema import CONTEXT_TYPES, META
from sightline.data.splits import UNDEFINED
from sightline.data.storage import check_images_exist
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

INFO_KEY = "coco"
"""Where ``DatasetInfo.meta`` has ``categories``, and per split what else the file says about all images."""


def read_coco(
    cls: "type[Dataset]",
    path: str | Path,
    *,
    images: str | Path | None = None,
    name: str | None = None,
    version: str = "1.0.0",
    split: str = UNDEFINED,
    check_images: bool = True,
    progress: bool = True,
) -> "Dataset":
    """Read COCO annotations: one JSON file, or a folder in the layout of COCO, Roboflow or FiftyOne.

    A folder holds ``annotations/instances_<split>.json`` and ``<split>/`` or ``images/<split>/`` (COCO),
    ``<split>/_annotations.coco.json`` with the images beside it (Roboflow), or ``labels.json`` and
    ``data/`` (FiftyOne); elsewhere ``images`` names the folder of the images. They stay where they are.

    Boxes, polygons and masks become the tasks ``object_detection``, ``polygon_detection`` and
    ``mask_detection``, as far as there are any, with all categories as classes. A polygon of several
    rings becomes several `Polygon`s; what belongs to one annotation has its id as ``object_id``.
    Annotations without a box get that of their segmentation. See `sightline.data.formats.coco` for
    where everything else is kept.

    Args:
        cls: the class of the dataset.
        path: a JSON file or a folder.
        images: the folder that ``file_name`` is relative to, where it is not in one of the usual places.
        name: of the dataset; the folder's name by default.
        version: of the dataset.
        split: of the images of a file whose name does not say it.
        check_images: whether an image that is not there is an error, and one of another size than the
            file says is counted in a warning.
        progress: show a bar on a terminal where image files have to be opened for their size.

    Raises:
        SightlineError: no COCO file, a file that is damaged, an entry that is wrong (it is named), or
            images that are not there. What can be mended is, with a warning that counts it.
    """
    root = Path(path).absolute()
    repairs = Repairs(root)
    files = find_annotation_files(root, None if images is None else Path(images).absolute(), repairs)
    classes, parts, start = Classes(), [], 0
    for file in files:
        parts.append(_read_file(file, start, classes, split, repairs, progress))
        start += len(parts[-1].samples)
    samples = pl.concat([part.samples for part in parts])
    if check_images:
        check_images_exist(samples)
        count_other_sizes(samples, repairs, progress=progress)
    found = {column: [part.tables[column] for part in parts if column in part.tables] for column in _COLUMNS}
    tables = {column: pl.concat(found[column]) for column in _COLUMNS if found[column]}
    dataset = cls.from_tables(
        _info(name or _name_of(root), version, parts, classes, tables), samples, **tables
    )
    repairs.report()
    # A file without a list of annotations (a test set) says nothing about its images.
    annotated = pl.concat([pl.repeat(part.is_annotated, len(part.samples), eager=True) for part in parts])
    if annotated.all():
        return dataset
    frame = dataset.samples.with_columns(pl.when(annotated).then(pl.col(column)) for column in tables)
    return dataset.replace(samples=frame)


_COLUMNS = ("bboxes", "polygons", "bitmasks")


@dataclass
class _Part:
    """What one file gives; ``tables`` count samples over all files."""

    samples: pl.DataFrame
    tables: dict[str, pl.DataFrame]
    is_annotated: bool
    split: str
    about: dict[str, Any]


def _read_file(
    file: AnnotationFile, start: int, classes: Classes, split: str, repairs: Repairs, progress: bool
) -> _Part:
    path = file.path
    content = decode(path, read_json(path), dict[str, Raw], "the file")
    if "images" not in content:
        raise SightlineError(f"{path}: not a COCO file, it has no 'images'.")
    items = {
        what: decode(path, content.pop(what), list[Raw], what)
        for what in ("images", "categories", "annotations")
        if what in content
    }
    about = {key: decode(path, value, object, key) for key, value in content.items()}
    image_items = items["images"]
    images = entries(path, image_items, Image, "images")
    heights, widths, folder = _sizes(file, images, progress)
    table = _image_table(path, images, heights, widths, start)
    file_split = file.split or split
    paths = [os.path.join(folder, image.file_name) for image in images]  # noqa: PTH118 (Path is 8x slower)
    samples = pl.DataFrame(
        {
            "file_path": paths,
            "height": heights,
            "width": widths,
            "split": pl.Series([file_split], dtype=pl.String).new_from_index(0, len(images)),
            "attribution": _attributions(images, _licenses(path, about)),
            "meta": _image_metas(path, image_items),
        },
        schema_overrides={"file_path": pl.String},
    )
    index_of_id = classes.index_of_id(path, items.get("categories", []), repairs)
    is_annotated = "annotations" in items
    tables = (
        annotation_tables(path, items["annotations"], table, index_of_id, repairs) if is_annotated else {}
    )
    return _Part(samples, tables, is_annotated, file_split, about)


def _sizes(file: AnnotationFile, images: list[Image], progress: bool) -> tuple[np.ndarray, np.ndarray, Path]:
    """Height and width of each image, of the file's header where the entry does not say, and the folder."""
    folder = file.images_of(images[0].file_name if images else "")
    unsized = [n for n, image in enumerate(images) if image.height is None or image.width is None]
    paths = [folder / images[n].file_name for n in unsized]
    sizes = list(in_parallel(image_size, paths, "Reading image sizes", progress=progress))
    heights = np.array([image.height or 0 for image in images], dtype=np.int64)
    widths = np.array([image.width or 0 for image in images], dtype=np.int64)
    if unsized:
        heights[unsized], widths[unsized] = np.array(sizes).T
    return heights, widths, folder


def _image_table(
    path: Path, images: list[Image], heights: np.ndarray, widths: np.ndarray, start: int
) -> ImageTable:
    ids = np.fromiter((image.id for image in images), np.int64, len(images))
    order = np.argsort(ids, kind="stable")
    repeated = np.flatnonzero(ids[order][1:] == ids[order][:-1])
    if len(repeated):
        number = order[1:][repeated].min()
        raise SightlineError(
            f"{path}: images[{number}].id is {ids[number]}, which another image has; give each its own."
        )
    return ImageTable(ids[order], order + start, heights[order], widths[order])


def _image_metas(path: Path, items: Sequence[Raw]) -> pl.Series:
    """What an image says about itself, its size aside: COCO keeps ids and URLs nowhere else."""
    others = others_of(path, items, ("height", "width"))
    texts = pl.Series("json", [msgspec.json.encode(other).decode() for other in others], dtype=pl.String)
    return texts.to_frame().to_struct("meta").cast(META)


def _licenses(path: Path, about: dict[str, Any]) -> dict[Any, dict[str, str]]:
    """Name and URL of each licence by its id, as far as entries have them as text."""
    licenses = about.get("licenses")
    if not isinstance(licenses, list | None):
        raise SightlineError(f"{path}: licenses: expected array, got {type(licenses).__name__}.")
    return {
        entry["id"]: {key: entry[key] for key in ("name", "url") if isinstance(entry.get(key), str)}
        for entry in licenses or ()
        if isinstance(entry, dict) and isinstance(entry.get("id"), int | str)
    }


def _attributions(images: list[Image], licenses: dict[Any, dict[str, str]]) -> pl.Series:
    rows: list[dict[str, Any] | None] = []
    for image in images:
        row: dict[str, Any] = {}
        if isinstance(image.date_captured, str) and image.date_captured:
            row["date_captured"] = image.date_captured
        source = image.flickr_url or image.coco_url
        if isinstance(source, str) and source:
            row["source_url"] = source
        if isinstance(image.license, int | str) and licenses.get(image.license):
            row["licenses"] = [licenses[image.license]]
        rows.append(row or None)
    return pl.Series("attribution", rows, CONTEXT_TYPES["attribution"])


def _info(
    name: str, version: str, parts: list[_Part], classes: Classes, tables: dict[str, pl.DataFrame]
) -> DatasetInfo:
    about: dict[str, dict[str, Any]] = {}
    for part in parts:
        about.setdefault(part.split, part.about)
    info = parts[0].about.get("info")
    info = info if isinstance(info, dict) else {}
    columns = [column for column in _COLUMNS if column in tables] or ["bboxes"]
    return DatasetInfo(
        dataset_name=name,
        version=version,
        tasks=[TaskInfo.from_class_names(PRIMITIVE_OF_COLUMN[column], classes.names) for column in columns],
        description=_text(info.get("description")),
        reference_dataset_page=_text(info.get("url")),
        meta={INFO_KEY: {"categories": classes.categories, "splits": about}},
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _name_of(root: Path) -> str:
    folder = root.parent if root.is_file() else root
    return (folder.parent if root.is_file() and folder.name == "annotations" else folder).name or "coco"
