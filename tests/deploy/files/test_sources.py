from pathlib import Path

import pytest

from sightline.data import Dataset
from sightline.deploy.files.sources import find_sources
from sightline.errors import SightlineError
from tests.data.factory import classification_dataset
from tests.deploy.files.pictures import write_film, write_squares


def test_files_and_folders_in_order_and_named_apart(tmp_path: Path) -> None:
    write_squares(tmp_path / "a" / "deep", 2)
    write_squares(tmp_path / "a" / ".hidden", 1)
    (tmp_path / "a" / "notes.txt").write_text("dear diary")
    write_squares(tmp_path / "b", 1)
    write_squares(tmp_path / "c", 1)
    found = find_sources([tmp_path / "b" / "000.png", tmp_path / "a", tmp_path / "b", tmp_path / "c"])
    assert [source.name for source in found.files] == ["000", "deep/000", "deep/001", "000-2"]
    assert [Path(source.path).name for source in found.files] == ["000.png", "000.png", "001.png", "000.png"]
    assert found.dataset is None


def test_a_dataset_stands_alone(tmp_path: Path) -> None:
    counts = {("train", "cat"): 2, ("test", "dog"): 1}
    classification_dataset(tmp_path / "pictures", counts).write(tmp_path / "pets")
    found = find_sources([tmp_path / "pets"])
    assert len(found) == 3
    assert {source.size for source in found.files} == {(12, 16)}
    assert len(find_sources([tmp_path / "pets"], "test")) == 1
    with pytest.raises(SightlineError, match="is a dataset, which stands alone"):
        find_sources([tmp_path / "pets", tmp_path / "pictures"])
    with pytest.raises(SightlineError, match="split 'test': is of a dataset, and there is none"):
        find_sources([tmp_path / "pictures"], "test")


def test_frames_of_a_dataset_are_of_one_video(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.mp4", 6)
    Dataset.from_videos(film, every=2, progress=False).write(tmp_path / "frames", progress=False)
    (source,) = find_sources([tmp_path / "frames"]).files
    assert source.is_video
    assert source.frames == (0, 2, 4)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nothing", "nothing: there is no such file or folder"),
        ("notes.txt", r"notes\.txt: is neither an image nor a video, by its ending; leave it out"),
        ("empty", "empty: holds no images or videos"),
    ],
)
def test_what_is_nothing_of_the_kind_is_refused(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("dear diary")
    with pytest.raises(SightlineError, match=sentence):
        find_sources([tmp_path / name])
