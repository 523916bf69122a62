"""Archives that jobs need, fetched once and kept by content hash."""

import fcntl
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sightline.data.archive import unpack_dataset
from sightline.files import sha256_file


class Cache:
    """A folder of datasets (unpacked) and trainer packages (zip files), named by the archive's SHA-256.

    Safe for several agents on one machine: the first one fetches, the others wait and find it there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def dataset(self, sha256: str, fetch: Callable[[Path], object]) -> Path:
        """Folder of the unpacked dataset; ``fetch`` downloads its archive to the path it is given."""
        target = self.folder / "datasets" / sha256
        with self._only_one(target):
            if not target.exists():
                archive = target.with_suffix(".zip")
                fetch(archive)
                unpack_dataset(archive, target)
                archive.unlink()
            os.utime(target)  # when it was last used
        return target

    def built(self, key: str, build: Callable[[Path], object]) -> Path:
        """Folder of a dataset made of others; ``build`` makes it at the path it is given, whole."""
        target = self.folder / "datasets" / key
        with self._only_one(target):
            if not target.exists():
                build(target)
            os.utime(target)
        return target

    def prune(self, unused_s: float = 86_400) -> None:
        """Remove datasets that no job has used for ``unused_s`` seconds: hidden data stays no longer than
        it is needed, also when its owner deletes it from the service."""
        for folder in (self.folder / "datasets").glob("*/"):
            if time.time() - folder.stat().st_mtime > unused_s:
                shutil.rmtree(folder)

    def trainer(self, sha256: str, fetch: Callable[[Path], object]) -> Path:
        """The trainer package's zip file; ``fetch`` downloads it to the path it is given."""
        target = self.folder / "trainers" / f"{sha256}.zip"
        with self._only_one(target):
            if not target.exists() or sha256_file(target) != sha256:
                target.unlink(missing_ok=True)
                fetch(target)
        return target

    @contextmanager
    def _only_one(self, target: Path) -> Iterator[None]:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.with_name(f".{target.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
