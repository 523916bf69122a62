import os
from pathlib import Path

import pytest

from sightline.sandbox.usage import UnmeasurableError, folder_bytes, make_ours, memory_bytes


def test_counts_files_in_folders_and_not_through_links(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "big").write_bytes(bytes(1 << 20))
    counted = tmp_path / "counted"
    (counted / "deep").mkdir(parents=True)
    (counted / "deep" / "file").write_bytes(bytes(100_000))
    (counted / "link").symlink_to(outside)
    assert 100_000 <= folder_bytes([counted]) < 120_000


def test_an_empty_file_costs_something_and_a_sparse_one_its_length(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / str(number)).touch()
    assert folder_bytes([tmp_path]) >= 100 * 1024
    with (tmp_path / "sparse").open("wb") as stream:
        stream.truncate(1 << 30)
    assert folder_bytes([tmp_path]) > 1 << 30


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert folder_bytes([tmp_path / "none"]) == 0


def test_paths_beyond_all_bounds_are_reported(tmp_path: Path) -> None:
    start = Path.cwd()
    try:
        os.chdir(tmp_path)
        for _ in range(25):
            Path("d" * 200).mkdir()
            os.chdir("d" * 200)
    finally:
        os.chdir(start)
    with pytest.raises(UnmeasurableError):
        folder_bytes([tmp_path])


def test_a_link_in_place_of_a_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "model").symlink_to("/etc")
    (tmp_path / "run").write_text("a file")
    make_ours([tmp_path / "model", tmp_path / "run", tmp_path / "gone"])
    for name in ("model", "run", "gone"):
        assert (tmp_path / name).is_dir()
        assert not (tmp_path / name).is_symlink()


def test_memory_of_ourselves() -> None:
    resident = memory_bytes([os.getpid()], enough=1 << 60)
    exact = memory_bytes([os.getpid()], enough=0)
    assert 1 << 20 < exact <= resident * 1.1
    assert memory_bytes([], enough=0) == 0
