import random

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from sightline.data.loading.seeding import (
    generators_kept,
    item_seeds,
    scrambled,
    seed_generators,
    shuffled,
)


def test_the_numbers_are_those_of_splitmix64() -> None:
    """The first outputs of the reference implementation (prng.di.unimi.it/splitmix64.c) for seed 0."""
    states = np.arange(3, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    assert [hex(number) for number in scrambled(states).tolist()] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
        "0x6c45d188009454f",
    ]


@given(st.integers(-(2**70), 2**70), st.integers(0, 10**6))
def test_seeds_differ_by_seed_epoch_and_index(seed: int, epoch: int) -> None:
    numbers = np.arange(50)
    seeds = [item_seeds(seed, epoch, numbers), item_seeds(seed, epoch + 1, numbers)]
    seeds.append(item_seeds(seed + 1, epoch, numbers))
    assert len(set(np.concatenate(seeds).tolist())) == 150
    assert (item_seeds(seed, epoch, numbers[::-1]) == seeds[0][::-1]).all()


@given(st.integers(0, 300), st.integers(0, 2**63))
def test_an_order_has_everything_once(count: int, seed: int) -> None:
    order = shuffled(count, seed, 0)
    assert sorted(order.tolist()) == list(range(count))
    assert count < 20 or (order != shuffled(count, seed, 1)).any()


def test_an_order_is_the_same_on_every_machine_and_version() -> None:
    assert shuffled(8, seed=0, epoch=0).tolist() == [2, 1, 5, 6, 3, 4, 0, 7]


def test_the_global_generators_are_seeded_and_put_back() -> None:
    def draws() -> tuple[float, ...]:
        return torch.rand(1).item(), float(np.random.rand()), random.random()

    seed_generators(2**64 - 1)
    first = draws()
    with generators_kept():
        seed_generators(2**64 - 1)
        assert draws() == first
    then = draws()
    seed_generators(2**64 - 1)
    draws()
    assert draws() == then
