"""What a dataset is like, as far as a plan depends on it."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

from sightline.data.annotation_tables import POSITION, annotation_table
from sightline.data.dataset import Dataset
from sightline.data.info import TaskInfo
from sightline.data.look.counting import ObjectSizes, class_counts, object_sizes
from sightline.data.primitives import Bbox, Bitmask, Classification, Polygon, Primitive, Segmentation
from sightline.data.raster import is_raster
from sightline.data.splits import SPLITS
from sightline.errors import SightlineError

Kind = Literal["classification", "detection", "segmentation"]

_KINDS: dict[type[Primitive], Kind] = {
    Classification: "classification",
    Bbox: "detection",
    Bitmask: "detection",
    Polygon: "detection",
    Segmentation: "segmentation",
}


@dataclass(frozen=True, eq=False)
class DatasetFacts:
    """A dataset and its task that is to be learned; ``where`` is what a spec calls it."""

    where: str
    dataset: Dataset
    task: TaskInfo

    @property
    def kind(self) -> Kind:
        """What is learned."""
        return _KINDS[self.task.primitive]

    @property
    def classes(self) -> list[str]:
        """The names of the classes."""
        return self.task.class_names or []

    @cached_property
    def counts(self) -> dict[str, int]:
        """Samples of each split that has any."""
        counts = dict(self.dataset.samples["split"].value_counts().iter_rows())
        return {split: counts[split] for split in SPLITS if split in counts}

    @cached_property
    def training(self) -> pl.DataFrame:
        """The samples to train on."""
        return self.dataset.samples.filter(pl.col("split") == "train")

    @cached_property
    def sizes(self) -> np.ndarray:
        """(N, 2): height and width of each image in pixels."""
        return self.dataset.samples.select("height", "width").to_numpy().astype(np.int64)

    @property
    def alike(self) -> bool:
        """Whether all images have one size."""
        return bool((self.sizes == self.sizes[0]).all())

    @property
    def typical_size(self) -> tuple[int, int]:
        """The medians of height and width in pixels."""
        height, width = np.median(self.sizes, axis=0)
        return round(float(height)), round(float(width))

    @cached_property
    def first_image(self) -> np.ndarray:
        """All bands of the first image, (height, width, bands)."""
        return self.dataset[0].read_bands()

    @property
    def from_above(self) -> bool:
        """Whether the images are rasters, which look the same from all sides."""
        return is_raster(Path(str(self.dataset.samples["file_path"][0])))

    @cached_property
    def is_grey(self) -> bool:
        """Whether the first image has one band, which a picture shows as grey."""
        if self.first_image.shape[2] != 1:
            return False
        rgb = self.dataset[0].read_image()
        return bool((rgb == rgb[..., :1]).all())

    @property
    def is_rgb(self) -> bool:
        """Whether a model is given 8-bit RGB: of pictures in colour, and what a picture shows of palettes."""
        if self.from_above:
            return self.first_image.shape[2] == 3 and self.first_image.dtype == np.uint8
        return not self.is_grey

    @property
    def bands(self) -> list[int]:
        """Bands that a model is given, counted from 1."""
        return [1, 2, 3] if self.is_rgb else list(range(1, self.first_image.shape[2] + 1))

    @property
    def bytes_decoded(self) -> int:
        """What all images take up once they are read."""
        item = 1 if self.is_rgb else self.first_image.dtype.itemsize
        return int(self.sizes.prod(axis=1).sum()) * len(self.bands) * item

    @cached_property
    def class_totals(self) -> np.ndarray:
        """(classes,): annotations of each class in training; of a segmentation, pixels."""
        counts = class_counts(self.training, self.task, pixels=self.kind == "segmentation")
        by_name = dict(counts.group_by("class_name").agg(pl.sum("count")).iter_rows())
        return np.array([by_name.get(name, 0) for name in self.classes], dtype=np.int64)

    @property
    def imbalance(self) -> float:
        """How many times as frequent the most frequent class is as the rarest that occurs."""
        present = self.class_totals[self.class_totals > 0]
        return float(present.max() / present.min()) if len(present) else 1.0

    @cached_property
    def labels_per_image(self) -> tuple[int, int]:
        """The fewest and the most classes that an image has."""
        table = annotation_table(self.dataset.samples, self.task.primitive.column, self.task.name)
        counts = np.bincount(table[POSITION].to_numpy(), minlength=len(self.dataset))
        return int(counts.min()), int(counts.max())

    @cached_property
    def objects(self) -> ObjectSizes:
        """The sizes of the objects in training, in pixels."""
        return object_sizes(self.training, self.task)

    @cached_property
    def relative_sides(self) -> np.ndarray:
        """(objects,): the side of each object as a share of the longer side of a typical image."""
        return self.objects.side / max(self.typical_size)

    @property
    def groups(self) -> int:
        """How many recordings the samples are from, such as videos; 0 where they are from none."""
        return self.dataset.samples["collection_id"].drop_nulls().n_unique()

    def summary(self) -> str:
        """The facts in a sentence."""
        splits = ", ".join(f"{count:,} {split}" for split, count in self.counts.items())
        height, width = self.typical_size
        sizes = f"{height} x {width}" if self.alike else f"about {height} x {width}"
        bands = (
            "RGB"
            if self.is_rgb
            else f"{len(self.bands)} band{'s' if len(self.bands) > 1 else ''} of {self.first_image.dtype}"
        )
        return (
            f"{self.kind} of {number_of_classes(self)} ('{self.task.name}'); images: {splits}; "
            f"{sizes} pixels (height x width), {bands}"
        )


def look_at(where: str, dataset: Dataset, task: str | None = None) -> DatasetFacts:
    """The facts about ``task`` of a dataset, by default the only one that can be learned.

    Raises:
        SightlineError: there is no such task, or more than one; it lists no classes; there are no samples.
    """
    info = dataset.info
    if not len(dataset):
        raise SightlineError(
            f"dataset '{info.dataset_name}' has no samples, so there is nothing to plan for."
        )
    if task is not None:
        found = info.task(task)
    else:
        known = [one for one in info.tasks if one.primitive in _KINDS]
        if len(known) != 1:
            names = ", ".join(f"'{one.name}' ({one.primitive.__name__})" for one in known) or "none"
            raise SightlineError(
                f"dataset '{info.dataset_name}' has {len(known)} tasks that can be learned: {names}; name "
                "one with --task."
            )
        found = known[0]
    if found.primitive not in _KINDS:
        raise SightlineError(
            f"task '{found.name}' is of {found.primitive.__name__}, which cannot be learned."
        )
    if not found.class_names:
        raise SightlineError(
            f"task '{found.name}' lists no classes; give the dataset's info some (tasks, classes)."
        )
    return DatasetFacts(where, dataset, found)


def number_of_classes(facts: DatasetFacts) -> str:
    """Such as ``1 class`` or ``80 classes``."""
    count = len(facts.classes)
    return f"{count:,} class{'' if count == 1 else 'es'}"
