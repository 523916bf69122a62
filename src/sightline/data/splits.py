"""The names of splits, how foreign spellings map to them, and how many samples a ratio means."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from sightline.errors import SightlineError

TRAIN = "train"
VALIDATION = "validation"
TEST = "test"
UNDEFINED = "UNDEFINED"
"""A sample that has not been assigned to a split."""

SPLITS = (TRAIN, VALIDATION, TEST, UNDEFINED)
"""Every split a sample can be in, in the order in which tables show them."""

_SPELLINGS = {
    "train": TRAIN,
    "training": TRAIN,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "val": VALIDATION,
    "dev": VALIDATION,
    "test": TEST,
    "testing": TEST,
    "undefined": UNDEFINED,
}


def split_from_name(name: str) -> str | None:
    """``"val"`` as ``"validation"``; None for a word that names no split. Case does not matter."""
    return _SPELLINGS.get(name.strip().lower())


def split_counts(total: int, ratios: Mapping[str, float]) -> dict[str, int]:
    """How many of ``total`` samples go to each split; the counts add up to ``total``.

    Every split gets its ratio rounded down, and the remainder goes one by one to the largest
    fractions, earlier splits first: 1001 samples at .7/.2/.1 are 701/200/100.

    Raises:
        SightlineError: an unknown split, a negative ratio, or ratios that do not add up to 1.
    """
    for name, ratio in ratios.items():
        if name not in SPLITS:
            raise SightlineError(f"split '{name}' is not one of {', '.join(SPLITS)}; rename it.")
        if not ratio >= 0:
            raise SightlineError(f"the ratio of split '{name}' is {ratio}; give a number from 0 to 1.")
    if abs(sum(ratios.values()) - 1) > 1e-6:
        raise SightlineError(f"the split ratios add up to {sum(ratios.values()):g}; make them add up to 1.")
    # Binary fractions make 1000 * 0.7 a hair less than 700, which must not cost a sample.
    exact = {name: round(total * ratio, 9) for name, ratio in ratios.items()}
    counts = {name: int(value) for name, value in exact.items()}
    by_fraction = sorted(exact, key=lambda name: counts[name] - exact[name])
    for name in by_fraction[: total - sum(counts.values())]:
        counts[name] += 1
    return counts


def assign_splits(
    strata: Sequence[str] | pl.Series,
    ratios: Mapping[str, float],
    seed: int,
    groups: Sequence[str] | pl.Series | None = None,
) -> list[str]:
    """One split per sample, by ratio, with each stratum spread evenly over the splits.

    ``strata`` holds a class name (or any key, or a number from 0) per sample. The split sizes are exactly
    those of `split_counts` for the whole; within each stratum they are as near to the ratios as that
    permits. The same input and seed give the same assignment, whatever the order of ``ratios``.

    ``groups`` holds a key per sample: samples with the same key stay together. The sizes are then as near
    to those of `split_counts` as moving a group, or exchanging two, can bring them; a split with a ratio
    above 0 gets a group wherever there are enough.
    """
    ratios = {name: ratios[name] for name in sorted(ratios, key=_place_of_split)}
    targets = np.array(list(split_counts(len(strata), ratios).values()), dtype=np.int64)
    generator = np.random.default_rng(seed)
    stratum_of_sample = _codes(strata)
    if groups is None:
        splits = _dealt(stratum_of_sample, np.ones(len(strata), dtype=np.int64), targets, generator)
    else:
        group_of_sample = _codes(groups)
        sizes = np.bincount(group_of_sample)
        stratum = _rarest_stratum(stratum_of_sample, group_of_sample, len(sizes))
        dealt = _dealt(stratum, sizes, targets, generator)
        wanted = np.array([ratio > 0 for ratio in ratios.values()])
        splits = _mended(dealt, sizes, targets, wanted)[group_of_sample]
    return np.array(list(ratios), dtype=object)[splits].tolist()


def _place_of_split(name: str) -> int:
    return SPLITS.index(name) if name in SPLITS else len(SPLITS)


def _codes(keys: Sequence[str] | pl.Series) -> np.ndarray:
    """A number per key: equal keys have equal numbers, in the order of the keys."""
    values = pl.Series(keys)
    if not values.dtype.is_integer():
        values = values.cast(pl.String).cast(pl.Enum(values.unique().sort())).to_physical()
    return values.cast(pl.Int64).to_numpy()


def _rarest_stratum(strata: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """For each of ``count`` groups the stratum among its samples' that has the fewest samples in all."""
    by_rarity = np.argsort(np.bincount(strata), kind="stable")
    rank = np.empty_like(by_rarity)
    rank[by_rarity] = np.arange(len(by_rarity))
    lowest = np.full(count, len(by_rarity))
    np.minimum.at(lowest, groups, rank[strata])
    return by_rarity[lowest]


def _dealt(
    strata: np.ndarray, sizes: np.ndarray, targets: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """The number of a split per group of so many samples, drawn at random.

    Each group gets its place within its own stratum, as a fraction of that stratum. Dealt out in that
    order, every stretch of the sequence holds every stratum in proportion. With groups of one sample
    the splits have exactly their ``targets``; else each is off by half a group on either side.
    """
    count = len(strata)
    order = np.argsort(strata + generator.random(count))  # by stratum, and at random within
    totals = np.bincount(strata, weights=sizes)
    before = np.cumsum(totals) - totals
    stratum = strata[order]
    # Somewhere within what the group takes of its stratum, so that small strata do not all meet.
    reached = np.cumsum(sizes[order]) - sizes[order] * generator.random(count)
    order = order[np.argsort((reached - before[stratum]) / totals[stratum])]
    middle = np.cumsum(sizes[order]) - sizes[order] / 2
    splits = np.empty(len(strata), dtype=np.int64)
    splits[order] = np.searchsorted(np.cumsum(targets)[:-1], middle, side="right")
    return splits


def _mended(splits: np.ndarray, sizes: np.ndarray, targets: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """``splits`` with groups moved or exchanged until that brings no split's size nearer to its target."""
    splits = splits.copy()
    for split in np.flatnonzero(wanted):
        members = np.bincount(splits, minlength=len(targets))
        if members[split] == 0 and members.max() > 1:
            candidates = np.flatnonzero(splits == members.argmax())
            splits[candidates[np.abs(sizes[candidates] - targets[split]).argmin()]] = split
    while True:
        excess = np.bincount(splits, weights=sizes, minlength=len(targets)) - targets
        best = max(
            (
                _best_exchange(splits, sizes, excess, source, target)
                for source in np.flatnonzero(excess > 0).tolist()
                for target in np.flatnonzero(wanted & (excess < 0)).tolist()
            ),
            key=lambda exchange: exchange[0],
            default=(0.0, {}),
        )
        if best[0] <= 0:
            return splits
        for group, split in best[1].items():
            splits[group] = split


def _best_exchange(
    splits: np.ndarray, sizes: np.ndarray, excess: np.ndarray, source: int, target: int
) -> tuple[float, dict[int, int]]:
    """What to move from ``source`` to ``target``, and what back: the gain in size, and group to split."""
    ours, theirs = np.flatnonzero(splits == source), np.flatnonzero(splits == target)
    # One group of each size stands for all; sizes that differ are few, as they add up to the samples.
    our_sizes, ours_at = np.unique(sizes[ours], return_index=True)
    their_sizes, theirs_at = np.unique(sizes[theirs], return_index=True)
    back = np.concatenate(([0], their_sizes))
    moved = our_sizes[:, None] - back[None, :]
    if len(ours) == 1:
        moved[:, 0] = 0  # the last group of a split is exchanged, never moved away
    before = abs(excess[source]) + abs(excess[target])
    gain = before - np.abs(excess[source] - moved) - np.abs(excess[target] + moved)
    row, column = np.unravel_index(gain.argmax(), gain.shape)
    exchange = {int(ours[ours_at[row]]): target}
    if column > 0:
        exchange[int(theirs[theirs_at[column - 1]])] = source
    return float(gain[row, column]), exchange
