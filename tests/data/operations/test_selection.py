import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.data import Dataset, DatasetInfo, Sample
from sightline.errors import SightlineError

INFO = DatasetInfo(dataset_name="plain")


def _plain(count: int) -> Dataset:
    return Dataset.from_samples([Sample(file_path=f"{n}.png", height=1, width=1) for n in range(count)], INFO)


def _files(dataset: Dataset) -> list[int]:
    return [int(name.removesuffix(".png")) for name in dataset.samples["file_path"]]


def test_shuffle_keeps_every_sample_and_its_number() -> None:
    dataset = _plain(100)
    shuffled = dataset.shuffle(seed=1)
    assert _files(shuffled) == shuffled.samples["sample_index"].to_list()
    assert sorted(_files(shuffled)) == list(range(100)) != _files(shuffled)
    assert shuffled.samples.equals(dataset.shuffle(seed=1).samples)
    assert not shuffled.samples.equals(dataset.shuffle(seed=2).samples)


def test_select_takes_positions_in_their_order() -> None:
    assert _files(_plain(5).select([3, 0, -1])) == [3, 0, 4]
    assert len(_plain(5).select([])) == 0


def test_a_sample_selected_twice_is_two_samples() -> None:
    twice = _plain(5).select([3, 3, 0])
    assert _files(twice) == [3, 3, 0]
    assert twice.samples["sample_index"].to_list() == [0, 1, 2]


@pytest.mark.parametrize("position", [5, -6])
def test_a_position_that_is_not_there_is_refused(position: int) -> None:
    with pytest.raises(SightlineError, match=f"'plain' has no sample at position {position}; it has 5"):
        _plain(5).select([0, position])


@pytest.mark.parametrize(
    ("start", "stop", "step"), [(None, 3, 1), (2, -1, 3), (20, None, 1), (None, None, -1), (5, 1, -2)]
)
def test_select_range_is_a_slice(start: int | None, stop: int | None, step: int) -> None:
    numbers = list(range(10))
    assert _files(_plain(10).select_range(start, stop, step)) == numbers[start:stop:step]


def test_a_step_of_0_is_refused() -> None:
    with pytest.raises(SightlineError, match="step is 0; give 1"):
        _plain(3).select_range(step=0)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 30), st.integers(0, 40), st.integers(0, 3))
def test_sample_takes_as_many_as_there_are_in_their_order(count: int, n: int, seed: int) -> None:
    dataset = _plain(count)
    found = _files(dataset.sample(n, seed=seed))
    assert len(found) == min(n, count)
    assert found == sorted(set(found))
    assert found == _files(dataset.sample(n, seed=seed))


def test_sample_by_fraction_and_with_replacement() -> None:
    dataset = _plain(10)
    assert len(dataset.sample(fraction=0.25)) == 2
    more = dataset.sample(25, with_replacement=True)
    assert len(more) == 25
    assert more.samples["sample_index"].to_list() == list(range(25))
    assert len(_plain(0).sample(5, with_replacement=True)) == 0
    assert len({tuple(_files(dataset.sample(5, seed=seed))) for seed in range(20)}) > 10


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "give either n"),
        ({"n": 1, "fraction": 0.5}, "give either n"),
        ({"n": -1}, "a sample of -1 images was asked for"),
        ({"fraction": -0.5}, "a sample of -5 images was asked for"),
    ],
)
def test_a_size_that_cannot_be_is_one_sentence(arguments: dict, sentence: str) -> None:
    with pytest.raises(SightlineError, match=sentence):
        _plain(10).sample(**arguments)
