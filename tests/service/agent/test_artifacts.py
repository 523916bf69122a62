import os
from pathlib import Path

import pytest

from sightline.errors import SightlineError
from sightline.sandbox import JobFolders
from sightline.service.agent import artifacts
from sightline.service.agent.artifacts import collect


@pytest.fixture
def folders(tmp_path: Path) -> JobFolders:
    return JobFolders.create(tmp_path / "job")


def test_files_are_named_by_part_and_sorted(folders: JobFolders) -> None:
    (folders.model / "deep").mkdir()
    (folders.model / "deep" / "weights.bin").write_bytes(b"12345")
    (folders.run / "metrics.jsonl").write_text("")
    (folders.checkpoints / "last.bin").write_bytes(b"1")
    (folders.artifacts / "plot.png").write_bytes(b"2")
    outputs, left_out = collect(folders, 100)
    assert [(output.name, output.size_bytes) for output in outputs] == [
        ("checkpoints/last.bin", 1),
        ("data/plot.png", 1),
        ("model/deep/weights.bin", 5),
        ("run/metrics.jsonl", 0),
    ]
    assert left_out == []


def test_links_and_pipes_stay_behind_and_are_named(folders: JobFolders, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("key")
    (folders.model / "link").symlink_to(secret / "key")
    (folders.model / "folder").symlink_to(secret, target_is_directory=True)
    os.mkfifo(folders.artifacts / "pipe")
    outputs, left_out = collect(folders, 100)
    assert outputs == []
    assert sorted(sentence.split()[0] for sentence in left_out) == ["data/pipe", "model/folder", "model/link"]


def test_names_that_cannot_be_stored_stay_behind(folders: JobFolders) -> None:
    (folders.model / "a\nb").touch()
    (folders.model / os.fsdecode(b"\xff\xfe")).touch()
    deep = folders.model
    for _ in range(6):
        deep = deep / ("d" * 100)
    deep.mkdir(parents=True)
    (deep / "weights.bin").touch()
    (folders.model / "größe 1.bin").touch()
    outputs, left_out = collect(folders, 100)
    assert [output.name for output in outputs] == ["model/größe 1.bin"]
    assert len(left_out) == 3
    assert all(sentence.isprintable() for sentence in left_out)


def test_more_than_the_quota_is_refused(folders: JobFolders) -> None:
    (folders.model / "weights.bin").write_bytes(bytes(101))
    with pytest.raises(SightlineError, match="output quota"):
        collect(folders, 100)


def test_too_many_files_are_refused(folders: JobFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(artifacts, "MAX_FILES", 3)
    for number in range(4):
        (folders.model / f"{number}").touch()
    with pytest.raises(SightlineError, match="4 files"):
        collect(folders, 100)
