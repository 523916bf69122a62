"""Splits: samples by split, and splits by ratio or by manifest."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import polars as pl

from sightline.data.info import DatasetInfo, TaskInfo
from sightline.data.sample_keys import group_keys, refuse_empty, sample_keys
from sightline.data.split_manifest import SplitManifest
from sightline.data.splits import SPLITS, assign_splits, split_from_name
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.data.dataset import Dataset


def create_split_dataset(dataset: "Dataset", split: str | list[str]) -> "Dataset":
    """The samples of one ``split`` or of several, in the order they have here.

    Raises:
        SightlineError: a word that names no split, or a split without samples.
    """
    names = [split] if isinstance(split, str) else split
    splits = [split_from_name(name) or name for name in names]
    present = [name for name in SPLITS if (dataset.samples["split"] == name).any()]
    for name in splits:
        if name not in present:
            raise SightlineError(
                f"dataset '{dataset.info.dataset_name}' has no split '{name}'; it has "
                f"{', '.join(present) or 'no samples'}."
            )
    return dataset.replace(samples=dataset.samples.filter(pl.col("split").is_in(splits)))


def create_splits(
    dataset: "Dataset",
    ratios: dict[str, float],
    seed: int = 0,
    group_by: str | None = None,
    stratify_by: str | None = "class",
    within: str | None = None,
) -> "Dataset":
    """All samples, assigned to splits anew by ratio (``{"train": 0.7, "test": 0.3}``), at random.

    Without groups the sizes are exact: 1001 samples at .7/.2/.1 are 701/200/100. The same dataset,
    arguments and ``seed`` give the same splits.

    Args:
        dataset: what to split.
        ratios: split names and parts, which add up to 1.
        seed: of the random choice.
        group_by: what samples of one group have in common, such as "collection_id" (the frames of one
            video), "file_path" (the images of one folder), "video_info.name" or "meta.patient"; see
            `sightline.data.sample_keys`. A group is never divided; the sizes are as near to the ratios
            as that permits. A sample without the key is a group of its own.
        stratify_by: what is spread evenly over the splits: "class" for each sample's rarest class, or a
            key as for ``group_by``; None for nothing.
        within: assign only the samples of this split anew: "test", to take a validation split from it
            with ``{"validation": 0.5, "test": 0.5}``, or "UNDEFINED".

    Raises:
        SightlineError: an unknown split or key, ratios that do not add up to 1, no samples in ``within``,
            or a group that lies both in ``within`` and outside.
    """
    frame = dataset.samples
    ratios = {split_from_name(name) or name: ratio for name, ratio in ratios.items()}
    groups = None if group_by is None else _groups(frame, group_by)
    if within is None:
        assigned = assign_splits(_strata(dataset.info, frame, stratify_by), ratios, seed, groups)
        return dataset.replace(samples=_with_splits(frame, assigned))
    part = create_split_dataset(dataset, within).samples
    chosen = frame["split"] == part["split"][0]
    if groups is not None:
        _refuse_divided(groups, chosen, within)
        groups = groups.filter(chosen)
    assigned = assign_splits(_strata(dataset.info, part, stratify_by), ratios, seed, groups)
    splits = frame["split"].to_numpy().copy()
    splits[chosen.to_numpy()] = assigned
    return dataset.replace(samples=_with_splits(frame, splits))


def apply_split_manifest(
    dataset: "Dataset",
    manifest: str | Path | dict[str, Any],
    unlisted: Literal["error", "drop", "UNDEFINED"] = "error",
    missing: Literal["warn", "error"] = "warn",
) -> "Dataset":
    """All samples, in the splits that a manifest lists them in; see `sightline.data.split_manifest`.

    A sample that is not listed, but whose group is (another frame of a listed video), goes where its
    group is.

    Args:
        dataset: what to split.
        manifest: the file that `Dataset.write_split_manifest` wrote, or its content.
        unlisted: what becomes of samples that neither the manifest nor a group of it lists: refuse them,
            drop them, or leave them in the split UNDEFINED.
        missing: whether listed samples that are not here are counted in a warning, or refused. They are
            what is missing after filtering, or in a small part of a dataset.

    Raises:
        SightlineError: a manifest that cannot be read or that leaks, samples not listed or missing where
            that is an error, or an image that cannot be read.
    """
    loaded = SplitManifest.load(manifest)
    loaded.check_leaks()
    splits = loaded.assign(dataset.samples, missing=missing)
    rest = splits.is_null()
    if rest.any() and unlisted == "error":
        row = int(rest.arg_true()[0])
        raise SightlineError(
            f"{int(rest.sum())} of {len(dataset)} samples are not in the split manifest, the first is "
            f"sample {dataset.samples['sample_index'][row]} ({dataset.samples['file_path'][row]}); drop "
            "them, or leave them UNDEFINED, with the option unlisted."
        )
    frame = dataset.samples.with_columns(splits.fill_null("UNDEFINED").alias("split"))
    return dataset.replace(samples=frame.filter(~rest) if unlisted == "drop" else frame)


def _with_splits(frame: pl.DataFrame, splits: Sequence[str] | np.ndarray) -> pl.DataFrame:
    """``frame`` with other splits, in pieces of the same lengths, as all of it would be copied otherwise."""
    column = pl.Series("split", splits, pl.String)
    lengths = frame["split"].chunk_lengths()
    starts = np.cumsum([0, *lengths[:-1]]).tolist()
    pieces = [column.slice(start, length) for start, length in zip(starts, lengths, strict=True)]
    return frame.with_columns(pl.concat(pieces, rechunk=False))


def _strata(info: DatasetInfo, frame: pl.DataFrame, stratify_by: str | None) -> pl.Series:
    if stratify_by is None:
        return pl.repeat("", len(frame), eager=True)
    if stratify_by != "class":
        return sample_keys(frame, stratify_by).fill_null("")
    return _rarest_classes(info, frame)


def _rarest_classes(info: DatasetInfo, frame: pl.DataFrame) -> pl.Series:
    """For each sample a number for the class it has that has the fewest annotations in all.

    Where tasks have fixed classes only those count: names that occur once spread nothing.
    """
    tasks = [task for task in info.tasks if task.classes is not None] or info.tasks
    found = [_class_numbers(task, frame) for task in tasks]
    counts = [np.bincount(numbers) for numbers, _ in found]
    rarity = np.argsort(np.argsort(np.concatenate([*counts, []]), kind="stable")).astype(np.int32)
    rarest = np.full(len(frame), len(rarity), dtype=np.int32)
    start = 0
    for (numbers, lengths), count in zip(found, counts, strict=True):
        held = lengths > 0
        if held.any():
            firsts = (np.cumsum(lengths) - lengths)[held]
            ranks = np.minimum.reduceat(rarity[start : start + len(count)][numbers], firsts)
            rarest[held] = np.minimum(rarest[held], ranks)
        start += len(count)
    return pl.Series(rarest)


def _class_numbers(task: TaskInfo, frame: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """A number for the class of each annotation of the task, and how many annotations each sample has."""
    lists = frame[task.primitive.column]
    lengths = lists.list.len().fill_null(0).cast(pl.Int64).to_numpy()

    def flat(*fields: pl.Expr) -> pl.DataFrame:
        return lists.drop_nulls().list.eval(pl.struct(fields)).explode(empty_as_null=False).struct.unnest()

    number, name, task_name = (
        pl.element().struct.field(field) for field in ("class_idx", "class_name", "task_name")
    )
    # Both at once: with every look into lists, polars copies what annotations may have and these do not.
    numbers, mine = flat(number, task_name == task.name).get_columns()
    if task.classes is None or numbers.null_count():
        names = flat(pl.coalesce(name, number.cast(pl.String), pl.lit(""))).to_series()
        numbers = names.cast(pl.Enum(names.unique().sort())).to_physical()
    if not mine.all():
        owners = np.repeat(np.arange(len(frame)), lengths)[mine.to_numpy()]
        lengths = np.bincount(owners, minlength=len(frame))
        numbers = numbers.filter(mine)
    return numbers.cast(pl.Int64).to_numpy(), lengths


def _groups(frame: pl.DataFrame, group_by: str) -> pl.Series:
    """The group of each sample; a sample without one is alone in its own."""
    keys = group_keys(frame, group_by)
    refuse_empty(keys, group_by)
    alone = pl.format("\0{}", "index")
    return keys.to_frame("group").with_row_index().select(pl.coalesce("group", alone)).to_series()


def _refuse_divided(groups: pl.Series, chosen: pl.Series, within: str) -> None:
    outside = groups.filter(~chosen)
    divided = groups.filter(chosen).filter(groups.filter(chosen).is_in(outside.implode()))
    if len(divided):
        raise SightlineError(
            f"{divided.n_unique()} groups have samples in '{within}' and in other splits, the first is "
            f"'{divided[0].partition('/')[2]}'; split the whole dataset anew by group."
        )
