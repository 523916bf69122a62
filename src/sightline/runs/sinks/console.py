"""What a run is doing, on the console."""

import os
import sys
from datetime import datetime, timedelta
from time import monotonic, time
from typing import TYPE_CHECKING, Any, TextIO

from sightline.errors import SightlineError
from sightline.runs.record import RunStatus
from sightline.runs.records import Progress, Record, Rewind, Scalar
from sightline.runs.sinks.sink import RunInfo

if TYPE_CHECKING:
    from rich.console import Group
    from rich.live import Live

_REFRESH_S = 0.25


class Console:
    """Shows progress, the latest scalars and every metric on standard output.

    On a terminal it is one view that is kept up to date, below what else is printed; in a pipe or a file
    plain lines.

    Args:
        every_s: least seconds between two plain lines; metrics are always written.

    Raises:
        SightlineError: ``every_s`` is below 0.
    """

    def __init__(self, every_s: float = 10.0) -> None:
        if every_s < 0:
            raise SightlineError(f"Console: every_s is {every_s}; give seconds, from 0 up.")
        self._every_s = every_s
        self._scalars: dict[str, Scalar] = {}
        self._metrics: dict[str, Scalar] = {}
        self._progress: Progress | None = None
        self._first: Progress | None = None
        self._live: Live | None = None
        self._new = False
        self._shown = 0.0

    def start(self, run: RunInfo) -> None:
        """Say which run it is, and show the view where there is a terminal."""
        self._run, self._began = run, time()
        self._out: TextIO = sys.stdout
        self._shown = monotonic()
        self._line(f"run {run.name}{' goes on' if run.starts > 1 else ''}: {run.folder}")
        if self._out.isatty() and os.environ.get("TERM") != "dumb":
            from rich.console import Console as RichConsole
            from rich.live import Live

            # Refreshed by the thread that calls `write`, so that no other one holds a lock at a fork.
            console = RichConsole(file=self._out)
            self._live = Live(self._view(), console=console, auto_refresh=False)
            self._live.start()
            os.register_at_fork(after_in_child=_give_back_output)

    def write(self, record: Record) -> None:
        """Take in a number or the progress."""
        if isinstance(record, Progress):
            if self._first is None or record.done < self._first.done:
                self._first = record
            self._progress = record
        elif isinstance(record, Scalar) and record.kind == "scalar":
            self._scalars.pop(record.name, None)
            self._scalars[record.name] = record
        elif isinstance(record, Scalar):
            if any(metric.step != record.step for metric in self._metrics.values()):
                self._write_metrics()
            self._metrics[record.name] = record
        elif isinstance(record, Rewind):
            self._scalars.clear()
            self._first = None
        self._new = True
        if self._live is not None and monotonic() - self._shown >= _REFRESH_S:
            self._show()

    def flush(self) -> None:
        """Write the metrics at hand, and how far the run is where that is due."""
        self._write_metrics()
        if self._live is not None:
            self._show()
        elif self._new and monotonic() - self._shown >= self._every_s:
            self._write_status()

    def close(self, status: RunStatus) -> None:
        """Say how the run ended."""
        self._write_metrics()
        if self._live is not None:
            self._show()
            self._live.stop()
        elif self._new:
            self._write_status()
        self._line(
            f"run {self._run.name} {status} after {_duration(time() - self._began)}: {self._run.folder}"
        )

    def _show(self) -> None:
        assert self._live is not None
        self._live.update(self._view(), refresh=True)
        self._shown = monotonic()

    def _write_status(self) -> None:
        words = [f"{name} {_number(scalar.value)}" for name, scalar in sorted(self._scalars.items())]
        done = self._progress
        if done is not None:
            words = [
                *([f"epoch {done.epoch}"] if done.epoch is not None else []),
                _done(done),
                *words,
                *self._pace(),
            ]
        elif self._scalars:
            words.insert(0, f"step {max(scalar.step for scalar in self._scalars.values()):,}")
        if words:
            self._line(f"{datetime.now():%H:%M:%S}  {'  '.join(words)}")
        self._new, self._shown = False, monotonic()

    def _write_metrics(self) -> None:
        if self._metrics:
            metrics, self._metrics = self._metrics, {}
            step = max(metric.step for metric in metrics.values())
            words = [f"{name} {_number(metric.value)}" for name, metric in metrics.items()]
            self._line(f"{datetime.now():%H:%M:%S}  step {step:,}  {'  '.join(words)}")

    def _pace(self) -> list[str]:
        """Samples a second and the time that is left, as far as they are known."""
        now, first = self._progress, self._first
        if now is None or first is None:
            return []
        words: list[str] = []
        if now.samples_per_s is not None:
            words.append(f"{now.samples_per_s:,.{0 if now.samples_per_s >= 10 else 1}f} samples/s")
        gone = now.done - first.done
        if now.total is not None and gone > 0 and now.time > first.time and now.done < now.total:
            words.append(f"ETA {_duration((now.total - now.done) / gone * (now.time - first.time))}")
        return words

    def _view(self) -> "Group":
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        parts: list[Any] = []
        if (done := self._progress) is not None:
            row = Table.grid(padding=(0, 2))
            cells: list[Any] = []
            if done.epoch is not None:
                cells.append(Text(f"epoch {done.epoch}", style="bold"))
            cells.append(
                ProgressBar(total=done.total or 100.0, completed=done.done, width=30, pulse=not done.total)
            )
            cells.append(Text(_done(done)))
            cells.append(Text("  ".join([_duration(time() - self._began), *self._pace()]), style="cyan"))
            row.add_row(*cells)
            parts.append(row)
        if self._scalars:
            width, _ = os.get_terminal_size(self._out.fileno())
            entries = [f"{name} {_number(scalar.value)}" for name, scalar in sorted(self._scalars.items())]
            columns = max(1, width // (max(map(len, entries)) + 3))
            grid = Table.grid(padding=(0, 3))
            for start in range(0, len(entries), columns):
                grid.add_row(*entries[start : start + columns])
            parts.append(grid)
        return Group(*parts)

    def _line(self, text: str) -> None:
        if self._live is not None:
            self._live.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            self._out.write(text + "\n")
            self._out.flush()


def _give_back_output() -> None:
    """In a forked child, print past the view, whose locks may be held by a thread that is not there."""
    for name in ("stdout", "stderr"):
        proxied = getattr(getattr(sys, name), "rich_proxied_file", None)
        if proxied is not None:
            setattr(sys, name, proxied)


def _done(progress: Progress) -> str:
    if not progress.total:
        return f"{progress.done:,g} {progress.unit}"
    share = progress.done / progress.total
    return f"{_count(progress.done)}/{_count(progress.total)} {progress.unit} ({share:.0%})"


def _count(number: float) -> str:
    return f"{number:,.0f}" if number == int(number) else f"{number:,.1f}"


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
