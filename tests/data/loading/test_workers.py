"""Processes that die or are interrupted."""

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from torch.utils.data import Dataset

from sightline.data.loading import Loader
from sightline.errors import SightlineError

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


class Dying(Dataset[int]):
    """Items of which one ends the worker; ``how`` is a signal, or None for an exit."""

    def __init__(self, how: int | None) -> None:
        self.how = how

    def __len__(self) -> int:
        return 1000

    def __getitem__(self, index: int) -> int:
        if index == 30:
            if self.how is None:
                os._exit(3)
            os.kill(os.getpid(), self.how)
        return index


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        (signal.SIGKILL, r"\) died: it was killed, most likely because memory ran out \("),
        (None, r"\) died by itself; workers=0 shows where"),
    ],
)
def test_a_worker_that_dies_is_one_sentence(how: int | None, sentence: str) -> None:
    with pytest.raises(SightlineError, match=rf"^a worker that reads items \(pid \d+{sentence}"):
        list(Loader(Dying(how), 4, workers=2))


def _train(folder: Path) -> None:
    """A training in a session of its own, its output in files; ended by Ctrl-C."""
    os.setsid()
    for number, name in ((1, "output"), (2, "errors")):
        os.dup2(os.open(folder / name, os.O_CREAT | os.O_WRONLY), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    loader: Any = Loader(Dying(None), 4, workers=2)
    try:
        for _ in loader:
            (folder / "begun").touch()
            time.sleep(0.2)
    except KeyboardInterrupt:
        del loader
        os.write(1, b"interrupted")


def test_ctrl_c_ends_all_without_a_traceback(tmp_path: Path) -> None:
    training = multiprocessing.get_context("fork").Process(target=_train, args=(tmp_path,))
    training.start()
    assert training.pid is not None
    while not (tmp_path / "begun").exists():
        time.sleep(0.01)
    os.killpg(training.pid, signal.SIGINT)
    training.join()
    assert (tmp_path / "errors").read_text() == ""
    assert (tmp_path / "output").read_text() == "interrupted"
    assert training.exitcode == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(training.pid, 0)  # no worker is left behind


_TRAINING = """
import multiprocessing, sys, time
from sightline.data.loading import Loader

if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    multiprocessing.set_forkserver_preload(["sightline.data.loading"])
    for _ in Loader(range(1000), 4, workers=2):
        print(*(child.pid for child in multiprocessing.active_children()), flush=True)
        time.sleep(0.2)
"""


@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_when_the_training_is_killed_its_workers_end(tmp_path: Path, method: str) -> None:
    (tmp_path / "training.py").write_text(_TRAINING)
    command = [sys.executable, str(tmp_path / "training.py"), method]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as training:
        assert training.stdout is not None
        workers = [int(pid) for pid in training.stdout.readline().split()]
        assert len(workers) == 2
        training.kill()
        deadline = time.monotonic() + 30
        while any(map(_runs, workers)):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_closed_and_read_again() -> None:
    others = set(multiprocessing.active_children())
    loader: Any = Loader(range(8), 4, workers=2)  # pyright: ignore[reportArgumentType]
    assert [batch.tolist() for batch in loader] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert len(set(multiprocessing.active_children()) - others) == 2
    loader.close()
    assert set(multiprocessing.active_children()) <= others
    assert len(list(loader)) == 2
    loader.close()
    loader.close()
    assert set(multiprocessing.active_children()) <= others
