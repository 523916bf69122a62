from collections import Counter

import polars as pl
import pytest

from sightline.data import Bbox, Classification, Dataset, DatasetInfo, Sample, TaskInfo
from sightline.data.splits import split_counts
from sightline.errors import SightlineError
from tests.needs import shared_data

RATIOS = {"train": 0.7, "validation": 0.2, "test": 0.1}
INFO = DatasetInfo(
    dataset_name="made-up",
    tasks=[
        TaskInfo.from_class_names(Classification, ["day", "night"]),
        TaskInfo.from_class_names(Bbox, ["car", "bus", "tram"]),
    ],
)


def _sample(number: int = 0, **fields) -> Sample:
    return Sample(**({"file_path": f"{number}.png", "height": 1, "width": 1} | fields))


def _videos(counts: list[int], split: str = "UNDEFINED") -> Dataset:
    """Videos of so many frames each, their frames mixed."""
    samples = [
        _sample(frame, collection_id=f"video{video}", split=split, meta={"site": {"name": video % 3}})
        for video, count in enumerate(counts)
        for frame in range(count)
    ]
    return Dataset.from_samples(samples, INFO).shuffle()


def _sizes(dataset: Dataset) -> dict[str, int]:
    return dict(Counter(dataset.samples["split"]))


def _box(name: str) -> Bbox:
    return Bbox(top_left_x=0, top_left_y=0, width=1, height=1, class_name=name)


def test_1001_samples_are_701_200_100() -> None:
    dataset = Dataset.from_samples([_sample(n) for n in range(1001)], INFO)
    assert _sizes(dataset.create_splits(RATIOS)) == {"train": 701, "validation": 200, "test": 100}


def test_the_seed_decides_and_the_order_of_the_ratios_does_not() -> None:
    dataset = Dataset.from_samples([_sample(n) for n in range(100)], INFO)
    backwards = dict(reversed(RATIOS.items()))
    first = dataset.create_splits(RATIOS, seed=1).samples
    assert first.equals(dataset.create_splits(backwards, seed=1).samples)
    assert not first.equals(dataset.create_splits(RATIOS, seed=2).samples)


def test_a_frame_in_pieces_is_split_alike_and_stays_in_pieces() -> None:
    boxes = [[_box("car")], [_box("bus"), _box("tram")], [], None]
    dataset = Dataset.from_samples([_sample(n, bboxes=boxes[n % 4]) for n in range(100)], INFO)
    frame = dataset.samples
    pieces = pl.concat([frame[:30], frame[30:31], frame[31:]], rechunk=False)
    split = dataset.replace(samples=pieces).create_splits(RATIOS).samples
    assert split.equals(dataset.create_splits(RATIOS).samples)
    assert {column.n_chunks() for column in split} == {3}
    empty = Dataset.from_samples([], INFO)
    assert len(empty.create_splits(RATIOS)) == 0


def test_frames_of_one_video_never_cross_a_split() -> None:
    dataset = _videos([30] * 20 + [7] * 3).create_splits(RATIOS, group_by="collection_id")
    per_video = dataset.samples.group_by("collection_id").agg(pl.col("split").n_unique())
    assert (per_video["split"] == 1).all()
    targets = split_counts(30 * 20 + 7 * 3, RATIOS)
    assert all(abs(size - targets[name]) <= 3 for name, size in _sizes(dataset).items())


def test_the_videos_of_two_datasets_are_not_the_same_group() -> None:
    one = _videos([10, 10])
    other = one.replace(samples=one.samples.with_columns(dataset_name=pl.lit("other")))
    both = Dataset.merge([one, other])
    split = both.create_splits({"train": 0.75, "test": 0.25}, group_by="collection_id")
    assert _sizes(split) == {"train": 30, "test": 10}


def test_groups_by_folder_by_meta_and_by_field() -> None:
    samples = [_sample(file_path=f"/data/{n % 4}/{n}.png", meta={"patient": f"p{n % 4}"}) for n in range(40)]
    dataset = Dataset.from_samples(samples, INFO)
    by_folder = dataset.create_splits({"train": 0.5, "test": 0.5}, group_by="file_path")
    by_patient = dataset.create_splits({"train": 0.5, "test": 0.5}, group_by="meta.patient")
    assert by_folder.samples.equals(by_patient.samples)
    assert _sizes(by_folder) == {"train": 20, "test": 20}
    nested = _videos([4] * 6).create_splits({"train": 2 / 3, "test": 1 / 3}, group_by="meta.site.name")
    assert nested.samples.group_by("meta").agg(pl.col("split").n_unique())["split"].to_list() == [1, 1, 1]


def test_samples_without_a_group_are_alone() -> None:
    samples = [_sample(n) for n in range(90)] + [_sample(n, collection_id="v") for n in range(10)]
    dataset = Dataset.from_samples(samples, INFO).create_splits(RATIOS, group_by="collection_id")
    assert _sizes(dataset) == {"train": 70, "validation": 20, "test": 10}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"group_by": "colection_id"}, "samples have no column 'colection_id'; there are sample_index"),
        ({"group_by": "video_info.fps"}, "samples have no field 'video_info.fps'"),
        ({"group_by": "remote_path"}, "no sample has a 'remote_path'"),
        ({"group_by": "meta.patient"}, "no sample has a 'meta.patient'"),
        ({"group_by": "bboxes"}, "'bboxes' holds List values"),
        ({"stratify_by": "weather"}, "samples have no column 'weather'"),
        ({"within": "test"}, "dataset 'made-up' has no split 'test'; it has UNDEFINED"),
        ({"ratios": {"train": 0.5}}, "add up to 0.5"),
        ({"ratios": {"holdout": 1}}, "split 'holdout' is not one of"),
    ],
)
def test_what_cannot_be_split_by_is_one_sentence(arguments: dict, sentence: str) -> None:
    with pytest.raises(SightlineError, match=sentence):
        _videos([3, 3]).create_splits(**({"ratios": RATIOS} | arguments))


def test_rare_boxes_are_spread_over_the_splits() -> None:
    samples = [_sample(n, bboxes=[_box("car")] * 3 + [_box("bus")] * (n % 5 == 0)) for n in range(500)]
    for number in range(10):
        samples[number * 50].bboxes = [_box("car"), _box("tram")]
    dataset = Dataset.from_samples(samples, INFO).shuffle().create_splits({"train": 0.8, "test": 0.2})
    of_class = Counter((s.split, box.class_name) for s in dataset for box in s.bboxes or ())
    assert (of_class["train", "tram"], of_class["test", "tram"]) == (8, 2)
    assert (of_class["train", "bus"], of_class["test", "bus"]) == (72, 18)


def test_stratify_by_a_key_or_by_nothing() -> None:
    samples = [_sample(n, meta={"site": "a" if n < 10 else "b"}) for n in range(100)]
    dataset = Dataset.from_samples(samples, INFO)
    spread = dataset.create_splits({"train": 0.8, "test": 0.2}, stratify_by="meta.site")
    assert Counter(s.split for s in spread if s.meta == {"site": "a"}) == {"train": 8, "test": 2}
    found = {
        Counter(
            s.split
            for s in dataset.create_splits({"train": 0.8, "test": 0.2}, seed, stratify_by=None)
            if s.meta == {"site": "a"}
        )["test"]
        for seed in range(10)
    }
    assert len(found) > 1


def test_classes_known_by_index_or_without_a_fixed_list() -> None:
    free = DatasetInfo(dataset_name="free", tasks=[TaskInfo(primitive=Classification)])
    samples = [
        _sample(n, classifications=[Classification(class_name="rare" if n < 10 else "common")])
        for n in range(100)
    ]
    dataset = Dataset.from_samples(samples, free).create_splits({"train": 0.8, "test": 0.2})
    rare = [s.split for s in dataset if (s.classifications or [])[0].class_name == "rare"]
    assert Counter(rare) == {"train": 8, "test": 2}


def test_within_divides_one_split_and_leaves_the_others() -> None:
    dataset = Dataset.from_samples([_sample(n) for n in range(100)], INFO)
    halves = dataset.create_splits({"train": 0.8, "test": 0.2})
    thirds = halves.create_splits({"validation": 0.5, "test": 0.5}, within="test")
    assert _sizes(thirds) == {"train": 80, "validation": 10, "test": 10}
    train = halves.samples["split"] == "train"
    assert thirds.samples.filter(train).equals(halves.samples.filter(train))
    assert set(halves.samples["split"]) == {"train", "test"}


def test_within_refuses_to_divide_a_group() -> None:
    frames = _videos([10, 10])
    torn = frames.create_splits({"train": 0.5, "UNDEFINED": 0.5})
    with pytest.raises(SightlineError, match=r"2 groups have samples in 'UNDEFINED' and in other splits"):
        torn.create_splits({"train": 0.5, "test": 0.5}, group_by="collection_id", within="UNDEFINED")


def test_split_datasets_by_name_and_by_spelling() -> None:
    dataset = Dataset.from_samples([_sample(n) for n in range(10)], INFO).create_splits(RATIOS)
    assert len(dataset.create_split_dataset("val")) == 2
    assert len(dataset.create_split_dataset(["val", "test"])) == 3
    with pytest.raises(SightlineError, match="has no split 'holdout'; it has train, validation, test"):
        dataset.create_split_dataset("holdout")


def test_real_drone_videos_by_group() -> None:
    root = shared_data("drone-ir/frames")
    samples = [
        _sample(file_path=str(path), collection_id=path.parent.name) for path in sorted(root.rglob("*.png"))
    ]
    dataset = Dataset.from_samples(samples, INFO).create_splits(RATIOS, seed=3, group_by="collection_id")
    videos = dataset.samples.group_by("collection_id").agg(pl.col("split").unique())
    assert videos["split"].list.len().to_list() == [1] * 12
    sizes = _sizes(dataset)
    assert set(sizes) == set(RATIOS)
    longest = dataset.samples["collection_id"].value_counts()["count"].max()
    assert all(abs(sizes[name] - ratio * len(dataset)) <= longest for name, ratio in RATIOS.items())  # type: ignore[operator]
