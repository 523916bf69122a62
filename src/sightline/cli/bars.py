"""A bar for work that has a speed, on a terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

Update = Callable[[float, float | None, str], None]
"""Told what is done, of how much (None: unknown), and how fast in words."""


@contextmanager
def speed_bar(label: str) -> Iterator[Update]:
    """A bar on the terminal (standard error) while work goes on; nothing where there is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(label, total=None, speed="")
        yield lambda done, total, speed: progress.update(task, completed=done, total=total, speed=speed)
