"""Watching an experiment: its log, its metrics and its states as they happen."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sightline.cli.output import note, printable
from sightline.errors import SightlineError

if TYPE_CHECKING:
    from sightline.client import ServiceClient
    from sightline.client.wire import ExperimentOut, StoredLogLine, StoredMetricPoint

_METRICS_EVERY_S = 0.5


def follow(client: "ServiceClient", experiment: "ExperimentOut", write: Callable[[str], None]) -> None:
    """Give everything that the experiment logs to ``write``, line by line, until it has ended.

    Ctrl-C stops watching, not the experiment, and says so.

    Raises:
        SightlineError: the experiment did not succeed; the sentence holds its reason.
        KeyboardInterrupt: Ctrl-C.
    """
    from sightline.client.wire import ExperimentOut, State, StoredLogLine

    metrics = MetricsLine(write)
    try:
        for event in client.stream(experiment.id):
            if isinstance(event.data, StoredLogLine):
                metrics.flush()
                write(log_text(event.data))
            elif isinstance(event.data, ExperimentOut):
                if (event.data.state, event.data.attempt) != (experiment.state, experiment.attempt):
                    note(f"{event.data.name}: {event.data.state.value}: {printable(event.data.reason)}")
                experiment = event.data
            else:
                metrics.add(event.data)
        metrics.flush()
        experiment = client.experiment(experiment.id)
    except KeyboardInterrupt:
        note("")
        note(f"stopped watching; '{experiment.name}' goes on")
        note(f"to watch it again: sightline experiment logs {experiment.id} --follow")
        note(f"to stop it: sightline experiment cancel {experiment.id}")
        raise
    if experiment.state is not State.SUCCEEDED:
        state = f"'{experiment.name}' ({experiment.id}) {experiment.state.value}"
        raise SightlineError(f"{state}: {experiment.reason}")


def log_text(line: "StoredLogLine") -> str:
    """A log line as it is shown: what the agent and the sandbox say is marked."""
    from sightline.client.wire import LogStream

    text = printable(line.text)
    return f"[sightline] {text}" if line.stream is LogStream.SYSTEM else text


class MetricsLine:
    """Gathers metrics into lines such as ``step 12: train/loss 0.1234, validation/accuracy 0.95``.

    At most one line each half second, with the latest value of each name: a job may log thousands a
    second, and all of them are in `sightline experiment metrics`.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._latest: dict[str, StoredMetricPoint] = {}
        self._written_at = 0.0

    def add(self, point: "StoredMetricPoint") -> None:
        """Take a point, and write a line if the last one was long enough ago."""
        step_done = self._latest and next(reversed(self._latest.values())).step != point.step
        if step_done and time.monotonic() - self._written_at >= _METRICS_EVERY_S:
            self.flush()
        self._latest.pop(point.name, None)
        self._latest[point.name] = point

    def flush(self) -> None:
        """Write what has been gathered."""
        if not self._latest:
            return
        step = max(point.step for point in self._latest.values())
        values = ", ".join(f"{printable(p.name)} {metric_value(p.value)}" for p in self._latest.values())
        self._write(f"step {step}: {values}")
        self._latest.clear()
        self._written_at = time.monotonic()


def metric_value(value: float | None) -> str:
    """Four significant digits at least; a dash for NaN and infinities, which travel as null."""
    return "-" if value is None else f"{value:.4g}" if abs(value) < 10_000 else f"{value:g}"
