import os
import threading
import time
from pathlib import Path

from sightline.archives import write_zip
from sightline.files import sha256_file
from sightline.service.agent.caches import Cache


def test_a_trainer_is_fetched_once_by_many_at_once(tmp_path: Path) -> None:
    source = tmp_path / "file"
    source.write_text("content")
    archive = tmp_path / "trainer.zip"
    sha256 = write_zip(archive, [("file", source)])
    fetches: list[Path] = []

    def fetch(target: Path) -> None:
        fetches.append(target)
        target.write_bytes(archive.read_bytes())

    found: list[Path] = []
    cache = Cache(tmp_path / "cache")
    threads = [threading.Thread(target=lambda: found.append(cache.trainer(sha256, fetch))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetches) == 1
    assert {sha256_file(path) for path in found} == {sha256}


def test_a_dataset_that_nobody_used_for_long_is_removed(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    for name, age_s in (("old", 90_000), ("new", 60)):
        folder = tmp_path / "cache" / "datasets" / name
        (folder / "data").mkdir(parents=True)
        os.utime(folder, (time.time() - age_s,) * 2)
    cache.prune()
    assert [path.name for path in (tmp_path / "cache" / "datasets").iterdir()] == ["new"]


def test_a_damaged_trainer_is_fetched_again(tmp_path: Path) -> None:
    good = b"good"
    source = tmp_path / "good"
    source.write_bytes(good)
    sha256 = sha256_file(source)
    cache = Cache(tmp_path / "cache")
    cache.trainer(sha256, lambda target: target.write_bytes(good)).write_bytes(b"damaged")
    assert cache.trainer(sha256, lambda target: target.write_bytes(good)).read_bytes() == good
