from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from sightline.data import Dataset, DatasetInfo, Sample
from sightline.data.operations.hashes import near_pairs, perceptual_hash
from sightline.errors import SightlineError
from tests.needs import shared_data


def _dataset(paths: list[Path], splits: list[str] | None = None) -> Dataset:
    samples = []
    for number, path in enumerate(paths):
        with Image.open(path) as image:
            width, height = image.size
        split = splits[number] if splits else "train"
        samples.append(Sample(file_path=str(path), height=height, width=width, split=split))
    return Dataset.from_samples(samples, DatasetInfo(dataset_name="twins"))


@pytest.fixture
def copies(tmp_path: Path) -> list[Path]:
    """One picture as it is, again, as PNG, smaller and compressed, and brighter; and two others."""
    first, second, third = sorted((shared_data("bccd") / "JPEGImages").glob("*.jpg"))[:3]
    with Image.open(first) as image:
        image.save(tmp_path / "same.png")
        image.resize((320, 240)).save(tmp_path / "small.jpg", quality=50)
        ImageEnhance.Brightness(image).enhance(1.08).save(tmp_path / "bright.jpg")
    (tmp_path / "again.jpg").write_bytes(first.read_bytes())
    made = [tmp_path / name for name in ("again.jpg", "same.png", "small.jpg", "bright.jpg")]
    return [first, *made, second, third]


def test_each_method_finds_what_it_says(copies: list[Path]) -> None:
    dataset = _dataset(copies)
    found = {
        method: dataset.find_duplicates(method)["position"].to_list()
        for method in ("exact", "pixels", "perceptual")
    }
    assert found == {"exact": [0, 1], "pixels": [0, 1, 2], "perceptual": [0, 1, 2, 3, 4]}
    table = dataset.find_duplicates("perceptual")
    assert table.columns == ["group", "position", "sample_index", "split", "file_path", "distance"]
    assert table["group"].to_list() == [0] * 5
    assert table["distance"].to_list()[:3] == [0, 0, 0]
    assert table["distance"].max() <= 4
    assert len(dataset.remove_duplicates("perceptual")) == 3
    assert len(dataset.remove_duplicates()) == 6
    assert len(dataset) == 7


def test_which_one_is_kept(copies: list[Path]) -> None:
    dataset = _dataset([copies[3], copies[0], copies[1], copies[5]])
    kept = {
        keep: dataset.remove_duplicates("perceptual", keep=keep).samples["file_path"].to_list()
        for keep in ("first", "last", "largest")
    }
    other = str(copies[5])
    assert kept["first"] == [str(copies[3]), other]
    assert kept["last"] == [str(copies[1]), other]
    assert kept["largest"] == [str(copies[0]), other]


def test_splits_can_be_kept_apart(copies: list[Path]) -> None:
    dataset = _dataset([copies[0], copies[1], copies[0]], ["train", "test", "train"])
    assert dataset.find_duplicates()["split"].to_list() == ["train", "test", "train"]
    apart = dataset.find_duplicates(across_splits=False)
    assert apart["position"].to_list() == [0, 2]
    kept = dataset.remove_duplicates(across_splits=False)
    assert kept.samples["split"].to_list() == ["train", "test"]


def test_even_pictures_are_no_perceptual_duplicates(tmp_path: Path) -> None:
    paths = []
    for name, level in (("black", 0), ("white", 255), ("black again", 0)):
        Image.new("L", (40, 40), level).save(tmp_path / f"{name}.png")
        paths.append(tmp_path / f"{name}.png")
    dataset = _dataset(paths)
    assert perceptual_hash(paths[0], (40, 40)) is None
    assert dataset.find_duplicates("perceptual").is_empty()
    assert dataset.find_duplicates("pixels")["position"].to_list() == [0, 2]


def test_no_samples() -> None:
    dataset = Dataset.from_samples([], DatasetInfo(dataset_name="none"))
    assert dataset.find_duplicates("perceptual").schema["group"] == pl.Int64
    assert len(dataset.remove_duplicates()) == 0


@given(
    st.lists(st.integers(0, 2**64 - 1), max_size=20),
    st.lists(st.integers(0, 63), max_size=20),
    st.integers(0, 16),
)
def test_the_search_finds_every_pair_that_comparing_all_finds(
    hashes: list[int], flipped: list[int], most: int
) -> None:
    near = [hashes[n % len(hashes)] ^ (1 << bit) for n, bit in enumerate(flipped)] if hashes else []
    unique = np.unique(np.array(hashes + near, dtype=np.uint64))
    first, second, distance = near_pairs(unique, most)
    table = np.bitwise_count(unique[:, None] ^ unique[None])
    expected = {(i, j) for i, j in np.argwhere(table <= most).tolist() if i < j}
    found = list(zip(np.minimum(first, second).tolist(), np.maximum(first, second).tolist(), strict=True))
    assert len(found) == len(set(found))
    assert set(found) == expected
    assert (distance == table[first, second]).all()


def test_nothing_is_removed_that_is_not_near_what_is_kept(copies: list[Path]) -> None:
    dataset = _dataset(copies)
    for most in (0, 4, 16):
        assert (dataset.find_duplicates("perceptual", max_distance=most)["distance"] <= most).all()


def test_bad_arguments_and_files_are_one_sentence(copies: list[Path], tmp_path: Path) -> None:
    dataset = _dataset(copies[:2])
    for arguments, message in (
        ({"method": "guess"}, "method='guess' is not one of exact, pixels, perceptual"),
        ({"keep": "best"}, "keep='best' is not one of first, last, largest"),
        ({"max_distance": 17}, "max_distance is 17; give bits from 0 to 16"),
    ):
        with pytest.raises(SightlineError, match=message):
            dataset.find_duplicates(**arguments)
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    broken = dataset.replace(
        samples=dataset.samples.with_columns(file_path=pl.lit(str(tmp_path / "broken.jpg")))
    )
    with pytest.raises(SightlineError, match=r"broken\.jpg: cannot be read as an image"):
        broken.find_duplicates("pixels")
