"""Randomness that depends on (seed, epoch, index) alone: not on workers, ranks or what came before.

The numbers are those of SplitMix64 (Steele, Lea and Flood 2014, https://doi.org/10.1145/2714064.2660195),
which is a hash of a counter: any item's number is had without those before it, for all items at once.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ORDER, _ITEM = 1, 2  # so that an item's place in the order says nothing about its augmentation


def scrambled(values: np.ndarray) -> np.ndarray:
    """The SplitMix64 hash of each value, uint64."""
    state = values + _GOLDEN  # arrays wrap around silently, which is what is wanted
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def item_seeds(seed: int, epoch: int, indices: np.ndarray) -> np.ndarray:
    """One uint64 per index: what an item's augmentation draws from in that epoch."""
    return _numbers(seed, epoch, _ITEM, indices)


def shuffled(count: int, seed: int, epoch: int) -> np.ndarray:
    """The numbers 0 to ``count`` - 1 in the order of that epoch, int64."""
    return np.argsort(_numbers(seed, epoch, _ORDER, np.arange(count)), kind="stable")


def _numbers(seed: int, epoch: int, use: int, indices: np.ndarray) -> np.ndarray:
    key = np.zeros(1, dtype=np.uint64)
    for part in (seed, epoch, use):
        key = scrambled(key ^ np.uint64(part % (1 << 64)))
    return scrambled(key ^ np.asarray(indices).astype(np.uint64))


@contextmanager
def generators_kept() -> Iterator[None]:
    """Leave the global generators of torch, numpy and Python as they were found."""
    state, numpy_state, python_state = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield
    finally:
        torch.set_rng_state(state)
        np.random.set_state(numpy_state)
        random.setstate(python_state)


def seed_generators(seed: int) -> None:
    """Seed what transforms draw from: the global generators of torch (CPU), numpy and Python.

    Seven microseconds; ``torch.manual_seed`` would take two hundred, for devices that no transform of
    an item uses.
    """
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    random.seed(seed)
