"""What can be done to a dataset. Each function takes a `Dataset` first and returns a new one.

Each is a method of `Dataset` under its own name and, with the same arguments, a step of a recipe.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sightline.data.operations.attributes import flatten_attributes
from sightline.data.operations.classes import filter_classes, map_classes
from sightline.data.operations.duplicates import remove_duplicates
from sightline.data.operations.filtering import (
    filter,
    filter_annotations,
    filter_samples_by_class,
    filter_tags,
)
from sightline.data.operations.frames import extract_frames
from sightline.data.operations.pictures import transform_images
from sightline.data.operations.privacy import blur_objects, strip_metadata
from sightline.data.operations.selection import create_sample_dataset, sample, select, select_range, shuffle
from sightline.data.operations.shapes import convert_task
from sightline.data.operations.splitting import apply_split_manifest, create_split_dataset, create_splits
from sightline.data.operations.tasks import drop_task, keep_tasks, rename_task
from sightline.data.operations.tiles import tile

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset

OPERATIONS: "dict[str, Callable[..., Dataset]]" = {
    function.__name__: function
    for function in (
        shuffle,
        select,
        select_range,
        sample,
        create_sample_dataset,
        create_split_dataset,
        create_splits,
        apply_split_manifest,
        filter,
        filter_annotations,
        filter_samples_by_class,
        filter_tags,
        filter_classes,
        map_classes,
        rename_task,
        drop_task,
        keep_tasks,
        flatten_attributes,
        convert_task,
        transform_images,
        blur_objects,
        strip_metadata,
        remove_duplicates,
        tile,
        extract_frames,
    )
}
"""Every operation by name."""
