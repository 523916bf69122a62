from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.data.loading import Batches
from sightline.errors import SightlineError


class Items:
    """As much of a `TorchDataset` as a sampler looks at."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.epoch = -1

    def __len__(self) -> int:
        return self.count

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch


def _batches(count: int, size: int, rank: int = 0, world_size: int = 1, **options: Any) -> Batches:
    return Batches(Items(count), size, rank=rank, world_size=world_size, **options)


def _epoch(batches: Batches) -> int:
    assert isinstance(batches.dataset, Items)
    return batches.dataset.epoch


def _flat(batches: list[list[int]]) -> list[int]:
    return [index for batch in batches for index in batch]


counts, sizes, ranks = st.integers(0, 70), st.integers(1, 9), st.integers(1, 5)


@given(counts, sizes, ranks, st.booleans())
def test_ranks_together_have_every_item_once(count: int, size: int, ranks: int, shuffle: bool) -> None:
    shards = [_batches(count, size, rank, ranks, shuffle=shuffle, last="keep") for rank in range(ranks)]
    batches = [list(shard) for shard in shards]
    assert sorted(_flat([_flat(shard) for shard in batches])) == list(range(count))
    assert [len(shard) for shard in batches] == [len(shard) for shard in shards]
    # Step by step they see what one rank would with batches so many times as large.
    alone = list(_batches(count, size * ranks, shuffle=shuffle, last="keep"))
    for step, batch in enumerate(alone):
        assert sorted(batch) == sorted(_flat([shard[step] for shard in batches if step < len(shard)]))


@given(counts, sizes, ranks)
def test_padded_ranks_have_equal_batches(count: int, size: int, ranks: int) -> None:
    shards = [_batches(count, size, rank, ranks, shuffle=True, last="pad") for rank in range(ranks)]
    batches = [list(shard) for shard in shards]
    assert len({tuple(map(len, shard)) for shard in batches}) == 1
    assert [len(shard) for shard in batches] == [len(shard) for shard in shards]
    everything = _flat([_flat(shard) for shard in batches])
    assert set(everything) == set(range(count))
    assert len(everything) - count < ranks


@given(st.integers(45, 100), sizes, ranks)
def test_training_batches_are_all_full(count: int, size: int, ranks: int) -> None:
    shards = [_batches(count, size, rank, ranks, shuffle=True) for rank in range(ranks)]
    batches = [list(shard) for shard in shards]
    assert {len(batch) for shard in batches for batch in shard} == {size}
    assert {len(shard) for shard in batches} == {len(shard) for shard in shards} == {count // (size * ranks)}
    everything = _flat([_flat(shard) for shard in batches])
    assert len(set(everything)) == len(everything)


@given(st.integers(20, 60), st.integers(0, 12), st.integers(0, 2**63))
def test_resumed_is_as_uninterrupted(count: int, consumed: int, seed: int) -> None:
    uninterrupted = _batches(count, 4, shuffle=True, seed=seed)
    epochs = [list(uninterrupted) for _ in range(3)]
    interrupted = _batches(count, 4, shuffle=True, seed=seed)
    list(interrupted)
    consumed = min(consumed, len(interrupted))
    begun = iter(interrupted)
    for _ in range(min(consumed + 2, len(interrupted))):  # a loader takes batches ahead of their use
        next(begun)
    state = interrupted.state_dict(consumed)
    resumed = _batches(count, 4, shuffle=True, seed=seed + 1)
    resumed.load_state_dict(state)
    expected = epochs[1][consumed:] + epochs[2]
    assert [*resumed, *(resumed if consumed < len(resumed) else ())] == expected
    assert _epoch(resumed) == 2


def test_two_ranks_go_on_where_one_was() -> None:
    alone = _batches(40, 8, shuffle=True)
    epoch = list(alone)
    pair = [_batches(40, 4, rank, 2, shuffle=True) for rank in range(2)]
    for shard in pair:
        shard.load_state_dict(alone.state_dict(3) | {"epoch": 0})
    rest = [first + second for first, second in zip(*pair, strict=True)]
    assert [sorted(batch) for batch in rest] == [sorted(batch) for batch in epoch[3:]]
    with pytest.raises(
        SightlineError, match="batches of 8 over all ranks from 40 items, but now there are 16"
    ):
        _batches(40, 8, 0, 2).load_state_dict(alone.state_dict())


def test_each_pass_is_another_epoch_and_the_dataset_hears_of_it() -> None:
    batches = _batches(30, 5, shuffle=True)
    first, second = list(batches), list(batches)
    assert first != second
    assert _epoch(batches) == 1
    batches.set_epoch(0)
    assert list(batches) == first
    assert _epoch(batches) == 0


@given(counts, sizes, ranks, st.sampled_from(["keep", "drop", "pad"]))
def test_it_says_how_many_items_a_batch_has_on_all_ranks(
    count: int, size: int, ranks: int, last: Any
) -> None:
    if last == "drop" and count < size * ranks:
        return
    shards = [_batches(count, size, rank, ranks, last=last) for rank in range(ranks)]
    batches = [list(shard) for shard in shards]
    for step in range(max(map(len, batches))):
        here = sum(len(shard[step]) for shard in batches if step < len(shard))
        assert {shard.batch_items(step) for shard in shards} == {here}
    with pytest.raises(IndexError, match=f"batch {len(batches[0])} of"):
        shards[0].batch_items(len(batches[0]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epoch": None}, "has None as 'epoch', which is a number from 0 on in a state_dict"),
        ({"batches": -1}, "has -1 as 'batches', which is a number from 0 on"),
        ({"batches": 1.0}, "has 1.0 as 'batches'"),
        ({"batches": 11}, "is 11 batches of 4 into an epoch of 40 items"),
        ({"epoch": True}, "has True as 'epoch'"),
        ({"seed": "7"}, "has '7' as 'seed', which is of type int"),
        (
            {"items": 41},
            "of 4 over all ranks from 41 items, but now there are 4 from 40; resume with the same",
        ),
        ({"shuffle": True}, "had shuffle=True, but now it is False; resume with the same"),
    ],
)
def test_a_state_that_cannot_be_is_refused(change: dict[str, Any], message: str) -> None:
    batches = _batches(40, 4)
    before = batches.state_dict()
    with pytest.raises(SightlineError, match=message):
        batches.load_state_dict(before | change)
    assert batches.state_dict() == before


def test_a_state_of_something_else_is_refused() -> None:
    batches = _batches(40, 4)
    for state, message in (({"seed": 0}, "has no 'epoch'"), (None, "is NoneType and no state_dict")):
        with pytest.raises(SightlineError, match=message):
            batches.load_state_dict(state)  # pyright: ignore[reportArgumentType]


def test_what_cannot_be_is_one_sentence() -> None:
    with pytest.raises(SightlineError, match=r"10 items do not fill one batch of 8 on 2 rank\(s\)"):
        _batches(10, 8, 0, 2, shuffle=True)
    with pytest.raises(SightlineError, match="ranks count from 0"):
        _batches(10, 8, 2, 2)
    with pytest.raises(SightlineError, match="batch_size 0"):
        _batches(10, 0)
