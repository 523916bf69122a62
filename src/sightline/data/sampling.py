"""Choose a few samples that stand for the whole dataset."""

import random

import polars as pl

from sightline.data.class_counts import class_occurrences
from sightline.errors import SightlineError

_CANDIDATES = 50  # of so many samples that would do, the one is taken that covers most besides


def representative_positions(frame: pl.DataFrame, count: int, seed: int) -> list[int]:
    """Positions (rows) of ``count`` samples, in order; all of them where there are no more.

    Every split comes first, then every class, then every class of every split, as far as ``count``
    reaches; the rest is spread over splits and classes in proportion. The same frame and seed give the
    same samples.

    Raises:
        SightlineError: ``count`` is less than 1.
    """
    if count < 1:
        raise SightlineError(f"a sample of {count} images was asked for; ask for 1 or more.")
    if count >= len(frame):
        return list(range(len(frame)))
    generator = random.Random(seed)  # noqa: S311 (nothing secret is drawn)
    order = list(range(len(frame)))
    generator.shuffle(order)
    splits = frame["split"].to_list()
    classes = _classes_per_sample(frame)
    chosen = _covering(order, splits, classes, count)
    taken = set(chosen)
    for position in _in_proportion(order, splits, classes):
        if len(chosen) == count:
            break
        if position not in taken:
            chosen.append(position)
    return sorted(chosen)


def _classes_per_sample(frame: pl.DataFrame) -> list[tuple[str, ...]]:
    """The classes of each sample, ``task:class``, sorted."""
    classes: list[tuple[str, ...]] = [()] * len(frame)
    occurrences = (
        class_occurrences(frame)
        .select("position", pl.format("{}:{}", "task_name", "class_name").alias("name"))
        .group_by("position")
        .agg(pl.col("name").unique().sort())
    )
    for position, names in occurrences.iter_rows():
        classes[position] = tuple(names)
    return classes


def _covering(order: list[int], splits: list[str], classes: list[tuple[str, ...]], count: int) -> list[int]:
    """At most ``count`` positions that cover splits, then classes, then classes within splits."""
    goals: list[dict[tuple[str, ...], list[int]]] = [{}, {}, {}]
    for position in order:
        split = splits[position]
        goals[0].setdefault((split,), []).append(position)
        for name in classes[position]:
            goals[1].setdefault((name,), []).append(position)
            goals[2].setdefault((split, name), []).append(position)
    chosen: list[int] = []
    covered: set[tuple[str, ...]] = set()

    def keys(position: int) -> set[tuple[str, ...]]:
        split, names = splits[position], classes[position]
        return {(split,), *((name,) for name in names), *((split, name) for name in names)}

    for goal in goals:
        # Rare ones first: a sample of theirs may cover a common one too, hardly ever the reverse.
        for key in sorted(goal, key=lambda key: (len(goal[key]), key)):
            if len(chosen) == count:
                return chosen
            if key not in covered:
                best = max(goal[key][:_CANDIDATES], key=lambda position: len(keys(position) - covered))
                chosen.append(best)
                covered |= keys(best)
    return chosen


def _in_proportion(order: list[int], splits: list[str], classes: list[tuple[str, ...]]) -> list[int]:
    """All positions, such that every stretch holds each (split, classes) in proportion."""
    strata: dict[tuple[str, tuple[str, ...]], list[int]] = {}
    for position in order:
        strata.setdefault((splits[position], classes[position]), []).append(position)
    placed = [
        ((place + 0.5) / len(members), key, position)
        for key, members in strata.items()
        for place, position in enumerate(members)
    ]
    return [position for *_, position in sorted(placed)]
