"""A dataset: samples in a frame, and what they are about."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, overload

import numpy as np
import polars as pl

from sightline.data import channel_stats, split_manifest
from sightline.data.annotation_tables import frame_from_tables
from sightline.data.columns import frame_from_samples
from sightline.data.formats import (
    coco,
    huggingface,
    image_folder,
    mask_folder,
    opening,
    tables,
    torchvision,
    tracked_objects,
    video,
    voc,
    voc_writing,
    yolo,
)
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.inspection import ImageCheck, find_problems
from sightline.data.locations import download_dataset, read_dataset, write_dataset
from sightline.data.look import contact_sheet, page, plots
from sightline.data.named import folder_of_dataset
from sightline.data.objects import sample_from_row, samples_from_frame
from sightline.data.operations import (
    attributes,
    classes,
    duplicates,
    filtering,
    frames,
    merging,
    pictures,
    privacy,
    selection,
    shapes,
    splitting,
    tasks,
    tiles,
)
from sightline.data.packed import pack
from sightline.data.primitives import Segmentation
from sightline.data.sample import Sample
from sightline.data.schema import SAMPLE_SCHEMA, difference
from sightline.data.splits import SPLITS
from sightline.data.storage import Storing
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from rich.console import Console

    from sightline.data.recipes import Recipe


@dataclass(repr=False, eq=False)
class Dataset:
    """Samples and their description.

    ``samples`` is a polars frame of exactly `sightline.data.schema.SAMPLE_SCHEMA`, one row per sample,
    with absolute file paths; bulk work happens there. Indexing and iterating give `Sample` objects,
    made on the way out. Methods return new datasets and change neither this one nor its files.
    """

    info: DatasetInfo
    samples: pl.DataFrame

    def __post_init__(self) -> None:
        schema = self.samples.schema
        for name, dtype in SAMPLE_SCHEMA.items():
            problem = difference(name, schema.get(name), dtype)
            if problem is not None:
                raise SightlineError(
                    f"samples: {problem}; keep the types of sightline.data.schema.SAMPLE_SCHEMA."
                )
        self.samples = self.samples.select(SAMPLE_SCHEMA.names())

    @classmethod
    def from_path(cls, path: str | Path, *, check_images: bool = True) -> Self:
        """Read a dataset folder, written by Sightline or by the ``hafnia`` package.

        ``path`` may be a URL of an object store (``s3://bucket/prefix``; credentials and endpoint come
        from the usual ``AWS_*`` variables). Then only info and annotations are read: filter first, and
        `download` what is left. `Sample.read_image` fetches that one image.

        Raises:
            SightlineError: not a dataset folder, a damaged file, (with ``check_images``, in a folder)
                images that are not there, or a store that cannot be reached.
        """
        return cls(*read_dataset(path, check_images=check_images))

    @classmethod
    def from_name(cls, name: str, version: str | None = None, *, force: bool = False) -> Self:
        """The dataset of that name: on a laptop its sample, in a job the full data.

        In a job the dataset is the one that the job was given, whatever ``name`` and ``version`` say.
        Elsewhere it is read from ``.data/datasets/<name>``, after downloading the sample there where it
        is not present in the ``version`` asked for, or where ``force`` is set.

        Raises:
            SightlineError: no such dataset or version, or the service cannot be reached.
        """
        return cls.from_path(folder_of_dataset(name, version, force=force))

    @classmethod
    def from_recipe(
        cls, recipe: "Recipe | Mapping[str, Any] | str | Path", *, force: bool = False
    ) -> "Dataset":
        """The dataset that a recipe describes: a `Recipe`, its JSON value, or the path of its file.

        It is built once and kept in ``.data/recipes``; ``force`` builds it anew. In a job that was
        started with the same recipe, it is the dataset that the job was given.

        Raises:
            SightlineError: not a recipe, a source is not there, or a step cannot be done.
        """
        from sightline.data.recipes import Recipe

        if isinstance(recipe, str | Path):
            recipe = Recipe.from_file(recipe)
        elif not isinstance(recipe, Recipe):
            recipe = Recipe.from_value(dict(recipe))
        return recipe.build(force=force)

    @classmethod
    def from_samples(cls, samples: Iterable[Sample], info: DatasetInfo) -> Self:
        """Make a dataset of samples, in the order given; a generator is consumed in pieces.

        ``class_name`` and ``class_idx`` complete each other from the tasks of ``info``; samples without
        a ``dataset_name`` get that of ``info``; samples are numbered, unless each has a
        ``sample_index`` of its own.

        Raises:
            SightlineError: a value of the wrong type or range, or a task or class that ``info`` does
                not list; the sentence names the sample and the field.
        """
        return cls(info, frame_from_samples(samples, info))

    @classmethod
    def from_tables(
        cls,
        info: DatasetInfo,
        samples: pl.DataFrame,
        *,
        classifications: pl.DataFrame | None = None,
        bboxes: pl.DataFrame | None = None,
        bitmasks: pl.DataFrame | None = None,
        polygons: pl.DataFrame | None = None,
    ) -> Self:
        """Make a dataset of columns, without an object per sample or annotation: the fast way.

        ``samples`` has a row per sample and any columns of `sightline.data.schema.SAMPLE_SCHEMA` other
        than the annotations; ``file_path``, ``height`` and ``width`` must be among them. Each table of
        annotations has a row per annotation: ``position``, the row of its sample in ``samples``, and any
        fields of the primitive (``top_left_x``, ``class_name`` ...). A table given says that all samples
        were annotated for it: those without rows have an empty list.

        Defaults and completion are those of `from_samples`; a task name may be left out where ``info``
        has one task for the table.

        Raises:
            SightlineError: a column of the wrong name or type, a value out of range, or a task or class
                that ``info`` does not list.
        """
        tables = {
            "classifications": classifications,
            "bboxes": bboxes,
            "bitmasks": bitmasks,
            "polygons": polygons,
        }
        return cls(info, frame_from_tables(info, samples, tables))

    def write(
        self,
        path: str | Path,
        *,
        how: Storing = "copy",
        overwrite: bool = False,
        progress: bool = True,
    ) -> "Dataset":
        """Write the dataset folder ``path`` and return the dataset as it is there.

        Images are stored by content hash: copied, or linked to where they are now (``symlink``,
        ``hardlink``). The folder appears only when it is complete. ``progress`` shows a bar on a
        terminal.

        ``path`` may be a URL of an object store (``s3://bucket/prefix``). What is there already is not
        sent again, so that an upload that broke off goes on where it was; until it is complete,
        nothing that can be read as a dataset is there.

        Raises:
            SightlineError: an image is missing, or ``path`` exists (with ``overwrite``: exists and is
                not a dataset folder).
        """
        frame = write_dataset(self.info, self.samples, path, how=how, overwrite=overwrite, progress=progress)
        return Dataset(self.info, frame)

    def download(self, folder: str | Path, *, overwrite: bool = False, progress: bool = True) -> "Dataset":
        """Fetch the images of these samples into ``folder``; return the dataset as it is there.

        The folder becomes a dataset folder. Images that it holds already are not fetched again, so that a
        download that broke off goes on where it was; those that another selection of the dataset left
        there stay. Images are compared with the hash that is their name, where they have one.

        Raises:
            SightlineError: an image is missing or damaged, or ``folder`` holds something else (with
                ``overwrite``: something that is no dataset).
        """
        frame = download_dataset(
            self.info, self.samples, Path(folder), overwrite=overwrite, progress=progress
        )
        return Dataset(self.info, frame)

    def replace(self, *, info: DatasetInfo | None = None, samples: pl.DataFrame | None = None) -> Self:
        """This dataset with another description, other samples, or both."""
        return type(self)(info or self.info, self.samples if samples is None else samples)

    # Operations: each a function of sightline.data.operations, and a step of a recipe.
    shuffle = selection.shuffle
    select = selection.select
    select_range = selection.select_range
    sample = selection.sample
    create_sample_dataset = selection.create_sample_dataset
    create_split_dataset = splitting.create_split_dataset
    create_splits = splitting.create_splits
    apply_split_manifest = splitting.apply_split_manifest
    filter = filtering.filter
    filter_annotations = filtering.filter_annotations
    filter_samples_by_class = filtering.filter_samples_by_class
    filter_tags = filtering.filter_tags
    filter_classes = classes.filter_classes
    map_classes = classes.map_classes
    rename_task = tasks.rename_task
    drop_task = tasks.drop_task
    keep_tasks = tasks.keep_tasks
    flatten_attributes = attributes.flatten_attributes
    convert_task = shapes.convert_task
    transform_images = pictures.transform_images
    blur_objects = privacy.blur_objects
    strip_metadata = privacy.strip_metadata
    remove_duplicates = duplicates.remove_duplicates
    tile = tiles.tile
    extract_frames = frames.extract_frames

    find_duplicates = duplicates.find_duplicates
    channel_statistics = channel_stats.channel_statistics
    merge = staticmethod(merging.merge)
    write_split_manifest = split_manifest.write_split_manifest

    # For training: see sightline.data.loading.
    pack = pack

    # Formats of other programs: each a module of sightline.data.formats.
    from_format = classmethod(opening.read_format)
    to_format = opening.write_format
    from_coco = classmethod(coco.read_coco)
    to_coco = coco.write_coco
    from_image_folder = classmethod(image_folder.read_image_folder)
    to_image_folder = image_folder.write_image_folder
    from_mask_folder = classmethod(mask_folder.read_mask_folder)
    to_mask_folder = mask_folder.write_mask_folder
    from_table = classmethod(tables.read_table)
    to_table = tables.write_table
    from_torchvision = classmethod(torchvision.read_torchvision)
    from_tracked_objects = classmethod(tracked_objects.read_tracked_objects)
    to_tracked_objects = tracked_objects.write_tracked_objects
    from_videos = classmethod(video.read_videos)
    to_videos = video.write_videos
    from_huggingface = classmethod(huggingface.read_huggingface)
    to_huggingface = huggingface.write_huggingface
    from_yolo = classmethod(yolo.read_yolo)
    to_yolo = yolo.write_yolo
    from_voc = classmethod(voc.read_voc)
    to_voc = voc_writing.write_voc

    def check(self, images: ImageCheck = "header", *, progress: bool = True) -> pl.DataFrame:
        """What is wrong, as a table with a row per problem; without rows where nothing is.

        Found are unknown tasks and classes, indices that do not fit their names, duplicate ids, images
        and boxes, boxes and polygons that are empty or leave the image, masks of another size, recordings
        in several splits, and (``images``: "none", "exist", "header" or "decode") files that are missing,
        of another size, or cannot be read. The columns are those of `sightline.data.inspection.PROBLEMS`.
        """
        return find_problems(self.info, self.samples, images, progress=progress)

    def print_stats(self, console: "Console | None" = None) -> None:
        """Print samples per split, the images' sizes, annotations per class and split, and objects' sizes."""
        from sightline.data.look.stats import print_stats

        print_stats(self.info, self.samples, console)

    plot = plots.plot
    contact_sheet = contact_sheet.contact_sheet
    write_page = page.write_page

    def __len__(self) -> int:
        return len(self.samples)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> "Sample | Self":
        if isinstance(index, slice):
            # Backwards by positions: polars 2.1 loses the types of empty lists where it slices backwards.
            backwards = index.step is not None and index.step < 0
            return self.replace(samples=self.samples[np.arange(len(self))[index] if backwards else index])
        if not isinstance(index, int | np.integer):
            raise SightlineError(f"a dataset is indexed by a number or a slice, not by {index!r}.")
        index = int(index)
        if not -len(self) <= index < len(self):
            raise IndexError(f"sample {index} of a dataset of {len(self)}")
        return sample_from_row(self.samples.row(index, named=True), self._segmentation_tasks)

    def __iter__(self) -> Iterator[Sample]:
        return samples_from_frame(self.samples, self._segmentation_tasks)

    def __repr__(self) -> str:
        counts = [(split, int((self.samples["split"] == split).sum())) for split in SPLITS]
        splits = ", ".join(f"{split} {count}" for split, count in counts if count)
        tasks = ", ".join(f"{task.name} ({_description(task)})" for task in self.info.tasks)
        return (
            f"Dataset('{self.info.dataset_name}' {self.info.version}, {len(self)} samples"
            f"{f' ({splits})' if splits else ''}, tasks: {tasks or 'none'})"
        )

    @property
    def _segmentation_tasks(self) -> frozenset[str]:
        return frozenset(task.name for task in self.info.tasks if task.primitive is Segmentation)


def _description(task: TaskInfo) -> str:
    count = "any class" if task.classes is None else f"{len(task.classes)} classes"
    return f"{task.primitive.__name__}, {count}"
