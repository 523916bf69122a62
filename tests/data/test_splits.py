from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.data.splits import SPLITS, assign_splits, split_counts, split_from_name
from sightline.errors import SightlineError


def test_1001_samples_at_70_20_10() -> None:
    ratios = {"train": 0.7, "validation": 0.2, "test": 0.1}
    assert split_counts(1001, ratios) == {"train": 701, "validation": 200, "test": 100}


def test_1000_samples_lose_none_to_binary_fractions() -> None:
    ratios = {"train": 0.7, "validation": 0.2, "test": 0.1}
    assert split_counts(1000, ratios) == {"train": 700, "validation": 200, "test": 100}


@given(st.integers(0, 10_000), st.lists(st.integers(0, 100), min_size=1, max_size=4).filter(any))
def test_counts_add_up_and_are_within_one_of_the_ratio(total: int, weights: list[int]) -> None:
    ratios = {name: weight / sum(weights) for name, weight in zip(SPLITS, weights, strict=False)}
    counts = split_counts(total, ratios)
    assert sum(counts.values()) == total
    assert all(abs(counts[name] - total * ratio) < 1 + 1e-6 for name, ratio in ratios.items())


@pytest.mark.parametrize(
    ("ratios", "sentence"),
    [
        ({"train": 0.5, "test": 0.4}, "add up to 0.9"),
        ({"train": 0.5, "holdout": 0.5}, "split 'holdout' is not one of train, validation, test"),
        ({"train": 1.5, "test": -0.5}, "the ratio of split 'test' is -0.5"),
    ],
)
def test_wrong_ratios_are_one_sentence(ratios: dict[str, float], sentence: str) -> None:
    with pytest.raises(SightlineError, match=sentence):
        split_counts(10, ratios)


@given(st.lists(st.sampled_from("abc"), max_size=200), st.integers(0, 5))
def test_assignment_has_the_counts_and_is_repeatable(groups: list[str], seed: int) -> None:
    ratios = {"train": 0.7, "validation": 0.2, "test": 0.1}
    splits = assign_splits(groups, ratios, seed)
    assert splits == assign_splits(groups, ratios, seed)
    counts = Counter(splits)
    assert {name: counts[name] for name in ratios} == split_counts(len(groups), ratios)


def test_each_group_is_spread_evenly() -> None:
    groups = ["rare"] * 10 + ["common"] * 990
    splits = assign_splits(groups, {"train": 0.8, "test": 0.2}, seed=3)
    assert Counter(splits[:10]) == {"train": 8, "test": 2}


def test_spellings() -> None:
    assert [split_from_name(name) for name in ("val", "Valid", "TRAINING", "x")] == [
        "validation",
        "validation",
        "train",
        None,
    ]
