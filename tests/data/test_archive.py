import json
import zipfile
from pathlib import Path

import pytest

from sightline.data import Dataset
from sightline.data.archive import pack_dataset, unpack_dataset
from sightline.errors import SightlineError
from tests.data.factory import classification_dataset
from tests.needs import shared_data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    dataset = classification_dataset(tmp_path / "pictures", {("train", "cat"): 4, ("test", "dog"): 2})
    dataset.write(tmp_path / "set")
    return tmp_path / "set"


def test_packed_and_unpacked_is_equal(folder: Path, tmp_path: Path) -> None:
    sizes: list[int] = []
    digest = pack_dataset(folder, tmp_path / "a.zip", sizes.append)
    assert len(sizes) == 3 + 6
    unpack_dataset(tmp_path / "a.zip", tmp_path / "out" / "b")
    before, after = Dataset.from_path(folder), Dataset.from_path(tmp_path / "out" / "b")
    assert after.info == before.info
    assert len(after) == 6
    assert all((x.read_image() == y.read_image()).all() for x, y in zip(before, after, strict=True))
    assert pack_dataset(tmp_path / "out" / "b", tmp_path / "b.zip") == digest


def test_links_are_packed_as_files_and_strays_are_not(folder: Path, tmp_path: Path) -> None:
    digest = pack_dataset(folder, tmp_path / "a.zip")
    Dataset.from_path(folder).write(tmp_path / "linked", how="symlink")
    (tmp_path / "linked" / "data" / "key.pem").write_text("secret")
    assert pack_dataset(tmp_path / "linked", tmp_path / "b.zip") == digest


def test_a_folder_of_another_writer(tmp_path: Path) -> None:
    pack_dataset(shared_data("hafnia-format") / "bccd-mini", tmp_path / "a.zip")
    unpack_dataset(tmp_path / "a.zip", tmp_path / "b")
    assert len(Dataset.from_path(tmp_path / "b")) == 8


def test_an_existing_dataset_is_kept_unless_told(folder: Path, tmp_path: Path) -> None:
    pack_dataset(folder, tmp_path / "a.zip")
    (folder / "mark").touch()
    with pytest.raises(SightlineError, match="exists already"):
        unpack_dataset(tmp_path / "a.zip", folder)
    assert (folder / "mark").exists()
    unpack_dataset(tmp_path / "a.zip", folder, overwrite=True)
    assert not (folder / "mark").exists()


def _zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_bad_archives_are_one_sentence_and_leave_nothing(folder: Path, tmp_path: Path) -> None:
    info = (folder / "dataset_info.json").read_bytes()
    parquet = (folder / "annotations.parquet").read_bytes()
    (tmp_path / "text.zip").write_text("no zip")
    cases = {
        tmp_path / "text.zip": "cannot be read as a zip file",
        tmp_path / "none.zip": "no such file",
        _zip(tmp_path / "1.zip", {"../x": b""}): "points outside the archive",
        _zip(
            tmp_path / "2.zip", {"readme.txt": b""}
        ): r"2\.zip: not a dataset folder, it has no dataset_info",
        _zip(tmp_path / "3.zip", {"dataset_info.json": info}): "has neither annotations",
        _zip(tmp_path / "4.zip", {"dataset_info.json": b"{"}): r"4\.zip: dataset_info\.json: not valid JSON",
        _zip(tmp_path / "5.zip", {"dataset_info.json": info, "annotations.parquet": parquet}): (
            "6 of 6 images are missing, the first is data/"
        ),
    }
    out = tmp_path / "out"
    out.mkdir()
    for archive, sentence in cases.items():
        with pytest.raises(SightlineError, match=sentence) as caught:
            unpack_dataset(archive, out / "x")
        assert ".part" not in str(caught.value)
        assert list(out.iterdir()) == []


def test_a_damaged_archive(folder: Path, tmp_path: Path) -> None:
    pack_dataset(folder, tmp_path / "a.zip")
    content = bytearray((tmp_path / "a.zip").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(SightlineError):
        unpack_dataset(tmp_path / "a.zip", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_packing_what_is_incomplete(folder: Path, tmp_path: Path) -> None:
    (folder / json.loads((folder / "annotations.jsonl").read_text().splitlines()[0])["file_path"]).unlink()
    with pytest.raises(SightlineError, match="1 of 6 images are missing"):
        pack_dataset(folder, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()
