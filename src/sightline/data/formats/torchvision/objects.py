"""Any dataset object of torchvision, or one that looks like it: ``dataset[i]`` is (image, target)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from PIL import Image

from sightline.data.annotation_tables import POSITION
from sightline.data.formats.boxes import read_boxes
from sightline.data.formats.label_maps import mask_table, masks_by_number
from sightline.data.formats.pictures import picture_folder, store_pixels
from sightline.data.formats.repairs import Repairs
from sightline.data.image_sizes import image_sizes
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.primitives import Bbox, Classification, Segmentation
from sightline.data.progress import in_parallel
from sightline.data.splits import split_from_name
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

_FILES = ("_image_files", "_images", "images", "samples", "_samples", "imgs")
_SPLITS = ("split", "_split", "image_set", "mode", "_partition")

Label = int | str


@dataclass
class _Item:
    """One item's file (made of its pixels where it had none), and what its target holds."""

    file: str
    labels: list[Label] = field(default_factory=list)
    boxes: list[tuple[Label | None, list[float]]] = field(default_factory=list)
    masks: list[tuple[int, Segmentation]] = field(default_factory=list)
    outlines: int = 0
    """How many outlines or masks of objects the target holds; they are not read."""


def read_object(
    cls: type["Dataset"],
    source: Any,
    folder: str | Path | None,
    name: str | None,
    version: str,
    split: str,
    ignore: int | None,
    progress: bool,
) -> "Dataset":
    """See `read_torchvision`."""
    title = type(source).__name__
    if not hasattr(source, "__getitem__") or not hasattr(source, "__len__"):
        raise SightlineError(f"a {title} is neither a path nor a dataset of torchvision; give one of them.")
    if getattr(source, "transforms", None) is not None:
        raise SightlineError(f"{title}: changes its images by transforms; make it without them.")
    files = _files_of(source)
    target_folder = None if files else picture_folder(folder, title)

    def read(index: int) -> _Item:
        image, target = source[index]
        where = f"{title}, item {index}"
        file = files[index] if files else store_pixels(_pixels(image, where), target_folder or Path())
        item = _Item(file)
        _read_target(item, target, ignore, where)
        return item

    items = list(in_parallel(read, range(len(source)), f"Reading {title}", progress=progress))
    samples = pl.DataFrame({"file_path": pl.Series([item.file for item in items], dtype=pl.String)})
    sizes = image_sizes(samples["file_path"].to_list(), progress=progress)
    samples = samples.with_columns(
        split=pl.lit(_split_of(source) or split), height=pl.Series(sizes[:, 0]), width=pl.Series(sizes[:, 1])
    )
    repairs = Repairs(title)
    tables: dict[str, pl.DataFrame] = {}
    tasks: list[TaskInfo] = []
    for primitive, rows in (
        (Classification, [(at, label) for at, item in enumerate(items) for label in item.labels]),
        (Bbox, [(at, label) for at, item in enumerate(items) for label, _ in item.boxes]),
        (Segmentation, [(at, number) for at, item in enumerate(items) for number, _ in item.masks]),
    ):
        if not rows:
            continue
        names = _names(source, primitive)
        table, class_names = _table(rows, names)
        if primitive is Bbox:
            numbers = np.array([box for item in items for _, box in item.boxes], dtype=np.float64).reshape(
                -1, 4
            )
            owners = table[POSITION].to_numpy()
            boxes, good = read_boxes(
                numbers, "xyxy", "pixels", sizes[owners], lambda row, of=owners: f"item {of[row]}", repairs
            )
            table = table.hstack(boxes).filter(good)
        elif primitive is Segmentation:
            masks = [(at, mask) for at, item in enumerate(items) for _, mask in item.masks]
            table = mask_table(
                (at, class_name, mask)
                for (at, mask), class_name in zip(masks, table["class_name"], strict=True)
            )
        tables[primitive.column] = table
        tasks.append(TaskInfo.from_class_names(primitive, class_names))
    outlines = [at for at, item in enumerate(items) if item.outlines]
    repairs.add(
        "outlines of objects left out, of which only the box is read (from_coco reads both)",
        "".join(f"of item {at}" for at in outlines[:1]),
        sum(item.outlines for item in items),
    )
    repairs.report()
    return cls.from_tables(
        DatasetInfo(dataset_name=name or title, version=version, tasks=tasks), samples, **tables
    )


def _files_of(source: Any) -> list[str] | None:
    """The image file of each item, where the dataset says it; None where images are made on the way."""
    if hasattr(source, "coco") and hasattr(source, "ids"):
        images = source.coco.loadImgs(source.ids)
        return [str(Path(source.root, image["file_name"]).absolute()) for image in images]
    for name in _FILES:
        values = getattr(source, name, None)
        if isinstance(values, list | tuple) and len(values) == len(source) > 0:
            files = [value[0] if isinstance(value, tuple | list) else value for value in values]
            if all(isinstance(file, str | Path) for file in files) and Path(files[0]).is_file():
                return [str(Path(file).absolute()) for file in files]
    return None


def _split_of(source: Any) -> str | None:
    """The split that the dataset says it is, if it does."""
    if isinstance(getattr(source, "train", None), bool):
        return "train" if source.train else "test"
    words = (getattr(source, name, None) for name in _SPLITS)
    return next((split_from_name(word) for word in words if isinstance(word, str)), None)


def _names(source: Any, primitive: type) -> Mapping[int, str] | None:
    """What the numbers of classes mean, as far as the dataset says it; a label map has numbers of its own."""
    if primitive is Segmentation:
        return None
    if hasattr(source, "coco"):
        return {number: category["name"] for number, category in source.coco.cats.items()}
    classes = getattr(source, "classes", None)
    if isinstance(classes, Sequence) and not isinstance(classes, str):
        # ImageNet's classes are tuples of synonyms.
        return {n: ", ".join(c) if isinstance(c, tuple | list) else str(c) for n, c in enumerate(classes)}
    return None


def _table(
    rows: Sequence[tuple[int, Label | None]], names: Mapping[int, str] | None
) -> tuple[pl.DataFrame, list[str]]:
    """Positions and class names, and all class names in order: of their numbers, where they have some."""
    found = {label for _, label in rows if label is not None}
    numbers = sorted({label for label in found if isinstance(label, int)} | set(names or ()))
    by_number = {number: (names or {}).get(number, str(number)) for number in numbers}
    class_names = list(dict.fromkeys(by_number.values()))
    class_names += sorted({label for label in found if isinstance(label, str)} - set(class_names))
    labels = [by_number[label] if isinstance(label, int) else label for _, label in rows]
    positions = pl.Series(POSITION, [position for position, _ in rows], pl.UInt32)
    return pl.DataFrame([positions, pl.Series("class_name", labels, pl.String)]), class_names


def _pixels(image: Any, where: str) -> np.ndarray:
    """uint8 (height, width) or (height, width, 3) of a PIL image or an array."""
    if isinstance(image, Image.Image):
        return np.asarray(image if image.mode in ("L", "RGB") else image.convert("RGB"))
    pixels = np.asarray(image)
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise SightlineError(
            f"{where}: the image is a {type(image).__name__}, expected a PIL image or bytes."
        )
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3) and pixels.shape[2] not in (1, 3):
        pixels = pixels.transpose(1, 2, 0)  # torch has the colours first
    return np.ascontiguousarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)


def _read_target(item: _Item, target: Any, ignore: int | None, where: str) -> None:
    target = target.numpy() if hasattr(target, "numpy") else target
    if target is None:
        return
    if isinstance(target, str):
        item.labels.append(target)
    elif isinstance(target, tuple):
        for part in target:
            _read_target(item, part, ignore, where)
    elif isinstance(target, Image.Image) or (isinstance(target, np.ndarray) and target.ndim >= 2):
        values = np.asarray(target)
        if values.ndim != 2 or values.dtype.kind not in "uib":
            raise SightlineError(
                f"{where}: the label map is {values.dtype} {values.shape}, expected whole numbers."
            )
        item.masks += masks_by_number(values, ignore)
    elif np.ndim(target) == 0 and isinstance(target, int | np.integer | np.ndarray):
        if item.labels:
            raise SightlineError(f"{where}: the target holds several classes; choose one kind of target.")
        item.labels.append(int(target))
    elif isinstance(target, Mapping) and "annotation" in target:
        _read_voc(item, target["annotation"])
    elif isinstance(target, Mapping) and "boxes" in target:
        labels = np.asarray(target.get("labels", ())).tolist() or [None] * len(target["boxes"])
        item.boxes += zip(labels, np.asarray(target["boxes"]).astype(float).tolist(), strict=True)
        item.outlines += len(target.get("masks", ()))
    elif isinstance(target, list) and all(isinstance(entry, Mapping) and "bbox" in entry for entry in target):
        _read_listed(item, target)
    else:
        raise SightlineError(
            f"{where}: the target is a {type(target).__name__}, which is no class, boxes or label map; "
            "build samples of it and use Dataset.from_samples."
        )


def _read_voc(item: _Item, annotation: Mapping[str, Any]) -> None:
    for entry in annotation.get("object", ()):
        box = entry["bndbox"]
        item.boxes.append((entry["name"], [float(box[edge]) for edge in ("xmin", "ymin", "xmax", "ymax")]))


def _read_listed(item: _Item, entries: list[Mapping[str, Any]]) -> None:
    """Annotations of COCO (a category and a corner with a size), or of KITTI (a type and two corners)."""
    for entry in entries:
        first, second, third, fourth = map(float, entry["bbox"])
        if "category_id" in entry:
            box = [first, second, first + third, second + fourth]
            item.boxes.append((int(entry["category_id"]), box))
            item.outlines += bool(entry.get("segmentation"))
        else:
            item.boxes.append((entry.get("type"), [first, second, third, fourth]))
