from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.data import Dataset
from sightline.errors import SightlineError
from tests.data.factory import INFO, classification_dataset, write_picture


@pytest.fixture
def pets(tmp_path: Path) -> Dataset:
    return classification_dataset(tmp_path / "images", {("train", "cat"): 7, ("test", "dog"): 3})


def test_as_large_as_its_cells(pets: Dataset, tmp_path: Path) -> None:
    path = pets.contact_sheet(tmp_path / "sheet.png", n=5, columns=3, side=96)
    with Image.open(path) as sheet:
        assert sheet.width == 2 * 20 + 3 * 96 + 2 * 12
        heights = 2 * 72  # two rows of pictures of 12 x 16, enlarged six times
        assert sheet.height == 2 * 20 + 40 + heights + 2 * (20 + 12) - 12
    assert [entry.name for entry in tmp_path.glob("*.*")] == ["sheet.png"]


def test_the_same_for_the_same_seed(pets: Dataset, tmp_path: Path) -> None:
    sheets = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        with Image.open(pets.contact_sheet(tmp_path / f"{name}.png", n=4, seed=seed, side=64)) as sheet:
            sheets.append(np.asarray(sheet))
    assert (sheets[0] == sheets[1]).all()
    assert (sheets[0] != sheets[2]).any()


def test_only_one_split_and_not_more_than_there_are(pets: Dataset, tmp_path: Path) -> None:
    path = pets.contact_sheet(tmp_path / "sheet.webp", n=50, split="test", side=64)
    with Image.open(path) as sheet:
        assert (sheet.format, sheet.width) == ("WEBP", 2 * 20 + 3 * 64 + 2 * 12)


def test_bad_arguments_and_images_are_one_sentence(pets: Dataset, tmp_path: Path) -> None:
    bad = [
        ("sheet.gif", {}, r"sheet\.gif: name the contact sheet \.png, \.jpg or \.webp"),
        ("sheet.png", {"n": 0}, "n is 0"),
        ("sheet.png", {"columns": 0}, "columns=0"),
        ("sheet.png", {"side": 5}, "side=5"),
        ("sheet.png", {"split": "validation"}, "has no samples of split 'validation' to show"),
    ]
    for name, arguments, message in bad:
        with pytest.raises(SightlineError, match=message):
            pets.contact_sheet(tmp_path / name, **arguments)
    with pytest.raises(SightlineError, match="has no samples to show"):
        Dataset.from_samples([], INFO).contact_sheet(tmp_path / "sheet.png")
    broken = Path(pets[0].file_path or "")
    broken.write_bytes(b"no image")
    with pytest.raises(SightlineError, match="cannot be read as an image"):
        pets.contact_sheet(tmp_path / "sheet.png", n=10)
    assert not (tmp_path / "sheet.png").exists()
    write_picture(broken)
