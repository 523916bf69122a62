"""Follow what a running job logs."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sightline.client.wire import MetricPoint
from sightline.errors import SightlineError
from sightline.runs.metrics_file import scan_metrics
from sightline.runs.mlflow_files import read_mlflow_metrics

_EVERY_S = 0.2


class MetricsTail:
    """Hands on each point that appears in ``metrics.jsonl`` of a run directory while it is open.

    When it closes, it hands on the rest, and what the job logged through MLflow into ``mlruns`` beside it.
    The files are the job's own and may hold anything: what is not a metric is counted in ``refused``, and
    ``problem`` is the sentence about a file that cannot be read at all.
    """

    def __init__(self, run: Path, put: Callable[[MetricPoint], None]) -> None:
        self.refused = 0
        self.problem: str | None = None
        self._metrics = run / "metrics.jsonl"
        self._mlflow = run / "mlruns"
        self._put = put
        self._offset = 0
        self._seq = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True, name="metrics")

    def __enter__(self) -> "MetricsTail":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._read()
        for point in read_mlflow_metrics(self._mlflow):
            self._hand_on(point)

    def _work(self) -> None:
        while not self._done.wait(_EVERY_S):
            self._read()

    def _read(self) -> None:
        while self.problem is None:
            try:
                points, offset, corrupt = scan_metrics(self._metrics, self._offset)
            except SightlineError as error:
                self.problem = str(error)
                return
            self.refused += corrupt
            for point in points:
                self._hand_on(point)
            if offset == self._offset:
                return
            self._offset = offset

    def _hand_on(self, point: dict[str, Any]) -> None:
        try:
            message = MetricPoint(
                seq=self._seq,
                at=datetime.fromtimestamp(point["t"], UTC),
                name=point["name"],
                kind=point["kind"],
                value=point["value"],
                step=point["step"],
            )
        except (ValidationError, OverflowError, ValueError, OSError):
            self.refused += 1
            return
        self._seq += 1
        self._put(message)
