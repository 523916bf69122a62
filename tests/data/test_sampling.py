from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.data import Bbox, Classification, Dataset, DatasetInfo, Sample, TaskInfo
from sightline.errors import SightlineError

CLASSES = [str(number) for number in range(10)]
INFO = DatasetInfo(
    dataset_name="digits",
    tasks=[TaskInfo.from_class_names(Classification, CLASSES), TaskInfo.from_class_names(Bbox, CLASSES)],
)


def _digits(counts: dict[tuple[str, str], int]) -> Dataset:
    return Dataset.from_samples(
        (
            Sample(
                file_path=None,
                height=8,
                width=8,
                split=split,
                classifications=[Classification(class_name=name)],
            )
            for (split, name), count in counts.items()
            for _ in range(count)
        ),
        INFO,
    )


def _keys(dataset: Dataset) -> Counter[tuple[str, str | None]]:
    return Counter((s.split, (s.classifications or [])[0].class_name) for s in dataset)


DIGITS = {("train", name): 126 for name in CLASSES} | {
    (split, name): 27 for split in ("validation", "test") for name in CLASSES
}


def test_every_class_of_every_split_and_otherwise_in_proportion() -> None:
    sample = _digits(DIGITS).create_sample_dataset(60)
    counts = _keys(sample)
    assert len(sample) == 60
    assert set(counts) == set(DIGITS)
    assert sum(count for (split, _), count in counts.items() if split == "train") > 30
    assert all(s.tags == ["sample"] for s in sample)


def test_few_samples_cover_splits_first_then_classes() -> None:
    dataset = _digits(DIGITS)
    assert {split for split, _ in _keys(dataset.create_sample_dataset(3))} == {"train", "validation", "test"}
    for count in (10, 12):
        assert {name for _, name in _keys(dataset.create_sample_dataset(count))} == set(CLASSES)


def test_the_same_seed_gives_the_same_samples() -> None:
    dataset = _digits(DIGITS)
    first, again, other = (dataset.create_sample_dataset(60, seed=seed).samples for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)
    assert first["sample_index"].is_sorted()


def test_a_rare_class_in_one_crowded_picture() -> None:
    def box(name: str) -> Bbox:
        return Bbox(top_left_x=0, top_left_y=0, width=1, height=1, class_name=name)

    plain = [Sample(file_path=None, height=8, width=8, split="train", bboxes=[box("0")]) for _ in range(500)]
    plain[321].bboxes = [box("0"), box("7")]
    sample = Dataset.from_samples(plain, INFO).create_sample_dataset(2)
    assert 321 in sample.samples["sample_index"]


def test_a_tag_is_not_given_twice_and_all_samples_are_taken_where_there_are_few() -> None:
    dataset = _digits({("train", "1"): 3})
    twice = dataset.create_sample_dataset(60).create_sample_dataset(60)
    assert [s.tags for s in twice] == [["sample"]] * 3


def test_a_sample_of_nothing_is_refused() -> None:
    with pytest.raises(SightlineError, match="a sample of 0 images was asked for"):
        _digits({("train", "1"): 3}).create_sample_dataset(0)


@settings(max_examples=25, deadline=None)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["train", "test"]), st.sampled_from(CLASSES[:4])),
        st.integers(1, 20),
        min_size=1,
    ),
    st.integers(1, 40),
    st.integers(0, 3),
)
def test_as_many_as_asked_for_and_as_much_as_possible_covered(
    counts: dict[tuple[str, str], int], n: int, seed: int
) -> None:
    dataset = _digits(counts)
    found = _keys(dataset.create_sample_dataset(n, seed))
    assert sum(found.values()) == min(n, len(dataset))
    splits, classes = {split for split, _ in counts}, {name for _, name in counts}
    if n >= len(splits) + len(classes):
        assert {split for split, _ in found} == splits
        assert {name for _, name in found} == classes
    if n >= len(splits) + len(classes) + len(counts):
        assert set(found) == set(counts)
