"""Work on many files at once, with a bar where somebody watches."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

THREADS = 8
"""Reading and writing files is mostly waiting, and image codecs release Python's lock."""

_WORTH_A_BAR = 500  # fewer items than this are done before a bar could be read
_AHEAD = 16  # items per thread that may be done before their results are taken


def in_parallel(
    function: Callable[[T], R],
    items: Sequence[T],
    label: str,
    *,
    progress: bool = True,
    threads: int = THREADS,
    batch: int = 1,
) -> Iterator[R]:
    """The results of ``function`` for each item, in order, computed by ``threads`` threads ahead of use (by
    one: here, as they are asked for).

    ``label`` stands beside the bar that ``progress`` shows on a terminal. The first error ends it: what
    was not begun is not done. A thread takes ``batch`` items at a time, which pays where an item takes
    less than the tenth of a millisecond that handing it over does.
    """

    def results_from(start: int) -> list[R]:
        return [function(item) for item in items[start : start + batch]]

    batches = in_order(results_from, range(0, len(items), batch), threads, threads * _AHEAD)
    return with_bar(chain.from_iterable(batches), len(items), label, progress=progress)


def with_bar(results: Iterator[R], count: int, label: str, *, progress: bool = True) -> Iterator[R]:
    """Pass ``results`` on, showing a bar where there is a terminal and enough to wait for."""
    if not progress or count < _WORTH_A_BAR:
        return results
    return _shown(results, count, label)


def _shown(results: Iterable[R], count: int, label: str) -> Iterator[R]:
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    shown = console.is_terminal
    yield from track(results, label, count, console=console, transient=True) if shown else results


def in_order(function: Callable[[T], R], items: Iterable[T], threads: int, ahead: int) -> Generator[R]:
    """The results of ``function`` for each item, in order, computed by ``threads`` threads (by one: here, as
    they are asked for).

    At most ``ahead`` items are begun, or done, before their results are taken. The first error ends it: what
    was not begun is not done.
    """
    if threads == 1:  # one beside this one would only take turns with it
        yield from map(function, items)
        return
    pool = ThreadPoolExecutor(threads)
    waiting = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
