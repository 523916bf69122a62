"""Pascal VOC: an XML file of boxes per image, lists of splits, and masks as PNG.

The format: http://host.robots.ox.ac.uk/pascal/VOC/voc2012/htmldoc/devkit_doc.html.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION
from sightline.data.formats.repairs import Repairs
from sightline.data.formats.voc_boxes import PART_TASK, boxes_of_corners, part_lists
from sightline.data.formats.voc_layout import find_images, find_places, split_of_ids
from sightline.data.formats.voc_masks import (
    CLASS_MASKS,
    LABEL_MAP,
    OBJECT_MASKS,
    VOC_CLASSES,
    class_masks,
    object_masks,
    palette,
    read_label_map,
    read_numbers,
)
from sightline.data.formats.voc_xml import VocFile, read_voc_file
from sightline.data.image_sizes import image_sizes
from sightline.data.info import ClassInfo, DatasetInfo, TaskInfo
from sightline.data.primitives import Bbox, Bitmask, Segmentation
from sightline.data.progress import in_parallel
from sightline.data.schema import scalar_fields
from sightline.data.splits import UNDEFINED
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

MASK_FIELDS = ("class_name", "task_name", "top", "left", "height", "width", "rle_string", "area")


@dataclass(slots=True)
class _Image:
    """An image, its annotation file (None: not annotated) and what that says."""

    name: str
    path: str
    split: str
    file: str | None = None
    content: VocFile | None = None


def read_voc(
    cls: type["Dataset"],
    path: str | Path,
    *,
    name: str | None = None,
    version: str = "1.0.0",
    split: str = UNDEFINED,
    one_based: bool = False,
    progress: bool = True,
) -> "Dataset":
    """Make a dataset of ``Annotations``, ``JPEGImages`` and ``ImageSets/Main``, sorted by name.

    XML files beside their images, in folders by split or not, are read too. What an object says beside
    its name and box (``pose``, ``truncated``, ``difficult``, ``occluded`` ...) is in the box's ``meta``,
    what an annotation says (``segmented``, ``source`` ...) in that of the sample. Boxes of parts are
    nested in their object's box, as the task "part". Images without an XML file are not annotated. An
    image has the size that its XML file says, unless that is not the size of the image.

    ``SegmentationClass`` becomes the task "semantic_segmentation" and ``SegmentationObject``
    "mask_detection", for the images that have them; void (255) belongs to no mask.

    Args:
        path: the folder that ``Annotations`` is in.
        name: of the dataset; the folder's by default.
        version: of the dataset.
        split: of the images that no list names.
        one_based: take corners for numbers of pixels that count from 1, the last one within the box, as
            VOC itself defines them. By default they are positions of edges that count from 0, which is
            what most programs write since.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: no VOC folder, an annotation file without its image, a file that cannot be read,
            or an object without a name or with corners that cannot be a box; the sentence names file and
            object.
    """
    root = Path(path).absolute()
    repairs = Repairs(root)
    images = _find_images(root, split, repairs, progress=progress)
    sizes = _sizes(images, repairs, progress=progress)
    boxes = _boxes(images, sizes, one_based, repairs)
    numbered_classes, colours = _numbered_classes(root, boxes["class_name"].unique().to_list())
    masks, has_masks = _masks(root, images, sizes, numbered_classes, colours, progress=progress)
    repairs.report()
    described = any(image.content for image in images)
    tasks = [_box_task(boxes, numbered_classes if (root / LABEL_MAP).is_file() else [])] if described else []
    known = [class_name for class_name in numbered_classes if class_name is not None]
    present = set(masks["task_name"]) if len(masks) else set()
    for primitive in (Segmentation, Bitmask):
        task = TaskInfo.from_class_names(primitive, known)
        tasks += [task] if task.name in present else []
    info = DatasetInfo(dataset_name=name or root.name, version=version, tasks=tasks)
    contents = [image.content for image in images]
    metas = pl.Series([content.meta if content else None for content in contents], dtype=pl.String)
    samples = pl.DataFrame(
        {
            "file_path": [image.path for image in images],
            "split": [image.split for image in images],
            "height": sizes[:, 0],
            "width": sizes[:, 1],
            "meta": _meta_column(metas),
        }
    )
    tables = ({"bboxes": boxes} if described else {}) | ({"bitmasks": masks} if len(masks) else {})
    dataset = cls.from_tables(info, samples, **tables)
    annotated = {"bboxes": [content is not None for content in contents], "bitmasks": has_masks}
    columns = [
        pl.when(pl.Series(annotated[column], dtype=pl.Boolean)).then(pl.col(column)).alias(column)
        for column in tables
    ]
    return dataset.replace(samples=dataset.samples.with_columns(columns))


def _find_images(root: Path, split: str, repairs: Repairs, *, progress: bool) -> list[_Image]:
    """The images and what is said about them, split folder by split folder, sorted by name."""
    result: list[_Image] = []
    split_of = split_of_ids(root, repairs)
    for place in find_places(root):
        paths = find_images(place.images)
        files = {file.stem: str(file) for file in sorted(place.annotations.glob("*.xml"))}
        contents = in_parallel(
            read_voc_file, list(files.values()), "Reading annotations", progress=progress, batch=16
        )
        taken: dict[str, str] = {}
        for (stem, file), content in zip(files.items(), contents, strict=True):
            image = _image_of(stem, file, content, paths, place.images)
            if image in taken:
                raise SightlineError(f"{file}: is about {image}, as is {taken[image]}; remove one of them.")
            taken[image] = file
            in_split = place.split or split_of.get(stem, split)
            result.append(_Image(stem, image, in_split, file, content))
        for stem, others in paths.items():
            in_split = place.split or split_of.get(stem, split)
            result += [_Image(stem, image, in_split) for image in others if image not in taken]
    found = {image.name for image in result}
    absent = [name for name in split_of if name not in found]
    repairs.add("listed images that are not there passed over", absent[0] if absent else "", len(absent))
    if not result:
        raise SightlineError(f"{root}: holds neither images nor annotation files.")
    without_box = [where for image in result if image.content for where in image.content.without_box]
    repairs.add("objects without a box left out", without_box[0] if without_box else "", len(without_box))
    return sorted(result, key=lambda image: image.path)


def _image_of(stem: str, file: str, content: VocFile, paths: dict[str, list[str]], folder: Path) -> str:
    """The image of an annotation file: the one of its name, or else the one that it names."""
    candidates = paths.get(stem, [])
    named = (content.image_name or "").strip()
    exact = [path for path in candidates if path.rpartition("/")[2] == named]
    if exact or candidates:
        return (exact or candidates)[0]
    by_name = paths.get(named.rpartition(".")[0], []) or paths.get(named, [])
    if by_name:
        return by_name[0]
    raise SightlineError(f"{file}: its image is missing; expected '{named or stem}' in {folder}.")


def _sizes(images: Sequence[_Image], repairs: Repairs, *, progress: bool) -> np.ndarray:
    """Height and width of each image, int64 of shape (count, 2)."""
    sizes = image_sizes([image.path for image in images], progress=progress)
    for image, size in zip(images, sizes, strict=True):
        said = image.content.size if image.content else None
        if said is None or said == tuple(size):
            if image.content and said is None:
                repairs.add("annotation files without a size, which the images say", str(image.file))
        elif said == tuple(size[::-1]):
            size[:] = said  # made on the pixels as they are stored, not as EXIF turns them
        else:
            repairs.add("sizes corrected to those of the images", f"{image.file} ({said[1]} x {said[0]})")
    return sizes


def _boxes(images: Sequence[_Image], sizes: np.ndarray, one_based: bool, repairs: Repairs) -> pl.DataFrame:
    """The table of boxes, with the boxes of parts nested in them."""
    described = [(position, image, image.content) for position, image in enumerate(images) if image.content]
    objects = [
        (position, str(image.file), *values)
        for position, image, content in described
        for values in zip(content.names, content.corners, content.metas, content.parts, strict=True)
    ]
    positions = np.array([position for position, *_ in objects], dtype=np.uint32)
    wheres = [f"{file}: a {name}" for _, file, name, *_ in objects]
    corners = [box for _, _, _, box, _, _ in objects]
    fractions, good = boxes_of_corners(corners, sizes[positions], one_based, wheres, repairs)
    table = pl.DataFrame(
        {
            POSITION: positions,
            "class_name": pl.Series([name for _, _, name, *_ in objects], dtype=pl.String),
            "meta": _meta_column(pl.Series([meta for *_, meta, _ in objects], dtype=pl.String)),
            "bboxes": part_lists(
                [parts for *_, parts in objects], sizes[positions], one_based, wheres, repairs
            ),
        }
    )
    table = pl.concat([table, fractions], how="horizontal")
    return table.filter(good)


def _box_task(boxes: pl.DataFrame, listed: Sequence[str | None]) -> TaskInfo:
    """The task of boxes: the classes ``listed``, then the others by name, each with the parts it has."""
    found = boxes["class_name"].unique().sort().to_list()
    order = list(dict.fromkeys([name for name in listed if name is not None] + found))
    parts = boxes.select("class_name", pl.col("bboxes").alias("part")).drop_nulls().explode("part")
    parts = parts.select("class_name", part=pl.col("part").struct.field("class_name")).unique().sort("part")
    all_parts = parts["part"].unique().sort().to_list()
    with_parts = set(parts["class_name"])
    task = TaskInfo.from_class_names(Bbox, all_parts, PART_TASK)
    classes = [
        ClassInfo(name=class_name, attributes=[task] if class_name in with_parts else None)
        for class_name in order
    ]
    return TaskInfo(primitive=Bbox, classes=classes)


def _numbered_classes(root: Path, box_classes: list[str]) -> tuple[list[str | None], np.ndarray]:
    """The class of each number in masks (None: background), and the colours of the numbers."""
    if (root / LABEL_MAP).is_file():
        return read_label_map(root / LABEL_MAP)
    known = VOC_CLASSES if set(box_classes) <= set(VOC_CLASSES) else ()
    return [None, *known], palette()


def _masks(
    root: Path,
    images: Sequence[_Image],
    sizes: np.ndarray,
    class_names: Sequence[str | None],
    colours: np.ndarray,
    *,
    progress: bool,
) -> tuple[pl.DataFrame, list[bool]]:
    """The table of masks, and which images have files of masks."""

    def read(position: int) -> list[Bitmask]:
        file = root / CLASS_MASKS / f"{images[position].name}.png"
        height, width = sizes[position]
        numbers = read_numbers(file, (int(height), int(width)), colours)
        masks: list[Bitmask] = [*class_masks(numbers, class_names, file)]
        objects = root / OBJECT_MASKS / file.name
        if objects.is_file():
            each = read_numbers(objects, numbers.shape, palette())
            masks += object_masks(each, numbers, class_names, objects)
        return masks

    names = {file.stem for file in (root / CLASS_MASKS).glob("*.png")}
    positions = [position for position, image in enumerate(images) if image.name in names]
    found = in_parallel(read, positions, "Reading masks", progress=progress)
    rows = [
        (position, *(getattr(mask, name) for name in MASK_FIELDS))
        for position, masks in zip(positions, found, strict=True)
        for mask in masks
    ]
    types = {name: dtype for name, dtype in scalar_fields("bitmasks").items() if name in MASK_FIELDS}
    schema = {POSITION: pl.UInt32()} | {name: types[name] for name in MASK_FIELDS}
    return pl.DataFrame(rows, schema=schema, orient="row"), [image.name in names for image in images]


def _meta_column(texts: pl.Series) -> pl.Series:
    """JSON texts (or null) as the column ``meta``."""
    frame = texts.alias("json").to_frame()
    return frame.select(meta=pl.when(pl.col("json").is_not_null()).then(pl.struct("json"))).to_series()
