import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sightline.client import download
from sightline.data import Dataset
from sightline.data.archive import pack_dataset
from sightline.data.named import fetch_sample
from sightline.errors import SightlineError
from tests.data.factory import classification_dataset

JOB_VARIABLES = ("SIGHTLINE_JOB", "HAFNIA_CLOUD", "SIGHTLINE_DATASET_DIR", "MDI_DATASET_DIR")


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    for variable in JOB_VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    dataset = classification_dataset(tmp_path / "pictures", {("train", "cat"): 2})
    dataset.write(tmp_path / "set")
    return tmp_path / "set"


class Shop:
    """Stands for the service: hands out one archive and remembers who asked."""

    def __init__(self, archive: Path) -> None:
        self.archive = archive
        self.asked: list[tuple[str, str | None]] = []
        self.seconds = 0.0

    def fetch(
        self, name: str, version: str | None, target: Path, on_progress: Callable[[int, int], None]
    ) -> Path:
        self.asked.append((name, version))
        time.sleep(self.seconds)
        on_progress(1, 1)
        if name != "pets":
            raise SightlineError(f"there is no dataset '{name}'.")
        return Path(shutil.copy(self.archive, target))


@pytest.fixture
def shop(pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    pack_dataset(pets, tmp_path / "a.zip")
    shop = Shop(tmp_path / "a.zip")
    monkeypatch.setattr(download, "fetch_sample_archive", shop.fetch)
    return shop


@pytest.mark.parametrize(
    "variables",
    [("SIGHTLINE_JOB", "1", "SIGHTLINE_DATASET_DIR"), ("HAFNIA_CLOUD", "true", "MDI_DATASET_DIR")],
)
def test_in_a_job_the_dataset_is_the_jobs(
    pets: Path, monkeypatch: pytest.MonkeyPatch, variables: tuple[str, str, str]
) -> None:
    sign, value, folder = variables
    monkeypatch.setenv(sign, value)
    with pytest.raises(SightlineError, match="none of SIGHTLINE_DATASET_DIR, MDI_DATASET_DIR"):
        Dataset.from_name("pets")
    monkeypatch.setenv(folder, str(pets))
    for name in ("pets", "another name", "../strange"):
        assert len(Dataset.from_name(name, "9.9.9", force=True)) == 2


def test_downloaded_once_then_read_from_here(shop: Shop) -> None:
    assert len(Dataset.from_name("pets")) == 2
    assert len(Dataset.from_name("pets")) == 2
    assert len(Dataset.from_name("pets", "1.0.0")) == 2
    assert shop.asked == [("pets", None)]
    assert [path.name for path in Path(".data/datasets").iterdir()] == ["pets"]
    Dataset.from_name("pets", force=True)
    assert len(shop.asked) == 2


def test_a_version_that_is_not_here_is_asked_for(shop: Shop) -> None:
    Dataset.from_name("pets")
    with pytest.raises(SightlineError, match=r"version 2\.0\.0 was asked for, the service sent 1\.0\.0"):
        Dataset.from_name("pets", "2.0.0")
    assert shop.asked[-1] == ("pets", "2.0.0")
    with pytest.raises(SightlineError, match="version '2' is not semantic"):
        Dataset.from_name("pets", "2")


def test_what_the_service_does_not_have_leaves_nothing(shop: Shop) -> None:
    with pytest.raises(SightlineError, match="there is no dataset 'cats'"):
        Dataset.from_name("cats")
    assert list(Path(".data/datasets").iterdir()) == []
    with pytest.raises(SightlineError, match=r"dataset name '\.\./cats' cannot name a folder"):
        Dataset.from_name("../cats")


def test_of_several_that_want_it_at_once_one_downloads(shop: Shop, tmp_path: Path) -> None:
    """Threads stand for processes: each opens the lock's file itself, and so waits for the others."""
    shop.seconds = 0.2
    with ThreadPoolExecutor(4) as pool:
        fetched = list(pool.map(lambda _: fetch_sample("pets", None, tmp_path / "here" / "pets"), range(4)))
    assert sorted(fetched) == [False, False, False, True]
    assert shop.asked == [("pets", None)]
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["pets"]


def test_nothing_but_a_dataset_is_replaced(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all I have")
    with pytest.raises(SightlineError, match="mine: is not a dataset folder, so it is not overwritten"):
        fetch_sample("pets", None, tmp_path / "mine", force=True)
    assert shop.asked == []


def test_a_download_that_fails_can_go_on(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    targets: list[Path] = []

    def broken(_name: str, _version: str | None, target: Path, _on_progress: object) -> None:
        targets.append(target)
        target.with_name(f"{target.name}.part").write_text("half")
        raise SightlineError("the line is down.")

    monkeypatch.setattr(download, "fetch_sample_archive", broken)
    for _ in range(2):
        with pytest.raises(SightlineError, match="the line is down"):
            fetch_sample("pets", None, tmp_path / "here" / "pets")
    assert targets[0] == targets[1], "the part lies where the next attempt looks for it"
    assert list((tmp_path / "here").iterdir()) == [targets[0].with_name(f"{targets[0].name}.part")]
