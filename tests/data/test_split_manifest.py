import json
import logging
import shutil
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.data import Classification, Dataset, DatasetInfo, Sample, TaskInfo
from sightline.data.leaks import find_leaks
from sightline.data.sample_ids import sample_ids
from sightline.data.split_manifest import SplitManifest
from sightline.errors import SightlineError
from tests.data.factory import write_picture

INFO = DatasetInfo(dataset_name="films", tasks=[TaskInfo.from_class_names(Classification, ["day", "night"])])
SPLIT_OF_VIDEO = ["train", "train", "validation", "test"]


@pytest.fixture
def films(tmp_path: Path) -> Dataset:
    """Four videos of three frames each, as pictures."""
    samples = [
        Sample(
            file_path=str(write_picture(tmp_path / f"films/v{video}/{frame}.png", 10 * video + frame)),
            height=12,
            width=16,
            split=split,
            collection_id=f"v{video}",
            collection_index=frame,
            classifications=[Classification(class_name="day")],
        )
        for video, split in enumerate(SPLIT_OF_VIDEO)
        for frame in range(3)
    ]
    return Dataset.from_samples(samples, INFO)


def _without_splits(dataset: Dataset) -> Dataset:
    return dataset.replace(samples=dataset.samples.with_columns(split=pl.lit("UNDEFINED")))


def _splits(dataset: Dataset) -> dict[tuple[str | None, int | None], str]:
    return {(s.collection_id, s.collection_index): s.split for s in dataset}


def test_it_survives_all_that_can_happen_to_a_dataset(films: Dataset, tmp_path: Path) -> None:
    manifest = tmp_path / "splits.json"
    films.write_split_manifest(manifest)
    expected = _splits(films)
    bare = _without_splits(films)
    shutil.copytree(tmp_path / "films", tmp_path / "moved/elsewhere")
    moved = bare.samples.with_columns(pl.col("file_path").str.replace("films", "moved/elsewhere"))
    other = Dataset.from_samples(
        [Sample(file_path=str(write_picture(tmp_path / "x.png", 99)), height=12, width=16)], INFO
    )
    for changed in (
        bare.shuffle(seed=3),
        bare.write(tmp_path / "written"),
        bare.replace(samples=moved),
        bare.rename_task("image_classification", "time"),
        Dataset.merge([other, bare]),
    ):
        again = changed.apply_split_manifest(manifest, unlisted="drop")
        assert _splits(again) == expected
        assert set(changed.samples["split"]) == {"UNDEFINED"}


def test_the_id_is_the_name_that_write_gives_a_file(films: Dataset, tmp_path: Path) -> None:
    written = films.write(tmp_path / "written")
    assert sample_ids(written.samples).to_list() == sample_ids(films.samples).to_list()
    for path in written.samples["file_path"]:
        Path(path).write_bytes(b"never read")
    assert sample_ids(written.samples).to_list() == sample_ids(films.samples).to_list()
    misnamed = films.samples.with_columns(file_path=pl.lit(f"/x/data/ab/{'c' * 32}.png"))
    with pytest.raises(
        SightlineError, match=r"cccc\.png: cannot be read \(No such file or directory\); restore"
    ):
        sample_ids(misnamed)


def test_frames_of_one_video_file_have_ids_of_their_own(films: Dataset) -> None:
    path = films.samples["file_path"][0]
    frames = films.samples.with_columns(file_path=pl.lit(path), storage_format=pl.lit("video"))
    ids = sample_ids(frames[:3]).to_list()
    assert [number.partition("#")[2] for number in ids] == ["0", "1", "2"]
    assert len({number.partition("#")[0] for number in ids}) == 1


def test_a_filtered_dataset_counts_what_is_missing(films: Dataset, caplog: pytest.LogCaptureFixture) -> None:
    manifest = films.write_split_manifest(Path(films.samples["file_path"][0]).parents[1] / "m.json")
    some = _without_splits(films).filter("collection_index < 2")
    with caplog.at_level(logging.WARNING):
        again = some.apply_split_manifest(manifest.model_dump())
    assert _splits(again) == {key: split for key, split in _splits(films).items() if key[1] != 2}
    assert (
        "4 of 12 samples in the split manifest of 'films' are not in this dataset, the first is"
        in caplog.text
    )
    with pytest.raises(SightlineError, match=r"4 of 12 samples .* apply it to the whole dataset"):
        some.apply_split_manifest(manifest.model_dump(), missing="error")


def test_a_new_frame_goes_where_its_video_is(films: Dataset, tmp_path: Path) -> None:
    manifest = SplitManifest.of(films.filter("collection_index > 0"))
    everything = _without_splits(films).apply_split_manifest(manifest.model_dump())
    assert _splits(everything) == _splits(films)


def test_samples_that_nothing_lists(films: Dataset) -> None:
    manifest = SplitManifest.of(films.filter("collection_id <> 'v3'")).model_dump()
    bare = _without_splits(films)
    with pytest.raises(
        SightlineError, match=r"3 of 12 samples are not in the .*, the first is sample 9 \(.*v3"
    ):
        bare.apply_split_manifest(manifest)
    assert len(bare.apply_split_manifest(manifest, unlisted="drop")) == 9
    left = bare.apply_split_manifest(manifest, unlisted="UNDEFINED")
    assert [s.split for s in left][9:] == ["UNDEFINED"] * 3


def test_a_group_in_two_splits_is_refused(films: Dataset, tmp_path: Path) -> None:
    torn = films.create_splits({"train": 0.5, "test": 0.5}, stratify_by=None)
    with pytest.raises(
        SightlineError, match=r"the splits leak, group in two splits: 'films/v\d' \(train, test\)"
    ):
        torn.write_split_manifest(tmp_path / "m.json")
    assert not (tmp_path / "m.json").exists()
    found = find_leaks(torn.samples)
    assert set(found["problem"]) == {"group in two splits"}
    for row in found.to_dicts():
        first, second = (torn[int(row[f"sample_index_{side}"])] for side in "ab")
        assert (first.split, second.split) == (row["split_a"], row["split_b"])
        assert f"films/{first.collection_id}" == f"films/{second.collection_id}" == row["key"]


def test_an_image_in_two_splits_is_refused_under_any_name(films: Dataset, tmp_path: Path) -> None:
    copy = tmp_path / "films/v3/copy.png"
    shutil.copy(str(films.samples["file_path"][0]), copy)
    (tmp_path / "films/v3/gone.png").write_bytes(b"")
    twice = Dataset.merge([films, films.select([9])])
    twice = twice.replace(
        samples=twice.samples.with_columns(
            file_path=pl.when(pl.col("sample_index") == 12).then(pl.lit(str(copy))).otherwise("file_path")
        )
    )
    with pytest.raises(SightlineError, match=r"image in two splits: '[0-9a-f]{32}' \(train, test\); make"):
        SplitManifest.of(twice)
    found = find_leaks(twice.samples)
    assert found.select("problem", "sample_index_a", "sample_index_b").rows() == [
        ("image in two splits", 0, 12)
    ]


def test_no_leaks_where_there_are_none(films: Dataset) -> None:
    assert len(find_leaks(films.samples)) == 0
    undefined = films.replace(
        samples=films.samples.with_columns(
            split=pl.when(pl.col("collection_index") == 0).then(pl.lit("UNDEFINED")).otherwise("split")
        )
    )
    assert len(find_leaks(undefined.samples)) == 0
    missing = films.replace(
        samples=films.samples.with_columns(file_path=pl.lit("/gone/") + pl.col("file_path"))
    )
    assert len(find_leaks(missing.samples)) == 0
    SplitManifest.of(undefined).check_leaks()


def test_the_same_splits_give_the_same_bytes(films: Dataset, tmp_path: Path) -> None:
    made_with = {"seed": 0, "ratios": {"train": 0.5}}
    films.write_split_manifest(tmp_path / "a.json", made_with=made_with)
    films.shuffle().write(tmp_path / "set").write_split_manifest(tmp_path / "b.json", made_with=made_with)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    content = json.loads((tmp_path / "a.json").read_text())
    assert list(content["splits"]) == ["train", "validation", "test"]
    assert content["made_with"] == made_with
    assert set(content["splits"]["test"].values()) == {"films/v3"}
    assert SplitManifest.load(tmp_path / "a.json") == SplitManifest.load(content)


def test_another_group_key(films: Dataset) -> None:
    with pytest.raises(SightlineError, match=r"no sample has a 'meta\.patient'"):
        SplitManifest.of(films, group_by="meta.patient")
    assert SplitManifest.of(films, group_by="file_path").group_by == "file_path"
    with pytest.raises(SightlineError, match="the splits leak, group in two splits: 'films/0'"):
        SplitManifest.of(films, group_by="collection_index")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda text: text[: len(text) // 2], r"m\.json: not valid JSON at line"),
        (lambda text: text.replace('"test"', '"holdout"'), "field 'splits': split 'holdout' is not one of"),
        (lambda text: text.replace("split manifest", "list"), "not a split manifest, field 'kind'"),
        (
            lambda text: text.replace('"version"', '"versoin"'),
            "not a split manifest, field 'version': Field req",
        ),
        (lambda text: text.replace("films/v3", "films/v4"), "was changed after it was written; restore it"),
        (lambda _: "[]", "not a split manifest"),
    ],
)
def test_a_damaged_manifest_is_one_sentence(films: Dataset, tmp_path: Path, change, sentence: str) -> None:
    path = tmp_path / "m.json"
    films.write_split_manifest(path)
    path.write_text(change(path.read_text()))
    with pytest.raises(SightlineError, match=sentence) as caught:
        films.apply_split_manifest(path)
    assert "\n" not in str(caught.value)


def test_a_manifest_that_cannot_be_read_is_one_sentence(films: Dataset, tmp_path: Path) -> None:
    with pytest.raises(SightlineError, match="nowhere: cannot be read as a split manifest"):
        films.apply_split_manifest(tmp_path / "nowhere")
    (tmp_path / "latin").write_bytes(b'{"kind": "\xe9"}')
    with pytest.raises(SightlineError, match="latin: not UTF-8 text"):
        films.apply_split_manifest(tmp_path / "latin")
    bare = Dataset.from_samples([Sample(file_path=None, height=1, width=1)], INFO)
    with pytest.raises(SightlineError, match="sample 0 has no file_path"):
        SplitManifest.of(bare)


def test_a_manifest_changed_by_hand_is_taken_without_its_digest_and_checked_for_leaks(films: Dataset) -> None:
    content = SplitManifest.of(films).model_dump()
    moved = content["splits"]["test"].popitem()
    content["splits"]["train"][moved[0]] = None
    content["digest"] = None
    again = films.apply_split_manifest(content)
    assert [s.split for s in again].count("train") == 7
    content["splits"]["train"][moved[0]] = moved[1]
    with pytest.raises(SightlineError, match=r"leak, group in two splits: 'films/v3' \(train, test\)"):
        films.apply_split_manifest(content)
    del content["splits"]["train"][moved[0]]
    content["splits"]["train"][next(iter(content["splits"]["validation"]))] = None
    with pytest.raises(SightlineError, match="image in two splits"):
        SplitManifest.load(content).check_leaks()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(12)), st.integers(1, 12))
def test_any_order_and_any_part_gives_every_sample_its_split(
    films: Dataset, order: list[int], count: int
) -> None:
    manifest = SplitManifest.of(films)
    part = _without_splits(films).select(order[:count]).apply_split_manifest(manifest.model_dump())
    expected = _splits(films)
    assert [(s.collection_id, s.collection_index) for s in part] == [divided(n) for n in order[:count]]
    assert all(s.split == expected[s.collection_id, s.collection_index] for s in part)


def divided(number: int) -> tuple[str, int]:
    return f"v{number // 3}", number % 3
