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


def test_each_group_goes_to_one_split_and_the_sizes_are_exact_where_groups_permit() -> None:
    groups = [str(n // 4) for n in range(400)]
    splits = assign_splits(["x"] * 400, {"train": 0.7, "validation": 0.2, "test": 0.1}, 0, groups)
    assert len(set(zip(groups, splits, strict=True))) == 100
    assert Counter(splits) == {"train": 280, "validation": 80, "test": 40}


def test_every_split_gets_a_group_where_there_are_enough() -> None:
    groups = ["a"] * 100 + ["b"] * 100 + ["c"] * 100
    for seed in range(5):
        splits = assign_splits(["x"] * 300, {"train": 0.7, "validation": 0.2, "test": 0.1}, seed, groups)
        assert Counter(splits) == {"train": 100, "validation": 100, "test": 100}


def test_large_groups_are_dealt_with_first_and_small_ones_make_up_for_them() -> None:
    groups = ["huge"] * 700 + [str(n) for n in range(300)]
    splits = assign_splits(["x"] * 1000, {"train": 0.7, "validation": 0.2, "test": 0.1}, 1, groups)
    assert Counter(splits) == {"train": 700, "validation": 200, "test": 100}


def test_rare_classes_are_spread_over_groups_too() -> None:
    groups = [str(n // 2) for n in range(400)]
    strata = ["rare" if n // 2 % 20 == 0 and n % 2 else "common" for n in range(400)]
    splits = assign_splits(strata, {"train": 0.8, "test": 0.2}, 5, groups)
    assert Counter(s for s, name in zip(splits, strata, strict=True) if name == "rare") == {
        "train": 8,
        "test": 2,
    }


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(0, 3))
def test_sizes_cannot_be_bettered_by_moving_a_group(sizes: list[int], seed: int) -> None:
    groups = [str(number) for number, size in enumerate(sizes) for _ in range(size)]
    ratios = {"train": 0.6, "validation": 0.3, "test": 0.1}
    splits = assign_splits(groups, ratios, seed, groups)
    of_group = dict(zip(groups, splits, strict=True))
    assert [of_group[group] for group in groups] == splits
    members = Counter(of_group.values())
    assert len(members) == min(3, len(sizes))
    targets, found = split_counts(len(groups), ratios), Counter(splits)
    for number, size in enumerate(sizes):
        here = of_group[str(number)]
        for there in set(ratios) - {here}:
            if members[here] > 1:
                off = abs(found[here] - targets[here]) + abs(found[there] - targets[there])
                moved = abs(found[here] - size - targets[here]) + abs(found[there] + size - targets[there])
                assert moved >= off
