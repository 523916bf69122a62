"""Read a Hugging Face dataset."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from PIL import Image

from sightline.data.annotation_tables import POSITION
from sightline.data.formats.boxes import BoxFormat, Units, read_boxes
from sightline.data.formats.huggingface.columns import Objects, recognise
from sightline.data.formats.huggingface.library import DICT_FILE, bars, library, task_of
from sightline.data.formats.label_maps import mask_table, masks_by_number
from sightline.data.formats.pictures import picture_folder, problem_of, store_picture
from sightline.data.formats.repairs import Repairs
from sightline.data.image_sizes import image_sizes
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.primitives import Bbox, Classification, Primitive, Segmentation
from sightline.data.progress import in_parallel
from sightline.data.splits import UNDEFINED, split_from_name
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

_BATCH = 64  # rows fetched at a time, with the bytes of their images
_STATE_FILE = "state.json"


def read_huggingface(
    cls: type["Dataset"],
    source: Any,
    *,
    folder: str | Path | None = None,
    image: str | None = None,
    labels: Sequence[str] | None = None,
    objects: Sequence[str] | None = None,
    masks: Sequence[str] | None = None,
    box_format: BoxFormat = "xywh",
    units: Units = "pixels",
    classes: Sequence[str] | None = None,
    ignore: int | None = 255,
    name: str | None = None,
    version: str = "1.0.0",
    split: str = UNDEFINED,
    progress: bool = True,
) -> "Dataset":
    """Make a dataset of a ``datasets.DatasetDict`` or ``datasets.Dataset``, in memory or on disk.

    Every column of class labels becomes a `Classification` task, every column of objects with boxes a
    `Bbox` task, every further column of images a `Segmentation` task if its name says so; columns that
    are none of these are left out with a warning. A label that is null or -1 is not annotated.

    Args:
        source: the dataset; a folder of ``save_to_disk`` or of a copied hub repository; or a name on
            the hub, which is downloaded.
        folder: where to put images that are in the dataset rather than in files of their own, byte by
            byte under the hash of their content.
        image: the column of images; default the first.
        labels: the columns of classes; default those of ``ClassLabel``, or named ``label``.
        objects: the columns of objects; default those with a ``bbox``.
        masks: the columns of label maps; default those with ``mask``, ``segment``, ``annotation``
            or ``label`` in their name.
        box_format: what a box's four numbers are.
        units: of boxes.
        classes: the class names by their number in label maps; default the numbers themselves.
        ignore: the number in label maps that is no class.
        name: of the dataset; default what the dataset says.
        version: of the dataset.
        split: of a ``datasets.Dataset`` that does not say its split.
        progress: show a bar on a terminal.

    Raises:
        SightlineError: no such dataset or column, images in it without ``folder``, damaged images, numbers
            that cannot be a box, or a class number out of range; the sentence names split and row.
    """
    parts = _parts(source, split, progress)
    first = next(iter(parts.values()))
    title = (
        name
        or getattr(first.info, "dataset_name", None)
        or (Path(source).name if isinstance(source, str | Path) else "huggingface")
    )
    repairs = Repairs(title)
    for key, part in parts.items():
        if part.features != first.features:
            raise SightlineError(
                f"split '{key}' of {title} has other columns than the first; read it by itself."
            )
    columns = recognise(first.features, image=image, labels=labels, objects=objects, masks=masks)
    repairs.add("columns that hold no task left out", "".join(columns.left_out[:1]), len(columns.left_out))
    samples = pl.DataFrame(
        {
            "split": pl.Series(
                [_split_of(key, repairs, len(part)) for key, part in parts.items() for _ in range(len(part))],
                dtype=pl.String,
            )
        }
    )
    where = _Rows(title, parts)
    files = _each_row(
        parts, columns.image, lambda row, at: _file(row, folder, where(at)), "Reading images", progress
    )
    sizes = image_sizes(files, progress=progress)
    samples = samples.with_columns(
        file_path=pl.Series(files, dtype=pl.String),
        height=pl.Series(sizes[:, 0]),
        width=pl.Series(sizes[:, 1]),
    )
    wanted = [*columns.labels, *columns.objects]
    cells = pl.concat([_cells(part, wanted) for part in parts.values()]) if wanted else samples.select()
    reading = _Reading(sizes, repairs, where)
    for column, names in columns.labels.items():
        reading.labels(column, cells[column], names)
    for column, fields in columns.objects.items():
        reading.objects(column, cells[column], fields, box_format, units)
    for column in columns.masks:
        found = _each_row(
            parts, column, lambda row, at: _label_map(row, ignore, where(at)), "Reading masks", progress
        )
        reading.masks(column, found, classes)
    repairs.report()
    info = DatasetInfo(dataset_name=title, version=version, tasks=reading.tasks)
    return reading.dataset(cls, info, samples)


def is_huggingface(path: Path) -> bool:
    """Whether ``path`` is a folder that ``save_to_disk`` wrote."""
    return (path / DICT_FILE).is_file() or (path / _STATE_FILE).is_file()


class _Rows:
    """Names the rows of all splits, which are numbered one after the other."""

    def __init__(self, title: str, parts: Mapping[str, Any]) -> None:
        self._title = title
        self._keys = list(parts)
        self._starts = np.cumsum([0, *map(len, parts.values())])

    def __call__(self, position: int) -> str:
        part = int(np.searchsorted(self._starts, position, "right")) - 1
        return f"{self._title}: split '{self._keys[part]}', row {position - self._starts[part]}"


class _Reading:
    """Tables of annotations, as column after column is read."""

    def __init__(self, sizes: np.ndarray, repairs: Repairs, where: _Rows) -> None:
        self.tasks: list[TaskInfo] = []
        self._sizes = sizes
        self._repairs = repairs
        self._where = where
        self._tables: dict[str, list[pl.DataFrame]] = {}
        self._annotated: dict[str, np.ndarray] = {}

    def labels(self, column: str, cells: pl.Series, names: list[str] | None) -> None:
        if not isinstance(cells.dtype, pl.List):
            known = cells.set(cells == -1, None) if cells.dtype.is_integer() else cells
            cells = known.reshape((-1, 1)).arr.to_list() if len(known) else known.cast(pl.List(known.dtype))
            cells = cells.set(known.is_null(), None)
        table = _exploded(cells.alias("class"))
        table, class_names = _named(column, table, names, self._where)
        self._add(Classification, column, class_names, table.drop_nulls("class_name"), cells.is_not_null())

    def objects(self, column: str, cells: pl.Series, fields: Objects, form: BoxFormat, units: Units) -> None:
        table = _objects(column, cells, self._where)
        renamed = {fields.bbox: "bbox"} | {name: field for field, name in fields.others.items()}
        if fields.category:
            renamed[fields.category] = "class"
        left_out = [name for name in table.columns if name not in (*renamed, POSITION)]
        self._repairs.add(f"fields of '{column}' left out", "".join(left_out[:1]), len(left_out))
        table = table.select(POSITION, *renamed).rename(renamed)
        numbers = _four_numbers(column, table, self._where)
        owners = table[POSITION].to_numpy()
        boxes, good = read_boxes(
            numbers, form, units, self._sizes[owners],
            lambda row: f"{self._where(owners[row])}, '{column}'", self._repairs,
        )  # fmt: skip
        table = table.drop("bbox").hstack(boxes).filter(good)
        if "object_id" in table.columns:
            table = table.with_columns(pl.col("object_id").cast(pl.String))
        names = fields.class_names
        if "class" in table.columns:
            table, class_names = _named(column, table, names, self._where)
        else:
            table, class_names = table.with_columns(class_name=pl.lit("object")), ["object"]
        self._add(Bbox, column, class_names, table, cells.is_not_null())

    def masks(
        self,
        column: str,
        found: Sequence[tuple[tuple[int, int], list[tuple[int, Segmentation]]] | None],
        classes: Sequence[str] | None,
    ) -> None:
        rows = [(at, number, mask) for at, entry in enumerate(found) if entry for number, mask in entry[1]]
        for at, entry in enumerate(found):
            if entry and entry[0] != tuple(self._sizes[at]):
                raise SightlineError(
                    f"{self._where(at)}: '{column}' is {entry[0][0]} x {entry[0][1]} pixels, but its image "
                    f"has {self._sizes[at][0]} x {self._sizes[at][1]}; make them the same size."
                )
        numbers = range(len(classes)) if classes else sorted({number for _, number, _ in rows})
        names = dict(zip(numbers, classes or map(str, numbers), strict=True))
        unknown = next(((at, number) for at, number, _ in rows if number not in names), None)
        if unknown:
            raise SightlineError(
                f"{self._where(unknown[0])}: '{column}' holds the number {unknown[1]}, which is none of the "
                f"{len(names)} classes; add it to them, or ignore it."
            )
        table = mask_table((at, names[number], mask) for at, number, mask in rows)
        annotated = pl.Series([entry is not None for entry in found], dtype=pl.Boolean)
        self._add(Segmentation, column, list(names.values()), table, annotated)

    def dataset(self, cls: type["Dataset"], info: DatasetInfo, samples: pl.DataFrame) -> "Dataset":
        """The dataset; a sample has no list of annotations where all the columns of its kind are null."""
        tables = {column: pl.concat(parts, how="diagonal") for column, parts in self._tables.items()}
        dataset = cls.from_tables(info, samples, **tables)
        return dataset.replace(
            samples=dataset.samples.with_columns(
                pl.when(pl.Series(annotated)).then(pl.col(column)).alias(column)
                for column, annotated in self._annotated.items()
            )
        )

    def _add(
        self,
        primitive: type[Primitive],
        column: str,
        class_names: list[str],
        table: pl.DataFrame,
        annotated: pl.Series,
    ) -> None:
        task = task_of(primitive, column)
        self.tasks.append(TaskInfo.from_class_names(primitive, class_names, task))
        self._tables.setdefault(primitive.column, []).append(table.with_columns(task_name=pl.lit(task)))
        before = self._annotated.get(primitive.column, np.zeros(len(annotated), dtype=bool))
        self._annotated[primitive.column] = before | annotated.to_numpy()


def _parts(source: Any, split: str, progress: bool) -> dict[str, Any]:
    """The ``datasets.Dataset`` of each split."""
    datasets = library()
    if isinstance(source, str | Path):
        with bars(progress):
            source = _loaded(source)
    if isinstance(source, datasets.DatasetDict) and source:
        return dict(source)
    if isinstance(source, datasets.Dataset):
        return {str(source.split or split): source}
    raise SightlineError(
        f"a {type(source).__name__} is no datasets.Dataset or DatasetDict with a split; give one of them, a "
        "folder of save_to_disk or a name on the hub."
    )


def _loaded(source: str | Path) -> Any:
    datasets = library()
    path = Path(source)
    try:
        if is_huggingface(path):
            return datasets.load_from_disk(str(path))
        if not path.exists() and (isinstance(source, Path) or source.count("/") > 1):
            raise SightlineError(f"{source}: no such folder; give one that save_to_disk wrote.")
        return datasets.load_dataset(str(source))
    except SightlineError:
        raise
    except Exception as error:  # the library raises whatever its many parts do
        problem = (str(error).splitlines() or [type(error).__name__])[0]
        raise SightlineError(f"{source}: cannot be loaded as a Hugging Face dataset ({problem}).") from error


def _split_of(key: str, repairs: Repairs, count: int) -> str:
    known = split_from_name(key)
    if known is None:
        repairs.add(f"images of a split that is none taken as {UNDEFINED}", f"in '{key}'", count)
    return known or UNDEFINED


def _each_row(parts: Mapping[str, Any], column: str, read: Any, label: str, progress: bool) -> list[Any]:
    """``read(cell, position)`` of each row's ``column``, as it is stored: bytes or the path of an image."""
    ends = np.cumsum([len(part) for part in parts.values()])
    batches = [
        (key, start, end - len(part) + start)
        for (key, part), end in zip(parts.items(), ends.tolist(), strict=True)
        for start in range(0, len(part), _BATCH)
    ]
    stored = {key: part.select_columns([column]).with_format("arrow") for key, part in parts.items()}

    def read_batch(batch: tuple[str, int, int]) -> list[Any]:
        key, start, position = batch
        rows = stored[key][start : start + _BATCH][column].to_pylist()
        return [read(row, position + at) for at, row in enumerate(rows)]

    return [row for rows in in_parallel(read_batch, batches, label, progress=progress) for row in rows]


def _file(cell: Mapping[str, Any] | None, folder: str | Path | None, where: str) -> str:
    if cell is None or (cell["bytes"] is None and not cell["path"]):
        raise SightlineError(f"{where}: has no image; leave it out.")
    if cell["bytes"] is None:
        return str(Path(cell["path"]).absolute())
    named = f"{where} ({cell['path']})" if cell["path"] else where
    return store_picture(cell["bytes"], picture_folder(folder, named), named)


def _label_map(
    cell: Mapping[str, Any] | None, ignore: int | None, where: str
) -> tuple[tuple[int, int], list[tuple[int, Segmentation]]] | None:
    """Height and width, and a mask per number; None where there is no map."""
    if cell is None:
        return None
    try:
        with Image.open(cell["path"] if cell["bytes"] is None else io.BytesIO(cell["bytes"])) as picture:
            values = np.asarray(picture)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise SightlineError(
            f"{where}: the label map cannot be read as an image ({problem_of(error)})."
        ) from None
    if values.ndim != 2 or values.dtype.kind not in "uib":
        raise SightlineError(
            f"{where}: the label map is {values.dtype} {values.shape}, expected whole numbers."
        )
    return values.shape, masks_by_number(values, ignore)


def _cells(part: Any, columns: list[str]) -> pl.DataFrame:
    frame = pl.from_arrow(part.select_columns(columns).with_format("arrow")[:])
    assert isinstance(frame, pl.DataFrame)
    return frame


def _exploded(cells: pl.Series) -> pl.DataFrame:
    """One row per element of the lists, with the `POSITION` of its list."""
    frame = cells.to_frame().with_row_index(POSITION)
    return frame.filter(pl.col(cells.name).list.len() > 0).explode(cells.name)


def _objects(column: str, cells: pl.Series, where: _Rows) -> pl.DataFrame:
    """One row per object, of a list of structs or a struct of lists."""
    if isinstance(cells.dtype, pl.List):
        return _exploded(cells).unnest(column)
    fields = [field.name for field in cells.dtype.fields]  # pyright: ignore[reportAttributeAccessIssue]
    frame = cells.struct.unnest().with_row_index(POSITION)
    lists = [name for name in fields if isinstance(frame.schema[name], pl.List | pl.Array)]
    lengths = frame.select(pl.col(name).list.len() for name in lists)
    torn = lengths.select(pl.any_horizontal(pl.col(name) != pl.col(lists[0]) for name in lists)).to_series()
    if torn.any():
        at = int(torn.arg_true()[0])
        raise SightlineError(
            f"{where(at)}: '{column}' has lists of {' and '.join(map(str, lengths.row(at)))}; mend it."
        )
    return frame.select(POSITION, *lists).filter(pl.col(lists[0]).list.len() > 0).explode(lists)


def _four_numbers(column: str, table: pl.DataFrame, where: _Rows) -> np.ndarray:
    boxes = table["bbox"]
    lists = boxes.arr.to_list() if isinstance(boxes.dtype, pl.Array) else boxes
    wrong = (lists.list.len() != 4).fill_null(value=True)
    if wrong.any():
        row = int(wrong.arg_true()[0])
        raise SightlineError(
            f"{where(table[POSITION][row])}: a box in '{column}' is {lists.to_list()[row]}, "
            "expected four numbers."
        )
    return lists.explode().cast(pl.Float64).to_numpy().reshape(-1, 4)


def _named(
    column: str, table: pl.DataFrame, names: list[str] | None, where: _Rows
) -> tuple[pl.DataFrame, list[str]]:
    """``class`` as ``class_name``, and all names in order."""
    values = table["class"]
    if names is None:
        found = values.drop_nulls().unique().sort().cast(pl.String).to_list()
        return table.drop("class").with_columns(values.cast(pl.String).alias("class_name")), found
    wrong = table.filter((values < 0) | (values >= len(names)))
    if len(wrong):
        raise SightlineError(
            f"{where(wrong[POSITION][0])}: '{column}' has class {wrong['class'][0]} of {len(names)}; mend it."
        )
    mapped = values.replace_strict(dict(enumerate(names)), default=None, return_dtype=pl.String)
    return table.drop("class").with_columns(mapped.alias("class_name")), names
