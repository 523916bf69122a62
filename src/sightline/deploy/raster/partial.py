"""The unfinished result of a raster: a folder beside the destination, from which a killed call goes on."""

import errno
import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from sightline.errors import SightlineError
from sightline.files import written_whole

_STATE, _LOCK = "state.json", "lock"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Partial:
    """An open folder of unfinished work for ``destination``.

    ``rows_done`` rows of tiles are finished and never computed again; ``pending`` is what they have begun of
    the next one (see `Blender.pending`).
    """

    def __init__(self, destination: Path, folder: Path, key: str) -> None:
        self.destination, self.folder = destination, folder
        self._key = key
        state = self._state()
        if state.get("key") != key:
            for path in folder.iterdir():
                if path.name != _LOCK:
                    path.unlink()
            state = {}
        self.rows_done: int = state.get("rows_done", 0)

    @property
    def pending(self) -> np.ndarray | None:
        """What the finished rows of tiles have begun of the next, or None."""
        path = self._pending_path(self.rows_done)
        return np.load(path) if path.exists() else None

    def finish_row(self, pending: np.ndarray | None) -> None:
        """Take note that one more row of tiles is finished, whose strips are written."""
        if pending is not None:
            with (
                written_whole(self._pending_path(self.rows_done + 1)) as temporary,
                temporary.open("wb") as file,
            ):
                np.save(file, pending)
        with written_whole(self.folder / _STATE) as temporary:
            temporary.write_text(json.dumps({"key": self._key, "rows_done": self.rows_done + 1}))
        self._pending_path(self.rows_done).unlink(missing_ok=True)
        self.rows_done += 1

    def _state(self) -> dict:
        try:
            state = json.loads((self.folder / _STATE).read_text())
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def _pending_path(self, row: int) -> Path:
        return self.folder / f"pending-{row}.npy"


@contextmanager
def partial_result(destination: Path, key: str, keep: bool) -> Iterator[Partial]:
    """The unfinished work for ``destination``, continued where ``key`` (of source, model and settings) is the
    same, else begun anew.

    The folder goes when the block ends, unless it fails and ``keep``; so a killed process leaves it as well.

    Raises:
        SightlineError: another process works on it, or the disk is full or not writable.
    """
    done = False
    with disk_errors(destination):
        folder = working_folder(destination)
        lock = (folder / _LOCK).open("w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SightlineError(f"{destination}: another process is writing it.") from None
        try:
            with disk_errors(destination):
                partial = Partial(destination, folder, key)
            yield partial
            done = True
        finally:
            if done or not keep:
                shutil.rmtree(folder, ignore_errors=True)


def working_folder(destination: Path) -> Path:
    """The folder for what is to become ``destination``, on the same disk, made if need be."""
    folder = destination.with_name(f".{destination.name}.partial")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def disk_errors(destination: Path) -> Iterator[None]:
    """Turn what the file system refuses within the block into one sentence."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise SightlineError(
                f"{destination}: the disk is full; free some space and start again."
            ) from error
        reason = (error.strerror or str(error)).lower()
        raise SightlineError(f"{destination}: cannot be written ({reason}).") from error
