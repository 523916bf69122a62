"""A bar for bytes that move, for whoever moves them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Told how many bytes are there and how many there will be (-1: unknown).
OnBytes = Callable[[int, int], None]


@contextmanager
def progress_bar(description: str) -> Iterator[OnBytes]:
    """A bar on the terminal (standard error) while bytes move; nothing where there is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total if total >= 0 else None)
