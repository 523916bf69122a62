"""Space kept aside in the run directory, so that a run that filled the disk can still say so."""

import contextlib
import os
from pathlib import Path

_NAME = ".reserve"
_BYTES = 64 << 10


class Reserve:
    """A file of 64 KiB that is really allocated, given back when it is needed or the run ends."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME
        # Random bytes: a file system that compresses or leaves out zeros keeps no room for those.
        with contextlib.suppress(OSError), self._path.open("wb") as stream:
            stream.write(os.urandom(_BYTES))

    def release(self) -> None:
        """Give the space back; later calls do nothing."""
        with contextlib.suppress(OSError):
            self._path.unlink()
