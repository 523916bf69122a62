"""Folders of images and of label maps: ``<split>/x/<name>.tif`` and ``<split>/y/<name>_label.tif``.

A label map has a class's number in each pixel. Images and labels belong together by their names.
``classes.json`` beside the splits says, where it is there, which class each number is and which numbers
are ignored: ``{"classes": {"0": "land", "1": "water"}, "ignore": [2]}``.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION, annotation_table
from sightline.data.formats.fitting import fitting_task, refuse_unknown_classes
from sightline.data.formats.image_files import check_images, place_images, unique_names
from sightline.data.formats.left_out import count_left_out, count_not_annotated
from sightline.data.formats.repairs import Repairs
from sightline.data.images import IMAGE_SUFFIXES, image_size, read_bands, write_image
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.primitives import Segmentation
from sightline.data.primitives.rle import decode_mask
from sightline.data.progress import in_parallel
from sightline.data.raster import Georeference, is_raster, opened, rasterio_available
from sightline.data.splits import UNDEFINED, VALIDATION, split_from_name
from sightline.data.staging import folder_written_whole
from sightline.data.storage import Storing
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

CLASSES_FILE = "classes.json"

_MASK_FIELDS = ("class_name", "top", "left", "height", "width", "rle_string", "area")


def read_mask_folder(
    cls: type["Dataset"],
    path: str | Path,
    *,
    name: str | None = None,
    version: str = "1.0.0",
    task_name: str = "semantic_segmentation",
    classes: Mapping[str, str] | None = None,
    ignore: int | Sequence[int] | None = None,
    images: str = "x",
    labels: str = "y",
    suffix: str = "_label",
    split: str = UNDEFINED,
    progress: bool = True,
) -> "Dataset":
    """Make a dataset of ``<path>/<split>/x`` and ``y``, or of ``<path>/x`` and ``y``.

    A label map has the name of its image, with ``suffix`` before the dot or without, and is a TIFF or
    any other image of one band (palette images count by the numbers of their colours).

    Args:
        path: the folder.
        name: of the dataset; the folder's by default.
        version: of the dataset.
        task_name: of the segmentation task.
        classes: which class a number in a label map is, as ``{"0": "land", "1": "water"}``. By default
            ``classes.json`` says it, or every number that occurs is a class of that name.
        ignore: numbers of pixels that belong to no class. A nodata value that the file declares does not
            count: programs copy it from the image, where it means something else.
        images: name of the folders of images.
        labels: name of the folders of label maps.
        suffix: what the name of a label map has after that of its image.
        split: of the samples, where the folder has no splits.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: images without labels or the reverse, a label map of another size or of several
            bands, or a number in it that is neither a class nor ignored.
    """
    root = Path(path).absolute()
    if classes is None and ignore is None:
        classes, ignore = _read_classes(root / CLASSES_FILE)
    numbers = None if classes is None else _class_numbers(classes)
    ignored = frozenset([ignore] if isinstance(ignore, int) else ignore or ())
    pairs = [
        (image, label, in_split)
        for in_split, folder in _split_folders(root, split, images)
        for image, label in _pairs(folder / images, folder / labels, suffix)
    ]
    repairs = Repairs(root)
    rows: list[tuple[int, int, Segmentation]] = []
    sizes: list[tuple[int, int]] = []
    found = in_parallel(
        lambda pair: _read_label(*pair[:2], ignored), pairs, "Reading labels", progress=progress
    )
    for position, (size, masks, displaced) in enumerate(found):
        sizes.append(size)
        if displaced:
            repairs.add("label maps lie elsewhere on Earth than their image", str(pairs[position][1]))
        for number, mask in masks.items():
            if numbers is not None and number not in numbers:
                raise SightlineError(
                    f"{pairs[position][1]}: number {number} is neither a class nor ignored; add it to the "
                    f"classes ({', '.join(f'{n}: {c}' for n, c in numbers.items())}) or to ignore."
                )
            rows.append((position, number, mask))
    repairs.report()
    numbers = numbers or {number: str(number) for number in sorted({number for _, number, _ in rows})}
    table = pl.DataFrame(
        [(position, numbers[number], *(getattr(mask, field) for field in _MASK_FIELDS[1:]))
         for position, number, mask in rows],
        schema=[POSITION, *_MASK_FIELDS], orient="row", infer_schema_length=None,
    ) if rows else pl.DataFrame(schema={POSITION: pl.UInt32})  # fmt: skip
    samples = pl.DataFrame(
        {
            "file_path": [str(image) for image, _, _ in pairs],
            "split": [in_split for _, _, in_split in pairs],
            "height": [height for height, _ in sizes],
            "width": [width for _, width in sizes],
        }
    )
    task = TaskInfo.from_class_names(Segmentation, list(numbers.values()), task_name)
    info = DatasetInfo(dataset_name=name or root.name, version=version, tasks=[task])
    return cls.from_tables(info, samples, bitmasks=table)


def write_mask_folder(
    dataset: "Dataset",
    path: str | Path,
    *,
    task: str | None = None,
    classes: Mapping[str, str] | None = None,
    ignore: int = 255,
    images: str = "x",
    labels: str = "y",
    suffix: str = "_label",
    how: Storing = "copy",
    overwrite: bool = False,
    progress: bool = True,
) -> None:
    """Write ``<path>/<split>/x`` and ``y``, or ``<path>/x`` and ``y`` where no sample has a split.

    The label map of a TIFF is a GeoTIFF in the same place on Earth, with ``ignore`` as its nodata value;
    that of another image is a PNG. ``ignore`` stands where no class is, which for a sample that was
    not annotated is everywhere (a warning counts them). Where masks overlap, the later one wins.

    ``classes`` says which number each class gets, as ``{"0": "land", "1": "water"}``; by default its
    index, or its name where all names are numbers.

    Raises:
        SightlineError: no segmentation task of that name, a class without a number, a class that has the
            number ``ignore``, a missing image, or a ``path`` that must not be written over.
    """
    info = fitting_task(dataset.info, task, "a mask folder", Segmentation)
    frame = dataset.samples
    check_images(frame, Path(path).absolute(), how)
    repairs = Repairs(path)
    count_not_annotated(frame, [info], repairs)
    count_left_out(dataset, [info.name], repairs)
    table = annotation_table(frame, "bitmasks", info.name)
    refuse_unknown_classes(table, frame, info)
    predicted = table.filter(~pl.col("ground_truth"))
    first = "".join(frame["file_path"][predicted[POSITION][:1]])
    repairs.add("masks that are predictions left out", first, len(predicted))
    repairs.report()
    table = table.filter("ground_truth")
    number_of = _numbers_to_write(info, table, classes, ignore)
    kind = _label_type([*number_of.values(), ignore])
    paths = frame["file_path"].to_list()
    has_splits = bool((frame["split"] != UNDEFINED).any())
    folders = [_split_folder(split) if has_splits else "." for split in frame["split"]]
    names = frame.select(
        pl.col("file_path")
        .map_batches(lambda s: pl.Series(unique_names(s)), pl.String)
        .over(pl.Series(folders))
    )["file_path"].to_list()
    masks: dict[int, list[tuple[int, str]]] = {}
    for position, class_name, rle in table.select(POSITION, "class_name", "rle_string").iter_rows():
        masks.setdefault(position, []).append((number_of[class_name], rle))
    sizes = frame.select("height", "width").rows()

    with folder_written_whole(Path(path), overwrite=overwrite, marker=CLASSES_FILE) as staging:

        def write_label(position: int) -> None:
            source, (height, width) = Path(paths[position]), sizes[position]
            label = np.full((height, width, 1), ignore, kind)
            for number, rle in masks.get(position, ()):
                label[decode_mask(rle, height, width)] = number
            file = staging / folders[position] / labels / f"{Path(names[position]).stem}{suffix}"
            if is_raster(source):
                with opened(source) as raster:
                    place = Georeference.of(raster).of_labels(ignore)
                write_image(file.with_name(f"{file.name}.tif"), label, place)
            else:
                write_image(file.with_name(f"{file.name}.png"), label)

        for folder in dict.fromkeys(folders):
            (staging / folder / labels).mkdir(parents=True)
        targets = [staging / folder / images / file for folder, file in zip(folders, names, strict=True)]
        place_images(paths, targets, how, progress=progress)
        for _ in in_parallel(write_label, range(len(paths)), "Writing labels", progress=progress):
            pass
        described = {str(number): class_name for class_name, number in number_of.items()}
        text = json.dumps({"classes": described, "ignore": [ignore]}, ensure_ascii=False, indent=4)
        (staging / CLASSES_FILE).write_text(f"{text}\n", encoding="utf-8")


def is_mask_folder(path: Path) -> bool:
    """Whether ``path``, or a split folder in it, holds an ``x`` and a ``y``."""
    if not path.is_dir():
        return False
    folders = [path, *(folder for folder in path.iterdir() if split_from_name(folder.name))]
    return any((folder / "x").is_dir() and (folder / "y").is_dir() for folder in folders)


def _split_folders(root: Path, split: str, images: str) -> list[tuple[str, Path]]:
    if (root / images).is_dir():
        return [(split, root)]
    folders = sorted(folder.parent for folder in root.glob(f"*/{images}") if folder.is_dir())
    found = [(split_from_name(folder.name), folder) for folder in folders]
    unknown = [folder for known, folder in found if known is None]
    if unknown or not found:
        what = f"'{unknown[0].name}' is no split" if unknown else "no such folders are there"
        raise SightlineError(f"{root}: expected {images}/ or <split>/{images}/, but {what}; rename them.")
    return [(known, folder) for known, folder in found if known is not None]


def _pairs(images: Path, labels: Path, suffix: str) -> Iterator[tuple[Path, Path]]:
    """Image and label map, by name, sorted by the image's name."""
    by_stem, label_of = _files(images), _files(labels)
    exact = {stem: label_of.pop(f"{stem}{suffix}") for stem in by_stem if f"{stem}{suffix}" in label_of}
    alike = {stem: label_of.pop(stem) for stem in by_stem if stem not in exact and stem in label_of}
    found = exact | alike
    alone = [image for stem, image in by_stem.items() if stem not in found]
    if alone:
        raise SightlineError(
            f"{images}: {len(alone)} of {len(by_stem)} images have no label map in {labels.name}/, the first "
            f"is {alone[0].name} (expected {alone[0].stem}{suffix}{alone[0].suffix}); add or remove them."
        )
    if label_of:
        first = next(iter(label_of.values()))
        raise SightlineError(
            f"{labels}: {len(label_of)} of {len(label_of) + len(found)} label maps have no image in "
            f"{images.name}/, the first is {first.name}; add or remove them."
        )
    if not by_stem:
        raise SightlineError(f"{images}: holds no images.")
    return ((image, found[stem]) for stem, image in by_stem.items())


def _files(folder: Path) -> dict[str, Path]:
    """The images in a folder by stem, sorted."""
    if not folder.is_dir():
        raise SightlineError(f"{folder}: no such folder; name it by the options images and labels.")
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file():
            if path.stem in files:
                raise SightlineError(f"{path}: has the name of {files[path.stem].name}; rename one of them.")
            files[path.stem] = path
    return files


def _read_label(
    image: Path, label: Path, ignored: frozenset[int]
) -> tuple[tuple[int, int], dict[int, Segmentation], bool]:
    """The image's size, a mask per number in the label map, and whether that lies elsewhere on Earth."""
    size = image_size(image)
    values = read_bands(label)
    if values.shape[2] != 1:
        raise SightlineError(
            f"{label}: has {values.shape[2]} bands, but a label map has one with the number of a class in "
            "each pixel; convert its colours to numbers."
        )
    values = values[..., 0]
    if values.shape != size:
        raise SightlineError(
            f"{label}: is {values.shape[0]} x {values.shape[1]} pixels, but its image {image.name} has "
            f"{size[0]} x {size[1]}; make them the same size."
        )
    present = np.flatnonzero(np.bincount(values.ravel())) if values.dtype == np.uint8 else np.unique(values)
    present = present[np.isfinite(present)]
    if not (present % 1 == 0).all():
        raise SightlineError(f"{label}: holds {present[present % 1 != 0][0]}; numbers of classes are whole.")
    masks = {
        int(number): Segmentation.from_mask(values == number)
        for number in present
        if int(number) not in ignored
    }
    return size, masks, _is_displaced(image, label)


def _is_displaced(image: Path, label: Path) -> bool:
    """Whether both have a place on Earth, and not the same one to half a pixel."""
    if not (is_raster(image) and is_raster(label) and rasterio_available()):
        return False
    with opened(image) as raster:
        place, corners = Georeference.of(raster), [(0, 0), (raster.width, raster.height)]
    with opened(label) as raster:
        other = Georeference.of(raster)
    if place.transform is None or other.transform is None:
        return False
    if place.crs and other.crs and place.crs != other.crs:
        return True
    return any(max(map(abs, place.pixels_from(other, *corner))) > 0.5 for corner in corners)


def _read_classes(path: Path) -> tuple[dict[str, str] | None, list[int] | None]:
    if not path.is_file():
        return None, None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in data["classes"].items()}, list(
            map(int, data["ignore"])
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SightlineError(
            f'{path}: expected {{"classes": {{"0": "land"}}, "ignore": [255]}} ({error}); mend or remove it.'
        ) from None


def _class_numbers(classes: Mapping[Any, str]) -> dict[int, str]:
    """Class names by number, in ascending order."""
    try:
        numbers = {int(number): name for number, name in classes.items()}
    except ValueError as error:
        raise SightlineError(f"classes: a key is no number ({error}); give {{'0': 'land'}}.") from None
    repeated = [name for name, count in Counter(numbers.values()).items() if count > 1]
    if repeated:
        raise SightlineError(
            f"classes: '{repeated[0]}' stands there twice; rename one, and merge them later."
        )
    return dict(sorted(numbers.items()))


def _numbers_to_write(
    task: TaskInfo, table: pl.DataFrame, classes: Mapping[str, str] | None, ignore: int
) -> dict[str, int]:
    """The number of each class."""
    names = task.class_names or sorted(table["class_name"].drop_nulls().unique())
    if classes is not None:
        number_of = {name: number for number, name in _class_numbers(classes).items()}
        missing = [name for name in names if name not in number_of]
        if missing:
            raise SightlineError(
                f"class '{missing[0]}' of task '{task.name}' has no number; add it to classes."
            )
    elif all(name.lstrip("-").isdecimal() for name in names):
        number_of = {name: int(name) for name in names}
    else:
        number_of = {name: index for index, name in enumerate(names)}
    for name, number in number_of.items():
        if number == ignore:
            raise SightlineError(
                f"class '{name}' has the number {ignore}, as ignore has; choose another ignore."
            )
    unnamed = table["class_name"].null_count()
    if unnamed:
        raise SightlineError(f"task '{task.name}' has {unnamed} masks without a class; give them one.")
    return number_of


def _label_type(numbers: Sequence[int]) -> np.dtype:
    """The smallest type that holds all numbers."""
    return np.result_type(*(np.min_scalar_type(number) for number in (min(numbers), max(numbers))))


def _split_folder(split: str) -> str:
    return "val" if split == VALIDATION else split
