"""Splits that a dataset lacks: made at random, once, and kept in a manifest beside the spec."""

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from sightline.data.dataset import Dataset
from sightline.data.sample_ids import comparable_ids
from sightline.data.splits import TEST, TRAIN, UNDEFINED, VALIDATION
from sightline.errors import SightlineError

_SEED = 0
_FEW, _MANY = 2_000, 50_000  # samples
_VALIDATION_SHARE = {"few": 0.2, "some": 0.15, "many": 0.05}


@dataclass(frozen=True, eq=False)
class Splits:
    """A dataset that can be trained on, and how it came to its splits."""

    dataset: Dataset
    changed: bool
    """Whether they are other than the dataset's own, and so have to be kept."""
    reason: str
    ratios: dict[str, float]
    group_by: str | None = None

    @property
    def made_with(self) -> dict[str, object]:
        """For the manifest."""
        return {"ratios": self.ratios, "seed": _SEED, "group_by": self.group_by}


def with_splits(dataset: Dataset) -> Splits:
    """``dataset`` with samples to train on and others to validate with, if it can be.

    Recordings (``collection_id``) are never divided, as their frames resemble each other.

    Raises:
        SightlineError: there is nothing to train on.
    """
    counts = dict(dataset.samples["split"].value_counts().iter_rows())
    groups = dataset.samples["collection_id"].drop_nulls().n_unique()
    group_by = "collection_id" if groups > 1 else None
    whole = f", whole recordings ({groups})" if group_by else ""
    leak = "; its frames are of one recording, so validation flatters" if groups == 1 else ""
    train = counts.get(TRAIN, 0)
    if train and counts.get(VALIDATION):
        reason = (
            "the dataset's own"
            if counts.get(TEST)
            else "the dataset's own; without a test split, use `sightline eval --split validation`"
        )
        return Splits(dataset, False, reason, {})
    if train:
        share = _validation_share(train)
        ratios = {TRAIN: round(1 - share, 2), VALIDATION: share}
        made = _undivided(dataset.create_splits(ratios, _SEED, group_by, within=TRAIN), ratios)
        return Splits(
            made, True, f"{share:.0%} of training set apart to validate with{whole}{leak}", ratios, group_by
        )
    unassigned = counts.get(UNDEFINED, 0)
    if not unassigned:
        raise SightlineError(
            f"dataset '{dataset.info.dataset_name}' has no samples to train on (split '{TRAIN}'); split it "
            "first: sightline dataset apply ... create_splits."
        )
    share = _validation_share(unassigned)
    ratios = {TRAIN: round(1 - 2 * share, 2), VALIDATION: share, TEST: share}
    if counts.get(VALIDATION) or counts.get(TEST) or (groups and groups < len(ratios)):
        ratios = {TRAIN: round(1 - share, 2), VALIDATION: share}
    made = _undivided(dataset.create_splits(ratios, _SEED, group_by, within=UNDEFINED), ratios)
    parts = " / ".join(f"{ratio:.0%} {split}" for split, ratio in ratios.items())
    return Splits(made, True, f"there were none: {parts}, at random{whole}{leak}", ratios, group_by)


def _undivided(dataset: Dataset, splits: Iterable[str]) -> Dataset:
    """The same image, where it is there twice, in one of ``splits``: that of the first."""
    frame = dataset.samples
    ids, own = comparable_ids(frame), frame["split"].is_in(list(splits))
    same = pl.when(own & ids.is_not_null()).then(pl.col("split").first().over(ids, own)).otherwise("split")
    return dataset.replace(samples=frame.with_columns(same.alias("split")))


def _validation_share(samples: int) -> float:
    """Few samples need a larger share, for the number that it gives to mean something."""
    size = "few" if samples < _FEW else "some" if samples < _MANY else "many"
    return _VALIDATION_SHARE[size]
