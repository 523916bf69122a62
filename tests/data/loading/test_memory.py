import multiprocessing
from pathlib import Path

import numpy as np
import pytest

from sightline.data.loading import TorchDataset, memory
from sightline.data.loading.memory import MappedFile, SharedMemory, available_memory
from tests.data.factory import classification_dataset


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_a_worker_shares_it(tmp_path: Path, start: str) -> None:
    items = TorchDataset(classification_dataset(tmp_path, {("train", "dog"): 1}))  # whose epoch lies in it
    worker = multiprocessing.get_context(start).Process(target=items.set_epoch, args=(42,))  # pyright: ignore[reportAttributeAccessIssue]
    worker.start()
    worker.join()
    assert items.epoch == 42


def test_nothing_at_all_is_fine(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    assert len(SharedMemory(0).array) == len(MappedFile(tmp_path / "a").array) == 0


def test_a_container_may_have_less_than_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unlimited = available_memory()
    (tmp_path / "memory.max").write_text("10000\n")
    (tmp_path / "memory.current").write_text("4000\n")
    (tmp_path / "memory.stat").write_text("anon 3000\ninactive_file 1000\n")
    monkeypatch.setattr(memory, "_control_groups", lambda: [tmp_path])
    assert available_memory() == 7000
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory() == pytest.approx(unlimited, rel=0.5)


def test_a_mapped_file_is_read_only(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    array = MappedFile(tmp_path / "a").array
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 0
    assert array.dtype == np.uint8
