"""The names of splits, how foreign spellings map to them, and how many samples a ratio means."""

import random
from collections.abc import Mapping, Sequence

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


def assign_splits(groups: Sequence[str], ratios: Mapping[str, float], seed: int) -> list[str]:
    """One split per element of ``groups``, by ratio, with each group spread evenly over the splits.

    ``groups`` holds a class name (or any key) per sample. The split sizes are exactly those of
    `split_counts` for the whole; within each group they are as near to the ratios as that permits.
    The same input and seed give the same assignment.
    """
    generator = random.Random(seed)  # noqa: S311 (nothing secret is drawn)
    members: dict[str, list[int]] = {}
    for position, group in enumerate(groups):
        members.setdefault(group, []).append(position)
    # Each sample gets its place within its own group as a fraction of that group. Dealt out in that
    # order, every stretch of the sequence holds every group in proportion.
    placed: list[tuple[float, float, int]] = []
    for group in sorted(members):
        positions = members[group]
        generator.shuffle(positions)
        placed += [
            ((place + 0.5) / len(positions), generator.random(), p) for place, p in enumerate(positions)
        ]
    order = [position for *_, position in sorted(placed)]
    result = [""] * len(groups)
    start = 0
    for name, count in split_counts(len(groups), ratios).items():
        for position in order[start : start + count]:
            result[position] = name
        start += count
    return result
