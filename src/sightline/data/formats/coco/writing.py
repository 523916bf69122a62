"""Write a dataset as COCO files and the images beside them."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import msgspec
import polars as pl

from sightline.data.annotation_tables import POSITION
from sightline.data.formats.coco import json_text
from sightline.data.formats.coco.categories import categories_of
from sightline.data.formats.coco.images import image_ids, image_names, image_texts
from sightline.data.formats.coco.layouts import Layout, find_annotation_files, is_coco, places_of
from sightline.data.formats.coco.numbering import numbered
from sightline.data.formats.coco.objects import BOX, classes_of, coco_objects, tasks_to_write
from sightline.data.formats.coco.parsing import Annotation
from sightline.data.formats.coco.reading import INFO_KEY
from sightline.data.formats.image_files import place_images
from sightline.data.formats.left_out import count_left_out, count_not_annotated
from sightline.data.formats.repairs import Repairs
from sightline.data.info import DatasetInfo
from sightline.data.schema import PRIMITIVE_COLUMNS
from sightline.data.splits import SPLITS
from sightline.data.staging import check_target, folder_written_whole
from sightline.data.storage import Storing, check_images_exist
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset


_BLOCK = 50_000  # objects that exist as text at once


def write_coco(
    dataset: "Dataset",
    path: str | Path,
    *,
    task: str | Sequence[str] | None = None,
    layout: Layout = "coco",
    how: Storing | Literal["reference"] = "copy",
    overwrite: bool = False,
    progress: bool = True,
) -> None:
    """Write a folder of COCO files, one per split, with the images.

    ``layout`` is ``coco`` (``annotations/instances_<split>.json`` and ``<split>/``), ``roboflow``
    (``<split>/_annotations.coco.json`` and the images beside it) or ``fiftyone``
    (``<split>/labels.json`` and ``<split>/data/``).

    ``task`` names the task to write, or several: boxes, polygons and masks of the same image,
    ``object_id`` and class become one annotation. By default all tasks of these kinds are written, or
    else the segmentation task, whose annotations then are the RLE of one class each.

    Ids, categories and file names are those of an import, as far as they are there and differ; new ones
    count from 1. Lengths are pixels, rounded to a billionth. Confidence is written as ``score``, keys of
    ``meta`` as keys of the annotation, and an ``object_id`` that is not the id as ``object_id``. Images
    that were not annotated cannot be told from those with nothing on them, unless their whole split was not;
    a warning counts them.

    Args:
        dataset: what to write.
        path: the folder, which appears when it is complete.
        task: one name or several.
        layout: which files go where.
        how: ``copy``, ``symlink`` or ``hardlink`` images, or leave them where they are: ``reference``
            writes their absolute paths as file names.
        overwrite: replace a folder of COCO files.
        progress: show a bar on a terminal while images are written.

    Raises:
        SightlineError: no fitting task, an annotation without a class, tasks that share no object ids
            (name them to write them all the same), an image that is missing, or a ``path`` that must not
            be written over.
    """
    root = Path(path).absolute()
    tasks = tasks_to_write(dataset.info, task)
    frame = dataset.samples
    splits = [split for split in SPLITS if (frame["split"] == split).any()] or [SPLITS[-1]]
    places = {split: places_of(layout, split) for split in splits}
    marker = _marker(root, places[splits[0]][0])
    check_target(root, overwrite=overwrite, marker=marker)
    _check_images(frame, root, how)
    repairs = Repairs(root)
    if task is None:
        # (What loses attributes is counted where objects are made.)
        count_left_out(dataset, [found.name for found in tasks], repairs, attributes=PRIMITIVE_COLUMNS)
    objects = coco_objects(frame, tasks, repairs, chosen=task is not None)
    is_annotated = frame.select(
        pl.any_horizontal(pl.col(found.primitive.column).is_not_null() for found in tasks)
    ).to_series()
    if not is_annotated.all():
        # A file without a list of annotations says that nothing in it is annotated, but not of single images.
        described = pl.col("split").is_in(frame["split"].filter(is_annotated).unique().implode())
        count_not_annotated(frame.filter(described), tasks, repairs)
    repairs.report()
    about = (dataset.info.meta or {}).get(INFO_KEY, {})
    categories, id_of_class = categories_of(about.get("categories", []), classes_of(tasks, frame))
    frame = frame.drop(PRIMITIVE_COLUMNS)

    def write_file(file: Path, split: str, chosen: pl.Series, names: pl.Series) -> None:
        images = frame.filter(chosen)
        ids = image_ids(images)
        head = _head(dataset.info, about.get("splits", {}).get(split))
        licenses: list[dict[str, Any]] = list(head.get("licenses") or ())
        texts = image_texts(images, ids, names, licenses)
        # Annotations know images by their rows in the whole frame.
        known_as = images.select(
            chosen.arg_true().alias(POSITION),
            ids.alias("image_id"),
            pl.col("height").alias("image_height"),
            pl.col("width").alias("image_width"),
        )
        with file.open("wb") as stream:
            _write_head(stream, head | {"licenses": licenses, "categories": categories})
            _write_list(stream, "images", [texts])
            if is_annotated.filter(chosen).any() or not len(images):
                stream.write(b",\n")
                _write_list(stream, "annotations", _annotation_texts(objects, known_as, id_of_class))
            stream.write(b"}\n")

    sources: list[str] = []
    targets: list[str] = []
    writing: list[Future[None]] = []
    with folder_written_whole(root, overwrite=overwrite, marker=marker) as staging:
        # Making text takes the processor, and placing images mostly waits.
        beside = ThreadPoolExecutor(1)
        try:
            for split in splits:
                chosen = (frame["split"] == split).fill_null(value=False)
                images = frame.filter(chosen)
                names = images["file_path"] if how == "reference" else image_names(images)
                file, folder = (staging / place for place in places[split])
                file.parent.mkdir(parents=True, exist_ok=True)
                writing.append(beside.submit(write_file, file, split, chosen, names))
                if how != "reference":
                    folder.mkdir(parents=True, exist_ok=True)
                    sources.extend(images["file_path"])
                    targets.extend(f"{folder}/{name}" for name in names)
            if how != "reference":
                place_images(sources, targets, how, progress=progress)
            for written in writing:
                written.result()
        finally:
            beside.shutdown(cancel_futures=True)


def annotation_ids(objects: pl.DataFrame) -> pl.Series:
    """The id of each object of a file: its ``object_id`` where that can be one, else a new number."""
    # 0 is no id: evaluation takes a match with annotation 0 for no match at all.
    return numbered(objects["object_id"].cast(pl.Int64, strict=False), 1)


def _annotation_texts(objects: pl.DataFrame, known_as: pl.DataFrame, id_of_class: dict[str, int]) -> Any:
    """The entries of ``annotations``, in blocks."""
    objects = objects.join(known_as, on=POSITION, how="inner", maintain_order="left")
    objects = objects.with_columns(annotation_ids(objects).alias("id"))
    for block in objects.iter_slices(_BLOCK):
        others = json_text.other_keys(block["json"], {*Annotation.__struct_fields__, "iscrowd"})
        score, object_id, id_text = pl.col("confidence"), pl.col("object_id"), pl.col("id").cast(pl.String)
        category_id = pl.col("class_name").replace_strict(id_of_class, return_dtype=pl.Int64)
        x, y, w, h = (json_text.number(pl.col(name)) for name in BOX)
        yield block.with_columns(others).select(
            pl.concat_str(
                pl.lit('{"id":'), "id", pl.lit(',"image_id":'), "image_id",
                pl.lit(',"category_id":'), category_id,
                pl.lit(',"bbox":['), x, pl.lit(","), y, pl.lit(","), w, pl.lit(","), h, pl.lit("]"),
                pl.lit(',"area":'), json_text.number(pl.col("area")), pl.lit(',"iscrowd":'), "iscrowd",
                segmentation_text(block),
                json_text.field("score", score.cast(pl.String), score.is_not_null()),
                json_text.field("object_id", json_text.quoted("object_id"), object_id != id_text),
                "others", pl.lit("}"),
            )
        ).to_series()  # fmt: skip


def segmentation_text(objects: pl.DataFrame) -> pl.Series:
    """``,"segmentation":...`` of each object: its RLE, else its rings; nothing where it has neither."""
    text = pl.Series([""], dtype=pl.String).new_from_index(0, len(objects))
    for name, texts in (("points", _rings_text), ("rle_string", _rle_text)):
        if name in objects.columns and objects[name].null_count() < len(objects):
            found = texts(objects)
            text = pl.select(pl.when(found.is_not_null()).then(found).otherwise(text)).to_series()
    return text


def _rle_text(objects: pl.DataFrame) -> pl.Series:
    size = pl.format("[{},{}]", "image_height", "image_width")
    counts = pl.col("rle_string").str.replace_all("\\", "\\\\", literal=True)
    return objects.select(
        pl.concat_str(pl.lit(',"segmentation":{"size":'), size, pl.lit(',"counts":"'), counts, pl.lit('"}'))
    ).to_series()


def _rings_text(objects: pl.DataFrame) -> pl.Series:
    """Numbers become text all at once; text is then joined to rings, and rings to objects."""
    rows = objects.select("points").with_row_index("row")
    rings = rows.drop_nulls("points").explode("points").with_row_index("ring")
    texts = (
        rings.explode("points")
        .select("row", "ring", json_text.number(pl.col("points")).alias("text"))
        .group_by("row", "ring", maintain_order=True)
        .agg(pl.col("text").str.join(","))
        .group_by("row", maintain_order=True)
        .agg(pl.col("text").str.join("],["))
    )
    found = rows.select("row").join(texts, on="row", how="left", maintain_order="left")
    return found.select(
        pl.concat_str(pl.lit(',"segmentation":[['), "text", pl.lit("]]"), ignore_nulls=False)
    ).to_series()


def _write_head(stream: BinaryIO, head: dict[str, Any]) -> None:
    stream.write(b"{")
    for key, value in head.items():
        stream.write(msgspec.json.encode(key) + b": " + msgspec.json.encode(value) + b",\n")


def _write_list(stream: BinaryIO, key: str, blocks: Any) -> None:
    stream.write(f'"{key}": ['.encode())
    separator = b"\n"
    for block in blocks:
        if len(block):
            stream.write(separator + json_text.lines(block))
            separator = b",\n"
    stream.write(b"]")


def _head(info: DatasetInfo, known: dict[str, Any] | None) -> dict[str, Any]:
    """What stands before the lists: as an import had it, else what the dataset says about itself."""
    if known is not None:
        return dict(known)
    about = {
        "description": info.description or info.dataset_title or info.dataset_name,
        "version": info.version,
        "url": info.reference_dataset_page or "",
        "date_created": info.updated_at.isoformat(),
    }
    return {"info": about}


def _marker(root: Path, otherwise: str) -> str:
    """A file that shows ``root`` to be a COCO export, which may be written over."""
    if root.is_dir() and is_coco(root):
        found = find_annotation_files(root, None, Repairs(root))[0].path
        return found.relative_to(root).as_posix()
    return otherwise


def _check_images(frame: pl.DataFrame, root: Path, how: str) -> None:
    paths = frame["file_path"]
    if paths.null_count():
        index = frame["sample_index"].filter(paths.is_null())[0]
        raise SightlineError(f"sample {index} has no file_path, and COCO names the file of each image.")
    if how not in ("copy", "symlink", "hardlink", "reference"):
        raise SightlineError(f"how='{how}' is not one of copy, symlink, hardlink, reference.")
    if how in ("symlink", "reference") and paths.str.starts_with(f"{root}/").any():
        raise SightlineError(f"{root}: holds the images that would be pointed to; copy or hardlink them.")
    if how != "reference":
        check_images_exist(frame)
