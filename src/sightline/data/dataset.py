"""A dataset: samples in a frame, and what they are about."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import polars as pl

from sightline.data.columns import frame_from_samples
from sightline.data.image_folder import samples_from_image_folder
from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.named import folder_of_dataset
from sightline.data.objects import sample_from_row, samples_from_frame
from sightline.data.primitives import Classification, Segmentation
from sightline.data.sample import Sample
from sightline.data.sampling import representative_positions
from sightline.data.schema import SAMPLE_SCHEMA
from sightline.data.splits import SPLITS, assign_splits
from sightline.data.storage import Storing, read_dataset_folder, write_dataset_folder
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from rich.console import Console

SAMPLE_TAG = "sample"
"""The tag of samples that may be shown to anybody: those of `Dataset.create_sample_dataset`."""


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
        for name, dtype in SAMPLE_SCHEMA.items():
            found = self.samples.schema.get(name)
            if found != dtype:
                raise SightlineError(
                    f"samples: column '{name}' is {found or 'missing'}, expected {dtype}; keep the types of "
                    "sightline.data.schema.SAMPLE_SCHEMA."
                )
        self.samples = self.samples.select(SAMPLE_SCHEMA.names())

    @classmethod
    def from_path(cls, path: str | Path, *, check_images: bool = True) -> Self:
        """Read a dataset folder, written by Sightline or by the ``hafnia`` package.

        Raises:
            SightlineError: not a dataset folder, a damaged file, or (with ``check_images``) images that
                are not there.
        """
        return cls(*read_dataset_folder(Path(path), check_images=check_images))

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
    def from_image_folder(
        cls,
        path: str | Path,
        *,
        name: str | None = None,
        version: str = "1.0.0",
        task_name: str = "image_classification",
        split_ratios: Mapping[str, float] | None = None,
        seed: int = 0,
    ) -> Self:
        """Make a dataset of ``<path>/<split>/<class>/*.jpg``, or ``<path>/<class>/*.jpg``.

        Without folders for splits, samples are assigned by ``split_ratios`` (as ``{"train": 0.8,
        "test": 0.2}``, each class evenly), or left in the split UNDEFINED. ``name`` defaults to the
        folder's name. The images stay where they are until `write`.

        Raises:
            SightlineError: no images, an image that cannot be read, or ratios beside split folders.
        """
        root = Path(path).absolute()
        samples, classes = samples_from_image_folder(
            root, task_name=task_name, split_ratios=split_ratios, seed=seed
        )
        task = TaskInfo.from_class_names(Classification, classes, task_name)
        return cls.from_samples(
            samples, DatasetInfo(dataset_name=name or root.name, version=version, tasks=[task])
        )

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

        Raises:
            SightlineError: an image is missing, or ``path`` exists (with ``overwrite``: exists and is
                not a dataset folder).
        """
        frame = write_dataset_folder(
            self.info, self.samples, Path(path), how=how, overwrite=overwrite, progress=progress
        )
        return Dataset(self.info, frame)

    def create_split_dataset(self, split: str | Sequence[str]) -> "Dataset":
        """The samples of one split or of several, in the order they have here.

        Raises:
            SightlineError: a word that names no split, or a split without samples.
        """
        splits = [split] if isinstance(split, str) else list(split)
        present = [name for name in SPLITS if (self.samples["split"] == name).any()]
        for name in splits:
            if name not in present:
                raise SightlineError(
                    f"dataset '{self.info.dataset_name}' has no split '{name}'; it has "
                    f"{', '.join(present) or 'no samples'}."
                )
        return Dataset(self.info, self.samples.filter(pl.col("split").is_in(splits)))

    def create_splits(self, ratios: Mapping[str, float], seed: int = 0) -> "Dataset":
        """All samples, assigned to splits anew by ratio (``{"train": 0.7, "test": 0.3}``), at random.

        Classification datasets have each class spread evenly. The sizes are exact: 1001 samples at
        .7/.2/.1 are 701/200/100.

        Raises:
            SightlineError: an unknown split, or ratios that do not add up to 1.
        """
        first_class = pl.col("classifications").list.first().struct.field("class_name")
        groups = self.samples.select(first_class.fill_null("")).to_series().to_list()
        splits = pl.Series("split", assign_splits(groups, ratios, seed), pl.String)
        return Dataset(self.info, self.samples.with_columns(splits))

    def create_sample_dataset(self, n: int = 60, seed: int = 0) -> "Dataset":
        """``n`` samples that stand for all, each with the tag "sample"; all samples where there are fewer.

        Every split occurs and, as far as ``n`` reaches, every class, then every class of every split.
        The same dataset, ``n`` and ``seed`` give the same samples.

        Raises:
            SightlineError: ``n`` is less than 1.
        """
        chosen = self.samples[representative_positions(self.samples, n, seed)]
        tagged = pl.concat_list("tags", pl.lit([SAMPLE_TAG], pl.List(pl.String)))
        has_tag = pl.col("tags").list.contains(SAMPLE_TAG)
        tags = pl.when(has_tag).then("tags").otherwise(tagged).alias("tags")
        return Dataset(self.info, chosen.with_columns(tags))

    def print_stats(self, console: "Console | None" = None) -> None:
        """Print samples per split, and annotations per task, class and split."""
        from sightline.data.stats import print_stats

        print_stats(self.info, self.samples, console)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
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
