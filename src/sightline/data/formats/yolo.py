"""YOLO: boxes or outlines in a text file per image, in the layout of Ultralytics; darknet's is read too.

The format: https://docs.ultralytics.com/datasets/detect and https://docs.ultralytics.com/datasets/segment.
"""

import os
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import yaml

from sightline.data.annotation_tables import POSITION, annotation_table, cut_lists
from sightline.data.formats.fitting import fitting_task, refuse_unknown_classes
from sightline.data.formats.image_files import check_images, is_image, place_images, unique_names
from sightline.data.formats.left_out import count_left_out, count_not_annotated
from sightline.data.formats.repairs import Repairs
from sightline.data.formats.yolo_labels import (
    LabelLines,
    box_lines,
    label_tables,
    polygon_lines,
    read_labels,
)
from sightline.data.formats.yolo_layout import YAML_FILE, Layout, find_layout
from sightline.data.image_sizes import image_sizes
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.primitives import Bbox, Polygon
from sightline.data.progress import in_parallel
from sightline.data.splits import SPLITS, TEST, TRAIN, UNDEFINED, VALIDATION
from sightline.data.staging import check_target, folder_written_whole
from sightline.data.storage import Storing
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

_WORD_OF_SPLIT = {TRAIN: "train", VALIDATION: "val", TEST: "test", UNDEFINED: "undefined"}


def read_yolo(
    cls: type["Dataset"],
    path: str | Path,
    *,
    name: str | None = None,
    version: str = "1.0.0",
    split: str = UNDEFINED,
    progress: bool = True,
) -> "Dataset":
    """Make a dataset of a YOLO folder, or of its YAML file.

    Labels of five numbers become boxes of the task "object_detection", longer ones polygons of the task
    "polygon_detection"; with a confidence behind they are predictions. Classes keep their numbers. An
    image without a label file is one without objects (a warning counts them), as is one whose file is
    empty; label files without an image are passed over and counted. Samples come split by split, sorted by
    file name or in the order of a list; an image that several splits list is in the first of them, which a
    warning counts. Key points of poses are left out, their boxes kept.

    Args:
        path: a folder with ``data.yaml`` (or darknet's ``obj.names``), or a YAML file.
        name: of the dataset; the folder's by default.
        version: of the dataset.
        split: of the images, where the folder names no splits.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: no YOLO folder, an image that is missing or cannot be read, or a label that is no
            box or outline of a known class; the sentence names file and line.
    """
    path = Path(path).absolute()
    repairs = Repairs(path)
    layout = find_layout(path, split, repairs)
    images = layout.images(repairs)
    if not images:
        raise SightlineError(f"{path}: holds no images; expected them in {layout.sources[0][1]}.")
    files = [file for _, file in images]
    sizes = image_sizes(files, progress=progress)
    labels = _label_files(files, layout, repairs)
    labelled = np.flatnonzero([label is not None for label in labels])
    present = [label for label in labels if label is not None]
    lines = LabelLines(present, read_labels(present, progress=progress), labelled, len(layout.class_names))
    boxes, polygons = label_tables(lines, repairs, key_points=layout.key_points)
    repairs.report()
    tables: dict[str, pl.DataFrame] = {}
    tasks: list[TaskInfo] = []
    if len(boxes) or not len(polygons):
        tasks.append(TaskInfo.from_class_names(Bbox, layout.class_names))
        tables["bboxes"] = boxes
    if len(polygons):
        tasks.append(TaskInfo.from_class_names(Polygon, layout.class_names))
        tables["polygons"] = polygons
    folder = path.parent if path.is_file() else path
    info = DatasetInfo(dataset_name=name or folder.name, version=version, tasks=tasks)
    samples = pl.DataFrame(
        {
            "file_path": files,
            "split": [in_split for in_split, _ in images],
            "height": sizes[:, 0],
            "width": sizes[:, 1],
        }
    )
    return cls.from_tables(info, samples, **tables)


def write_yolo(
    dataset: "Dataset",
    path: str | Path,
    *,
    task: str | None = None,
    confidence: bool = False,
    how: Storing = "copy",
    overwrite: bool = False,
    progress: bool = True,
) -> None:
    """Write ``data.yaml``, ``images/<split>/`` and ``labels/<split>/``, as Ultralytics reads them.

    The boxes or polygons of one task are written, with all digits of their numbers; attributes, ids and
    ``meta`` have no place there. Every image gets a label file, empty where nothing is in it, or
    where it was not annotated, which a warning counts. The split UNDEFINED is written as ``undefined``,
    which `Dataset.from_yolo` reads as such and trainers pass over. Files keep their names as far as those
    differ within a split.

    Boxes that reach over the edge of the image are kept as they are; a warning counts those that
    Ultralytics refuses (with their image), which are those with a number outside 0..1.

    Args:
        dataset: what to write.
        path: the folder, which appears when it is complete.
        task: the name of a task of boxes or polygons; by default the only one.
        confidence: write confidences behind the annotations. Trainers refuse labels that have them.
        how: ``copy``, ``symlink`` or ``hardlink`` images.
        overwrite: replace a YOLO folder.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: no fitting task or several, an annotation without a class, an image that is
            missing, or a ``path`` that must not be written over.
    """
    root = Path(path).absolute()
    chosen = fitting_task(dataset.info, task, "YOLO", Bbox, Polygon)
    check_target(root, overwrite=overwrite, marker=YAML_FILE)
    check_images(dataset.samples, root, how)
    repairs = Repairs(root)
    count_not_annotated(dataset.samples, [chosen], repairs)
    count_left_out(dataset, [chosen.name], repairs)
    class_names, lines = _lines_to_write(dataset.samples, chosen, repairs, confidence=confidence)
    repairs.report()
    folders = dataset.samples["split"].replace_strict(_WORD_OF_SPLIT, return_dtype=pl.String)
    places = dataset.samples.select("file_path", folder=folders).with_columns(
        name=pl.col("file_path").map_batches(_unique_names, pl.String).over("folder")
    )
    texts = _text_per_image(lines, len(places))
    with folder_written_whole(root, overwrite=overwrite, marker=YAML_FILE) as staging:
        words = [_WORD_OF_SPLIT[split] for split in SPLITS if _WORD_OF_SPLIT[split] in set(folders)]
        for word in words:
            (staging / "labels" / word).mkdir(parents=True)
        _write_yaml(staging / YAML_FILE, class_names, words)
        relative = places.select(pl.concat_str("folder", pl.lit("/"), "name")).to_series().to_list()
        targets = [f"{staging}/images/{place}" for place in relative]
        place_images(places["file_path"].to_list(), targets, how, progress=progress)
        labels = [f"{staging}/labels/{place.rpartition('.')[0]}.txt" for place in relative]
        written = in_parallel(
            _write_text,
            list(zip(labels, texts, strict=True)),
            "Writing labels",
            progress=progress,
            threads=1,
            batch=64,
        )
        for _ in written:
            pass


def _label_files(images: list[str], layout: Layout, repairs: Repairs) -> list[str | None]:
    """The label file of each image, None where there is none."""
    result: list[str | None] = []
    known: dict[str, tuple[str, set[str]]] = {}
    used: dict[str, set[str]] = defaultdict(set)
    for image in images:
        folder, _, file_name = image.rpartition("/")
        if folder not in known:
            place = _label_folder(folder, layout.root)
            known[folder] = place, {name for name in os.listdir(place) if name.endswith(".txt")}  # noqa: PTH208
        place, names = known[folder]
        name = f"{file_name.rpartition('.')[0]}.txt"
        if name in names:
            used[place].add(name)
        result.append(f"{place}/{name}" if name in names else None)
    missing = [image for image, label in zip(images, result, strict=True) if label is None]
    if missing:
        repairs.add("images without a label file taken for images without objects", missing[0], len(missing))
    # Beside labels stand the names of the classes, lists, and labels of images that no list has.
    passed = {str(source) for _, source in layout.sources}
    for folder, (place, names) in known.items():
        lone = sorted(names - used[place] - {"classes.txt"})
        lone = [name for name in lone if f"{place}/{name}" not in passed]
        if lone:
            present = {name.rpartition(".")[0] for name in os.listdir(folder) if is_image(name)}  # noqa: PTH208
            lone = [name for name in lone if name.removesuffix(".txt") not in present]
            repairs.add("label files without an image passed over", f"{place}/{''.join(lone[:1])}", len(lone))
    return result


def _label_folder(folder: str, root: Path) -> str:
    """The folder of the labels: ``labels`` for the last ``images`` in the path, else the images' own."""
    path = Path(folder)
    below = path.relative_to(root).parts if path.is_relative_to(root) else path.parts
    above = path.parts[: len(path.parts) - len(below)]
    if "images" in below:
        last = len(below) - 1 - below[::-1].index("images")
        swapped = Path(*above, *below[:last], "labels", *below[last + 1 :])
        if swapped.is_dir():
            return str(swapped)
    return folder


def _lines_to_write(
    frame: pl.DataFrame, task: TaskInfo, repairs: Repairs, *, confidence: bool
) -> tuple[list[str], pl.DataFrame]:
    """The names of the classes, and the lines of labels as columns `POSITION` and ``line``."""
    table = annotation_table(frame, task.primitive.column, task.name)

    def where(row: int) -> str:
        return str(frame["file_path"][table[POSITION][row]])

    def count(rows: pl.Series, what: str) -> None:
        if rows.any():
            repairs.add(what, where(int(rows.arg_true()[0])), int(rows.sum()))

    unnamed = table["class_name"].is_null()
    if unnamed.any():
        first = where(int(unnamed.arg_true()[0]))
        raise SightlineError(f"{first}: an annotation of task '{task.name}' has no class; YOLO needs one.")
    refuse_unknown_classes(table, frame, task)
    class_names = task.class_names
    if class_names is None:
        class_names = table["class_name"].unique().sort().to_list()
    numbers = {class_name: number for number, class_name in enumerate(class_names)}
    numbered = pl.col("class_name").replace_strict(numbers, return_dtype=pl.Int64)
    table = table.with_columns(numbered.alias("class_idx"))
    if not confidence:
        count(table["confidence"].is_not_null(), "confidences left out (confidence=True writes them)")
    refused = "annotations written, which trainers refuse: a number is outside 0..1"
    if task.primitive is Bbox:
        x, y, width, height = (table[name] for name in ("top_left_x", "top_left_y", "width", "height"))
        sides = (x + width / 2, y + height / 2, width, height)
        inside = [side.is_between(0, 1) for side in sides]
        count(~(inside[0] & inside[1] & inside[2] & inside[3]), refused)
        lines = box_lines(table, confidence=confidence)
    else:
        too_few = table["points"].list.len() < 3
        count(too_few, "polygons of fewer than three points left out")
        table = table.filter(~too_few)
        points = pl.element().struct
        outside = ~points.field("x").is_between(0, 1) | ~points.field("y").is_between(0, 1)
        count(table["points"].list.eval(outside).list.any(), refused)
        lines = polygon_lines(table, confidence=confidence)
    return class_names, table.select(POSITION, lines.alias("line"))


def _text_per_image(lines: pl.DataFrame, count: int) -> list[str]:
    """The content of each label file; ``lines`` are sorted by `POSITION`."""
    counts = np.bincount(lines[POSITION].to_numpy(), minlength=count)
    lists = cut_lists("line", lines["line"] + "\n", counts, np.zeros(count, dtype=bool))
    return lists.list.join("").to_list()


def _unique_names(paths: pl.Series) -> pl.Series:
    return pl.Series(unique_names(paths), dtype=pl.String)


def _write_yaml(file: Path, class_names: list[str], words: list[str]) -> None:
    config: dict[str, Any] = {word: f"images/{word}" for word in words}
    config["names"] = dict(enumerate(class_names))
    # YAML takes some unprintable characters for line breaks, unless they are written as escapes.
    readable = "".join(class_names).isprintable()
    text = yaml.safe_dump(config, allow_unicode=readable, sort_keys=False, width=float("inf"))
    file.write_text(text, encoding="utf-8")


def _write_text(label: tuple[str, str]) -> None:
    path, text = label
    content = text.encode()
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            while content:  # a disk that becomes full takes a part, and refuses the rest
                content = content[os.write(file, content) :]
        finally:
            os.close(file)
    except OSError as error:
        raise SightlineError(f"{path}: cannot be written ({error.strerror}).") from error
