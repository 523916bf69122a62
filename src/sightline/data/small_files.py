"""How to read many small files: labels, or the first bytes of images."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from time import perf_counter

from sightline.data.progress import THREADS
from sightline.errors import SightlineError

_SAMPLE = 64  # files
_WORTH_A_THREAD = 5e-5  # seconds for a file; several times what a header takes that is in memory


def threads_to_read(read: Callable[[str], object], paths: Sequence[str]) -> int:
    """How many threads ``read`` the ``paths`` the fastest, going by some files from all over them.

    What the system holds in memory comes within microseconds, which threads would spend in waiting for
    Python's lock; a disk or a server lets them wait, best for several files at once, and decoding takes
    several cores.
    """
    sample = paths[:: max(1, len(paths) // _SAMPLE)]
    slow = sum(_seconds(read, path) > _WORTH_A_THREAD for path in sample)
    return THREADS if slow > len(sample) // 8 else 1


def _seconds(read: Callable[[str], object], path: str) -> float:
    started = perf_counter()
    with suppress(SightlineError):  # raised when it is this file's turn
        read(path)
    return perf_counter() - started
