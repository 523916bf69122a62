import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sightline.data.staging import folder_written_whole
from sightline.errors import SightlineError


def _dataset_folder(path: Path, content: str) -> Path:
    path.mkdir()
    (path / "dataset_info.json").write_text(content)
    return path


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), folder_written_whole(tmp_path / "new", overwrite=False) as staging:
        (staging / "half").rename(staging / "no such folder" / "x")
    assert _names(tmp_path) == []


def test_a_failure_leaves_the_old_folder(tmp_path: Path) -> None:
    old = _dataset_folder(tmp_path / "set", "old")
    with pytest.raises(KeyError), folder_written_whole(old, overwrite=True):
        raise KeyError
    assert (old / "dataset_info.json").read_text() == "old"
    assert _names(tmp_path) == ["set"]


def test_the_new_folder_takes_the_place_of_the_old(tmp_path: Path) -> None:
    old = _dataset_folder(tmp_path / "set", "old")
    with folder_written_whole(old, overwrite=True) as staging:
        (staging / "dataset_info.json").write_text("new")
    assert (old / "dataset_info.json").read_text() == "new"
    assert _names(tmp_path) == ["set"]


def test_nothing_else_is_ever_overwritten(tmp_path: Path) -> None:
    full = tmp_path / "home"
    full.mkdir()
    (full / "letter.txt").write_text("dear")
    (tmp_path / "file").write_text("x")
    for target, overwrite, sentence in (
        (full, False, "exists already"),
        (full, True, "is not a dataset folder, so it is not overwritten"),
        (tmp_path / "file", True, "is not a folder"),
    ):
        with pytest.raises(SightlineError, match=sentence), folder_written_whole(target, overwrite=overwrite):
            pass
    assert (full / "letter.txt").read_text() == "dear"


def _dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_leftovers_of_killed_writers_are_cleared_and_those_of_others_kept(tmp_path: Path) -> None:
    dead = _dead_process()
    for name in (
        f".set.{dead}-0.part",
        f".set.{os.getpid()}-99.part",
        f".other.{dead}-0.part",
        ".set.note.part",
    ):
        (tmp_path / name).mkdir()
    with folder_written_whole(tmp_path / "set", overwrite=False) as staging:
        (staging / "x").touch()
    assert _names(tmp_path) == sorted(
        [f".other.{dead}-0.part", f".set.{os.getpid()}-99.part", ".set.note.part", "set"]
    )


def test_a_folder_moved_aside_by_a_killed_writer_is_put_back(tmp_path: Path) -> None:
    _dataset_folder(tmp_path / f".set.{_dead_process()}-0.old", "old")
    with pytest.raises(KeyError), folder_written_whole(tmp_path / "set", overwrite=True):
        raise KeyError
    assert (tmp_path / "set" / "dataset_info.json").read_text() == "old"


_WRITER = """
import sys, time
from pathlib import Path
import sightline.data.storage as storage
from sightline.data import Dataset
name = storage.image_name
def slowly(*arguments):
    time.sleep(0.05)
    return name(*arguments)
storage.image_name = slowly
Dataset.from_image_folder(sys.argv[1], name="x").write(sys.argv[2], overwrite=True)
"""


@pytest.mark.parametrize("exists", [False, True])
def test_a_writer_killed_half_way_leaves_no_half_dataset(tmp_path: Path, exists: bool) -> None:
    from sightline.data import Dataset
    from tests.data.factory import image_folder

    source = image_folder(tmp_path / "source", {"train/a": 60, "train/b": 60})
    target = tmp_path / "out" / "set"
    if exists:
        image_folder(tmp_path / "small", {"train/a": 1})
        Dataset.from_image_folder(tmp_path / "small", name="small").write(target)
    process = subprocess.Popen([sys.executable, "-c", _WRITER, str(source), str(target)])
    deadline = time.monotonic() + 30
    while not list((tmp_path / "out").glob(".set.*.part/data/*/*")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -9
    if exists:
        assert Dataset.from_path(target).info.dataset_name == "small"
    else:
        assert not target.exists()
    again = Dataset.from_image_folder(source, name="x").write(target, overwrite=True)
    assert len(Dataset.from_path(target)) == len(again) == 120
    assert _names(tmp_path / "out") == ["set"], "what the killed writer left is gone"


def test_a_signal_that_arrives_with_the_folder_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    make = Path.mkdir

    def interrupted(self: Path, *args, **kwargs) -> None:
        make(self, *args, **kwargs)
        if self.suffix == ".part":
            raise KeyboardInterrupt

    monkeypatch.setattr(Path, "mkdir", interrupted)
    with pytest.raises(KeyboardInterrupt), folder_written_whole(tmp_path / "out", overwrite=False):
        pass
    assert not list(tmp_path.iterdir())
